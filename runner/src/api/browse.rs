//! `/sandlot/v1/containers/{id}/files`: a container's files one at a time (see [`sandlot_wire::files`]).

use super::error::{Answer, Error};
use crate::engine::browse::{self, Condition, File, Opened, What, decode};
use crate::engine::{Engine, pipe};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, RANGE,
};
use hyper::{HeaderMap, StatusCode};
use sandlot_wire::files::{HEADER_KIND, Kind};
use std::path::PathBuf;

/// The values of a parameter, still percent-encoded: what they say need not be UTF-8.
fn values<'q>(query: Option<&'q str>, name: &str) -> Vec<&'q str> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

fn path(query: Option<&str>, name: &str) -> Answer<PathBuf> {
    let found = values(query, name).first().map(|text| decode(text));
    found.ok_or_else(|| Error::bad(format!("bad parameter: {name} cannot be empty")))
}

impl From<browse::Error> for Error {
    fn from(error: browse::Error) -> Self {
        use browse::Error as E;
        let status = match error {
            E::Engine(error) => return error.into(),
            E::Missing(_) => StatusCode::NOT_FOUND,
            E::Kind(_) => StatusCode::CONFLICT,
            E::Changed(_) => StatusCode::PRECONDITION_FAILED,
            E::Refused(_) => StatusCode::FORBIDDEN,
            E::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            E::Broken(_) => StatusCode::BAD_REQUEST,
            E::TooMany => StatusCode::TOO_MANY_REQUESTS,
        };
        Self::new(status, error.to_string())
    }
}

/// `GET …/files`
pub(super) async fn get(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let path = path(query.as_deref(), "path")?;
    let opened = engine.browse(&id, path.clone()).await;
    if values(query.as_deref(), "archive") == ["tar"] {
        // What cannot be opened can lie in an archive all the same, but it must be there.
        if let Err(error @ (browse::Error::Missing(_) | browse::Error::Engine(_))) = opened {
            return Err(error.into());
        }
        let (writer, stream) = pipe::pipe();
        tokio::spawn(async move { engine.copy_out(&id, path, writer).await });
        return Ok(([(CONTENT_TYPE, "application/x-tar")], Body::from_stream(stream)).into_response());
    }
    match opened? {
        Opened::Directory(listing) => {
            Ok(([(HEADER_KIND, Kind::Directory.name())], Json(listing)).into_response())
        }
        Opened::File(file) => send(file, headers.get(RANGE).and_then(|value| value.to_str().ok())),
    }
}

/// A file, or the range of it that is asked for.
fn send(file: File, range: Option<&str>) -> Answer {
    let size = file.size;
    let response = Response::builder()
        .header(HEADER_KIND, Kind::File.name())
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, format!("\"{}\"", file.tag));
    let (response, start, length) = match range.and_then(|range| span(range, size)) {
        None => (response, 0, size),
        Some(Span::Outside) => {
            let response = response.status(StatusCode::RANGE_NOT_SATISFIABLE);
            let response = response.header(CONTENT_RANGE, format!("bytes */{size}"));
            return response.body(Body::empty()).map_err(|e| Error::bad(e.to_string()));
        }
        Some(Span::Bytes { start, length }) => {
            let said = format!("bytes {start}-{}/{size}", start + length - 1);
            (response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, said), start, length)
        }
    };
    let (writer, stream) = pipe::pipe();
    // Its end is the stream's.
    drop(tokio::task::spawn_blocking(move || file.send(start, length, writer)));
    let response = response.header(CONTENT_LENGTH, length);
    response.body(Body::from_stream(stream)).map_err(|e| Error::bad(e.to_string()))
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Span {
    Bytes { start: u64, length: u64 },
    Outside,
}

/// `bytes=a-b`, `bytes=a-`, `bytes=-n`; what is none of these, or several, asks for all (RFC 9110).
fn span(range: &str, size: u64) -> Option<Span> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, end) = match (first, last) {
        ("", n) => (size.saturating_sub(number(n)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => (number(first)?, number(last)?.checked_add(1)?.min(size)),
    };
    if start >= size || (first.is_empty() && last == "0") {
        return Some(Span::Outside);
    }
    (start < end).then(|| Span::Bytes { start, length: end - start })
}

/// `PUT …/files`
pub(super) async fn put(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Answer {
    let path = path(query.as_deref(), "path")?;
    let condition = condition(request.headers())?;
    let what = if values(query.as_deref(), "kind") == [Kind::Directory.name()] {
        What::Directory
    } else {
        let stream = request.into_body().into_data_stream();
        let stream = stream.map(|piece| piece.map_err(std::io::Error::other));
        let reader = tokio_util::io::StreamReader::new(Box::pin(stream));
        What::File(tokio_util::io::SyncIoBridge::new(reader))
    };
    let tag = engine.put(&id, path, what, condition).await?;
    let response = Response::builder().status(StatusCode::NO_CONTENT);
    let response = match tag {
        Some(tag) => response.header(ETAG, format!("\"{tag}\"")),
        None => response,
    };
    response.body(Body::empty()).map_err(|e| Error::bad(e.to_string()))
}

fn condition(headers: &HeaderMap) -> Answer<Condition> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(IF_MATCH), text(IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::None),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some(tag), None) if tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"') => {
            Ok(Condition::Tag(tag[1..tag.len() - 1].to_owned()))
        }
        _ => Err(Error::bad("If-Match takes one tag, If-None-Match takes *, and not both at once")),
    }
}

/// `DELETE …/files`
pub(super) async fn delete(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer<StatusCode> {
    engine.take_away(&id, path(query.as_deref(), "path")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/files`
pub(super) async fn rename(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer<StatusCode> {
    let query = query.as_deref();
    engine.call_it(&id, path(query, "path")?, path(query, "to")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/files/changes`
pub(super) async fn changes(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let directories = values(query.as_deref(), "path").into_iter().map(decode).collect();
    let watch = engine.follow_files(&id, directories).await?;
    let lines = futures_util::stream::unfold(watch, |mut watch| async move {
        let change = watch.next().await.transpose()?;
        let line = change.and_then(|c| serde_json::to_string(&c).map_err(std::io::Error::other));
        Some((line.map(|line| line + "\n"), watch))
    });
    Ok(([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_rfc_9110_says() {
        let bytes = |start, length| Some(Span::Bytes { start, length });
        for (range, expected) in [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=2-", bytes(2, 8)),
            ("bytes=-3", bytes(7, 3)),
            ("bytes=-30", bytes(0, 10)),
            ("bytes=5-50", bytes(5, 5)),
            ("bytes=10-", Some(Span::Outside)),
            ("bytes=-0", Some(Span::Outside)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=0-18446744073709551615", None),
        ] {
            assert_eq!(span(range, 10), expected, "{range}");
        }
        assert_eq!(span("bytes=0-", 0), Some(Span::Outside));
    }

    #[test]
    fn parameters_stay_as_they_were_written() {
        assert_eq!(values(Some("path=%2fa%ff&x=1&path=b+c"), "path"), ["%2fa%ff", "b+c"]);
        assert!(values(None, "path").is_empty());
    }
}
