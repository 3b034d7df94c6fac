//! Checkpoints: running containers written down by CRIU, where the host has one that runs.

use super::containers::Container;
use super::error::{Answer, Error};
use super::query::Parameters;
use crate::container::checkpoint::dump::After;
use crate::engine::Engine;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "CheckpointID")]
    name: String,
    #[serde(rename = "CheckpointDir", default)]
    dir: String,
    #[serde(rename = "Exit", default)]
    exit: bool,
}

/// They are where the engine has them, whose own nobody else can write to.
pub(super) fn only_ours(dir: Option<&str>) -> Answer<()> {
    match dir {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::bad("custom checkpointdir is not supported")),
    }
}

/// `POST /containers/{id}/checkpoints`
pub(super) async fn create(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<StatusCode> {
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|e| Error::bad(format!("invalid body: {e}")))?;
    only_ours(Some(&wanted.dir))?;
    let after = if wanted.exit { After::End } else { After::GoOn };
    engine.checkpoint(&id, &wanted.name, after).await?;
    Ok(StatusCode::CREATED)
}

/// `GET /containers/{id}/checkpoints`
pub(super) async fn list((State(engine), Path(id), parameters): Container) -> Answer<Json<Value>> {
    only_ours(parameters.text("dir"))?;
    let names = engine.checkpoints(&id)?;
    Ok(Json(names.into_iter().map(|name| json!({ "Name": name })).collect()))
}

/// `DELETE /containers/{id}/checkpoints/{checkpoint}`
pub(super) async fn remove(
    State(engine): State<Engine>,
    Path((id, name)): Path<(String, String)>,
    parameters: Query<Parameters>,
) -> Answer<StatusCode> {
    only_ours(parameters.text("dir"))?;
    engine.remove_checkpoint(&id, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
