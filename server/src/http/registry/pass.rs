//! A request that may be made, passed on to the engine, which has the content; bodies flow through as they come.

use super::answers::refused;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use sandlot_wire::registry::{HEADER_OWNER, HEADER_SPACES, Shown};
use std::path::Path;
use tokio::net::UnixStream;

/// The longest list of repositories.
const OVERVIEW: usize = 32 << 20;

/// What of a client's headers the engine is told.
const TOLD: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::RANGE,
    header::ACCEPT,
    header::IF_NONE_MATCH,
];

/// Why the engine's registry did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Away {
    /// Its socket.
    #[error("its socket: {0}")]
    Socket(#[from] std::io::Error),
    /// It broke off.
    #[error("{0}")]
    Broken(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("the request: {0}")]
    Request(#[from] axum::http::Error),
    /// It answered an error, or too much.
    #[error("its list: {0}")]
    List(String),
}

/// On whose behalf something is asked.
pub(super) struct Behalf {
    /// Whose doing it is; `None`: whoever runs the registry.
    pub(super) owner: Option<String>,
    /// The name spaces that lists tell of; `None`: all.
    pub(super) spaces: Option<String>,
}

impl Behalf {
    fn write(&self, headers: &mut HeaderMap) {
        let pairs = [(HEADER_OWNER, &self.owner), (HEADER_SPACES, &self.spaces)];
        for (name, value) in pairs {
            if let Some(value) = value {
                // What cannot be written is nobody: the engine refuses it.
                let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Passes a request on.
pub(super) async fn on(socket: &Path, request: Request, uri: Uri, behalf: &Behalf) -> Response {
    let (parts, body) = request.into_parts();
    let mut headers = HeaderMap::new();
    for name in TOLD {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    behalf.write(&mut headers);
    match send(socket, parts.method, uri, headers, body).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            parts.headers.remove(header::CONNECTION);
            parts.headers.remove(header::TRANSFER_ENCODING);
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => {
            tracing::warn!(%error, "the engine's registry does not answer");
            refused(StatusCode::SERVICE_UNAVAILABLE, "UNKNOWN", "the registry is away: try again soon")
        }
    }
}

/// All repositories that somebody may see.
pub(super) async fn overview(socket: &Path, behalf: &Behalf) -> Result<Vec<Shown>, Away> {
    let mut headers = HeaderMap::new();
    behalf.write(&mut headers);
    let uri = Uri::from_static(sandlot_wire::registry::OVERVIEW);
    let response = send(socket, axum::http::Method::GET, uri, headers, Body::empty()).await?;
    if !response.status().is_success() {
        return Err(Away::List(response.status().to_string()));
    }
    let body = http_body_util::Limited::new(response.into_body(), OVERVIEW).collect().await;
    let body = body.map_err(|error| Away::List(error.to_string()))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| Away::List(error.to_string()))
}

async fn send(
    socket: &Path,
    method: axum::http::Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<hyper::Response<hyper::body::Incoming>, Away> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the engine's registry ended");
        }
    });
    let mut request = hyper::Request::builder().method(method).uri(uri).body(body)?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("sandlot"));
    Ok(sender.send_request(request).await?)
}
