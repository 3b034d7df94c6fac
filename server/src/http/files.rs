//! The routes of a session's files: list, download, upload, make, rename, remove.
//!
//! Names are bytes: paths are taken from the address as it was sent. What is in a session is hostile: a file is always an
//! attachment of no type, that runs nothing even when a browser is made to show it.

use super::App;
use super::body::Problem;
use super::file_body::{FileListing, RenameFile};
use super::problem::{Answer, Failure};
use super::shares;
use crate::session::files::{self, Condition, Content, FilePath, Opened};
use crate::session::permit::{Permit, Use};
use crate::session::policy::Caller;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a browser may do with a file of a session: nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// The longest body of a rename: two long paths, percent-encoded.
const RENAME: usize = 32 * 1024;

/// How much of an upload that is refused is read all the same, so that who sends it gets to read why.
const DRAINED: u64 = 64 << 20;

/// A session and a path in it, as an address names them.
pub(super) struct Place {
    id: String,
    path: FilePath,
}

impl<S: Sync> FromRequestParts<S> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let rest = uri.path().split_once("/sessions/").map_or("", |(_, rest)| rest);
        let (id, path) = rest.split_once("/files").unwrap_or((rest, ""));
        Ok(Self { id: id.to_owned(), path: FilePath::decoded(path) })
    }
}

impl From<files::Failure> for Failure {
    fn from(failure: files::Failure) -> Self {
        use files::Failure as F;
        let status = match failure {
            F::Engine(error) => return crate::session::Error::from(error).into(),
            F::Missing(_) => StatusCode::NOT_FOUND,
            F::Conflict(_) => StatusCode::CONFLICT,
            F::Changed(_) => StatusCode::PRECONDITION_FAILED,
            F::Refused(_) => StatusCode::FORBIDDEN,
            F::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            F::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            F::Invalid(_) => StatusCode::BAD_REQUEST,
            F::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
        };
        Self::new(status, failure.to_string())
    }
}

/// A parameter of the query that is there with this value.
fn asks(query: Option<&str>, pair: &str) -> bool {
    query.unwrap_or_default().split('&').any(|found| found == pair)
}

/// A directory's entries, a file's bytes (one `Range` is understood), or with `archive=tar` either as an archive.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/files/{path}",
    params(("id" = String, Path), ("path" = String, Path, description = "any bytes, percent-encoded"),
    ("archive" = Option<String>, Query, description = "tar")),
    responses((status = 200, body = FileListing), (status = 206), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    place: Place,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &place.id).await?;
    let permit = app.sessions.permit(&caller).await?;
    let (files, container) = app.sessions.files(&caller, &place.id, Use::Look)?;
    if asks(query.as_deref(), "archive=tar") {
        let body = permit.hold(files.archive(&container, &place.path).await?);
        let name = if place.path.name().is_empty() { "root" } else { place.path.name() };
        return Ok(attached(&format!("{name}.tar"), "application/x-tar", Body::from_stream(body)));
    }
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match files.open(&container, &place.path, range).await {
        Ok(Opened::Directory(listing)) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            Ok((no_store, Json(FileListing::new(listing, app.web.max_upload))).into_response())
        }
        Ok(Opened::File(content)) => Ok(file(place.path.name(), content, permit)),
        Err(files::Failure::Range(range)) => {
            let failure = Failure::from(files::Failure::Range(range.clone()));
            Ok(([(header::CONTENT_RANGE, range)], failure).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

fn file(name: &str, content: Content, permit: Permit) -> Response {
    let body = Body::from_stream(permit.hold(content.body));
    let mut response = attached(name, "application/octet-stream", body);
    let mut put = |name, value: String| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    put(header::CONTENT_LENGTH, content.length.to_string());
    put(header::ETAG, format!("\"{}\"", content.tag));
    put(header::ACCEPT_RANGES, "bytes".to_owned());
    if let Some(range) = content.range {
        put(header::CONTENT_RANGE, range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// `name` is percent-encoded, as RFC 8187 has it.
fn attached(name: &str, kind: &'static str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (header::CONTENT_SECURITY_POLICY, SANDBOX.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}

/// Writes a file, or with `kind=directory` makes a directory; missing parents are made. `If-Match` takes the tag that the
/// file must have, `If-None-Match: *` says that nothing must be there.
#[utoipa::path(put, path = "/api/v1/sessions/{id}/files/{path}",
    params(("id" = String, Path), ("path" = String, Path, description = "any bytes, percent-encoded"),
    ("kind" = Option<String>, Query, description = "directory")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem), (status = 412, body = Problem), (status = 413, body = Problem),
    (status = 507, body = Problem)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller,
    place: Place,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &place.id).await?;
    let over = app.sessions.permit(&caller).await?.over();
    let (files, container) = app.sessions.files(&caller, &place.id, Use::Change)?;
    if asks(query.as_deref(), "kind=directory") {
        files.make_directory(&container, &place.path).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let condition = condition(&headers)?;
    let upload = Upload::new(app.web.max_upload, app.web.patience.request);
    let mut pieces = body.into_data_stream();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let written = if length.is_some_and(|length: u64| length > upload.most) {
        drain(&mut pieces, upload.patience).await;
        return Err(upload.too_large());
    } else {
        let bytes = upload.limited(pieces).boxed();
        tokio::select! {
            written = files.write(&container, &place.path, bytes, condition) => written,
            () = over => return Err(crate::session::Error::Revoked.into()),
        }
    };
    match written {
        Ok(tag) => Ok((StatusCode::NO_CONTENT, [(header::ETAG, format!("\"{tag}\""))]).into_response()),
        Err(_) if upload.is_beyond() => Err(upload.too_large()),
        Err(other) => Err(other.into()),
    }
}

fn condition(headers: &HeaderMap) -> Answer<Condition> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::None),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some(tag), None) if tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"') => {
            Ok(Condition::Tag(tag[1..tag.len() - 1].to_owned()))
        }
        _ => {
            let detail = "If-Match takes one tag, If-None-Match takes *, and not both at once";
            Err(Failure::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

/// What an upload may be, and what has come of it.
struct Upload {
    most: u64,
    patience: Duration,
    came: Arc<AtomicU64>,
}

impl Upload {
    fn new(most: u64, patience: Duration) -> Self {
        Self { most, patience, came: Arc::default() }
    }

    /// The bytes, until there are too many, or none for too long.
    fn limited(
        &self,
        pieces: axum::body::BodyDataStream,
    ) -> impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static {
        let (most, patience, came) = (self.most, self.patience, self.came.clone());
        futures_util::stream::unfold(pieces, move |mut pieces| {
            let came = came.clone();
            async move {
                let piece = match tokio::time::timeout(patience, pieces.next()).await {
                    Ok(piece) => piece?.map_err(io::Error::other),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                };
                let piece = piece.and_then(|piece| {
                    let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                    let so_far = came.fetch_add(more, Ordering::Relaxed).saturating_add(more);
                    if so_far > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(piece) }
                });
                Some((piece, pieces))
            }
        })
    }

    fn is_beyond(&self) -> bool {
        self.came.load(Ordering::Relaxed) > self.most
    }

    fn too_large(&self) -> Failure {
        let detail = format!("a file may have {} bytes at most: copy it in parts", self.most);
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }
}

async fn drain(pieces: &mut axum::body::BodyDataStream, patience: Duration) {
    let mut left = DRAINED;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(patience, pieces.next()).await {
        left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if left == 0 {
            return;
        }
    }
}

/// Removes a file, a link, or a directory with all that is in it.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/files/{path}",
    params(("id" = String, Path), ("path" = String, Path, description = "any bytes, percent-encoded")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    place: Place,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let caller = shares::admit(&app, &headers, caller, &place.id).await?;
    let (files, container) = app.sessions.files(&caller, &place.id, Use::Change)?;
    files.remove(&container, &place.path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Renames; nothing must be where it goes.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/files/{path}", request_body = RenameFile,
    params(("id" = String, Path), ("path" = String, Path, description = "any bytes, percent-encoded")),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn rename(
    State(app): State<App>,
    caller: Caller,
    place: Place,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    let caller = shares::admit(&app, &headers, caller, &place.id).await?;
    let (files, container) = app.sessions.files(&caller, &place.id, Use::Change)?;
    let refused = |error: String| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error);
    let body = axum::body::to_bytes(body, RENAME).await.map_err(|e| refused(e.to_string()))?;
    let wish: RenameFile = serde_json::from_slice(&body).map_err(|e| refused(e.to_string()))?;
    files.rename(&container, &place.path, &FilePath::decoded(&wish.to)).await?;
    Ok(StatusCode::NO_CONTENT)
}
