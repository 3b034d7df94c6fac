//! Blobs of repositories: given out, taken from one repository into another, taken away.

use super::catalogue::is_name;
use super::error::Error;
use super::{Distribution, Who};
use crate::image::store::Index;
use crate::image::{Digest, Hold};
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many blobs of the engine's images are kept for pushes under way.
const PROMISES: usize = 4096;

/// A blob, open.
#[derive(Debug)]
pub struct Blob {
    /// Its file, at its beginning.
    pub file: File,
    /// Its bytes.
    pub size: u64,
}

/// The engine's own blobs that a client was told are here: it will not push them.
#[derive(Debug, Clone, Default)]
pub(super) struct Promised(Arc<Mutex<HashMap<Digest, (Hold, Instant)>>>);

impl Promised {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, (Hold, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, blob: &Digest) -> bool {
        self.lock().contains_key(blob)
    }

    fn keep(&self, blob: Digest, hold: Hold) {
        let mut all = self.lock();
        let before = match all.len() < PROMISES || all.contains_key(&blob) {
            true => all.insert(blob, (hold, Instant::now())),
            false => Some((hold, Instant::now())),
        };
        // Letting go locks the store: not while this is locked.
        drop(all);
        drop(before);
    }

    /// Forgets those that are older.
    pub(super) fn expire(&self, age: Duration) {
        let old = {
            let mut all = self.lock();
            let old: Vec<Digest> =
                all.iter().filter(|(_, (_, when))| when.elapsed() >= age).map(|(blob, _)| *blob).collect();
            old.iter().filter_map(|blob| all.remove(blob)).collect::<Vec<_>>()
        };
        drop(old);
    }
}

impl Index {
    /// Whether an image of the engine's, that is not somebody's kept work alone, has this blob: nobody need push it.
    pub(in crate::image) fn gives(&self, blob: &Digest) -> bool {
        let kept = format!("docker.io/{}", sandlot_wire::KEPT);
        let with = |id: &Digest| self.images.get(id).is_some_and(|image| image.blobs.contains(blob));
        self.names.iter().any(|(name, id)| !name.starts_with(&kept) && with(id))
    }
}

impl Distribution {
    /// A blob of a repository, or of an image of the engine's.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`].
    pub async fn blob(&self, repository: &str, digest: Digest) -> Result<Blob, Error> {
        if !is_name(repository) {
            return Err(Error::NameInvalid(repository.chars().take(300).collect()));
        }
        if let Some(mirror) = self.mirror_of(repository) {
            self.fetch(mirror, repository, digest).await?;
        }
        let hold = self.store.hold([digest]);
        let (file, given) = {
            let mut shared = self.store.lock();
            let linked =
                shared.catalogue.get(repository).is_some_and(|there| there.blobs.contains_key(&digest));
            if !linked && !shared.index.gives(&digest) {
                return Err(unknown(repository, digest));
            }
            shared.catalogue.touch(repository, &digest);
            (File::open(self.store.blob(&digest)).map_err(|_| unknown(repository, digest))?, !linked)
        };
        if given {
            self.promised.keep(digest, hold);
        }
        let size = file.metadata()?.len();
        Ok(Blob { file, size })
    }

    /// Makes a blob that is here one of this repository's: one of the repository `from`, if it names one, or of an image of
    /// the engine's. Whether it is here.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn mount(
        &self,
        who: Who<'_>,
        repository: &str,
        digest: Digest,
        from: Option<&str>,
    ) -> Result<Mounted, Error> {
        self.writable(who, repository)?;
        let size = {
            let shared = self.store.lock();
            let here = |name: &str| shared.catalogue.get(name).is_some_and(|r| r.blobs.contains_key(&digest));
            if !(here(repository) || from.is_some_and(here) || shared.index.gives(&digest)) {
                return Ok(Mounted::No);
            }
            match self.store.blob(&digest).metadata() {
                Ok(file) => file.len(),
                Err(_) => return Ok(Mounted::No),
            }
        };
        self.room(who, repository, size)?;
        let _hold = self.store.hold([digest]);
        if !self.store.blob(&digest).is_file() {
            return Ok(Mounted::No);
        }
        self.store.lock().catalogue.link(repository, who.owner, digest, size)?;
        Ok(Mounted::Yes)
    }

    /// Takes a blob out of a repository.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`]; [`Error::Needed`] if a manifest of the repository names it.
    pub fn delete_blob(&self, who: Who<'_>, repository: &str, digest: Digest) -> Result<(), Error> {
        self.writable(who, repository)?;
        let mut shared = self.store.lock();
        let there =
            shared.catalogue.get(repository).ok_or_else(|| Error::NameUnknown(repository.to_owned()))?;
        if !there.blobs.contains_key(&digest) {
            return Err(unknown(repository, digest));
        }
        let names = |blobs: &[(Digest, u64)]| blobs.iter().any(|(blob, _)| *blob == digest);
        if let Some((manifest, _)) = there.manifests.iter().find(|(_, entry)| names(&entry.blobs)) {
            return Err(Error::Needed(format!("the manifest {manifest} names it: delete that first")));
        }
        shared.catalogue.unlink(repository, &digest)?;
        Ok(shared.catalogue.forget_empty(repository)?)
    }
}

/// Whether a blob was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounted {
    /// It belongs to the repository now.
    Yes,
    /// It is not here: it must be pushed.
    No,
}

fn unknown(repository: &str, digest: Digest) -> Error {
    Error::BlobUnknown { repository: repository.to_owned(), digest }
}
