//! The sessions that are ready before anybody asks, for the administrator: how many there are, and more of them for a time.

use super::App;
use super::body::Problem;
use super::problem::{Answer, Failure};
use crate::session::engine::Profile;
use crate::session::policy::Caller;
use crate::session::pool::Ready;
use crate::session::{PoolView, Request, rfc3339};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /pool`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PoolInfo {
    /// How many may be ready, of all images together.
    count: usize,
    /// Bytes of memory that they may take.
    memory: u64,
    /// How many are ready.
    ready: usize,
    /// Bytes of memory that they take.
    memory_used: u64,
    /// Each image, the most wanted first.
    images: Vec<PoolImage>,
}

/// The ready sessions of one image and profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PoolImage {
    /// Its reference.
    image: String,
    /// Whether their sessions may make containers of their own.
    nested: bool,
    /// `none` or `internet`.
    network: String,
    /// How many are ready.
    ready: usize,
    /// How many there are to be.
    target: usize,
    /// Bytes of memory that they take.
    memory_used: u64,
    /// How many were announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    warm: Option<usize>,
    /// Until when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_until: Option<String>,
}

/// `POST /pool/warm`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Warm {
    /// The image; absent: the first of the catalogue.
    #[serde(default)]
    image: Option<String>,
    /// Whether the sessions are to be nested.
    #[serde(default)]
    nested: bool,
    /// How many are to be ready; 0: no more than usual.
    count: usize,
    /// Until when, RFC 3339.
    until: String,
}

/// The sessions that are ready; for the administrator.
#[utoipa::path(get, path = "/api/v1/pool", responses((status = 200, body = PoolInfo), (status = 403, body = Problem)))]
pub(super) async fn look(State(app): State<App>, caller: Caller) -> Answer<Json<PoolInfo>> {
    Ok(Json(shape(app.sessions.pool_view(&caller)?)))
}

/// Has so many sessions of an image ready until some time, as before a class begins; for the administrator.
#[utoipa::path(post, path = "/api/v1/pool/warm", request_body = Warm, responses((status = 200, body = PoolInfo),
    (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn warm(
    State(app): State<App>,
    caller: Caller,
    body: Result<Json<Warm>, JsonRejection>,
) -> Answer<Json<PoolInfo>> {
    let Json(asked) = body.map_err(|error| Failure::new(error.status(), error.body_text()))?;
    let until: jiff::Timestamp = asked.until.parse().map_err(|_| {
        let detail = format!("until: {:?} is no time, as 2026-11-24T10:00:00Z", asked.until);
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    })?;
    let profile = asked.nested.then_some(Profile::Nested);
    let request = Request { image: asked.image, profile, ..Request::default() };
    let view = app.sessions.warm(&caller, request, asked.count, until.as_second()).await?;
    Ok(Json(shape(view)))
}

fn shape(view: PoolView) -> PoolInfo {
    PoolInfo {
        count: view.budget.count,
        memory: view.budget.memory,
        ready: view.kinds.iter().map(|kind| kind.ready).sum(),
        memory_used: view.kinds.iter().map(|kind| kind.memory).sum(),
        images: view.kinds.into_iter().map(image).collect(),
    }
}

fn image(ready: Ready) -> PoolImage {
    PoolImage {
        nested: ready.kind.profile != Profile::Standard,
        network: ready.kind.network.name().to_owned(),
        image: ready.kind.image,
        ready: ready.ready,
        target: ready.target,
        memory_used: ready.memory,
        warm: ready.warmup.as_ref().map(|warmup| warmup.count),
        warm_until: ready.warmup.map(|warmup| rfc3339(warmup.until)),
    }
}
