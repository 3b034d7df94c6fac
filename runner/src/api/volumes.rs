//! Volumes.

use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::volumes::Volume;
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
pub(super) async fn create(
    State(engine): State<Engine>,
    body: Result<Json<Creation>, axum::extract::rejection::JsonRejection>,
) -> Answer<Response> {
    let Json(wanted) = body.map_err(|e| Error::bad(e.body_text()))?;
    if wanted.driver.is_some_and(|d| !matches!(d.as_str(), "" | "local")) {
        return Err(Error::bad("the only volume driver is local"));
    }
    if wanted.driver_opts.is_some_and(|o| !o.is_empty()) {
        return Err(Error::bad("volume options are refused: they could mount anything of the host"));
    }
    let name = wanted.name.unwrap_or_default();
    let volume = engine.create_volume(&name, wanted.labels.unwrap_or_default())?;
    Ok((StatusCode::CREATED, Json(volume)).into_response())
}

/// `GET /volumes`
pub(super) async fn list(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["name", "label", "dangling", "driver"])?;
    let dangling =
        |v: &Volume, wanted: &str| engine.users_of(&v.name).is_empty() == matches!(wanted, "1" | "true");
    let suits = |v: &Volume| {
        filters.any("name", |n| v.name.contains(n))
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
        Err(engine::Error::NotFound { .. }) if p.on("force") => {}
        other => other?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /volumes/prune`: those without a name of a person's giving, or, with the filter `all`, every unused one.
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["label", "all"])?;
    let all = filters.values("all").iter().any(|v| matches!(v.as_str(), "1" | "true"));
    let drawn = |v: &Volume| v.name.len() == 64 && v.name.bytes().all(|b| b.is_ascii_hexdigit());
    let chosen = engine.volumes().into_iter().filter(|v| (all || drawn(v)) && filters.labels(&v.labels));
    let gone: Vec<String> =
        chosen.filter(|v| engine.remove_volume(&v.name).is_ok()).map(|v| v.name).collect();
    Ok(Json(json!({ "VolumesDeleted": gone, "SpaceReclaimed": 0 })))
}
