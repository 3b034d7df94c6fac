//! Manifests: taken in when all that they name is here, given out as they came, taken away.

use super::catalogue::{Entry, is_name};
use super::error::Error;
use super::{Distribution, Key, Who, document};
use crate::image::Digest;
use crate::image::manifest::{MAX_MANIFEST, OCI_MANIFEST};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

/// A manifest as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it is.
    pub media_type: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// A manifest that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Of its bytes.
    pub digest: Digest,
    /// What it is about.
    pub subject: Option<Digest>,
}

/// Now, in seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Distribution {
    /// A manifest.
    ///
    /// # Errors
    /// [`Error::NameUnknown`], [`Error::ManifestUnknown`].
    pub async fn manifest(&self, repository: &str, key: &Key) -> Result<Served, Error> {
        if !is_name(repository) {
            return Err(Error::NameInvalid(repository.chars().take(300).collect()));
        }
        if let Some(mirror) = self.mirror_of(repository) {
            self.refresh(mirror, repository, key).await?;
        }
        // Open, it can be read to its end, whoever deletes it.
        let (digest, media_type, file) = {
            let shared = self.store.lock();
            let there =
                shared.catalogue.get(repository).ok_or_else(|| Error::NameUnknown(repository.to_owned()))?;
            let digest = match key {
                Key::Digest(digest) => Some(*digest),
                Key::Tag(tag) => there.tags.get(tag).map(|tag| tag.digest),
            };
            let found = digest.and_then(|digest| Some((digest, there.manifests.get(&digest)?)));
            let (digest, entry) = found.ok_or_else(|| unknown(repository, key))?;
            (digest, entry.media_type.clone(), File::open(self.store.blob(&digest))?)
        };
        let mut bytes = Vec::new();
        file.take(MAX_MANIFEST).read_to_end(&mut bytes)?;
        Ok(Served { bytes, media_type, digest })
    }

    /// Takes a manifest in.
    ///
    /// # Errors
    /// [`Error::NamesUnknown`] if something that it names is not here, and others; then nothing of it is kept.
    pub fn put_manifest(
        &self,
        who: Who<'_>,
        repository: &str,
        key: &Key,
        media_type: Option<&str>,
        bytes: &[u8],
    ) -> Result<Put, Error> {
        self.writable(who, repository)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::ManifestLong(MAX_MANIFEST));
        }
        let digest = Digest::of(bytes);
        if let Key::Digest(said) = key
            && *said != digest
        {
            return Err(Error::DigestWrong { said: *said, found: digest });
        }
        let said = media_type.map(ToOwned::to_owned).or_else(|| document::said(bytes));
        let entry = document::read(bytes, said.as_deref().unwrap_or(OCI_MANIFEST), now())?;
        self.room(who, repository, bytes.len() as u64)?;
        let subject = entry.subject;
        let tag = match key {
            Key::Tag(tag) => Some(tag.as_str()),
            Key::Digest(_) => None,
        };
        // First that nobody takes away what is about to be named, then whether it is here.
        let named = entry.blobs.iter().map(|(blob, _)| *blob);
        let _hold = self.store.hold(named.chain([digest]));
        self.store.put_blob(bytes)?;
        self.record(who, repository, digest, entry, tag)?;
        Ok(Put { digest, subject })
    }

    /// Writes down a manifest that is here, with what it names.
    pub(super) fn record(
        &self,
        who: Who<'_>,
        repository: &str,
        digest: Digest,
        entry: Entry,
        tag: Option<&str>,
    ) -> Result<(), Error> {
        let promised = entry.blobs.iter().map(|(blob, _)| *blob).filter(|blob| self.promised.has(blob));
        let promised: BTreeSet<Digest> = promised.collect();
        let mut shared = self.store.lock();
        let mut missing = Vec::new();
        {
            let there = shared.catalogue.get(repository);
            let most = self.bounds.manifests;
            if there.is_some_and(|there| {
                (there.manifests.len() >= most && !there.manifests.contains_key(&digest))
                    || tag.is_some_and(|tag| there.tags.len() >= most && !there.tags.contains_key(tag))
            }) {
                return Err(Error::Full(format!("{repository} may have {most} tags and as many manifests")));
            }
            for child in &entry.children {
                if !there.is_some_and(|there| there.manifests.contains_key(child)) {
                    return Err(Error::NamesUnknown(*child));
                }
            }
            for (blob, size) in &entry.blobs {
                let file = self.store.blob(blob).metadata().ok().filter(std::fs::Metadata::is_file);
                let linked = there.is_some_and(|there| there.blobs.contains_key(blob));
                match file {
                    Some(file) if file.len() != *size => {
                        let (said, is) = (size, file.len());
                        let words = format!("it says that {blob} has {said} bytes, which has {is}");
                        return Err(Error::ManifestInvalid(words));
                    }
                    Some(_) if linked => {}
                    Some(_) if shared.index.gives(blob) || promised.contains(blob) => {
                        missing.push((*blob, *size))
                    }
                    _ => return Err(Error::NamesUnknown(*blob)),
                }
            }
        }
        for (blob, size) in missing {
            shared.catalogue.link(repository, who.owner, blob, size)?;
        }
        Ok(shared.catalogue.put(repository, who.owner, (digest, entry), tag)?)
    }

    /// Takes a tag away, or a manifest with all of its tags.
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`]; [`Error::Needed`] if an index names it.
    pub fn delete_manifest(&self, who: Who<'_>, repository: &str, key: &Key) -> Result<(), Error> {
        self.writable(who, repository)?;
        let mut shared = self.store.lock();
        let there =
            shared.catalogue.get(repository).ok_or_else(|| Error::NameUnknown(repository.to_owned()))?;
        match key {
            Key::Tag(tag) => {
                shared.catalogue.untag(repository, tag)?.ok_or_else(|| unknown(repository, key))?;
            }
            Key::Digest(digest) => {
                let by = there.manifests.iter().find(|(_, entry)| entry.children.contains(digest));
                if let Some((index, _)) = by {
                    return Err(Error::Needed(format!("the index {index} names it: delete that first")));
                }
                shared.catalogue.remove(repository, digest)?.ok_or_else(|| unknown(repository, key))?;
            }
        }
        Ok(shared.catalogue.forget_empty(repository)?)
    }
}

fn unknown(repository: &str, key: &Key) -> Error {
    let reference = match key {
        Key::Tag(tag) => tag.clone(),
        Key::Digest(digest) => digest.to_string(),
    };
    Error::ManifestUnknown { repository: repository.to_owned(), reference }
}
