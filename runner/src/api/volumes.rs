//! Volumes.

use super::body::Body;
use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::volumes::{Volume, Wish};
use crate::engine::{self, Engine};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The body of a creation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Creation {
    name: Option<String>,
    driver: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    driver_opts: Option<BTreeMap<String, String>>,
}

/// `POST /volumes/create`
pub(super) async fn create(State(engine): State<Engine>, Body(wanted): Body<Creation>) -> Answer<Response> {
    engine::mount::driver(wanted.driver.as_deref().unwrap_or_default())?;
    let name = wanted.name.unwrap_or_default();
    let (labels, options) = (wanted.labels.unwrap_or_default(), wanted.driver_opts.unwrap_or_default());
    let volume = engine.create_volume(&name, Wish { labels, options })?;
    Ok((StatusCode::CREATED, Json(volume)).into_response())
}

/// `GET /volumes`
pub(super) async fn list(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["name", "label", "dangling", "driver"])?;
    let dangling = |v: &Volume, wanted: &str| {
        engine.users_of(&v.name).is_empty() == matches!(wanted, "1" | "true" | "True" | "t")
    };
    for value in filters.values("dangling") {
        if !matches!(value.as_str(), "0" | "1" | "true" | "false" | "True" | "False" | "t" | "f") {
            return Err(Error::bad(format!("invalid filter 'dangling={value}'")));
        }
    }
    let suits = |v: &Volume| {
        filters.any("name", |n| v.name.contains(n))
            && filters.any("driver", |d| v.driver == d)
            && filters.labels(&v.labels)
            && filters.any("dangling", |d| dangling(v, d))
    };
    let volumes: Vec<Volume> = engine.volumes().into_iter().filter(suits).collect();
    Ok(Json(json!({ "Volumes": volumes, "Warnings": [] })))
}

/// `GET /volumes/{name}`
pub(super) async fn inspect(State(engine): State<Engine>, Path(name): Path<String>) -> Answer<Json<Volume>> {
    Ok(Json(engine.volume(&name)?))
}

/// `DELETE /volumes/{name}`
pub(super) async fn remove(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<StatusCode> {
    match engine.remove_volume(&name) {
        Err(engine::Error::NoVolume(_)) if p.on("force") => {}
        other => other?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /volumes/prune`: those without a name of a person's giving, or, with the filter `all`, every unused one.
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["label", "label!", "all"])?;
    let all = filters.values("all").iter().any(|v| matches!(v.as_str(), "1" | "true"));
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for volume in engine.volumes() {
        let chosen = (all || volume.anonymous()) && filters.labels(&volume.labels);
        if !chosen || !engine.users_of(&volume.name).is_empty() {
            continue;
        }
        let size = engine.volume_bytes(&volume.name).await;
        if engine.remove_volume(&volume.name).is_ok() {
            gone.push(volume.name);
            bytes += size;
        }
    }
    engine.events.pruned("volume", bytes);
    Ok(Json(json!({ "VolumesDeleted": gone, "SpaceReclaimed": bytes })))
}
