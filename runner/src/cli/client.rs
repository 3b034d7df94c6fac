//! Calls to an engine over its unix socket: JSON, streams, and connections that are taken over. Knows HTTP, no command.

use super::error::Error;
use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::AsyncRead;
use tokio::net::UnixStream;
use tokio_util::io::{ReaderStream, StreamReader};

/// The version of the Docker Engine API that is spoken.
pub(super) const VERSION: &str = "/v1.43";
/// The longest message of an error that is read.
const MESSAGE: usize = 64 << 10;
/// The longest JSON answer that is read.
const ANSWER: usize = 64 << 20;
/// The longest line of an answer that is a stream of JSON.
const LINE: usize = 1 << 20;
/// What may stand in a path or a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request's body: whole, or streamed.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// A connection that was taken over.
pub(super) type Connection = TokioIo<hyper::upgrade::Upgraded>;

/// One call that is being put together.
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

/// `text` as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

impl Call {
    /// A call of that method.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: empty() }
    }

    /// GET
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// POST
    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A call about one container: `/containers/{id}/{rest}`.
    pub(super) fn container(method: Method, id: &str, rest: &str) -> Self {
        let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
        Self::new(method, format!("/containers/{}{rest}", segment(id)))
    }

    /// With one more parameter.
    #[must_use]
    pub(super) fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        self.path += &format!("{sign}{name}={}", segment(value.as_ref()));
        self
    }

    /// With one more header.
    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With a tar archive as its body, sent as it is read.
    #[must_use]
    pub(super) fn archive(mut self, reader: impl AsyncRead + Send + 'static) -> Self {
        self.headers.push((CONTENT_TYPE.as_str(), "application/x-tar".to_owned()));
        self.body = StreamBody::new(ReaderStream::new(reader).map_ok(Frame::data)).boxed_unsync();
        self
    }

    /// With that as its JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body)?;
        self.headers.push((CONTENT_TYPE.as_str(), "application/json".to_owned()));
        self.body = Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync();
        Ok(self)
    }
}

fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

type Sender = hyper::client::conn::http1::SendRequest<Body>;

/// An engine's socket. A connection whose answer was read to its end serves the next call.
pub(super) struct Client {
    socket: PathBuf,
    idle: Cell<Option<Sender>>,
}

impl Client {
    /// The engine behind `socket`; nothing is tried yet.
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), idle: Cell::default() }
    }

    async fn connection(&self) -> Result<Sender, Error> {
        if let Some(mut sender) = self.idle.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| Error::Unreachable { socket: self.socket.display().to_string(), source })?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    /// Makes the call; an answer that is an error becomes one.
    pub(super) async fn send(&self, call: Call) -> Result<Response<Incoming>, Error> {
        self.request(call).await.map(|(answer, _)| answer)
    }

    async fn request(&self, call: Call) -> Result<(Response<Incoming>, Sender), Error> {
        let mut sender = self.connection().await?;
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{VERSION}{}", call.path))
            .header(HOST, "sandlot");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request = request.body(call.body).map_err(|e| Error::Invalid(e.to_string()))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        if status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED)
        {
            return Ok((answer, sender));
        }
        Err(Error::Refused { status, message: message(answer).await })
    }

    /// Makes the call and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.whole(call).await?)?)
    }

    /// Makes the call; what it answers is of no interest.
    pub(super) async fn done(&self, call: Call) -> Result<(), Error> {
        self.whole(call).await.map(drop)
    }

    async fn whole(&self, call: Call) -> Result<Bytes, Error> {
        let (answer, sender) = self.request(call).await?;
        let body = whole(answer, ANSWER).await?;
        self.idle.set(Some(sender));
        Ok(body)
    }

    /// Makes the call; its answer is read as it comes.
    pub(super) async fn stream(&self, call: Call) -> Result<impl AsyncRead + Send + use<>, Error> {
        let body = self.send(call).await?.into_body();
        Ok(StreamReader::new(body.into_data_stream().map_err(io::Error::other)))
    }

    /// Makes the call, whose answer is a JSON value a line; `f` gets each when it comes.
    pub(super) async fn lines(
        &self,
        call: Call,
        mut f: impl FnMut(Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut body = self.send(call).await?.into_body();
        let mut text: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Error::Protocol(format!("the answer broke off: {e}")))?;
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |d| d));
            while let Some(end) = text.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                f(serde_json::from_slice(&line)?)?;
            }
            if text.len() > LINE {
                return Err(Error::Protocol(format!("a line of the answer is longer than {LINE} bytes")));
            }
        }
        Ok(())
    }

    /// Makes the call and takes the connection over.
    pub(super) async fn hijack(&self, mut call: Call) -> Result<Connection, Error> {
        call.headers.push((CONNECTION.as_str(), "Upgrade".to_owned()));
        call.headers.push((UPGRADE.as_str(), "tcp".to_owned()));
        let answer = self.send(call).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::Protocol(format!("answer {} instead of 101", answer.status())));
        }
        Ok(TokioIo::new(hyper::upgrade::on(answer).await?))
    }
}

/// The whole body, up to `limit` bytes.
async fn whole(answer: Response<Incoming>, limit: usize) -> Result<Bytes, Error> {
    let limited = http_body_util::Limited::new(answer.into_body(), limit);
    Ok(limited.collect().await.map_err(|e| Error::Protocol(e.to_string()))?.to_bytes())
}

async fn message(answer: Response<Incoming>) -> String {
    let status = answer.status();
    words(status, &whole(answer, MESSAGE).await.unwrap_or_default())
}

/// What the body of an error says.
pub(super) fn words(status: StatusCode, bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(bytes) {
        Ok(message) => message.message,
        Err(_) if bytes.is_empty() => status.to_string(),
        Err(_) => String::from_utf8_lossy(bytes).trim().to_owned(),
    }
}
