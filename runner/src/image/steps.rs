//! What builds make: layers out of directories, kept by what they were made of; images in the making; and finished ones.
//!
//! A layer of a build is not packed when it is made: its directory moves into the store, and its diff id is computed on the
//! way. Saving and pushing pack it again, byte for byte the same. It knows no Dockerfile.

use super::digest::Hasher;
use super::hold::Hold;
use super::manifest::MAX_CONFIG;
use super::pack::{self, Borders, Packing, Signs};
use super::store::{Index, Known, parse_config, size_of};
use super::{Digest, Error, Image, Reference, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use tempfile::TempDir;

/// The most steps that are remembered; the one unused for longest is forgotten first.
const STEPS: usize = 4096;
/// The name of the tree in a directory that something is made in.
const TREE: &str = "tree";

/// What a step has made, as the index keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Step {
    layer: Option<Digest>,
    size: u64,
    created: Timestamp,
    used: Timestamp,
    what: String,
}

impl Step {
    /// The layer that must stay for it.
    pub(super) fn layer(&self) -> Option<Digest> {
        self.layer
    }
}

/// A step that was done before.
#[derive(Debug)]
pub struct Cached {
    /// The layer that it made, if any.
    pub layer: Option<Digest>,
    /// Bytes of that.
    pub size: u64,
    /// When it was done.
    pub created: Timestamp,
    /// As long as it is here, the layer stays.
    pub hold: Hold,
}

/// A layer that was just made.
#[derive(Debug)]
pub struct Layer {
    /// Its diff id.
    pub diff_id: Digest,
    /// Bytes of its files.
    pub size: u64,
    /// As long as it is here, the layer stays.
    pub hold: Hold,
}

/// A remembered step, as it is shown.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// Its key.
    pub key: Digest,
    /// What was done.
    pub what: String,
    /// Bytes of its layer.
    pub size: u64,
    /// When it was done.
    pub created: Timestamp,
    /// When it was of use last.
    pub used: Timestamp,
    /// Whether an image has its layer, too.
    pub shared: bool,
}

/// An image that exists for a build alone; it can be named by its id until this is dropped.
#[derive(Debug)]
pub struct Staged {
    /// Its id.
    pub id: Digest,
    store: Store,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut shared = self.store.lock();
        if let Some(one) = shared.staged.get_mut(&self.id) {
            one.2 -= 1;
            if one.2 == 0 {
                shared.staged.remove(&self.id);
            }
        }
    }
}

/// Hashes what is written, and counts the bytes.
#[derive(Default)]
struct Sink(Hasher);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store {
    /// A directory to make a layer in, on the store's filesystem; its `tree` becomes the layer.
    ///
    /// # Errors
    /// What the filesystem answers.
    pub fn workshop(&self) -> Result<TempDir, Error> {
        let made = self.making()?;
        let tree = made.path().join(TREE);
        std::fs::create_dir(&tree)?;
        std::fs::set_permissions(&tree, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(made)
    }

    /// Takes the `tree` of a workshop in as a layer: owners as they are inside, signs as overlayfs has them.
    ///
    /// # Errors
    /// What reading it answers.
    pub fn adopt(&self, made: TempDir) -> Result<Layer, Error> {
        let tree = made.path().join(TREE);
        let mut out = io::BufWriter::with_capacity(256 << 10, Sink::default());
        let packing = Packing { base: 0, signs: Signs::Layer, borders: Borders::Closed };
        pack::all(File::open(&tree)?.as_fd(), packing, &mut out)?;
        let sink = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let diff_id = sink.0.finish();
        let hold = self.hold([diff_id]);
        let size = size_of(&tree);
        match std::fs::rename(&tree, self.layer(&diff_id)) {
            // The same was here already, or somebody else was as quick.
            Err(_) if self.layer(&diff_id).is_dir() => {}
            other => other?,
        }
        Ok(Layer { diff_id, size, hold })
    }

    /// Keeps an image's layers until what comes back is dropped.
    #[must_use]
    pub fn hold_image(&self, image: &Image) -> Hold {
        let layers = self.lock().index.images.get(&image.id).map(|known| known.layers.clone());
        self.hold(layers.unwrap_or_default())
    }

    /// An image's whole configuration: also what only Docker knows of.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn document(&self, id: &Digest) -> Result<Value, Error> {
        serde_json::from_slice(&self.read_blob(id, MAX_CONFIG)?)
            .map_err(|e| Error::Damaged(format!("the image's configuration: {e}")))
    }

    /// An image of these layers, for containers of a build; it is in no list.
    #[must_use]
    pub fn stage(&self, layers: &[Digest], config: &[u8]) -> Staged {
        let id = Digest::of(config);
        let known = Known { layers: layers.to_vec(), ..Known::default() };
        let mut shared = self.lock();
        shared.staged.entry(id).or_insert_with(|| (known, config.to_vec(), 0)).2 += 1;
        drop(shared);
        Staged { id, store: self.clone() }
    }

    /// The image in the making of that id.
    pub(super) fn staged(&self, key: &str) -> Result<Option<Image>, Error> {
        let Ok(id) = key.parse::<Digest>() else { return Ok(None) };
        let Some((known, config, _)) = self.lock().staged.get(&id).cloned() else { return Ok(None) };
        let layers = self.directories(&known.layers);
        let config = parse_config(&config)?;
        Ok(Some(Image { id, config, layers, tags: Vec::new(), digests: Vec::new(), size: 0 }))
    }

    /// Keeps a finished image under its names. `on` is the image that it was built on, whose blobs it shares.
    ///
    /// # Errors
    /// What writing answers.
    pub fn put_built(
        &self,
        config: &[u8],
        (layers, size): (Vec<Digest>, u64),
        on: Option<&Digest>,
        names: &[Reference],
    ) -> Result<Digest, Error> {
        let _config = self.hold([Digest::of(config)]);
        let id = self.put_blob(config)?;
        self.change(|index| {
            let mut blobs =
                on.and_then(|on| index.images.get(on)).map(|k| k.blobs.clone()).unwrap_or_default();
            blobs.retain(|blob| Some(blob) != on);
            blobs.push(id);
            index.images.entry(id).or_insert(Known { layers, size, blobs, manifest: None });
            for name in names {
                index.names.insert(name.canonical(), id);
            }
        })?;
        Ok(id)
    }

    /// Waits until nobody else does the step of that key.
    pub async fn turn(&self, key: &Digest) -> impl Drop + Send + use<> {
        self.busy.turn(&format!("step {key}")).await
    }

    /// What a step made when it was done before.
    #[must_use]
    pub fn cached(&self, key: &Digest) -> Option<Cached> {
        let step = self.lock().index.steps.get(key).cloned()?;
        let hold = self.hold(step.layer);
        // Looked for after it was held: nobody can take it away any more.
        if step.layer.is_some_and(|layer| !self.layer(&layer).is_dir()) {
            return None;
        }
        // That it was of use is written down with the next step that is done.
        if let Some(step) = self.lock().index.steps.get_mut(key) {
            step.used = Timestamp::now();
        }
        Some(Cached { layer: step.layer, size: step.size, created: step.created, hold })
    }

    /// Remembers what a step made.
    ///
    /// # Errors
    /// What writing answers.
    pub fn remember(
        &self,
        key: Digest,
        layer: Option<(Digest, u64)>,
        created: Timestamp,
        what: &str,
    ) -> Result<(), Error> {
        let what = what.chars().take(200).collect();
        let (layer, size) = layer.map_or((None, 0), |(layer, size)| (Some(layer), size));
        self.change(|index| {
            index.steps.insert(key, Step { layer, size, created, used: Timestamp::now(), what });
            while index.steps.len() > STEPS {
                let oldest = index.steps.iter().min_by_key(|(_, step)| step.used).map(|(key, _)| *key);
                oldest.map(|key| index.steps.remove(&key));
            }
        })
    }

    /// All steps that are remembered.
    #[must_use]
    pub fn remembered(&self) -> Vec<Remembered> {
        let index = &self.lock().index;
        index.steps.iter().map(|(key, step)| shown(index, *key, step)).collect()
    }

    /// Forgets the steps that `chosen` names: their keys, and the bytes that came free.
    ///
    /// # Errors
    /// What deleting answers.
    pub fn forget(&self, chosen: impl Fn(&Remembered) -> bool) -> Result<(Vec<Digest>, u64), Error> {
        let going: Vec<Remembered> = self.remembered().into_iter().filter(chosen).collect();
        let keys: Vec<Digest> = going.iter().map(|step| step.key).collect();
        self.change(|index| index.steps.retain(|key, _| !keys.contains(key)))?;
        self.collect()?;
        Ok((keys, going.iter().filter(|step| !step.shared).map(|step| step.size).sum()))
    }
}

fn shown(index: &Index, key: Digest, step: &Step) -> Remembered {
    let shared = step.layer.is_some_and(|layer| index.images.values().any(|i| i.layers.contains(&layer)));
    let Step { size, created, used, .. } = *step;
    Remembered { key, what: step.what.clone(), size, created, used, shared }
}
