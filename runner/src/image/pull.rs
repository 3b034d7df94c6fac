//! Pulling: a reference becomes a manifest, its layers are fetched and unpacked side by side, and the image gets its name.
//!
//! A layer is hashed, written and unpacked while it arrives. What breaks off goes on where it broke; what is wrong leaves
//! nothing behind.

use super::credentials::Credentials;
use super::digest::Hasher;
use super::manifest::{Descriptor, Document, MAX_CONFIG, Manifest};
use super::progress::{Event, Progress, Step};
use super::registry::{self, Client};
use super::store::{diff_ids, parse_config};
use super::{Digest, Error, Platform, Reference, Store};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

/// How many layers are fetched and unpacked at a time: two saturate two processors.
const SIDE_BY_SIDE: usize = 2;
/// How often something that breaks off is tried again.
const TRIES: u32 = 5;
/// The first pause; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);
/// How deep an index may lead to another.
const NESTING: usize = 4;
/// Pieces that may wait for the unpacker.
const WAITING: usize = 64;

/// What is pulled, and how.
#[derive(Debug, Clone)]
pub struct Pull<'a> {
    /// Which image.
    pub reference: &'a Reference,
    /// For which machine.
    pub platform: &'a Platform,
    /// Who we are.
    pub credentials: Option<Credentials>,
    /// Registries that may be reached by plain HTTP.
    pub insecure: &'a [String],
}

impl Store {
    /// Pulls an image; answers its id.
    ///
    /// # Errors
    /// See [`Error`]; nothing of the image is left then but layers that were whole.
    pub async fn pull(&self, wanted: Pull<'_>, progress: &dyn Progress) -> Result<Digest, Error> {
        let reference = wanted.reference;
        let client = Client::new(reference.registry(), wanted.insecure, wanted.credentials)?;
        let key =
            reference.digest().map(|d| d.to_string()).or_else(|| reference.tag().map(ToOwned::to_owned));
        let key = key.unwrap_or_else(|| "latest".to_owned());
        progress.event(Event::Begin { tag: &key, name: reference.repository() });
        let (top, manifest) = manifest(&client, reference.repository(), &key, wanted.platform).await?;
        let config = self.config(&client, reference.repository(), &manifest.config).await?;
        let layers = diff_ids(&parse_config(&config)?)?;
        if layers.len() != manifest.layers.len() {
            let (a, b) = (manifest.layers.len(), layers.len());
            return Err(Error::Damaged(format!("the manifest has {a} layers, the configuration {b}")));
        }
        let known = self.resolve(&manifest.config.digest.to_string()).is_ok();
        let pairs: Vec<(&Descriptor, &Digest)> = manifest.layers.iter().zip(&layers).collect();
        stream::iter(pairs.into_iter().map(Ok))
            .try_for_each_concurrent(SIDE_BY_SIDE, |(descriptor, diff_id)| {
                self.fetch(&client, reference.repository(), descriptor, diff_id, progress)
            })
            .await?;
        let blobs = manifest.layers.iter().map(|l| l.digest).filter(|d| self.blob(d).exists()).collect();
        let id = self.put_image(&config, blobs)?;
        self.tag(&id.to_string(), reference)?;
        self.tag(&id.to_string(), &reference.with_digest(top))?;
        progress.event(Event::Digest(top));
        let words = if known { "Image is up to date for" } else { "Downloaded newer image for" };
        progress.event(Event::Status(&format!("Status: {words} {}:{key}", reference.familiar_name())));
        Ok(id)
    }

    async fn config(
        &self,
        client: &Client,
        repository: &str,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, Error> {
        if descriptor.size > MAX_CONFIG {
            return Err(Error::Damaged(format!("a configuration of {} bytes", descriptor.size)));
        }
        if let Ok(here) = self.read_blob(&descriptor.digest, MAX_CONFIG) {
            return Ok(here);
        }
        let mut bytes = Vec::new();
        let mut download = Download::new(client, repository, descriptor);
        while let Some(piece) = download.next(&|_| ()).await? {
            bytes.extend_from_slice(&piece);
        }
        download.finish()?;
        Ok(bytes)
    }

    /// Fetches and unpacks a layer that is not here, while nobody else does.
    async fn fetch(
        &self,
        client: &Client,
        repository: &str,
        descriptor: &Descriptor,
        diff_id: &Digest,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let short = descriptor.digest.short();
        let tell = |step| progress.event(Event::Layer { id: &short, step });
        if self.layer(diff_id).is_dir() {
            tell(Step::Exists);
            return Ok(());
        }
        tell(if self.busy.holds(&diff_id.hex()) { Step::Waiting } else { Step::Pulling });
        let _turn = self.busy.turn(&diff_id.hex()).await;
        if self.layer(diff_id).is_dir() {
            tell(Step::Exists);
            return Ok(());
        }
        let dir = self.making()?;
        let path = dir.path().join("blob");
        let mut file = std::fs::File::create(&path)?;
        let (sender, receiver) = mpsc::sync_channel::<Bytes>(WAITING);
        let store = self.clone();
        let expected = *diff_id;
        let unpacker = tokio::task::spawn_blocking(move || {
            store.put_layer(Pieces { receiver, rest: Bytes::new() }, &expected)
        });
        let mut download = Download::new(client, repository, descriptor);
        let mut told = 0;
        let retry = |seconds| tell(Step::Retrying { seconds });
        while let Some(piece) = download.next(&retry).await? {
            file.write_all(&piece)?;
            if download.received - told > descriptor.size / 50 {
                told = download.received;
                tell(Step::Downloading { current: told, total: descriptor.size });
            }
            let mut piece = Some(piece);
            // The unpacker may be slower than the network: others go on meanwhile.
            while let Some(waiting) = piece.take() {
                match sender.try_send(waiting) {
                    Ok(()) => {}
                    Err(mpsc::TrySendError::Full(back)) => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        piece = Some(back);
                    }
                    // It has ended with an error, which is told below.
                    Err(mpsc::TrySendError::Disconnected(_)) => break,
                }
            }
        }
        tell(Step::Verifying);
        let verified = download.finish();
        if verified.is_ok() {
            tell(Step::Extracting { current: descriptor.size, total: descriptor.size });
        }
        drop(sender);
        let unpacked = unpacker.await.map_err(io::Error::other)?;
        verified?;
        unpacked?;
        drop(file);
        std::fs::rename(&path, self.blob(&descriptor.digest))?;
        tell(Step::Complete);
        Ok(())
    }
}

/// The manifest for a platform behind a key, and the digest of what the key itself stands for.
async fn manifest(
    client: &Client,
    repository: &str,
    key: &str,
    platform: &Platform,
) -> Result<(Digest, Manifest), Error> {
    let mut key = key.to_owned();
    let mut top = None;
    for _ in 0..=NESTING {
        let fetched = again(|| client.manifest(repository, &key)).await?;
        let top = *top.get_or_insert(fetched.digest);
        match registry::parse(&fetched)
            .map_err(|e| Error::Damaged(format!("the manifest of {repository}:{key}: {e}")))?
        {
            Document::Image(manifest) => return Ok((top, manifest)),
            Document::Index(index) => match platform.choose(&index.manifests) {
                Some(chosen) => key = chosen.digest.to_string(),
                None => return Err(Error::Damaged(format!("{repository} has no image for {platform}"))),
            },
        }
    }
    Err(Error::Damaged(format!("the indexes of {repository} are nested more than {NESTING} deep")))
}

/// Tries something again while that is worth it.
async fn again<T, F: Future<Output = Result<T, registry::Error>>>(
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

/// A blob on its way: hashed, counted, and taken up again where it broke off.
struct Download<'a> {
    client: &'a Client,
    repository: &'a str,
    descriptor: &'a Descriptor,
    body: Option<futures_util::stream::BoxStream<'static, Result<Bytes, registry::Error>>>,
    /// Bytes that the registry sends again because it knows no ranges.
    skip: u64,
    received: u64,
    hasher: Hasher,
    tries: u32,
}

impl<'a> Download<'a> {
    fn new(client: &'a Client, repository: &'a str, descriptor: &'a Descriptor) -> Self {
        Self {
            client,
            repository,
            descriptor,
            body: None,
            skip: 0,
            received: 0,
            hasher: Hasher::default(),
            tries: 0,
        }
    }

    /// The next bytes; `None` when there are as many as there should be.
    async fn next(&mut self, retrying: &(dyn Fn(u64) + Sync)) -> Result<Option<Bytes>, Error> {
        loop {
            if self.received == self.descriptor.size {
                return Ok(None);
            }
            let step = match &mut self.body {
                None => self.open().await,
                Some(body) => match body.next().await {
                    Some(Ok(piece)) => {
                        if let Some(fresh) = self.take(piece)? {
                            return Ok(Some(fresh));
                        }
                        Ok(())
                    }
                    Some(Err(e)) => Err(e),
                    None => Err(registry::Error::Down {
                        host: self.repository.to_owned(),
                        cause: format!(
                            "it broke off after {} of {} bytes",
                            self.received, self.descriptor.size
                        ),
                    }),
                },
            };
            let Err(e) = step else { continue };
            self.body = None;
            self.tries += 1;
            if !e.is_transient() || self.tries >= TRIES {
                return Err(e.into());
            }
            let pause = e.retry_after().unwrap_or(PAUSE * 2u32.pow(self.tries));
            retrying(pause.as_secs() + 1);
            tokio::time::sleep(pause).await;
        }
    }

    async fn open(&mut self) -> Result<(), registry::Error> {
        let body = self.client.blob(self.repository, &self.descriptor.digest, self.received).await?;
        self.skip = self.received - body.offset;
        self.body = Some(body.stream);
        Ok(())
    }

    /// Counts and hashes what is new of a piece.
    fn take(&mut self, piece: Bytes) -> Result<Option<Bytes>, Error> {
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= known as u64;
        let fresh = piece.slice(known..);
        self.received += fresh.len() as u64;
        if self.received > self.descriptor.size {
            let (digest, size) = (self.descriptor.digest, self.descriptor.size);
            return Err(Error::Damaged(format!(
                "blob {digest} is longer than the {size} bytes that its manifest says"
            )));
        }
        self.hasher.update(&fresh);
        Ok(Some(fresh).filter(|f| !f.is_empty()))
    }

    fn finish(self) -> Result<(), Error> {
        let found = self.hasher.finish();
        if found == self.descriptor.digest {
            return Ok(());
        }
        Err(Error::Wrong { what: "blob", expected: self.descriptor.digest, found })
    }
}

/// What arrives, as something that can be read; a download that was given up ends it early, which the digest shows.
struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
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
