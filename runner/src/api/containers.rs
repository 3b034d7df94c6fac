//! Calls that change a container.

use super::body;
use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::create::{Force, Volumes};
use crate::engine::lifecycle::Wait;
use crate::engine::model::{Config, HostConfig, Resources, RestartPolicy};
use crate::engine::networks::NONE;
use crate::engine::networks::request::EndpointRequest;
use crate::engine::record::Record;
use crate::engine::stop::Stop;
use crate::engine::{self, Engine, validate};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What most of these routes take.
pub(super) type Container = (State<Engine>, Path<String>, Query<Parameters>);

/// The body of a creation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Creation {
    #[serde(flatten)]
    config: Config,
    #[serde(default)]
    host_config: Option<HostConfig>,
    #[serde(default)]
    networking_config: Option<Networking>,
}

/// What is asked of networks.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Networking {
    endpoints_config: Option<BTreeMap<String, Option<EndpointRequest>>>,
}

impl Creation {
    /// Whether somebody is to type.
    pub(super) fn converses(&self) -> bool {
        self.config.tty || self.config.open_stdin
    }
}

/// `POST /containers/create`
pub(super) async fn create(
    State(engine): State<Engine>,
    Query(parameters): Query<Parameters>,
    body::Body(wanted): body::Body<Option<Creation>>,
) -> Answer {
    let container = make(&engine, &parameters, wanted).await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": container.id, "Warnings": [] }))).into_response())
}

/// Makes the container that was asked for.
pub(super) async fn make(
    engine: &Engine,
    parameters: &Parameters,
    wanted: Option<Creation>,
) -> Answer<Arc<engine::container::Container>> {
    // `{}` and `null` say nothing, to Docker.
    let empty = || Error::bad("config cannot be empty in order to create a container");
    let Creation { config, host_config, networking_config } =
        wanted.filter(|w| w.config != Config::default()).ok_or_else(empty)?;
    let mut host = host_config.unwrap_or_default();
    if config.network_disabled {
        NONE.clone_into(&mut host.network_mode);
    }
    if let Some(size) = parameters.text("platform").filter(|p| !p.starts_with("linux")) {
        return Err(Error::bad(format!("platform {size}: only linux images run here")));
    }
    let networks = networking_config.unwrap_or_default().endpoints_config.unwrap_or_default();
    let networks = networks.into_iter().map(|(name, wanted)| (name, wanted.unwrap_or_default())).collect();
    let container = engine.create_in(parameters.text("name"), config, host, networks)?;
    engine.fill_volumes(&container).await?;
    Ok(container)
}

/// `POST /containers/{id}/start`
pub(super) async fn start((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    super::checkpoints::only_ours(p.text("checkpoint-dir"))?;
    if let Some(name) = p.text("checkpoint").filter(|name| !name.is_empty()) {
        engine.start_from(&id, name).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    engine.start(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/stop`
pub(super) async fn stop((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    engine.stop(&id, how(&p)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn how(p: &Parameters) -> Answer<Stop> {
    let signal = p.text("signal").map(validate::signal);
    Ok(Stop { patience: p.number("t")?, signal: signal.transpose()? })
}

/// `POST /containers/{id}/restart`
pub(super) async fn restart((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    engine.restart(&id, how(&p)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/kill`
pub(super) async fn kill((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    let signal = validate::signal(p.text("signal").unwrap_or("KILL"))?;
    engine.kill(&id, signal).await.map_err(|e| match e {
        engine::Error::NotFound { .. } => Error::from(e).about(format!("cannot kill container: {id}")),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/pause`
pub(super) async fn pause((State(engine), Path(id), _): Container) -> Answer<StatusCode> {
    engine.pause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/unpause`
pub(super) async fn unpause((State(engine), Path(id), _): Container) -> Answer<StatusCode> {
    engine.unpause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/rename`
pub(super) async fn rename((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    engine.rename(&id, p.text("name").unwrap_or_default())?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /containers/{id}/resize`
pub(super) async fn resize((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    let (cols, rows) = p.size()?;
    engine.resize(&id, cols, rows).await?;
    let (height, width) = (rows.to_string(), cols.to_string());
    let words = [("height", height.as_str()), ("width", width.as_str())];
    engine.events.container_with("resize", &*engine.find(&id)?, &words);
    Ok(StatusCode::OK)
}

/// `DELETE /containers/{id}`
pub(super) async fn remove((State(engine), Path(id), Query(p)): Container) -> Answer<StatusCode> {
    let force = if p.on("force") { Force::Yes } else { Force::No };
    engine.remove_with(&id, force, if p.on("v") { Volumes::Removed } else { Volumes::Kept }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of an update.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Update {
    #[serde(flatten)]
    resources: Resources,
    restart_policy: Option<RestartPolicy>,
}

/// `POST /containers/{id}/update`
pub(super) async fn update(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    body::Body(update): body::Body<Update>,
) -> Answer<Json<Value>> {
    engine.update(&id, update.resources, update.restart_policy).await?;
    Ok(Json(json!({ "Warnings": null })))
}

/// `POST /containers/{id}/wait`: the head of the answer goes out at once, for clients start the container only then.
pub(super) async fn wait((State(engine), Path(id), Query(p)): Container) -> Answer {
    let wait = match p.text("condition").unwrap_or("not-running") {
        "not-running" => Wait::NotRunning,
        "next-exit" => Wait::NextExit,
        "removed" => Wait::Removed,
        other => return Err(Error::bad(format!("invalid condition: \"{other}\""))),
    };
    let end = engine.wait(&id, wait)?;
    let body = futures_util::stream::once(async move {
        Ok::<_, std::convert::Infallible>(json!({ "StatusCode": end.await }).to_string() + "\n")
    });
    Response::builder()
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(body))
        .map_err(|e| Error::bad(e.to_string()))
}

/// `POST /containers/prune`
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["label", "label!", "until"])?;
    let until = filters.until()?;
    let chosen = |record: &Record| {
        filters.labels(&record.config.labels) && until.is_none_or(|until| record.created < until)
    };
    let (gone, bytes) = engine.prune(chosen).await;
    engine.events.pruned("container", bytes);
    Ok(Json(
        json!({ "ContainersDeleted": Some(gone).filter(|gone| !gone.is_empty()), "SpaceReclaimed": bytes }),
    ))
}

/// `GET /containers/{id}/top`
pub(super) async fn top((State(engine), Path(id), Query(p)): Container) -> Answer<Json<Value>> {
    let table = engine.top(&id, p.text("ps_args").unwrap_or_default())?;
    engine.events.container("top", &*engine.find(&id)?);
    Ok(Json(json!({ "Titles": table.titles, "Processes": table.rows })))
}
