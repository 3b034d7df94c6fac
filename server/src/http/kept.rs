//! The routes of kept work: keep what a session changed, list it, delete it.

use super::App;
use super::body::{KeepWork, KeptWork, Problem};
use super::problem::{Answer, Failure};
use crate::session::policy::Caller;
use crate::session::rfc3339;
use crate::store::KeptRow;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// Keeps what a session has changed so far as an image of its owner's; the session goes on.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/commit", params(("id" = String, Path)), request_body = KeepWork,
    responses((status = 201, body = KeptWork), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn keep(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Answer<(StatusCode, Json<KeptWork>)> {
    let asked: KeepWork = match body.is_empty() {
        true => KeepWork::default(),
        false => serde_json::from_slice(&body)
            .map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?,
    };
    let row = app.sessions.keep(&caller, &id, asked.title.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(work(row))))
}

/// What the caller kept, latest first.
#[utoipa::path(get, path = "/api/v1/kept", responses((status = 200, body = [KeptWork])))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Json<Vec<KeptWork>> {
    Json(app.sessions.kept(&caller).into_iter().map(work).collect())
}

/// Deletes kept work.
#[utoipa::path(delete, path = "/api/v1/kept/{id}", params(("id" = String, Path)), responses((status = 204),
    (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn forget(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    app.sessions.forget(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn work(row: KeptRow) -> KeptWork {
    KeptWork {
        id: row.id,
        title: row.title,
        image: row.base,
        session: row.session,
        size_bytes: u64::try_from(row.size).unwrap_or(0),
        created_at: rfc3339(row.created_at),
    }
}
