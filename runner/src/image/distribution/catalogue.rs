//! Which repositories there are, and what is in each: manifests, tags, and blobs that belong to it.
//!
//! Each fact is a small file below `images/registry`, so that a push writes what it brings and no more, whatever is there
//! already: `NAME/_tags/TAG`, `NAME/_manifests/HEX`, `NAME/_blobs/HEX`, `NAME/_owner`. No part of a name begins with an
//! underscore. All of it is in memory as well. Knows no content.

use crate::image::{Digest, Reference};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// All repositories.
#[derive(Debug, Default)]
pub(in crate::image) struct Catalogue {
    root: PathBuf,
    pub(super) repositories: BTreeMap<String, Repository>,
}

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Repository {
    /// Who pushed to it first; `None`: whoever runs the registry.
    pub(super) owner: Option<String>,
    pub(super) manifests: BTreeMap<Digest, Entry>,
    pub(super) tags: BTreeMap<String, Tag>,
    pub(super) blobs: BTreeMap<Digest, Linked>,
    /// Bytes of all its blobs and manifests.
    pub(super) bytes: u64,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) media_type: String,
    /// Bytes of the manifest itself.
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) pushed: i64,
    /// Bytes of all that it names.
    pub(super) content: u64,
    /// The blobs that it names, and how large it says they are.
    pub(super) blobs: Vec<(Digest, u64)>,
    /// The manifests that it names.
    pub(super) children: Vec<Digest>,
    /// What it is about.
    pub(super) subject: Option<Digest>,
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What a tag stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tag {
    pub(super) digest: Digest,
    /// Seconds since 1970.
    pub(super) pushed: i64,
}

/// A blob that belongs to a repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linked {
    pub(super) size: u64,
    /// When somebody last pushed it or was told that it is here; after a restart, then.
    pub(super) touched: Instant,
}

/// What a file of a blob says.
#[derive(Debug, Serialize, Deserialize)]
struct LinkFile {
    size: u64,
}

impl Catalogue {
    /// Reads what is there. What cannot be read is left out, and said.
    pub(in crate::image) fn load(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        let mut catalogue = Self { root, repositories: BTreeMap::new() };
        let mut left = vec![catalogue.root.clone()];
        while let Some(dir) = left.pop() {
            for entry in std::fs::read_dir(&dir)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() && !entry.file_name().to_string_lossy().starts_with('_') {
                    left.push(entry.path());
                }
            }
            let name = dir.strip_prefix(&catalogue.root).map(|p| p.to_string_lossy().into_owned());
            let Some(name) = name.ok().filter(|name| is_name(name)) else { continue };
            let repository = Repository::load(&dir)?;
            if !repository.is_empty() {
                catalogue.repositories.insert(name, repository);
            }
        }
        Ok(catalogue)
    }

    /// The names of the files in the store that repositories need.
    pub(in crate::image) fn needed(&self) -> impl Iterator<Item = String> {
        self.repositories.values().flat_map(|r| r.manifests.keys().chain(r.blobs.keys())).map(Digest::hex)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A repository; made, and its owner written down, if there is none of that name.
    fn made(&mut self, name: &str, owner: Option<&str>) -> io::Result<&mut Repository> {
        if !self.repositories.contains_key(name) {
            let dir = self.dir(name);
            std::fs::create_dir_all(&dir)?;
            if let Some(owner) = owner {
                write(&dir, "_owner", owner.as_bytes())?;
            }
            let owner = owner.map(ToOwned::to_owned);
            self.repositories.insert(name.to_owned(), Repository { owner, ..Repository::default() });
        }
        Ok(self.repositories.entry(name.to_owned()).or_default())
    }

    /// Says that a blob belongs to a repository.
    pub(super) fn link(
        &mut self,
        name: &str,
        owner: Option<&str>,
        blob: Digest,
        size: u64,
    ) -> io::Result<()> {
        let dir = self.dir(name).join("_blobs");
        let repository = self.made(name, owner)?;
        if !repository.blobs.contains_key(&blob) {
            write(&dir, &blob.hex(), &serde_json::to_vec(&LinkFile { size })?)?;
            repository.bytes += size;
        }
        repository.blobs.insert(blob, Linked { size, touched: Instant::now() });
        Ok(())
    }

    /// Says that somebody relies on a blob that belongs to a repository.
    pub(super) fn touch(&mut self, name: &str, blob: &Digest) {
        if let Some(linked) = self.repositories.get_mut(name).and_then(|r| r.blobs.get_mut(blob)) {
            linked.touched = Instant::now();
        }
    }

    pub(super) fn unlink(&mut self, name: &str, blob: &Digest) -> io::Result<()> {
        let dir = self.dir(name).join("_blobs");
        let Some(repository) = self.repositories.get_mut(name) else { return Ok(()) };
        gone(&dir.join(blob.hex()))?;
        if let Some(linked) = repository.blobs.remove(blob) {
            repository.bytes = repository.bytes.saturating_sub(linked.size);
        }
        Ok(())
    }

    /// Takes a manifest in, under a tag or not.
    pub(super) fn put(
        &mut self,
        name: &str,
        owner: Option<&str>,
        (digest, entry): (Digest, Entry),
        tag: Option<&str>,
    ) -> io::Result<()> {
        let dir = self.dir(name);
        let repository = self.made(name, owner)?;
        let pushed = entry.pushed;
        // Written again when it is pushed again: what nobody tagged counts from then on.
        write(&dir.join("_manifests"), &digest.hex(), &serde_json::to_vec(&entry)?)?;
        repository.bytes += entry.size;
        if let Some(before) = repository.manifests.insert(digest, entry) {
            repository.bytes = repository.bytes.saturating_sub(before.size);
        }
        if let Some(tag) = tag {
            let stands = Tag { digest, pushed };
            write(&dir.join("_tags"), tag, &serde_json::to_vec(&stands)?)?;
            repository.tags.insert(tag.to_owned(), stands);
        }
        Ok(())
    }

    /// Takes a tag away; whether it was there.
    pub(super) fn untag(&mut self, name: &str, tag: &str) -> io::Result<Option<Tag>> {
        let dir = self.dir(name).join("_tags");
        let Some(repository) = self.repositories.get_mut(name) else { return Ok(None) };
        gone(&dir.join(tag))?;
        Ok(repository.tags.remove(tag))
    }

    /// Takes a manifest away with all its tags; whether it was there.
    pub(super) fn remove(&mut self, name: &str, digest: &Digest) -> io::Result<Option<Entry>> {
        let dir = self.dir(name);
        let Some(repository) = self.repositories.get_mut(name) else { return Ok(None) };
        let tags = repository.tags.iter().filter(|(_, tag)| tag.digest == *digest);
        for tag in tags.map(|(tag, _)| tag.clone()).collect::<Vec<_>>() {
            gone(&dir.join("_tags").join(&tag))?;
            repository.tags.remove(&tag);
        }
        gone(&dir.join("_manifests").join(digest.hex()))?;
        let entry = repository.manifests.remove(digest);
        repository.bytes = repository.bytes.saturating_sub(entry.as_ref().map_or(0, |e| e.size));
        Ok(entry)
    }

    /// Forgets a repository in which nothing is; its name is anybody's again.
    pub(super) fn forget_empty(&mut self, name: &str) -> io::Result<()> {
        if !self.repositories.get(name).is_some_and(Repository::is_empty) {
            return Ok(());
        }
        self.repositories.remove(name);
        let mut dir = self.dir(name);
        for part in ["_tags", "_manifests", "_blobs"] {
            std::fs::remove_dir(dir.join(part)).unwrap_or_default();
        }
        gone(&dir.join("_owner"))?;
        // As far up as nothing else is there.
        while dir != self.root && std::fs::remove_dir(&dir).is_ok() {
            dir.pop();
        }
        Ok(())
    }
}

impl Repository {
    fn load(dir: &Path) -> io::Result<Self> {
        let owner = match std::fs::read_to_string(dir.join("_owner")) {
            Ok(owner) => Some(owner),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let digest = |name: &str| format!("sha256:{name}").parse::<Digest>().ok();
        let mut repository = Self { owner, ..Self::default() };
        for (name, LinkFile { size }) in facts(&dir.join("_blobs"))? {
            if let Some(blob) = digest(&name) {
                repository.bytes += size;
                repository.blobs.insert(blob, Linked { size, touched: Instant::now() });
            }
        }
        for (name, entry) in facts::<Entry>(&dir.join("_manifests"))? {
            if let Some(manifest) = digest(&name) {
                repository.bytes += entry.size;
                repository.manifests.insert(manifest, entry);
            }
        }
        for (name, tag) in facts::<Tag>(&dir.join("_tags"))? {
            if repository.manifests.contains_key(&tag.digest) {
                repository.tags.insert(name, tag);
            }
        }
        Ok(repository)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty() && self.blobs.is_empty()
    }

    /// The blobs that its manifests name.
    pub(super) fn named(&self) -> BTreeSet<Digest> {
        self.manifests.values().flat_map(|entry| entry.blobs.iter().map(|(blob, _)| *blob)).collect()
    }
}

/// The files of a directory that may not be there, each read.
fn facts<T: serde::de::DeserializeOwned>(dir: &Path) -> io::Result<Vec<(String, T)>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with('~') {
            // A crash in the middle of a write.
            gone(&entry.path())?;
            continue;
        }
        match serde_json::from_slice(&std::fs::read(entry.path())?) {
            Ok(fact) => all.push((name, fact)),
            Err(e) => tracing::warn!("{} is left out: {e}", entry.path().display()),
        }
    }
    Ok(all)
}

/// Writes a file beside its place and renames it into it.
fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    // No tag and no digest has a tilde in it.
    let new = dir.join(format!("{name}~"));
    let written = std::fs::write(&new, bytes).or_else(|e| match e.kind() {
        ErrorKind::NotFound => {
            std::fs::create_dir_all(dir)?;
            std::fs::write(&new, bytes)
        }
        _ => Err(e),
    });
    written.and_then(|()| std::fs::rename(&new, dir.join(name))).inspect_err(|_| {
        std::fs::remove_file(&new).unwrap_or_default();
    })
}

fn gone(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Whether that can be a repository's name.
pub(super) fn is_name(name: &str) -> bool {
    // Any registry will do: what is asked is whether the rest is a repository.
    format!("localhost/{name}").parse::<Reference>().is_ok_and(|reference| reference.repository() == name)
}

/// Whether that can be a tag.
pub(super) fn is_tag(tag: &str) -> bool {
    format!("localhost/x:{tag}").parse::<Reference>().is_ok_and(|reference| reference.tag() == Some(tag))
}
