//! The registry side of the content store: what was pushed, and what may be pulled (OCI distribution specification 1.1).
//!
//! Blobs are the store's own: what an image of the engine's has need not be pushed, and what was pushed need not be
//! downloaded. A repository belongs to who pushed to it first; others may pull. Knows no HTTP and no login: whoever asks is
//! named by the caller, who has asked already whether they may be in that name space at all.

mod blobs;
mod bounds;
pub(super) mod catalogue;
mod document;
mod error;
mod lists;
mod manifests;
mod mirror;
mod sweep;
mod uploads;

pub use blobs::{Blob, Mounted};
pub use bounds::Bounds;
pub use error::Error;
pub use lists::{More, Page, Referrer};
pub use manifests::{Put, Served};
pub use mirror::Mirror;
pub use sweep::Swept;
pub use uploads::Progress;

use super::{Digest, Store};
use catalogue::{is_name, is_tag};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    /// Their name; `None`: whoever runs the registry, who may do everything.
    pub owner: Option<&'a str>,
}

/// A tag, or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A tag.
    Tag(String),
    /// A digest.
    Digest(Digest),
}

impl Key {
    /// What a client wrote.
    ///
    /// # Errors
    /// [`Error::TagInvalid`], [`Error::DigestInvalid`].
    pub fn read(text: &str) -> Result<Self, Error> {
        if text.contains(':') {
            return digest(text).map(Self::Digest);
        }
        if !is_tag(text) {
            return Err(Error::TagInvalid(text.to_owned()));
        }
        Ok(Self::Tag(text.to_owned()))
    }
}

/// A digest, as a client wrote it.
///
/// # Errors
/// [`Error::DigestInvalid`].
pub fn digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|_| Error::DigestInvalid(text.chars().take(200).collect()))
}

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub struct Distribution {
    store: Store,
    bounds: Bounds,
    mirrors: Vec<Mirror>,
    uploads: uploads::Uploads,
    promised: blobs::Promised,
}

impl Distribution {
    /// The registry side of a store.
    #[must_use]
    pub fn new(store: Store, bounds: Bounds, mirrors: Vec<Mirror>) -> Self {
        Self {
            store,
            bounds,
            mirrors,
            uploads: uploads::Uploads::default(),
            promised: blobs::Promised::default(),
        }
    }

    /// Whether somebody may change a repository.
    fn writable(&self, who: Who<'_>, repository: &str) -> Result<(), Error> {
        if !is_name(repository) {
            return Err(Error::NameInvalid(repository.chars().take(300).collect()));
        }
        if self.mirror_of(repository).is_some() {
            let words = format!("{repository} is a copy of another registry's: nothing is pushed to it");
            return Err(Error::Denied(words));
        }
        let shared = self.store.lock();
        match (shared.catalogue.get(repository), who.owner) {
            (Some(there), Some(owner)) if there.owner.as_deref() != Some(owner) => {
                Err(Error::Denied(format!("{repository} is somebody else's: push under another name")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
