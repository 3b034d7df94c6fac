//! Images as archives: OCI image layouts and what `docker save` writes are read; both at once is written.

use super::manifest::{self, Descriptor, Document, MAX_CONFIG, MAX_MANIFEST, Manifest};
use super::store::{diff_ids, parse_config};
use super::unpack::{self};
use super::{Digest, Error, Platform, Reference, Store};
use serde::Deserialize;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// How deep an index may lead to another.
const NESTING: usize = 4;

impl Store {
    /// Takes the images of an archive in; answers their names, or their ids where they have none.
    ///
    /// # Errors
    /// [`Error::Damaged`] for what is no image archive; nothing of it is kept then but layers that were whole.
    pub fn load(&self, archive: impl Read) -> Result<Vec<String>, Error> {
        let dir = self.making()?;
        let at = dir.path();
        unpack::unpack(archive, at, self.limits)?;
        if at.join("manifest.json").is_file() {
            self.load_docker(at)
        } else if at.join("index.json").is_file() {
            self.load_layout(at)
        } else {
            Err(Error::Damaged(
                "the archive holds neither manifest.json nor index.json: it is no image".into(),
            ))
        }
    }

    fn load_docker(&self, at: &Path) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Item {
            config: String,
            #[serde(default)]
            repo_tags: Option<Vec<String>>,
            layers: Vec<String>,
        }
        let items: Vec<Item> = serde_json::from_slice(&read(&at.join("manifest.json"), MAX_MANIFEST)?)
            .map_err(|e| Error::Damaged(format!("manifest.json: {e}")))?;
        let mut names = Vec::new();
        for item in items {
            let config = read(&within(at, &item.config)?, MAX_CONFIG)?;
            let layers = item.layers.iter().map(|l| within(at, l)).collect::<Result<Vec<_>, _>>()?;
            let id = self.take(&config, &layers)?;
            names.extend(self.name(&id, &item.repo_tags.unwrap_or_default())?);
        }
        Ok(names)
    }

    fn load_layout(&self, at: &Path) -> Result<Vec<String>, Error> {
        let bytes = read(&at.join("index.json"), MAX_MANIFEST)?;
        let Document::Index(index) = manifest::parse(&bytes, Some(manifest::OCI_INDEX)).map_err(damaged)?
        else {
            return Err(Error::Damaged("index.json is no index".into()));
        };
        let mut names = Vec::new();
        for entry in &index.manifests {
            let Some(found) = layout_manifest(at, entry, NESTING)? else { continue };
            let config = read(&blob(at, &found.config.digest), MAX_CONFIG)?;
            let layers: Vec<PathBuf> = found.layers.iter().map(|l| blob(at, &l.digest)).collect();
            let id = self.take(&config, &layers)?;
            let name = |key: &str| entry.annotations.get(key).cloned();
            let tag = name("io.containerd.image.name").or_else(|| name("org.opencontainers.image.ref.name"));
            names.extend(self.name(&id, &tag.into_iter().collect::<Vec<_>>())?);
        }
        Ok(names)
    }

    /// Keeps an image whose parts are files.
    fn take(&self, config: &[u8], layers: &[PathBuf]) -> Result<Digest, Error> {
        let wanted = diff_ids(&parse_config(config)?)?;
        if wanted.len() != layers.len() {
            return Err(Error::Damaged(format!("{} layers for {} diff ids", layers.len(), wanted.len())));
        }
        for (path, diff_id) in layers.iter().zip(&wanted) {
            if !self.layer(diff_id).is_dir() {
                self.put_layer(File::open(path)?, diff_id)?;
            }
        }
        self.put_image(config, Vec::new())
    }

    fn name(&self, id: &Digest, tags: &[String]) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for tag in tags {
            let reference: Reference = tag.parse().map_err(|e| Error::Damaged(format!("{e}")))?;
            self.tag(&id.to_string(), &reference)?;
            names.push(tag.clone());
        }
        if names.is_empty() {
            names.push(id.to_string());
        }
        Ok(names)
    }

    /// Takes the tree of a root filesystem in as an image of one layer.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn import(&self, archive: impl Read, name: Option<&Reference>) -> Result<Digest, Error> {
        let dir = self.making()?;
        let packed = dir.path().join("layer");
        let mut file = File::create(&packed)?;
        std::io::copy(&mut archive.take(self.limits.bytes), &mut file)?;
        file.flush()?;
        let scratch = self.making()?;
        let diff_id = unpack::unpack(File::open(&packed)?, scratch.path(), self.limits)?;
        self.put_layer(File::open(&packed)?, &diff_id)?;
        let platform = Platform::host();
        let config = serde_json::json!({
            "created": jiff::Timestamp::now().to_string(),
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created": jiff::Timestamp::now().to_string(), "comment": "imported" }],
        });
        let id = self.put_image(config.to_string().as_bytes(), Vec::new())?;
        if let Some(name) = name {
            self.tag(&id.to_string(), name)?;
        }
        Ok(id)
    }
}

/// The manifest that suits this machine behind an entry of an index.
fn layout_manifest(at: &Path, entry: &Descriptor, deep: usize) -> Result<Option<Manifest>, Error> {
    let bytes = read(&blob(at, &entry.digest), MAX_MANIFEST)?;
    match manifest::parse(&bytes, Some(&entry.media_type)).map_err(damaged)? {
        Document::Image(found) => Ok(Some(found)),
        Document::Index(_) if deep == 0 => {
            Err(Error::Damaged(format!("indexes are nested more than {NESTING} deep")))
        }
        Document::Index(index) => match Platform::host().choose(&index.manifests) {
            Some(chosen) => layout_manifest(at, chosen, deep - 1),
            None => Ok(None),
        },
    }
}

fn damaged(e: manifest::Error) -> Error {
    Error::Damaged(e.to_string())
}

fn blob(at: &Path, digest: &Digest) -> PathBuf {
    at.join("blobs/sha256").join(digest.hex())
}

/// A path that an archive's own text names: below the archive, and no link.
fn within(at: &Path, name: &str) -> Result<PathBuf, Error> {
    let plain = Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    let path = at.join(name);
    match path.canonicalize() {
        Ok(real) if plain && real.starts_with(at) => Ok(real),
        _ => Err(Error::Damaged(format!("the archive has no file {name:?}"))),
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path)
        .map_err(|e| Error::Damaged(format!("the archive has no {}: {e}", path.display())))?;
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::Damaged(format!("{} is longer than {most} bytes", path.display())));
    }
    Ok(bytes)
}
