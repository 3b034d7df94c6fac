//! What changes in a session's directories as a stream of server-sent events, for whoever shows them.

use super::App;
use super::body::Problem;
use super::file_body::FileChange;
use super::problem::{Answer, Failure};
use super::shares;
use crate::session::files::{DIRECTORIES, FilePath};
use crate::session::permit::Use;
use crate::session::policy::Caller;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use std::time::Duration;

/// The longest silence: less than proxies' patience.
const BEAT: Duration = Duration::from_secs(15);

/// Follows directories, `text/event-stream`: events `change`, first one of each directory.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/file-changes",
    params(("id" = String, Path), ("directory" = Vec<String>, Query, description = "any bytes, percent-encoded")),
    responses((status = 200, content_type = "text/event-stream", body = FileChange),
    (status = 404, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn follow(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &id).await?;
    let permit = app.sessions.permit(&caller).await?;
    let (files, container) = app.sessions.files(&caller, &id, Use::Look)?;
    let pairs = query.as_deref().unwrap_or_default().split('&');
    let directories: Vec<FilePath> =
        pairs.filter_map(|pair| pair.strip_prefix("directory=")).map(FilePath::decoded).collect();
    if directories.is_empty() || directories.len() > DIRECTORIES {
        let detail = format!("name 1 to {DIRECTORIES} directories: directory=…&directory=…");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let changes = files.follow(&container, &directories).await?;
    // What breaks ends the stream: who follows asks again, and is told of everything first.
    let events = changes
        .take_while(|change| std::future::ready(change.is_ok()))
        .map(|change| {
            Event::default()
                .event("change")
                .json_data(FileChange::from(change?))
                .map_err(std::io::Error::other)
        })
        .take_until(app.stop.clone().cancelled_owned())
        .take_until(permit.over());
    let unbuffered =
        [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT))).into_response())
}
