//! The routes of recordings: which there are, what is found in them, the asciicast itself.

use super::App;
use super::body::Problem;
use super::body_kept::{CreateMarker, FoundLine, RecordingInfo};
use super::problem::{Answer, Failure};
use super::sessions::{Body, unwrap};
use crate::session::policy::Caller;
use crate::session::recordings::SOUGHT;
use crate::session::{Error, rfc3339};
use crate::terminal::recording::{Frame, frames, read};
use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// The type of an asciicast.
const ASCIICAST: &str = "application/x-asciicast";

/// The recordings that the caller may see, newest first.
#[utoipa::path(get, path = "/api/v1/recordings", responses((status = 200, body = [RecordingInfo])))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<RecordingInfo>>> {
    let rows = app.sessions.recordings(&caller).await?;
    let info = |row: crate::store::RecordingRow| RecordingInfo {
        url: format!("/api/v1/sessions/{}/terminals/{}/recording.cast", row.session, row.terminal),
        title: title(&app, &row.title),
        session: row.session,
        terminal: row.terminal,
        started_at: rfc3339(row.started_at),
        ended_at: row.ended_at.map(rfc3339),
        seconds: seconds(row.length),
        bytes: row.bytes.try_into().unwrap_or(0),
    };
    Ok(Json(rows.into_iter().map(info).collect()))
}

/// `?q=…`.
#[derive(Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    q: String,
}

/// Lines that recordings show and that hold `q`, whatever the case; three characters at least.
#[utoipa::path(get, path = "/api/v1/recordings/search", params(("q" = String, Query)), responses(
    (status = 200, body = [FoundLine]), (status = 422, body = Problem)))]
pub(super) async fn search(
    State(app): State<App>,
    caller: Caller,
    Query(sought): Query<Sought>,
) -> Answer<Json<Vec<FoundLine>>> {
    let text = sought.q.trim();
    if !SOUGHT.contains(&text.chars().count()) {
        let detail = format!("look for {} to {} characters", SOUGHT.start(), SOUGHT.end());
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let rows = app.sessions.find_shown(&caller, text).await?;
    let found = |row: crate::store::FoundRow| FoundLine {
        title: title(&app, &row.title),
        session: row.session,
        terminal: row.terminal,
        started_at: rfc3339(row.started_at),
        at: seconds(row.at),
        text: row.text,
    };
    Ok(Json(rows.into_iter().map(found).collect()))
}

/// A terminal's recording as an asciicast of version 3, whole or a range of its bytes; of one that goes on, what there is.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/terminals/{terminal}/recording.cast",
    params(("id" = String, Path), ("terminal" = String, Path), ("range" = Option<String>, Header)),
    responses((status = 200, content_type = "application/x-asciicast", body = String), (status = 206),
    (status = 404, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn cast(
    State(app): State<App>,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let path = app.sessions.recording(&caller, &id, &terminal).await?;
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let frames = frames(&file)?;
        Ok::<_, io::Error>((file, frames))
    });
    let (file, frames) = match opened.await.map_err(io::Error::other).flatten() {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NoRecording.into()),
        Err(error) => return Err(Error::from(error).into()),
    };
    let total = frames.last().map_or(0, |last| last.start + u64::from(last.raw));
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let name = format!("attachment; filename=\"{id}-{terminal}.cast\"");
    let common = [
        (header::CONTENT_TYPE, ASCIICAST.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let Some(range) = asked.and_then(|asked| part(asked, total)) else {
        return Ok((common, Stream::from_stream(pieces(file, frames, 0..total))).into_response());
    };
    let Some(range) = range else {
        let detail = format!("the recording has {total} bytes at the moment");
        return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, detail));
    };
    let place = format!("bytes {}-{}/{total}", range.start, range.end - 1);
    let length = (range.end - range.start).to_string();
    let more = [(header::CONTENT_RANGE, place), (header::CONTENT_LENGTH, length)];
    let body = Stream::from_stream(pieces(file, frames, range));
    Ok((StatusCode::PARTIAL_CONTENT, common, more, body).into_response())
}

/// Removes a recording that has ended.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/terminals/{terminal}/recording.cast",
    params(("id" = String, Path), ("terminal" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
) -> Answer<StatusCode> {
    if caller != Caller::Administrator {
        let detail = "only the administrator removes recordings before their time";
        return Err(Failure::new(StatusCode::FORBIDDEN, detail));
    }
    app.sessions.remove_recording(&caller, &id, &terminal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Marks this moment in a terminal's recording.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/terminals/{terminal}/markers",
    params(("id" = String, Path), ("terminal" = String, Path)), request_body = CreateMarker,
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn mark(
    State(app): State<App>,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
    body: Body<CreateMarker>,
) -> Answer<StatusCode> {
    let asked = unwrap(body)?;
    if asked.label.chars().count() > *SOUGHT.end() {
        let detail = format!("a marker's label has at most {} characters", SOUGHT.end());
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    app.sessions.mark(&caller, &id, &terminal, &asked.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The bytes that `Range` asks for: `None` if it is none of the kind that is answered, `Some(None)` if there are no such.
fn part(asked: &str, total: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(total),
        (Ok(first), Err(_)) if last.is_empty() => first..total,
        (Err(_), Ok(count)) if first.is_empty() => total.saturating_sub(count)..total,
        _ => return None,
    };
    Some((range.start < range.end).then_some(range))
}

/// The recording's bytes of a range, frame by frame.
fn pieces(
    file: File,
    frames: Vec<Frame>,
    range: Range<u64>,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    let end = |frame: &Frame| frame.start + u64::from(frame.raw);
    let within: Vec<Frame> =
        frames.into_iter().filter(|frame| frame.start < range.end && end(frame) > range.start).collect();
    let file = Arc::new(file);
    // What packs the answer asks once more after its end.
    stream::unfold(within.into_iter(), move |mut left| {
        let (file, range) = (file.clone(), range.clone());
        async move {
            let frame = left.next()?;
            let content = tokio::task::spawn_blocking(move || read(&file, &frame)).await;
            let content = content.map_err(io::Error::other).flatten().map(|content| {
                let place = |at: u64| usize::try_from(at.saturating_sub(frame.start)).unwrap_or(usize::MAX);
                let (from, to) = (place(range.start), place(range.end).min(content.len()));
                Bytes::from(content).slice(from..to)
            });
            Some((content, left))
        }
    })
    .fuse()
}

/// What an image is called.
fn title(app: &App, image: &str) -> String {
    app.sessions.policy().image(image).map_or_else(|| image.to_owned(), |image| image.title.clone())
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        for (asked, expected) in [
            ("bytes=0-3", Some(Some(0..4))),
            ("bytes=4-", Some(Some(4..10))),
            ("bytes=-3", Some(Some(7..10))),
            ("bytes=8-99", Some(Some(8..10))),
            ("bytes=10-", Some(None)),
            ("bytes=5-4", Some(None)),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
            ("bytes=-", None),
        ] {
            assert_eq!(part(asked, 10), expected, "{asked}");
        }
    }
}
