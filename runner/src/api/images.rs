//! Images.

use super::error::{Answer, Error};
use crate::engine::Engine;
use axum::Json;
use axum::extract::{Path, State};
use hyper::StatusCode;
use serde_json::{Value, json};

/// All images, in the form of `GET /images/json`.
pub(super) fn summaries(engine: &Engine) -> Answer<Vec<Value>> {
    let list =
        engine.images.list().map_err(|e| Error::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    let show = |image: crate::image::Image| json!({ "Id": image.id, "RepoTags": image.tags, "RepoDigests": [], "Created": 0, "Size": 0, "SharedSize": -1, "VirtualSize": 0, "Labels": {}, "Containers": -1, "ParentId": "" });
    Ok(list.into_iter().map(show).collect())
}

/// `GET /images/json`
pub(super) async fn list(State(engine): State<Engine>) -> Answer<Json<Vec<Value>>> {
    Ok(Json(summaries(&engine)?))
}

/// `GET /images/{name}/json`
pub(super) async fn get(State(engine): State<Engine>, Path(name): Path<String>) -> Answer<Json<Value>> {
    let missing = || Error::new(StatusCode::NOT_FOUND, format!("No such image: {name}"));
    let name = name.strip_suffix("/json").ok_or_else(missing)?;
    let image = engine.images.resolve(name).map_err(|_| missing())?;
    Ok(Json(
        json!({ "Id": image.id, "RepoTags": image.tags, "Os": "linux", "Config": image.config.config() }),
    ))
}

/// Whether a registry takes these credentials.
pub(super) async fn login(_engine: &Engine, _wanted: &Value) -> Answer<()> {
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, "logging in is not there yet"))
}
