//! What a container holds, in and out: `archive` (`cp`), `export`, `changes` (`diff`), and images made of it (`commit`).

use super::error::{Answer, Error};
use super::query::{Parameters, all};
use crate::engine::commit::{CommitError, Wish};
use crate::engine::files::{Found, Owners};
use crate::engine::model::Config;
use crate::engine::{self, Engine, pipe};
use crate::image::place::Kinds;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use futures_util::StreamExt;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The header that says what stands at a path.
const STAT: &str = "x-docker-container-path-stat";

/// `HEAD` and `GET /containers/{id}/archive`
pub(super) async fn get(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
    method: Method,
) -> Answer {
    let path = path(&p)?;
    let found = engine.look(&id, path.clone()).await.map_err(|e| nothing(e, &path, &id))?;
    let stat = base64::engine::general_purpose::STANDARD.encode(stat(&found).to_string());
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let (writer, stream) = pipe::pipe();
        engine.events.container("archive-path", &*engine.find(&id)?);
        tokio::spawn(async move { engine.copy_out(&id, path, writer).await });
        Body::from_stream(stream)
    };
    let response = Response::builder().header(hyper::header::CONTENT_TYPE, "application/x-tar");
    response.header(STAT, stat).body(body).map_err(|e| Error::bad(e.to_string()))
}

/// `PUT /containers/{id}/archive`
pub(super) async fn put(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
    request: Request,
) -> Answer<StatusCode> {
    let kinds = if p.on("noOverwriteDirNonDir") { Kinds::Kept } else { Kinds::Replaced };
    let owners = if p.on("copyUIDGID") { Owners::Container } else { Owners::Archive };
    let stream = request.into_body().into_data_stream().map(|piece| piece.map_err(std::io::Error::other));
    let reader = tokio_util::io::StreamReader::new(Box::pin(stream));
    let reader = tokio_util::io::SyncIoBridge::new(reader);
    let path = path(&p)?;
    engine.copy_in(&id, path.clone(), reader, kinds, owners).await.map_err(|e| nothing(e, &path, &id))?;
    if let Ok(container) = engine.find(&id) {
        engine.events.container("extract-to-dir", &container);
    }
    Ok(StatusCode::OK)
}

/// What is not there, in Docker's words.
fn nothing(error: engine::Error, path: &std::path::Path, id: &str) -> Error {
    match error {
        engine::Error::NotFound { kind, .. } if kind != "container" => {
            let words = format!("Could not find the file {} in container {id}", path.display());
            Error::new(StatusCode::NOT_FOUND, words)
        }
        other => other.into(),
    }
}

/// A path is seen from the container's root, however it begins.
fn path(p: &Parameters) -> Answer<PathBuf> {
    let path = p.text("path").ok_or_else(|| Error::bad("bad parameter: path cannot be empty"))?;
    Ok(PathBuf::from(format!("/{}", path.trim_start_matches('/'))))
}

/// As Go's `os.FileInfo` is told.
fn stat(found: &Found) -> Value {
    json!({
        "name": found.name,
        "size": found.size,
        "mode": go_mode(found.mode),
        "mtime": found.changed.to_string(),
        "linkTarget": found.target.as_deref().unwrap_or_default(),
    })
}

/// `st_mode` as Go's `fs.FileMode`.
fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,
        0o120_000 => 1 << 27,
        0o060_000 => 1 << 26,
        0o020_000 => 1 << 26 | 1 << 21,
        0o010_000 => 1 << 25,
        0o140_000 => 1 << 24,
        _ => 0,
    };
    let bit = |from: u32, to: u32| if mode & from == 0 { 0 } else { 1 << to };
    kind | mode & 0o777 | bit(0o4000, 23) | bit(0o2000, 22) | bit(0o1000, 20)
}

/// `GET /containers/{id}/export`
pub(super) async fn export(State(engine): State<Engine>, Path(id): Path<String>) -> Answer {
    engine.events.container("export", &*engine.find(&id)?);
    let (writer, stream) = pipe::pipe();
    tokio::spawn(async move { engine.export(&id, writer).await });
    Ok(([(hyper::header::CONTENT_TYPE, "application/x-tar")], Body::from_stream(stream)).into_response())
}

/// `GET /containers/{id}/changes`
pub(super) async fn changes(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let all = engine.changes(&id).await?;
    let one = |c: engine::changes::Change| json!({ "Path": c.path.to_string_lossy(), "Kind": c.kind as u8 });
    // Docker's list of nothing is `null`.
    Ok(Json(
        Some(all)
            .filter(|all| !all.is_empty())
            .map(|all| all.into_iter().map(one).collect())
            .unwrap_or_default(),
    ))
}

/// `POST /commit`
pub(super) async fn commit(
    State(engine): State<Engine>,
    Query(p): Query<Parameters>,
    RawQuery(raw): RawQuery,
    body: Option<Json<Config>>,
) -> Answer {
    let container = p.text("container").ok_or_else(|| Error::bad("invalid name or ID supplied: \"\""))?;
    let name = p.text("repo").map(|repo| {
        let name = p.text("tag").map_or_else(|| format!("{repo}:latest"), |tag| format!("{repo}:{tag}"));
        super::images::reference(&name)
    });
    let text = |name: &str| p.text(name).unwrap_or_default().to_owned();
    let wish = Wish {
        name: name.transpose()?,
        author: text("author"),
        comment: text("comment"),
        changes: all(raw.as_deref(), "changes"),
        config: body.map(|Json(config)| config).unwrap_or_default(),
        go_on: !p.on_by_default("pause"),
    };
    let id = engine.commit(container, wish).await.map_err(|e| match e {
        CommitError::Engine(e) => Error::from(e),
        CommitError::Image(e) => Error::from(e),
    })?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id }))).into_response())
}

#[cfg(test)]
mod tests {
    use super::go_mode;

    #[test]
    fn modes_are_gos() {
        assert_eq!(go_mode(0o100_644), 0o644);
        assert_eq!(go_mode(0o040_755), 1 << 31 | 0o755);
        assert_eq!(go_mode(0o120_777), 1 << 27 | 0o777);
        assert_eq!(go_mode(0o104_755), 1 << 23 | 0o755);
        assert_eq!(go_mode(0o041_777), 1 << 31 | 1 << 20 | 0o777);
    }
}
