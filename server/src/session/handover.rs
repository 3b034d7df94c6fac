//! The engine's own endpoints (`/sandlot/v1`): JSON calls, and descriptors that come over an upgraded connection.
//!
//! Knows the socket and the wire, nothing of sessions.

use super::engine::{Error, Handed};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sandlot_wire::{HANDOVER, HEADER_TERMINAL, PREFIX, READY};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// The longest JSON answer: what thousands of sessions use.
const ANSWER: usize = 8 * 1024 * 1024;

/// How long the engine may take for a hand-over.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the connection is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    Upgrade,
}

/// One call that is answered by JSON, or by nothing.
pub(super) async fn call(socket: &Path, method: Method, path: &str) -> Result<Bytes, Error> {
    call_with(socket, method, path, Bytes::new()).await
}

/// The same with a JSON body.
pub(super) async fn call_with(
    socket: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Bytes, Error> {
    read(send(socket, method, path, body, Then::Close).await?).await
}

/// A call that is answered by a terminal's descriptors.
pub(super) async fn terminal(socket: &Path, path: &str, body: Bytes) -> Result<Handed, Error> {
    tokio::time::timeout(PATIENCE, take(socket, path, body))
        .await
        .unwrap_or_else(|_| Err(Error::Unreachable(format!("no terminal within {} s", PATIENCE.as_secs()))))
}

/// A call that is answered by a connection's descriptor.
pub(super) async fn connection(socket: &Path, path: &str, body: Bytes) -> Result<OwnedFd, Error> {
    let (_, descriptors) = tokio::time::timeout(PATIENCE, descriptors(socket, path, body))
        .await
        .map_err(|_| Error::Unreachable(format!("no connection within {} s", PATIENCE.as_secs())))??;
    let [connection] = <[OwnedFd; 1]>::try_from(descriptors).map_err(|other| {
        Error::Protocol(format!("{} descriptors instead of a connection's one", other.len()))
    })?;
    Ok(connection)
}

async fn take(socket: &Path, path: &str, body: Bytes) -> Result<Handed, Error> {
    let (id, descriptors) = descriptors(socket, path, body).await?;
    let id = id.ok_or_else(|| Error::Protocol(format!("no {HEADER_TERMINAL} header")))?;
    match <[OwnedFd; 2]>::try_from(descriptors) {
        Ok([master, ring]) => Ok(Handed { id, master, ring, resized: None }),
        Err(other) => {
            Err(Error::Protocol(format!("{} descriptors instead of a terminal's two", other.len())))
        }
    }
}

/// The terminal's id, if it is one, and what was handed over.
async fn descriptors(
    socket: &Path,
    path: &str,
    body: Bytes,
) -> Result<(Option<String>, Vec<OwnedFd>), Error> {
    let response = send(socket, Method::POST, path, body, Then::Upgrade).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        read(response).await?;
        return Err(Error::Protocol(format!("{status} instead of a hand-over")));
    }
    let id = response.headers().get(HEADER_TERMINAL).and_then(|value| value.to_str().ok());
    let id = id.map(str::to_owned);
    let upgraded = hyper::upgrade::on(response).await.map_err(|e| Error::Protocol(e.to_string()))?;
    let parts = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| Error::Protocol("the upgraded connection is no unix socket".to_owned()))?;
    if !parts.read_buf.is_empty() {
        return Err(Error::Protocol("bytes before the descriptors were asked for".to_owned()));
    }
    let mut stream = parts.io.into_inner();
    stream.write_all(&[READY]).await.map_err(unreachable_by)?;
    Ok((id, receive(&stream).await?))
}

async fn receive(stream: &UnixStream) -> Result<Vec<OwnedFd>, Error> {
    loop {
        stream.readable().await.map_err(unreachable_by)?;
        let mut byte = [0];
        match stream.try_io(Interest::READABLE, || sandlot_sys::scm::receive(stream.as_fd(), &mut byte)) {
            Ok((1, descriptors)) if byte[0] == HANDOVER => return Ok(descriptors),
            Ok((0, _)) => {
                return Err(Error::Protocol("the connection ended before the hand-over".to_owned()));
            }
            Ok(_) => return Err(Error::Protocol(format!("byte {:#x} instead of the hand-over", byte[0]))),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(error) => return Err(unreachable_by(error)),
        }
    }
}

async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    body: Bytes,
    then: Then,
) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(socket).await.map_err(unreachable_by)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable_by)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "the engine's connection ended");
        }
    });
    let mut request =
        Request::builder().method(method).uri(format!("{PREFIX}{path}")).header(HOST, "sandlot");
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if then == Then::Upgrade {
        request = request.header(CONNECTION, "Upgrade").header(UPGRADE, sandlot_wire::UPGRADE);
    }
    let request = request.body(Full::new(body)).map_err(|e| Error::Protocol(e.to_string()))?;
    sender.send_request(request).await.map_err(unreachable_by)
}

/// The body of a good answer; the words of a bad one.
async fn read(response: Response<Incoming>) -> Result<Bytes, Error> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map_err(|e| Error::Protocol(e.to_string()))?.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    let said = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let said = said.as_ref().and_then(|value| value.get("message")?.as_str()).map(str::to_owned);
    let said = said.unwrap_or_else(|| status.to_string());
    Err(match status {
        StatusCode::NOT_FOUND => Error::NotFound(said),
        StatusCode::CONFLICT => Error::Conflict(said),
        _ => Error::Refused(said),
    })
}

fn unreachable_by(error: impl std::fmt::Display) -> Error {
    Error::Unreachable(error.to_string())
}
