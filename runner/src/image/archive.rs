//! Images as archives: OCI image layouts and what `docker save` writes are read; both at once is written.

use super::manifest::{self, Descriptor, Document, MAX_CONFIG, MAX_MANIFEST, Manifest};
use super::store::{Made, diff_ids, parse_config};
use super::{Digest, Error, Platform, Reference, Store, unpack};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde::Deserialize;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// How deep an index may lead to another.
const NESTING: usize = 4;

impl Store {
    /// Takes the images of an archive in; answers their names, or their ids where they have none.
    ///
    /// # Errors
    /// [`Error::Damaged`] for what is no image archive; nothing of it is kept then.
    pub fn load(&self, archive: impl Read + Send) -> Result<Vec<String>, Error> {
        let done = self.load_all(archive);
        if done.is_err() {
            self.collect_quietly();
        }
        done
    }

    fn load_all(&self, archive: impl Read + Send) -> Result<Vec<String>, Error> {
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
        let items: Vec<Item> = serde_json::from_slice(&read(at, "manifest.json", MAX_MANIFEST)?)
            .map_err(|e| Error::Damaged(format!("manifest.json: {e}")))?;
        let mut found = Vec::new();
        for item in items {
            found.push(Found {
                config: read(at, &item.config, MAX_CONFIG)?,
                layers: item.layers,
                manifest: None,
                tags: item.repo_tags.unwrap_or_default(),
            });
        }
        self.take(at, &found)
    }

    fn load_layout(&self, at: &Path) -> Result<Vec<String>, Error> {
        let bytes = read(at, "index.json", MAX_MANIFEST)?;
        let Document::Index(index) = manifest::parse(&bytes, Some(manifest::OCI_INDEX)).map_err(damaged)?
        else {
            return Err(Error::Damaged("index.json is no index".into()));
        };
        let mut found = Vec::new();
        for entry in &index.manifests {
            let Some((bytes, manifest)) = layout_manifest(at, entry, NESTING)? else { continue };
            let name = |key: &str| entry.annotations.get(key).cloned();
            let tag = name("io.containerd.image.name").or_else(|| name("org.opencontainers.image.ref.name"));
            found.push(Found {
                config: read_blob(at, "configuration", &manifest.config.digest, MAX_CONFIG)?,
                layers: manifest.layers.iter().map(|l| blob(&l.digest)).collect(),
                manifest: Some(bytes),
                tags: tag.into_iter().collect(),
            });
        }
        self.take(at, &found)
    }

    /// Keeps images whose parts are files, all or none; answers their names.
    fn take(&self, at: &Path, found: &[Found]) -> Result<Vec<String>, Error> {
        let mut holds = Vec::new();
        let mut made = Vec::new();
        for Found { config, layers, manifest, tags } in found {
            let wanted = diff_ids(&parse_config(config)?)?;
            if wanted.len() != layers.len() {
                let (a, b) = (layers.len(), wanted.len());
                return Err(Error::Damaged(format!("{a} layers for {b} diff ids")));
            }
            holds.push(self.hold(wanted.iter().copied()));
            let mut blobs = Vec::new();
            for (name, diff_id) in layers.iter().zip(&wanted) {
                if self.layer(diff_id).is_dir() {
                    self.is_layer(open(at, name)?, diff_id)?;
                } else {
                    let layer = self.unpack(open(at, name)?, diff_id);
                    self.keep(layer.map_err(|e| e.of_layer(diff_id))?)?;
                }
                // Saving gives them out again as they came.
                let (blob, hold) = self.put_file(open(at, name)?)?;
                blobs.push(blob);
                holds.push(hold);
            }
            let names = tags.iter().map(|t| t.parse().map_err(|e| Error::Damaged(format!("{e}"))));
            let manifest = manifest.as_deref();
            made.push(Made { config, blobs, manifest, names: names.collect::<Result<_, Error>>()? });
        }
        let ids = self.put_images(made)?;
        let names = found.iter().zip(ids).flat_map(|(f, id)| match &f.tags[..] {
            [] => vec![id.to_string()],
            tags => tags.to_vec(),
        });
        Ok(names.collect())
    }

    /// Whether a file is a layer that is here already: its blob is believed from now on.
    fn is_layer(&self, packed: File, expected: &Digest) -> Result<(), Error> {
        let found = unpack::diff_id(packed, self.limits).map_err(|e| Error::from(e).of_layer(expected))?;
        match found == *expected {
            true => Ok(()),
            false => Err(Error::Wrong { what: "layer", expected: *expected, found }),
        }
    }

    /// Takes the tree of a root filesystem in as an image of one layer; `changes` are Dockerfile instructions.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn import(
        &self,
        archive: impl Read + Send,
        name: Option<&Reference>,
        words: (&[String], &str),
    ) -> Result<Digest, Error> {
        let done = self.import_one(archive, name, words);
        if done.is_err() {
            self.collect_quietly();
        }
        done
    }

    fn import_one(
        &self,
        archive: impl Read + Send,
        name: Option<&Reference>,
        (changes, message): (&[String], &str),
    ) -> Result<Digest, Error> {
        let mut settings = serde_json::Map::new();
        for change in changes {
            super::instruction::apply(&mut settings, change)?;
        }
        let dir = self.making()?;
        let packed = dir.path().join("layer");
        let mut file = File::create(&packed)?;
        std::io::copy(&mut archive.take(self.limits.bytes), &mut file)?;
        file.flush()?;
        let scratch = self.making()?;
        let diff_id = unpack::unpack(File::open(&packed)?, scratch.path(), self.limits)?;
        let _hold = self.hold([diff_id]);
        self.keep(self.unpack(File::open(&packed)?, &diff_id)?)?;
        let platform = Platform::host();
        let config = serde_json::json!({
            "created": jiff::Timestamp::now().to_string(),
            "architecture": platform.architecture,
            "os": platform.os,
            "config": settings,
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created": jiff::Timestamp::now().to_string(), "comment": message }],
        });
        let config = config.to_string();
        let names = name.into_iter().cloned().collect();
        let (blob, _blob_hold) = self.put_file(File::open(&packed)?)?;
        self.put_images(vec![Made { config: config.as_bytes(), blobs: vec![blob], manifest: None, names }])?;
        Ok(Digest::of(config.as_bytes()))
    }
}

/// An image in an archive.
struct Found {
    config: Vec<u8>,
    layers: Vec<String>,
    manifest: Option<Vec<u8>>,
    tags: Vec<String>,
}

/// The manifest that suits this machine behind an entry of an index.
fn layout_manifest(at: &Path, entry: &Descriptor, deep: usize) -> Result<Option<(Vec<u8>, Manifest)>, Error> {
    let bytes = read_blob(at, "manifest", &entry.digest, MAX_MANIFEST)?;
    match manifest::parse(&bytes, Some(&entry.media_type)).map_err(damaged)? {
        Document::Image(found) => Ok(Some((bytes, found))),
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

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Opens a file that an archive's own text names. Whatever links the archive planted, it lies in the archive; and it is
/// a plain file: opening a pipe would wait for ever.
fn open(at: &Path, name: &str) -> Result<File, Error> {
    let missing = |why: String| Error::Damaged(format!("the archive has no file {name:?}: {why}"));
    let root = File::open(at)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(&root, name, flags, Mode::empty(), inside).map_err(|e| missing(e.to_string()))?;
    let file = File::from(file);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(missing("it is something else".to_owned())),
    }
}

fn read(at: &Path, name: &str, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    open(at, name)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::Damaged(format!("{name} is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// A document by its digest.
fn read_blob(at: &Path, what: &'static str, expected: &Digest, most: u64) -> Result<Vec<u8>, Error> {
    let bytes = read(at, &blob(expected), most)?;
    let found = Digest::of(&bytes);
    match found == *expected {
        true => Ok(bytes),
        false => Err(Error::Wrong { what, expected: *expected, found }),
    }
}
