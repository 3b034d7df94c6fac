//! The route of what listens in a session.

use super::App;
use super::body::Problem;
use super::file_body::ListeningPort;
use super::problem::Answer;
use super::shares;
use crate::session::policy::Caller;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;

/// What listens in a session, in order; `url` opens it as a page of its own.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/ports", params(("id" = String, Path)), responses(
    (status = 200, body = [ListeningPort]), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Json<Vec<ListeningPort>>> {
    let caller = shares::admit(&app, &headers, caller, &id).await?;
    let (ports, container) = app.sessions.ports(&caller, &id)?;
    let all = ports.list(&container).await.map_err(crate::session::Error::from)?;
    let offered = app.web.preview_domain.is_some();
    let theirs = all.into_iter().filter(|port| app.sessions.served(&container) != Some(port.port));
    let shown = theirs.map(|port| ListeningPort {
        port: port.port,
        url: offered.then(|| format!("/preview/{id}/{}", port.port)),
    });
    Ok(Json(shown.collect()))
}
