//! One blob on its way to a registry: not sent if it is there, taken from another repository if the registry can, and else sent,
//! and taken up again where it broke off.
//!
//! ```text
//!   New ──there──▶ Exists    New ──201──▶ Mounted
//!    │ 202              ┌─────────────┐
//!    ▼                  ▼             │ PATCH
//!   At(place, bytes) ───┴─────────────┘──little is left: PUT──▶ Pushed
//!    ▲        │ broke off
//!    │        ▼
//!    └──── Lost(place): how far is it?    not known any more: New
//! ```

use super::download::{PAUSE, TRIES};
use super::progress::Step;
use super::registry::{self, Begun, Client, Error, Part};
use super::{Digest, Error as ImageError};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::Body;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::io::ReaderStream;
use url::Url;

/// What is sent with the request that ends an upload.
const SMALL: u64 = 1 << 20;
/// The parts in which a blob is sent to a registry (or a proxy before it) that takes no larger ones.
const CHUNK: u64 = 8 << 20;
/// Bytes read at a time.
const PIECE: usize = 512 << 10;
/// How often it is looked how far an upload is.
const TICK: Duration = Duration::from_millis(100);
/// How long a registry may take no byte, or give no answer: some copy a large blob before they do.
const PATIENCE: Duration = Duration::from_secs(180);

/// A blob that a registry shall have.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Where its bytes are; without them it can only be there already, or be mounted.
    pub(super) file: Option<PathBuf>,
    /// Another repository of the same registry that has it.
    pub(super) from: Option<String>,
}

/// How a blob came to a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Exists,
    Mounted,
    Pushed,
    /// Not at all, for its bytes are not here.
    Absent,
}

/// A blob on its way.
pub(super) struct Upload<'a> {
    client: &'a Client,
    repository: &'a str,
    blob: &'a Blob,
    /// From where it may still be mounted.
    from: Option<&'a str>,
    /// The most bytes of one request.
    most: u64,
    tries: u32,
    /// Bytes that have been handed to the connection.
    sent: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum State {
    New,
    At(Url, u64),
    Lost(Url),
}

enum Next {
    Done(Outcome),
    State(State),
}

impl<'a> Upload<'a> {
    pub(super) fn new(client: &'a Client, repository: &'a str, blob: &'a Blob) -> Self {
        let from = blob.from.as_deref();
        Self { client, repository, blob, from, most: u64::MAX, tries: 0, sent: Arc::default() }
    }

    /// Brings it there.
    pub(super) async fn run(mut self, tell: &(dyn Fn(Step) + Sync)) -> Result<Outcome, ImageError> {
        let mut state = State::New;
        loop {
            let before = state.clone();
            state = match self.step(state, tell).await {
                Ok(Next::Done(outcome)) => return Ok(outcome),
                Ok(Next::State(next)) => next,
                Err(e) => self.after(e, before, tell).await?,
            };
        }
    }

    async fn step(&mut self, state: State, tell: &(dyn Fn(Step) + Sync)) -> Result<Next, Error> {
        let Blob { digest, size, file, .. } = self.blob;
        match state {
            State::New => {
                if self.client.has(self.repository, digest, *size).await? {
                    // After a try it was sent by us, and only the answer was lost.
                    let outcome = if self.tries == 0 { Outcome::Exists } else { Outcome::Pushed };
                    return Ok(Next::Done(outcome));
                }
                if file.is_none() && self.from.is_none() {
                    return Ok(Next::Done(Outcome::Absent));
                }
                match self.client.begin(self.repository, digest, self.from).await? {
                    Begun::Mounted => Ok(Next::Done(Outcome::Mounted)),
                    Begun::At(place) if file.is_none() => {
                        self.forget(&place).await;
                        Ok(Next::Done(Outcome::Absent))
                    }
                    Begun::At(place) => {
                        self.from = None;
                        Ok(Next::State(State::At(place, 0)))
                    }
                }
            }
            State::At(place, begin) if size - begin <= SMALL.min(self.most) => {
                let rest = self.rest(begin)?;
                let end = self.client.finish(self.repository, &place, digest, &rest);
                self.watched(end, tell).await?;
                Ok(Next::Done(Outcome::Pushed))
            }
            State::At(place, begin) => self.append(place, begin, tell).await.map(Next::State),
            // One byte or none: not worth the difference.
            State::Lost(place) => match self.client.reached(self.repository, &place).await? {
                Some(reached) if reached.bytes.is_some_and(|n| n > 0 && n <= *size) => {
                    let bytes = reached.bytes.unwrap_or_default();
                    Ok(Next::State(State::At(reached.at, bytes)))
                }
                Some(reached) => {
                    self.forget(&reached.at).await;
                    Ok(Next::State(State::New))
                }
                None => Ok(Next::State(State::New)),
            },
        }
    }

    /// Sends what fits into one request.
    async fn append(&mut self, place: Url, begin: u64, tell: &(dyn Fn(Step) + Sync)) -> Result<State, Error> {
        let length = (self.blob.size - begin).min(self.most);
        let path = self.blob.file.clone().unwrap_or_default();
        let sent = Arc::clone(&self.sent);
        let bytes = move || part(&path, begin, length, &sent);
        let part = Part { from: begin, length, bytes: &bytes };
        let appended = self.client.append(self.repository, &place, &part);
        let reached = self.watched(appended, tell).await?;
        let now = reached.bytes.unwrap_or(begin + length);
        if now > begin + length {
            return Err(self.cut(format!("it says that it has {now} bytes")));
        }
        if now < begin + length {
            // Not lost, but none of the tries that succeed.
            self.tries += 1;
            if now <= begin || self.tries >= TRIES {
                return Err(self.cut("it did not take all of what was sent".to_owned()));
            }
        }
        Ok(State::At(reached.at, now))
    }

    /// What is left, when that is little.
    fn rest(&self, begin: u64) -> Result<Vec<u8>, Error> {
        let path = self.blob.file.as_deref().unwrap_or(Path::new(""));
        let mut bytes = Vec::new();
        let read = open(path, begin).and_then(|file| file.take(SMALL).read_to_end(&mut bytes));
        read.map_err(|e| self.cut(format!("its file: {e}")))?;
        self.sent.store(begin, Ordering::Relaxed);
        Ok(bytes)
    }

    /// What comes after a failure, if anything does.
    async fn after(
        &mut self,
        e: Error,
        before: State,
        tell: &(dyn Fn(Step) + Sync),
    ) -> Result<State, ImageError> {
        let place = match &before {
            State::At(place, _) | State::Lost(place) => Some(place.clone()),
            State::New => None,
        };
        let lost = place.clone().map_or(State::New, State::Lost);
        match e {
            // Perhaps we may write here, and only not read there.
            Error::Denied { .. } if place.is_none() && self.from.take().is_some() => Ok(State::New),
            Error::Refused { status: 413, .. } if place.is_some() && self.most > CHUNK => {
                self.most = CHUNK;
                Ok(lost)
            }
            Error::Refused { status: 404, .. } if place.is_some() && self.counts() => Ok(State::New),
            Error::Refused { status: 416, .. } if place.is_some() && self.counts() => Ok(lost),
            e if e.is_transient() && self.counts() => {
                let pause = e.retry_after().unwrap_or(PAUSE * 2u32.pow(self.tries));
                tell(Step::Retrying { seconds: pause.as_secs() + 1 });
                tokio::time::sleep(pause).await;
                Ok(lost)
            }
            e => {
                if let Some(place) = place {
                    self.forget(&place).await;
                }
                Err(match e {
                    Error::Down { cause, .. } if self.sent.load(Ordering::Relaxed) > 0 => self.cut(cause),
                    other => other,
                }
                .into())
            }
        }
    }

    /// Counts a try; whether there may be another.
    fn counts(&mut self) -> bool {
        self.tries += 1;
        self.tries < TRIES
    }

    /// The registry need not keep what it has of it.
    async fn forget(&self, place: &Url) {
        if let Err(e) = self.client.give_up(self.repository, place).await {
            tracing::debug!("an upload that was given up stays at the registry: {e}");
        }
    }

    fn cut(&self, cause: String) -> Error {
        Error::Cut {
            host: self.client.host().to_owned(),
            blob: self.blob.digest,
            sent: self.sent.load(Ordering::Relaxed),
            size: self.blob.size,
            cause,
        }
    }

    /// Waits for an answer, and tells how far it is; not for ever when nothing moves.
    async fn watched<T>(
        &self,
        request: impl Future<Output = Result<T, registry::Error>>,
        tell: &(dyn Fn(Step) + Sync),
    ) -> Result<T, Error> {
        let mut request = pin!(request);
        let (mut moved, mut told) = ((0, Instant::now()), 0);
        loop {
            tokio::select! {
                done = &mut request => return done,
                () = tokio::time::sleep(TICK) => {}
            }
            let sent = self.sent.load(Ordering::Relaxed);
            if sent > told + self.blob.size / 50 {
                told = sent;
                tell(Step::Pushing { current: sent, total: self.blob.size });
            }
            if sent != moved.0 {
                moved = (sent, Instant::now());
            } else if moved.1.elapsed() > PATIENCE {
                return Err(self.cut(format!("nothing moved for {} s", PATIENCE.as_secs())));
            }
        }
    }
}

fn open(path: &Path, begin: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(begin))?;
    Ok(file)
}

/// A part of a file as a request's body; counts what goes.
fn part(path: &Path, begin: u64, length: u64, sent: &Arc<AtomicU64>) -> Body {
    use tokio::io::AsyncReadExt;
    sent.store(begin, Ordering::Relaxed);
    let sent = Arc::clone(sent);
    match open(path, begin) {
        Ok(file) => {
            let file = tokio::fs::File::from_std(file).take(length);
            Body::wrap_stream(ReaderStream::with_capacity(file, PIECE).inspect(move |piece| {
                let bytes = piece.as_ref().map_or(0, |p| p.len() as u64);
                sent.fetch_add(bytes, Ordering::Relaxed);
            }))
        }
        Err(e) => Body::wrap_stream(stream::once(std::future::ready(Err::<Bytes, _>(e)))),
    }
}
