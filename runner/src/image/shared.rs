//! Images that the host's store offers to the store of a session's own engine: pulling one there fetches and unpacks nothing.
//!
//! ```text
//! shared/index.json     what is offered, written by the host for this session
//! shared/blobs/HEX      configurations, manifests and packed layers: links of the host's files, which belong to nobody inside
//! shared/views/HEX      all layers of one image as one tree, mounted by the host: nobody writes it
//! ```
//! A view stands for an image's layers together: an image that is built on one has the view below its own layers.

use super::pull::Pull;
use super::store::Known;
use super::{Digest, Error, Event, Progress, Reference, Store};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the directory, in a state.
const SHARED: &str = "shared";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
const VIEWS: &str = "views";

/// One image that is offered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    id: Digest,
    /// Canonical references.
    names: Vec<String>,
    known: Known,
}

/// What is offered to a store.
#[derive(Debug)]
pub(super) struct Shared {
    root: PathBuf,
    offers: Vec<Offer>,
}

impl Offer {
    /// Whether it is the image that is always there.
    pub(super) fn is_starter(&self) -> bool {
        self.names.iter().filter_map(|name| name.parse::<Reference>().ok()).any(|name| {
            format!("{}:{}", name.familiar_name(), name.tag().unwrap_or_default()) == super::starter::NAME
        })
    }

    /// Takes the names of another offer of the same image over; false, and nothing, if it is of another.
    pub fn merge(&mut self, other: &Self) -> bool {
        let same = self.id == other.id;
        if same {
            self.names.extend_from_slice(&other.names);
        }
        same
    }

    /// Where, below the directory of offers, the view of the image's layers is to be mounted.
    #[must_use]
    pub fn view(&self) -> PathBuf {
        Path::new(VIEWS).join(self.id.hex())
    }
}

impl Store {
    /// Offers an image to another store: puts what it has of files into the directory `into`. Its layers are the caller's to show.
    ///
    /// # Errors
    /// [`Error::NotFound`], and what the filesystem answers.
    pub fn offer(&self, key: &str, into: &Path) -> Result<Offer, Error> {
        let id = self.id(key)?;
        let known = self.lock().index.images.get(&id).cloned();
        let known = known.ok_or_else(|| Error::NotFound(key.to_owned()))?;
        // By this name alone: others may be somebody's own.
        let names = key.parse::<Reference>().map(|name| name.canonical()).into_iter().collect();
        let offer = Offer { id, names, known };
        std::fs::create_dir_all(into.join(BLOBS))?;
        std::fs::create_dir_all(into.join(offer.view()))?;
        for blob in offer.known.blobs.iter().chain(&offer.known.manifest).chain([&id]) {
            match std::fs::hard_link(self.blob(blob), into.join(BLOBS).join(blob.hex())) {
                Err(e) if !matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                    return Err(e.into());
                }
                _ => {}
            }
        }
        Ok(offer)
    }

    /// The offers that were taken in when this store was opened.
    pub(super) fn offers(&self) -> &[Offer] {
        self.offered.as_deref().map_or(&[], |shared| &shared.offers)
    }

    /// Takes an image that is offered under that name, if one is.
    pub(super) fn take_offer(
        &self,
        wanted: &Pull<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Digest>, Error> {
        let reference = wanted.reference;
        let name = reference.canonical();
        let Some(offer) = self.offers().iter().find(|offer| offer.names.contains(&name)) else {
            return Ok(None);
        };
        let tag =
            reference.digest().map(|d| d.to_string()).or_else(|| reference.tag().map(ToOwned::to_owned));
        progress.event(Event::Begin { tag: &tag.unwrap_or_default(), name: reference.repository() });
        let here = self.resolve(&reference.to_string()).is_ok_and(|image| image.id == offer.id);
        self.change(|index| {
            index.images.insert(offer.id, offer.known.clone());
            index.names.insert(name, offer.id);
        })?;
        progress.event(Event::Digest(offer.known.manifest.unwrap_or(offer.id)));
        let words = if here { "Image is up to date for" } else { "Downloaded newer image for" };
        progress.event(Event::Status(&format!("Status: {words} {reference}")));
        Ok(Some(offer.id))
    }

    /// How many of these layers, from the lowest on, a view shows, and which.
    fn seen(&self, layers: &[Digest]) -> Option<(usize, PathBuf)> {
        let shared = self.offered.as_deref()?;
        let whole =
            |offer: &&Offer| !offer.known.layers.is_empty() && layers.starts_with(&offer.known.layers);
        let offer = shared.offers.iter().filter(whole).max_by_key(|offer| offer.known.layers.len())?;
        Some((offer.known.layers.len(), shared.root.join(offer.view())))
    }

    /// How many of these layers need not be fetched, because a view shows them.
    pub(super) fn covered(&self, layers: &[Digest]) -> usize {
        self.seen(layers).map_or(0, |(count, _)| count)
    }

    /// The directories that show these layers, lowest first.
    #[must_use]
    pub fn directories(&self, layers: &[Digest]) -> Vec<PathBuf> {
        let (count, view) = self.seen(layers).map_or((0, None), |(count, view)| (count, Some(view)));
        view.into_iter().chain(layers[count..].iter().map(|layer| self.layer(layer))).collect()
    }

    /// The tree of one layer, where there is one.
    pub(super) fn tree(&self, layer: &Digest) -> PathBuf {
        let own = self.layer(layer);
        if own.is_dir() { own } else { self.seen(&[*layer]).map_or(own, |(_, view)| view) }
    }

    /// The file of a blob: of this store, or of those that are offered.
    pub(super) fn blob_file(&self, digest: &Digest) -> PathBuf {
        let own = self.blob(digest);
        let theirs = || self.offered.as_deref().map(|shared| shared.root.join(BLOBS).join(digest.hex()));
        if own.exists() { own } else { theirs().filter(|path| path.exists()).unwrap_or(own) }
    }
}

/// Writes down what is offered in the directory `into`.
///
/// # Errors
/// What the filesystem answers.
pub fn write(offers: &[Offer], into: &Path) -> io::Result<()> {
    let text = serde_json::to_vec(offers).map_err(io::Error::other)?;
    std::fs::write(into.join(INDEX), text)
}

/// What is offered to the store of a state directory.
pub(super) fn read(state: &Path) -> Result<Option<Shared>, Error> {
    let root = state.join(SHARED);
    let text = match std::fs::read(root.join(INDEX)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let offers =
        serde_json::from_slice(&text).map_err(|e| Error::Damaged(format!("the index of offers: {e}")))?;
    Ok(Some(Shared { root, offers }))
}
