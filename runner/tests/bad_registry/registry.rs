//! A registry in this process: it serves what it has, unless a test answers in its place, and remembers what it was asked.

use crate::images::Content;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use futures_util::stream::{self, StreamExt};
use sandlot::image::Digest;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// How often this path was asked for before.
    pub(crate) before: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut all = url::form_urlencoded::parse(self.query.as_bytes());
        all.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether it is that blob.
    pub(crate) fn wants(&self, blob: &Digest) -> bool {
        self.path.ends_with(&format!("/blobs/{blob}"))
    }
}

pub(crate) type Answer = Response<Body>;
type Odd = dyn Fn(&Seen) -> Option<Answer> + Send + Sync;

/// A registry on a port of its own; gone when dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Registry {
    /// One that behaves.
    pub(crate) async fn good(content: Content) -> Self {
        Self::start(content, |_| None).await
    }

    /// One that answers what `odd` answers, and serves `content` where that is nothing.
    pub(crate) async fn start(
        content: Content,
        odd: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1", content, odd).await
    }

    /// The same, on another address.
    pub(crate) async fn at(
        address: &str,
        content: Content,
        odd: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (content, odd, log) = (Arc::new(content), Arc::new(odd) as Arc<Odd>, Arc::clone(&seen));
        let app = axum::Router::new().fallback(move |request: Request<Body>| {
            let now = remember(&log, &request);
            let answer = odd(&now).unwrap_or_else(|| serve(&content, &now));
            std::future::ready(answer)
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, task }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests for a blob.
    pub(crate) fn asked_for(&self, blob: &Digest) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.wants(blob)).collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn remember(log: &Mutex<Vec<Seen>>, request: &Request<Body>) -> Seen {
    let mut log = log.lock().unwrap();
    let path = request.uri().path().to_owned();
    let seen = Seen {
        before: log.iter().filter(|s: &&Seen| s.path == path).count(),
        method: request.method().clone(),
        path,
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
    };
    log.push(seen.clone());
    seen
}

fn serve(content: &Content, seen: &Seen) -> Answer {
    let Some((kind, bytes)) = content.0.get(&seen.path) else { return status(404) };
    let from = seen.header(header::RANGE).and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
    match from.map(|f| f.parse::<usize>().unwrap()) {
        Some(from) if from >= bytes.len() => {
            with(416, &[("content-range", &format!("bytes */{}", bytes.len()))], Body::empty())
        }
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            with(206, &[("content-range", &range)], bytes[from..].to_vec().into())
        }
        None => with(200, &[("content-type", kind)], bytes.clone().into()),
    }
}

/// An answer with no more than a status.
pub(crate) fn status(code: u16) -> Answer {
    with(code, &[], Body::empty())
}

pub(crate) fn with(code: u16, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut answer = Response::builder().status(StatusCode::from_u16(code).unwrap());
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body).unwrap()
}

/// The first bytes of a body that should have `whole`; then the connection breaks.
pub(crate) fn cut(bytes: &[u8], whole: usize) -> Answer {
    let bytes = Bytes::copy_from_slice(bytes);
    // The server writes what it has only when more is a while in coming.
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("cut"))
    });
    let pieces = stream::once(async { Ok(bytes) }).chain(end);
    with(200, &[("content-length", &whole.to_string())], Body::from_stream(pieces))
}
