//! The content store: blobs by digest, layers unpacked by diff id, and an index of images and names.
//!
//! Everything is made beside its place and renamed into it, so what is there is whole. The index is one small file, written
//! the same way.

use super::{Digest, Error, Limits, Reference, unpack};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An engine's images; clones share them.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) root: PathBuf,
    shared: Arc<Mutex<Shared>>,
    /// What another store offers to this one.
    pub(super) offered: Option<Arc<super::shared::Shared>>,
    /// The layers that somebody fetches or unpacks at this moment.
    pub(super) busy: super::busy::Busy,
    pub(super) limits: Limits,
}

/// An image, ready to be mounted.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// Its configuration.
    pub config: oci_spec::image::ImageConfiguration,
    /// Its unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// Its names, as Docker shows them.
    pub tags: Vec<String>,
    /// Its names by digest.
    pub digests: Vec<String>,
    /// Bytes of its layers, unpacked.
    pub size: u64,
}

/// What clones share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) index: Index,
    /// The blobs and layers that running pulls and loads need, and how many of them do.
    pub(super) held: HashMap<String, usize>,
    /// How many things were moved aside to be deleted.
    pub(super) swept: u64,
    /// Images that a build needs for the moment, their configurations, and how many need each.
    pub(super) staged: HashMap<Digest, (Known, Vec<u8>, usize)>,
    /// What the registry has: its blobs are kept like images'.
    pub(super) catalogue: super::distribution::catalogue::Catalogue,
}

/// What the index file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) images: BTreeMap<Digest, Known>,
    /// Canonical references (by tag, or by digest) and what they stand for.
    pub(super) names: BTreeMap<String, Digest>,
    /// What builds have done, by the digest of all that it depends on.
    #[serde(default)]
    pub(super) steps: BTreeMap<Digest, super::steps::Step>,
}

/// What is remembered of an image beside its configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// Diff ids, lowest first.
    pub(super) layers: Vec<Digest>,
    /// Bytes unpacked.
    pub(super) size: u64,
    /// The blobs that it was made of, for pushing and saving.
    pub(super) blobs: Vec<Digest>,
    /// The manifest that it came with: pushed unchanged, it is the same image under the same digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<Digest>,
}

impl Image {
    /// Bytes of each layer, unpacked, lowest first.
    #[must_use]
    pub fn layer_sizes(&self) -> Vec<u64> {
        self.layers.iter().map(|layer| size_of(layer)).collect()
    }
}

/// An image whose layers are all here, and the names that it gets.
pub(super) struct Made<'a> {
    pub(super) config: &'a [u8],
    pub(super) blobs: Vec<Digest>,
    /// The manifest that it came with, if it came with one.
    pub(super) manifest: Option<&'a [u8]>,
    pub(super) names: Vec<Reference>,
}

/// A layer that is unpacked and is the one expected, but not kept yet; dropping deletes it.
pub(super) struct Unpacked {
    dir: tempfile::TempDir,
    diff_id: Digest,
}

impl Store {
    /// Opens the store below `state`; what a crash left half done or unnamed is removed.
    ///
    /// # Errors
    /// What the filesystem answers, or an index that cannot be read.
    pub fn open(state: &Path) -> Result<Self, Error> {
        let root = state.join("images");
        for name in ["blobs", "layers"] {
            std::fs::create_dir_all(root.join(name))?;
        }
        match super::remove::tree(&root.join("making")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => std::fs::create_dir_all(root.join("making"))?,
        }
        let index = match std::fs::read(root.join("index.json")) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|e| Error::Damaged(format!("index.json: {e}")))?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Index::default(),
            Err(e) => return Err(e.into()),
        };
        let catalogue = super::distribution::catalogue::Catalogue::load(root.join("registry"))?;
        let store = Self {
            root,
            shared: Arc::new(Mutex::new(Shared { index, catalogue, ..Shared::default() })),
            offered: super::shared::read(state)?.map(Arc::new),
            busy: super::busy::Busy::default(),
            limits: Limits::default(),
        };
        store.collect()?;
        super::starter::ensure(&store)?;
        Ok(store)
    }

    /// The same store, with other limits to what a layer may cost.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What a layer may cost.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the index, on disk first; what cannot be written changes nothing.
    pub(super) fn change<T>(&self, how: impl FnOnce(&mut Index) -> T) -> Result<T, Error> {
        let mut shared = self.lock();
        let mut next = shared.index.clone();
        let answer = how(&mut next);
        let (new, path) = (self.root.join("index.new"), self.root.join("index.json"));
        let text = serde_json::to_vec(&next).map_err(io::Error::other)?;
        if let Err(source) = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path)) {
            // It may not have been made at all.
            std::fs::remove_file(&new).unwrap_or_default();
            return Err(Error::Write { what: "the index of images".to_owned(), source });
        }
        shared.index = next;
        Ok(answer)
    }

    /// The place of a blob.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex())
    }

    /// The place of an unpacked layer.
    pub(super) fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    /// Where it is written down which starter image was loaded.
    pub(super) fn starter_mark(&self) -> PathBuf {
        self.root.join("starter")
    }

    /// A fresh place to make something in; on the filesystem of everything else.
    pub(super) fn making(&self) -> Result<tempfile::TempDir, Error> {
        let making = self.root.join("making");
        tempfile::tempdir_in(&making)
            .map_err(|source| Error::Write { what: format!("below {}", making.display()), source })
    }

    /// Reads a blob of at most `most` bytes.
    pub(super) fn read_blob(&self, digest: &Digest, most: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.blob_file(digest))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Keeps bytes under their digest.
    pub(super) fn put_blob(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        let dir = self.making()?;
        std::fs::write(dir.path().join("blob"), bytes)
            .map_err(|source| Error::Write { what: format!("blob {digest}"), source })?;
        std::fs::rename(dir.path().join("blob"), self.blob(&digest))?;
        Ok(digest)
    }

    /// Unpacks a layer if it is the one expected; it is kept by [`Store::keep`].
    pub(super) fn unpack(&self, packed: impl Read + Send, expected: &Digest) -> Result<Unpacked, Error> {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.making()?;
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree)?;
        std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o755))?;
        let found = unpack::unpack(packed, &tree, self.limits)?;
        if found != *expected {
            return Err(Error::Wrong { what: "layer", expected: *expected, found });
        }
        Ok(Unpacked { dir, diff_id: *expected })
    }

    /// Keeps a layer, which somebody must hold.
    pub(super) fn keep(&self, layer: Unpacked) -> Result<(), Error> {
        let place = self.layer(&layer.diff_id);
        match std::fs::rename(layer.dir.path().join("tree"), &place) {
            // Somebody else was as quick.
            Err(_) if place.is_dir() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Remembers images whose layers are all here and held, with their names: all of them, or none.
    pub(super) fn put_images(&self, made: Vec<Made<'_>>) -> Result<Vec<Digest>, Error> {
        let _documents =
            self.hold(made.iter().flat_map(|m| [Some(m.config), m.manifest]).flatten().map(Digest::of));
        let mut entries = Vec::new();
        for Made { config, mut blobs, manifest, names } in made {
            let layers = diff_ids(&parse_config(config)?)?;
            let size = layers.iter().map(|l| size_of(&self.layer(l))).sum();
            let id = self.put_blob(config)?;
            blobs.push(id);
            let manifest = manifest.map(|bytes| self.put_blob(bytes)).transpose()?;
            entries.push((id, Known { layers, size, blobs, manifest }, names));
        }
        let ids = entries.iter().map(|(id, ..)| *id).collect();
        self.change(|index| {
            for (id, mut known, names) in entries {
                let before = index.images.get(&id);
                // What came with a manifest keeps it, and the blobs that this names.
                if known.manifest.is_some() || before.is_none_or(|before| before.manifest.is_none()) {
                    // Of layers that were here nothing was fetched: what they had come in stays, for one that is packed anew
                    // has another digest.
                    let whole = |known: &Known| known.blobs.len() == known.layers.len() + 1;
                    if let Some(before) = before.filter(|before| whole(before) && !whole(&known)) {
                        known.blobs.clone_from(&before.blobs);
                    }
                    index.images.insert(id, known);
                }
                index.names.extend(names.iter().map(|name| (name.canonical(), id)));
            }
        })?;
        Ok(ids)
    }

    /// An image by name, by id, or by the unique beginning of its id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn resolve(&self, key: &str) -> Result<Image, Error> {
        if let Some(staged) = self.staged(key)? {
            return Ok(staged);
        }
        let id = self.id(key)?;
        let index = &self.lock().index;
        let known = index.images.get(&id).ok_or_else(|| Error::NotFound(super::with_tag(key)))?;
        let config = parse_config(&self.read_blob(&id, super::manifest::MAX_CONFIG)?)?;
        let mut image = Image {
            id,
            config,
            layers: self.directories(&known.layers),
            tags: Vec::new(),
            digests: Vec::new(),
            size: known.size,
        };
        for (name, _) in index.names.iter().filter(|(_, named)| **named == id) {
            let Ok(reference) = name.parse::<Reference>() else { continue };
            match (reference.tag(), reference.digest()) {
                (Some(tag), _) => image.tags.push(format!("{}:{tag}", reference.familiar_name())),
                (None, Some(digest)) => image.digests.push(format!("{}@{digest}", reference.familiar_name())),
                (None, None) => {}
            }
        }
        Ok(image)
    }

    /// The id of an image by name, by id, or by the unique beginning of its id.
    pub(super) fn id(&self, key: &str) -> Result<Digest, Error> {
        let index = &self.lock().index;
        if let Ok(reference) = key.parse::<Reference>()
            && let Some(id) = index.names.get(&reference.canonical())
        {
            return Ok(*id);
        }
        let digits = key.strip_prefix("sha256:").unwrap_or(key);
        let hex = digits.len() >= 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let mut matching = index.images.keys().filter(|id| hex && id.hex().starts_with(digits));
        match (matching.next(), matching.next()) {
            (Some(id), None) => Ok(*id),
            _ => Err(Error::NotFound(super::with_tag(key))),
        }
    }

    /// All images.
    ///
    /// # Errors
    /// What reading their configurations answers.
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        let ids: Vec<Digest> = self.lock().index.images.keys().copied().collect();
        ids.iter().map(|id| self.resolve(&id.to_string())).collect()
    }
}

/// Reads an image's configuration.
pub(super) fn parse_config(bytes: &[u8]) -> Result<oci_spec::image::ImageConfiguration, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::Damaged(format!("the image's configuration: {e}")))
}

/// The diff ids of an image, lowest first.
pub(super) fn diff_ids(config: &oci_spec::image::ImageConfiguration) -> Result<Vec<Digest>, Error> {
    let ids = config.rootfs().diff_ids().iter();
    ids.map(|id| id.parse().map_err(|e: super::ParseDigestError| Error::Damaged(e.to_string()))).collect()
}

/// Bytes in a tree; what cannot be read counts nothing.
pub(super) fn size_of(tree: &Path) -> u64 {
    let entries = std::fs::read_dir(tree).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => size_of(&entry.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}
