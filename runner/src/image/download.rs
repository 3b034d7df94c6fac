//! One blob on its way from a registry: hashed, counted, bounded, and taken up again where it broke off.
//!
//! It knows no store: what arrives goes to whoever asks for the next piece, or to a thread that reads it.

use super::digest::Hasher;
use super::manifest::Descriptor;
use super::registry::{self, Client};
use super::{Digest, Error};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use std::io::{self, Read};
use std::sync::mpsc;
use std::time::Duration;

/// How often something that breaks off is tried again.
pub(super) const TRIES: u32 = 5;
/// The first pause; doubled each time.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Tries something again while that is worth it.
pub(super) async fn again<T, F: Future<Output = Result<T, registry::Error>>>(
    mut f: impl FnMut() -> F,
) -> Result<T, registry::Error> {
    let mut tries = 1;
    loop {
        match f().await {
            Err(e) if e.is_transient() && tries < TRIES => {
                tokio::time::sleep(e.retry_after().unwrap_or(PAUSE * 2u32.pow(tries))).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

/// A blob on its way.
pub(super) struct Download<'a> {
    client: &'a Client,
    repository: &'a str,
    digest: Digest,
    size: u64,
    body: Option<BoxStream<'static, Result<Bytes, String>>>,
    /// Bytes that the registry sends again because it knows no ranges.
    skip: u64,
    received: u64,
    hasher: Hasher,
    tries: u32,
}

impl<'a> Download<'a> {
    pub(super) fn new(client: &'a Client, repository: &'a str, descriptor: &Descriptor) -> Self {
        Self {
            client,
            repository,
            digest: descriptor.digest,
            size: descriptor.size,
            body: None,
            skip: 0,
            received: 0,
            hasher: Hasher::default(),
            tries: 0,
        }
    }

    /// Bytes so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The next bytes; `None` when there are as many as there should be.
    pub(super) async fn next(&mut self, retrying: &(dyn Fn(u64) + Sync)) -> Result<Option<Bytes>, Error> {
        loop {
            if self.received == self.size {
                return Ok(None);
            }
            let Some(body) = &mut self.body else {
                match self.open().await {
                    Ok(()) => {}
                    Err(e) => self.pause(e, retrying).await?,
                }
                continue;
            };
            let cause = match body.next().await {
                Some(Ok(piece)) => match self.take(&piece)? {
                    Some(fresh) => return Ok(Some(fresh)),
                    None => continue,
                },
                Some(Err(cause)) => cause,
                None => "it ended".to_owned(),
            };
            let broken = self.broken(cause);
            self.pause(broken, retrying).await?;
        }
    }

    fn broken(&self, cause: String) -> registry::Error {
        registry::Error::Broken {
            host: self.client.host().to_owned(),
            blob: self.digest,
            received: self.received,
            size: self.size,
            cause,
        }
    }

    /// Waits before the next try, if there is to be one.
    async fn pause(&mut self, e: registry::Error, retrying: &(dyn Fn(u64) + Sync)) -> Result<(), Error> {
        self.body = None;
        self.tries += 1;
        if !e.is_transient() || self.tries >= TRIES {
            return Err(e.into());
        }
        let pause = e.retry_after().unwrap_or(PAUSE * 2u32.pow(self.tries));
        retrying(pause.as_secs() + 1);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    async fn open(&mut self) -> Result<(), registry::Error> {
        let body = self.client.blob(self.repository, &self.digest, self.size, self.received).await;
        let body = body.map_err(|e| match e {
            registry::Error::Down { cause, .. } => self.broken(cause),
            other => other,
        })?;
        self.skip = self.received - body.offset;
        self.body = Some(body.stream);
        Ok(())
    }

    /// Counts and hashes what is new of a piece.
    fn take(&mut self, piece: &Bytes) -> Result<Option<Bytes>, Error> {
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= known as u64;
        let fresh = piece.slice(known..);
        self.received += fresh.len() as u64;
        if self.received > self.size {
            let (digest, size) = (self.digest, self.size);
            return Err(Error::Damaged(format!(
                "blob {digest} is longer than the {size} bytes that its manifest says"
            )));
        }
        self.hasher.update(&fresh);
        Ok(Some(fresh).filter(|f| !f.is_empty()))
    }

    /// Whether it is the blob that was asked for.
    pub(super) fn finish(self) -> Result<(), Error> {
        let found = self.hasher.finish();
        if found == self.digest {
            return Ok(());
        }
        Err(Error::Wrong { what: "blob", expected: self.digest, found })
    }
}

/// What arrives, as something that can be read; a download that was given up ends it early, which the digest shows.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Pieces {
    pub(super) fn new(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self { receiver, rest: Bytes::new() }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.recv() {
                Ok(piece) => self.rest = piece,
                Err(_ended) => return Ok(0),
            }
        }
        let n = buffer.len().min(self.rest.len());
        buffer[..n].copy_from_slice(&self.rest.split_to(n));
        Ok(n)
    }
}
