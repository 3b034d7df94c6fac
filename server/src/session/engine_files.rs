//! Files by the engine's own endpoints (`sandlot_wire::files`): requests and answers whose bodies are streamed.

use super::engine::Error as EngineError;
use super::files::{Answer, Body, Change, Condition, Content, Failure, FilePath, Files, Kind, Opened};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http_body_util::{BodyExt, BodyStream, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, IF_MATCH, IF_NONE_MATCH, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sandlot_wire::PREFIX;
use sandlot_wire::files::HEADER_KIND;
use std::io;
use std::path::PathBuf;
use tokio::net::UnixStream;

/// The longest JSON answer: a full listing of long names, percent-encoded.
const ANSWER: usize = 8 << 20;
/// The longest line of changes.
const LINE: usize = 256 << 10;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct EngineFiles {
    socket: PathBuf,
}

fn unreachable_by(error: impl std::fmt::Display) -> Failure {
    Failure::Engine(EngineError::Unreachable(error.to_string()))
}

fn unexpected(error: impl std::fmt::Display) -> Failure {
    Failure::Engine(EngineError::Protocol(error.to_string()))
}

impl EngineFiles {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    async fn ask(
        &self,
        method: Method,
        target: &str,
        header: Option<(hyper::header::HeaderName, &str)>,
        body: Body,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(unreachable_by)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable_by)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the engine's connection ended");
            }
        });
        let mut request =
            Request::builder().method(method).uri(format!("{PREFIX}{target}")).header(HOST, "sandlot");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let body = StreamBody::new(body.map(|piece| piece.map(Frame::data)));
        let answer = sender.send_request(request.body(body).map_err(unexpected)?).await;
        let answer = answer.map_err(unreachable_by)?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }

    async fn nothing(&self, method: Method, target: String) -> Result<(), Failure> {
        self.ask(method, &target, None, empty()).await.map(drop)
    }
}

fn empty() -> Body {
    futures_util::stream::empty().boxed()
}

/// Why the engine did not, in its words.
async fn refusal(answer: Response<Incoming>) -> Failure {
    let status = answer.status();
    let header = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Failure::Range(header.unwrap_or_default().to_owned());
    }
    let said = match Limited::new(answer.into_body(), ANSWER).collect().await {
        Ok(body) => serde_json::from_slice::<serde_json::Value>(&body.to_bytes()).ok(),
        Err(_) => None,
    };
    let said = said.as_ref().and_then(|value| value.get("message")?.as_str()).map(str::to_owned);
    let said = said.unwrap_or_else(|| status.to_string());
    match status {
        StatusCode::NOT_FOUND => Failure::Missing(said),
        StatusCode::CONFLICT => Failure::Conflict(said),
        StatusCode::PRECONDITION_FAILED => Failure::Changed(said),
        StatusCode::FORBIDDEN => Failure::Refused(said),
        StatusCode::INSUFFICIENT_STORAGE => Failure::Full(said),
        StatusCode::TOO_MANY_REQUESTS => Failure::TooMany(said),
        StatusCode::BAD_REQUEST => Failure::Invalid(said),
        _ => Failure::Engine(EngineError::Refused(said)),
    }
}

fn target(container: &str, path: &FilePath, more: &str) -> String {
    format!("/containers/{container}/files?path={}{more}", path.encoded())
}

fn text(answer: &Response<Incoming>, name: impl hyper::header::AsHeaderName) -> Option<String> {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn tag(answer: &Response<Incoming>) -> Result<String, Failure> {
    let tag = text(answer, ETAG).ok_or_else(|| unexpected("a file without a tag"))?;
    Ok(tag.trim_matches('"').to_owned())
}

fn pieces(answer: Response<Incoming>) -> Body {
    let frames = BodyStream::new(answer.into_body());
    frames
        .filter_map(|frame| async {
            match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(io::Error::other(error))),
            }
        })
        .boxed()
}

impl Files for EngineFiles {
    fn open<'a>(
        &'a self,
        container: &'a str,
        path: &'a FilePath,
        range: Option<&'a str>,
    ) -> Answer<'a, Opened> {
        Box::pin(async move {
            let range = range.map(|range| (RANGE, range));
            let answer = self.ask(Method::GET, &target(container, path, ""), range, empty()).await?;
            if text(&answer, HEADER_KIND).as_deref() == Some(Kind::Directory.name()) {
                let body = Limited::new(answer.into_body(), ANSWER).collect().await.map_err(unexpected)?;
                return serde_json::from_slice(&body.to_bytes()).map(Opened::Directory).map_err(unexpected);
            }
            let length = text(&answer, CONTENT_LENGTH).and_then(|length| length.parse().ok());
            let length = length.ok_or_else(|| unexpected("a file without a length"))?;
            let (tag, range) = (tag(&answer)?, text(&answer, CONTENT_RANGE));
            Ok(Opened::File(Content { length, tag, range, body: pieces(answer) }))
        })
    }

    fn archive<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, Body> {
        Box::pin(async move {
            let target = target(container, path, "&archive=tar");
            Ok(pieces(self.ask(Method::GET, &target, None, empty()).await?))
        })
    }

    fn write<'a>(
        &'a self,
        container: &'a str,
        path: &'a FilePath,
        body: Body,
        condition: Condition,
    ) -> Answer<'a, String> {
        Box::pin(async move {
            let quoted;
            let header = match &condition {
                Condition::None => None,
                Condition::Absent => Some((IF_NONE_MATCH, "*")),
                Condition::Tag(tag) => {
                    quoted = format!("\"{tag}\"");
                    Some((IF_MATCH, quoted.as_str()))
                }
            };
            tag(&self.ask(Method::PUT, &target(container, path, ""), header, body).await?)
        })
    }

    fn make_directory<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, ()> {
        Box::pin(self.nothing(Method::PUT, target(container, path, "&kind=directory")))
    }

    fn remove<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, ()> {
        Box::pin(self.nothing(Method::DELETE, target(container, path, "")))
    }

    fn rename<'a>(&'a self, container: &'a str, from: &'a FilePath, to: &'a FilePath) -> Answer<'a, ()> {
        let target = target(container, from, &format!("&to={}", to.encoded()));
        Box::pin(self.nothing(Method::POST, target))
    }

    fn follow<'a>(
        &'a self,
        container: &'a str,
        directories: &'a [FilePath],
    ) -> Answer<'a, BoxStream<'static, io::Result<Change>>> {
        Box::pin(async move {
            let paths: Vec<String> =
                directories.iter().map(|path| format!("path={}", path.encoded())).collect();
            let target = format!("/containers/{container}/files/changes?{}", paths.join("&"));
            let body = pieces(self.ask(Method::GET, &target, None, empty()).await?);
            Ok(futures_util::stream::unfold((body, BytesMut::new()), line).boxed())
        })
    }
}

/// The next line of JSON.
async fn line((mut body, mut held): (Body, BytesMut)) -> Option<(io::Result<Change>, (Body, BytesMut))> {
    loop {
        if let Some(end) = memchr::memchr(b'\n', &held) {
            let line: Bytes = held.split_to(end + 1).freeze();
            return Some((serde_json::from_slice(&line).map_err(io::Error::other), (body, held)));
        }
        match body.next().await? {
            Ok(piece) if held.len() + piece.len() <= LINE => held.extend_from_slice(&piece),
            Ok(_) => return Some((Err(io::Error::other("a line without an end")), (body, BytesMut::new()))),
            Err(error) => return Some((Err(error), (body, held))),
        }
    }
}
