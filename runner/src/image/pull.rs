//! Pulling: a reference becomes a manifest, its layers are fetched and unpacked side by side, and the image gets its name.
//!
//! A layer is hashed, written and unpacked while it arrives. What breaks off goes on where it broke; what fails leaves
//! nothing behind.

use super::credentials::Credentials;
use super::download::{Download, Pieces, again};
use super::manifest::{Descriptor, Document, MAX_CONFIG, Manifest};
use super::progress::{Event, Progress, Step};
use super::registry::{self, Client};
use super::store::{Made, diff_ids, parse_config};
use super::{Digest, Error, Platform, Reference, Store};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many layers are fetched and unpacked at a time: two saturate two processors.
const SIDE_BY_SIDE: usize = 2;
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

/// One pull under way.
struct Job<'a> {
    client: Client,
    repository: &'a str,
    progress: &'a dyn Progress,
    /// A layer failed: the others need not go on.
    stop: CancellationToken,
}

/// How a layer's bytes ended.
enum Arrival {
    /// They are all here, and the blob is the right one.
    Whole,
    /// The unpacker refused them.
    Refused,
}

impl Store {
    /// Pulls an image; answers its id.
    ///
    /// # Errors
    /// See [`Error`]; nothing of the image is left then but what other images have too.
    pub async fn pull(&self, wanted: Pull<'_>, progress: &dyn Progress) -> Result<Digest, Error> {
        let done = self.pull_held(wanted, progress).await;
        if done.is_err() {
            let store = self.clone();
            tokio::task::spawn_blocking(move || store.collect_quietly()).await.map_err(io::Error::other)?;
        }
        done
    }

    async fn pull_held(&self, wanted: Pull<'_>, progress: &dyn Progress) -> Result<Digest, Error> {
        if let Some(id) = self.take_offer(&wanted, progress)? {
            return Ok(id);
        }
        let reference = wanted.reference;
        let repository = reference.repository();
        let client = Client::new(reference.registry(), wanted.insecure, wanted.credentials)?;
        let job = Job { client, repository, progress, stop: CancellationToken::new() };
        let key =
            reference.digest().map(|d| d.to_string()).or_else(|| reference.tag().map(ToOwned::to_owned));
        let key = key.unwrap_or_else(|| "latest".to_owned());
        let (top, bytes, manifest) = manifest(&job.client, repository, &key, wanted.platform).await?;
        progress.event(Event::Begin { tag: &key, name: repository });
        let _blobs = self.hold(manifest.layers.iter().chain([&manifest.config]).map(|d| d.digest));
        let config = self.config(&job, &manifest.config).await?;
        let layers = diff_ids(&parse_config(&config)?)?;
        let _layers = self.hold(layers.iter().copied());
        if layers.len() != manifest.layers.len() {
            let (a, b) = (manifest.layers.len(), layers.len());
            return Err(Error::Damaged(format!("the manifest has {a} layers, the configuration {b}")));
        }
        self.affordable(&manifest)?;
        // As Docker does, it asks what the name stood for: a new name of a known image is news.
        let known =
            self.resolve(&reference.to_string()).is_ok_and(|image| image.id == manifest.config.digest);
        let missing = manifest.layers.iter().zip(&layers).skip(self.covered(&layers));
        self.fetch_all(&job, missing.collect()).await?;
        let blobs = manifest.layers.iter().map(|l| l.digest).filter(|d| self.blob_file(d).exists()).collect();
        // By digest, nothing is said of what a tag stands for.
        let tagged = reference.digest().is_none().then(|| reference.clone());
        let names = tagged.into_iter().chain([reference.with_digest(top)]).collect();
        self.put_images(vec![Made { config: &config, blobs, manifest: Some(&bytes), names }])?;
        progress.event(Event::Digest(top));
        let words = if known { "Image is up to date for" } else { "Downloaded newer image for" };
        progress.event(Event::Status(&format!("Status: {words} {reference}")));
        Ok(Digest::of(&config))
    }

    /// Refuses what claims to be larger than it may be, before a byte of it comes.
    fn affordable(&self, manifest: &Manifest) -> Result<(), Error> {
        let mut sum = 0u64;
        for layer in &manifest.layers {
            sum = sum.saturating_add(layer.size);
            if sum > self.limits.bytes {
                return Err(Error::Damaged(format!(
                    "layer {} of {} bytes is refused: an image may have {} bytes",
                    layer.digest, layer.size, self.limits.bytes
                )));
            }
        }
        Ok(())
    }

    async fn config(&self, job: &Job<'_>, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        if descriptor.size > MAX_CONFIG {
            let (digest, size) = (descriptor.digest, descriptor.size);
            return Err(Error::Damaged(format!(
                "configuration {digest} of {size} bytes is refused: it may have {MAX_CONFIG}"
            )));
        }
        if let Ok(here) = self.read_blob(&descriptor.digest, MAX_CONFIG) {
            return Ok(here);
        }
        let mut bytes = Vec::new();
        let mut download = Download::new(&job.client, job.repository, descriptor);
        while let Some(piece) = download.next(&|_| ()).await? {
            bytes.extend_from_slice(&piece);
        }
        download.finish()?;
        Ok(bytes)
    }

    /// Fetches what is not here; the first failure stops the others, and is answered when they have stopped.
    async fn fetch_all(&self, job: &Job<'_>, layers: Vec<(&Descriptor, &Digest)>) -> Result<(), Error> {
        let first = Mutex::new(None);
        // The largest first: at the end, nobody waits for it alone.
        let mut layers = layers;
        layers.sort_by_key(|(descriptor, _)| std::cmp::Reverse(descriptor.size));
        stream::iter(layers)
            .for_each_concurrent(SIDE_BY_SIDE, |(descriptor, diff_id)| {
                let first = &first;
                async move {
                    if job.stop.is_cancelled() {
                        return;
                    }
                    if let Err(e) = self.fetch(job, descriptor, diff_id).await {
                        first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                        job.stop.cancel();
                    }
                }
            })
            .await;
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Fetches and unpacks a layer that is not here, while nobody else does.
    async fn fetch(&self, job: &Job<'_>, descriptor: &Descriptor, diff_id: &Digest) -> Result<(), Error> {
        let short = descriptor.digest.short();
        let tell = |step| job.progress.event(Event::Layer { id: &short, step });
        if self.layer(diff_id).is_dir() {
            tell(Step::Exists);
            return Ok(());
        }
        let name = diff_id.hex();
        tell(if self.busy.holds(&name) { Step::Waiting } else { Step::Pulling });
        let _turn = tokio::select! {
            turn = self.busy.turn(&name) => turn,
            () = job.stop.cancelled() => return Err(Error::Stopped),
        };
        if self.layer(diff_id).is_dir() {
            tell(Step::Exists);
            return Ok(());
        }
        if self.unpack_here(descriptor, diff_id).await? {
            tell(Step::Exists);
            return Ok(());
        }
        let dir = self.making()?;
        let path = dir.path().join("blob");
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let store = self.clone();
        let expected = *diff_id;
        let unpacker = tokio::task::spawn_blocking(move || store.unpack(Pieces::new(receiver), &expected));
        // The sender goes with this future; then the unpacker ends, and is waited for: it writes into the store.
        let arrived = tokio::select! {
            arrived = receive(job, descriptor, &path, sender) => arrived,
            () = job.stop.cancelled() => Err(Error::Stopped),
        };
        let unpacked = unpacker.await.map_err(io::Error::other)?;
        let arrival = arrived?;
        let layer = unpacked.map_err(|e| e.of_layer(&descriptor.digest))?;
        if let Arrival::Refused = arrival {
            let digest = descriptor.digest;
            return Err(Error::Damaged(format!("layer {digest} goes on after its end")));
        }
        self.keep(layer)?;
        std::fs::rename(&path, self.blob(&descriptor.digest))?;
        tell(Step::Complete);
        Ok(())
    }
}

impl Store {
    /// Unpacks a layer whose blob is here already, because it was pushed to our own registry; whether it is.
    async fn unpack_here(&self, descriptor: &Descriptor, diff_id: &Digest) -> Result<bool, Error> {
        let path = self.blob(&descriptor.digest);
        let Some(file) =
            File::open(path).ok().filter(|f| f.metadata().is_ok_and(|m| m.len() == descriptor.size))
        else {
            return Ok(false);
        };
        let (store, expected, blob) = (self.clone(), *diff_id, descriptor.digest);
        let unpacked = tokio::task::spawn_blocking(move || {
            let layer = store.unpack(file, &expected).map_err(|e| e.of_layer(&blob))?;
            store.keep(layer)
        });
        unpacked.await.map_err(io::Error::other)?.map(|()| true)
    }
}

/// Fetches a layer's blob into a file and to the unpacker; ends early when that has failed.
async fn receive(
    job: &Job<'_>,
    descriptor: &Descriptor,
    path: &Path,
    sender: mpsc::SyncSender<Bytes>,
) -> Result<Arrival, Error> {
    let short = descriptor.digest.short();
    let tell = |step| job.progress.event(Event::Layer { id: &short, step });
    let full = |source| Error::Write { what: format!("blob {}", descriptor.digest), source };
    let mut file = File::create(path).map_err(full)?;
    let mut download = Download::new(&job.client, job.repository, descriptor);
    let mut told = 0;
    let retry = |seconds| tell(Step::Retrying { seconds });
    while let Some(piece) = download.next(&retry).await? {
        file.write_all(&piece).map_err(full)?;
        if download.received() - told > descriptor.size / 50 {
            told = download.received();
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
                Err(mpsc::TrySendError::Disconnected(_)) => return Ok(Arrival::Refused),
            }
        }
    }
    tell(Step::Verifying);
    download.finish()?;
    tell(Step::Extracting { current: descriptor.size, total: descriptor.size });
    Ok(Arrival::Whole)
}

/// The digest of what a key stands for, and the manifest for a platform behind it, as it came and as it is understood.
async fn manifest(
    client: &Client,
    repository: &str,
    key: &str,
    platform: &Platform,
) -> Result<(Digest, Vec<u8>, Manifest), Error> {
    let mut key = key.to_owned();
    let mut top = None;
    for _ in 0..=NESTING {
        let fetched = again(|| client.manifest(repository, &key)).await?;
        let top = *top.get_or_insert(fetched.digest);
        match registry::parse(&fetched)
            .map_err(|e| Error::Damaged(format!("the manifest of {repository}:{key}: {e}")))?
        {
            Document::Image(manifest) => return Ok((top, fetched.bytes, manifest)),
            Document::Index(index) => match platform.choose(&index.manifests) {
                Some(chosen) => key = chosen.digest.to_string(),
                None => return Err(Error::Damaged(format!("{repository} has no image for {platform}"))),
            },
        }
    }
    Err(Error::Damaged(format!("the indexes of {repository} are nested more than {NESTING} deep")))
}
