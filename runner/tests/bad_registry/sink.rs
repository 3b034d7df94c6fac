//! A registry in this process that takes what is pushed, unless a test answers in its place; and a wire to it that breaks.

use crate::registry::{Answer, Seen, remember, status, with};
use axum::body::Body;
use axum::http::{Method, Request, header};
use futures_util::StreamExt;
use sandlot::image::Digest;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it has: blobs by repository and digest, manifests by path, uploads by path.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) blobs: BTreeMap<(String, Digest), Vec<u8>>,
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
    /// Bytes of blobs that came, those that came twice too.
    pub(crate) taken: usize,
}

/// What an answer carries that never comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence;

/// An answer that never comes.
pub(crate) fn silence() -> Answer {
    let mut never = status(200);
    never.extensions_mut().insert(Silence);
    never
}

type Odd = dyn Fn(&Seen) -> Option<Answer> + Send + Sync;

/// A registry on a port of its own; gone when dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) shelf: Arc<Mutex<Shelf>>,
    task: tokio::task::JoinHandle<()>,
}

impl Sink {
    pub(crate) async fn good() -> Self {
        Self::start(|_| None).await
    }

    /// One that answers what `odd` answers, and is good where that is nothing. A body is read to its end also by who does
    /// not want it: else the connection is reset under the answer, and whether that is seen is a matter of luck.
    pub(crate) async fn start(odd: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, shelf) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Shelf::default())));
        let (log, held, odd) = (Arc::clone(&seen), Arc::clone(&shelf), Arc::new(odd) as Arc<Odd>);
        let app = axum::Router::new().fallback(move |request: Request<Body>| {
            let (now, held) = (remember(&log, &request), Arc::clone(&held));
            let answer = odd(&now);
            async move {
                let Some(answer) = answer else { return take(&held, &now, request.into_body()).await };
                let mut unwanted = request.into_body().into_data_stream();
                while let Some(Ok(_)) = unwanted.next().await {}
                if answer.extensions().get::<Silence>().is_some() {
                    std::future::pending::<()>().await;
                }
                answer
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, shelf, task }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests of a kind whose path has this in it.
    pub(crate) fn asked(&self, method: &str, part: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.method == method && s.path.contains(part)).collect()
    }

    pub(crate) fn manifest(&self, repository: &str, tag: &str) -> Option<Vec<u8>> {
        self.shelf.lock().unwrap().manifests.get(&format!("/v2/{repository}/manifests/{tag}")).cloned()
    }

    pub(crate) fn blob(&self, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
        self.shelf.lock().unwrap().blobs.get(&(repository.to_owned(), *digest)).cloned()
    }

    pub(crate) fn put(&self, repository: &str, bytes: &[u8]) {
        let key = (repository.to_owned(), Digest::of(bytes));
        self.shelf.lock().unwrap().blobs.insert(key, bytes.to_vec());
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(shelf: &Mutex<Shelf>, seen: &Seen, body: Body) -> Answer {
    let path = seen.path.strip_prefix("/v2/").unwrap().to_owned();
    if let Some((repository, digest)) = path.split_once("/blobs/sha256:") {
        let key = (repository.to_owned(), format!("sha256:{digest}").parse().unwrap());
        // Of what is looked for only, the length is sent alone.
        let found = shelf.lock().unwrap().blobs.get(&key).cloned();
        return found.map_or_else(|| status(404), |bytes| with(200, &[], bytes.into()));
    }
    if path.contains("/manifests/") {
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        shelf.lock().unwrap().manifests.insert(seen.path.clone(), bytes);
        return status(201);
    }
    let (repository, _) = path.split_once("/blobs/uploads/").unwrap();
    match seen.method.as_str() {
        "POST" => begin(&mut shelf.lock().unwrap(), seen, repository),
        "GET" => state(&shelf.lock().unwrap(), seen, 204),
        "DELETE" => {
            shelf.lock().unwrap().uploads.remove(&seen.path);
            status(204)
        }
        _ => {
            if !append(shelf, seen, body).await {
                return status(404);
            }
            let mut shelf = shelf.lock().unwrap();
            if seen.method == Method::PATCH {
                return state(&shelf, seen, 202);
            }
            let bytes = shelf.uploads.remove(&seen.path).unwrap();
            let digest = Digest::of(&bytes);
            let said = seen.parameter("digest").unwrap();
            if said != digest.to_string() {
                let words = r#"{"errors":[{"code":"DIGEST_INVALID","message":"not what you said"}]}"#;
                return with(400, &[], words.into());
            }
            shelf.blobs.insert((repository.to_owned(), digest), bytes);
            with(201, &[("docker-content-digest", &digest.to_string())], Body::empty())
        }
    }
}

fn begin(shelf: &mut Shelf, seen: &Seen, repository: &str) -> Answer {
    if let (Some(from), Some(digest)) = (seen.parameter("from"), seen.parameter("mount")) {
        let digest: Digest = digest.parse().unwrap();
        if let Some(bytes) = shelf.blobs.get(&(from, digest)).cloned() {
            shelf.blobs.insert((repository.to_owned(), digest), bytes);
            return status(201);
        }
    }
    let place = format!("/v2/{repository}/blobs/uploads/{}", shelf.uploads.len() + seen.before);
    shelf.uploads.insert(place.clone(), Vec::new());
    with(202, &[("location", &place)], Body::empty())
}

fn state(shelf: &Shelf, seen: &Seen, code: u16) -> Answer {
    let Some(bytes) = shelf.uploads.get(&seen.path) else { return status(404) };
    let range = format!("0-{}", bytes.len().saturating_sub(1));
    with(code, &[("location", &seen.path), ("range", &range)], Body::empty())
}

/// Keeps each piece as it comes: what arrived before a break stays.
async fn append(shelf: &Mutex<Shelf>, seen: &Seen, body: Body) -> bool {
    let from =
        seen.header(header::CONTENT_RANGE).map(|r| r.split('-').next().unwrap().parse::<usize>().unwrap());
    match shelf.lock().unwrap().uploads.get(&seen.path) {
        Some(has) if from.is_none_or(|from| from == has.len()) => {}
        _ => return false,
    }
    let mut stream = body.into_data_stream();
    while let Some(Ok(piece)) = stream.next().await {
        let mut shelf = shelf.lock().unwrap();
        shelf.taken += piece.len();
        shelf.uploads.get_mut(&seen.path).unwrap().extend_from_slice(&piece);
    }
    true
}

/// A wire to a registry; its connections break after so many bytes have gone, each in its turn, and the later ones never.
pub(crate) struct Wire {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn to(host: String, breaks: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut breaks = breaks.into_iter();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&host).await.unwrap();
                tokio::spawn(carry(near, far, breaks.next().unwrap_or(usize::MAX)));
            }
        });
        Self { address, task }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes both ways, until it breaks.
async fn carry(near: TcpStream, far: TcpStream, mut most: usize) {
    let (mut from, mut back) = near.into_split();
    let (mut answers, mut to) = far.into_split();
    let there = async {
        let mut piece = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut piece).await {
            let n = n.min(most);
            most -= n;
            if to.write_all(&piece[..n]).await.is_err() || most == 0 {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ended = tokio::io::copy(&mut answers, &mut back) => {}
    }
}
