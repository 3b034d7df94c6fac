//! A name space that is a copy of another registry's: what is asked for is fetched once, whoever else asks meanwhile waits.
//!
//! A tag is asked for again after a while; where the other registry does not answer, what is here is given.

use super::catalogue::Entry;
use super::error::Error;
use super::manifests::now;
use super::{Distribution, Key, Who, document};
use crate::image::download::{Download, again};
use crate::image::manifest::{Descriptor, OCI_MANIFEST};
use crate::image::registry::{self, Client};
use crate::image::{Digest, Error as ImageError};
use std::fs::File;
use std::io::Write;
use std::str::FromStr;

/// For so many seconds what a tag stands for is believed.
const FRESH: i64 = 300;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The name space.
    pub space: String,
    /// The registry, as in a reference.
    pub host: String,
    /// Whether it may be reached by plain HTTP.
    pub insecure: Vec<String>,
}

impl FromStr for Mirror {
    type Err = String;

    /// `SPACE=HOST`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: SPACE=HOST is expected, as hub=docker.io");
        let (space, host) = text.split_once('=').ok_or_else(wrong)?;
        if space.contains('/') || !super::is_name(space) || Client::new(host, &[], None).is_err() {
            return Err(wrong());
        }
        Ok(Self { space: space.to_owned(), host: host.to_owned(), insecure: Vec::new() })
    }
}

impl Distribution {
    /// The mirror that a repository belongs to.
    pub(super) fn mirror_of(&self, repository: &str) -> Option<&Mirror> {
        let (space, _) = repository.split_once('/')?;
        self.mirrors.iter().find(|mirror| mirror.space == space)
    }

    /// Fetches a manifest that is not here, or whose tag may have moved.
    pub(super) async fn refresh(&self, mirror: &Mirror, repository: &str, key: &Key) -> Result<(), Error> {
        let (known, fresh) = self.known(repository, key);
        if fresh {
            return Ok(());
        }
        let words = match key {
            Key::Tag(tag) => tag.clone(),
            Key::Digest(digest) => digest.to_string(),
        };
        let _turn = self.store.busy.turn(&format!("{repository}:{words}")).await;
        if self.known(repository, key).1 {
            return Ok(());
        }
        match self.fetch_manifest(mirror, repository, key, &words).await {
            // Better an old one than none.
            Err(error) if known => {
                tracing::warn!(repository, %error, "the other registry does not answer");
                Ok(())
            }
            other => other,
        }
    }

    /// Whether a manifest is here, and whether it need not be asked for.
    fn known(&self, repository: &str, key: &Key) -> (bool, bool) {
        let shared = self.store.lock();
        let Some(there) = shared.catalogue.get(repository) else { return (false, false) };
        match key {
            Key::Digest(digest) => {
                let here = there.manifests.contains_key(digest);
                (here, here)
            }
            Key::Tag(tag) => match there.tags.get(tag) {
                Some(tag) => (true, now() - tag.pushed < FRESH),
                None => (false, false),
            },
        }
    }

    async fn fetch_manifest(
        &self,
        mirror: &Mirror,
        repository: &str,
        key: &Key,
        words: &str,
    ) -> Result<(), Error> {
        let client = mirror.client()?;
        let there = mirror.theirs(repository);
        let fetched = again(|| client.manifest(there, words)).await.map_err(|e| match e {
            registry::Error::NotFound { .. } => {
                Error::ManifestUnknown { repository: repository.to_owned(), reference: words.to_owned() }
            }
            other => ImageError::from(other).into(),
        })?;
        let said = fetched.media_type.as_deref().unwrap_or(OCI_MANIFEST);
        let entry = document::read(&fetched.bytes, said, now())?;
        let _hold = self.store.hold([fetched.digest]);
        self.store.put_blob(&fetched.bytes)?;
        let tag = match key {
            Key::Tag(tag) => Some(tag.as_str()),
            Key::Digest(_) => None,
        };
        let mut shared = self.store.lock();
        Ok(shared.catalogue.put(repository, None, (fetched.digest, entry), tag)?)
    }

    /// Fetches a blob that a manifest names and that is not here.
    pub(super) async fn fetch(&self, mirror: &Mirror, repository: &str, digest: Digest) -> Result<(), Error> {
        let Some(size) = self.wanted(repository, &digest) else { return Ok(()) };
        let _turn = self.store.busy.turn(&format!("blob {digest}")).await;
        let Some(_) = self.wanted(repository, &digest) else { return Ok(()) };
        self.room(Who { owner: None }, repository, size)?;
        let _hold = self.store.hold([digest]);
        if !self.store.blob(&digest).is_file() {
            let client = mirror.client()?;
            let descriptor = Descriptor::new("", digest, size);
            let mut download = Download::new(&client, mirror.theirs(repository), &descriptor);
            let dir = self.store.making()?;
            let path = dir.path().join("blob");
            let mut file = File::create(&path)?;
            while let Some(piece) = download.next(&|_| ()).await? {
                file.write_all(&piece)
                    .map_err(|source| ImageError::Write { what: format!("blob {digest}"), source })?;
            }
            download.finish()?;
            std::fs::rename(path, self.store.blob(&digest))?;
        }
        let mut shared = self.store.lock();
        Ok(shared.catalogue.link(repository, None, digest, size)?)
    }

    /// The size of a blob that a manifest of a repository names, and that is not here.
    fn wanted(&self, repository: &str, digest: &Digest) -> Option<u64> {
        let shared = self.store.lock();
        let there = shared.catalogue.get(repository)?;
        if there.blobs.contains_key(digest) && self.store.blob(digest).is_file() {
            return None;
        }
        let blobs = there.manifests.values().flat_map(|entry: &Entry| &entry.blobs);
        blobs.into_iter().find(|(blob, _)| blob == digest).map(|(_, size)| *size)
    }
}

impl Mirror {
    fn client(&self) -> Result<Client, Error> {
        Ok(Client::new(&self.host, &self.insecure, None).map_err(ImageError::from)?)
    }

    /// A repository of ours, as the other registry calls it.
    fn theirs<'a>(&self, repository: &'a str) -> &'a str {
        repository.strip_prefix(&self.space).and_then(|rest| rest.strip_prefix('/')).unwrap_or(repository)
    }
}
