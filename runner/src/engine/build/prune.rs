//! What builds keep for later ones: layers by what they were made of, and caches of commands. Shown, and given back.

use super::error::{During, Error};
use crate::engine::Engine;
use crate::image::steps::Remembered;
use jiff::Timestamp;
use std::path::Path;

/// A thing that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its name.
    pub id: String,
    /// `regular` for a layer, `exec.cachemount` for a command's cache.
    pub kind: &'static str,
    /// What it comes from.
    pub what: String,
    /// Bytes.
    pub size: u64,
    /// Since when it is there.
    pub created: Timestamp,
    /// When it was of use last.
    pub used: Timestamp,
    /// Whether a running build uses it.
    pub in_use: bool,
    /// Whether an image has it, too: it takes no room of its own.
    pub shared: bool,
}

impl Engine {
    /// All that is kept.
    #[must_use]
    pub fn build_cache(&self) -> Vec<Kept> {
        let layers = self.images.remembered().into_iter().map(layer);
        layers.chain(self.kept_caches()).collect()
    }

    fn kept_caches(&self) -> Vec<Kept> {
        let entries = std::fs::read_dir(self.caches()).into_iter().flatten().flatten();
        let one = |entry: std::fs::DirEntry| {
            let id = entry.file_name().into_string().ok()?;
            let changed = entry.metadata().ok()?.modified().ok()?;
            let used = Timestamp::try_from(changed).ok()?;
            Some(Kept {
                in_use: self.builds.cache(&id).try_write().is_err(),
                id,
                kind: "exec.cachemount",
                what: "a cache of RUN --mount".to_owned(),
                size: crate::engine::changes::size(&entry.path()),
                created: used,
                used,
                shared: false,
            })
        };
        entries.filter_map(one).collect()
    }

    /// Gives back what `chosen` names and nobody uses: its ids, and the bytes that came free.
    ///
    /// # Errors
    /// What deleting answers.
    pub fn prune_builds(&self, chosen: impl Fn(&Kept) -> bool) -> Result<(Vec<String>, u64), Error> {
        let (keys, mut bytes) = self.images.forget(|step| chosen(&layer(step.clone())))?;
        let mut gone: Vec<String> = keys.iter().map(ToString::to_string).collect();
        for cache in self.kept_caches().into_iter().filter(|cache| chosen(cache)) {
            let lock = self.builds.cache(&cache.id);
            // Held while it is deleted: a build that wants it meanwhile makes a new one.
            let Ok(_guard) = lock.try_write() else { continue };
            remove(&self.caches().join(&cache.id))?;
            bytes += cache.size;
            gone.push(cache.id);
        }
        Ok((gone, bytes))
    }
}

fn layer(step: Remembered) -> Kept {
    let Remembered { key, what, size, created, used, shared } = step;
    Kept { id: key.to_string(), kind: "regular", what, size, created, used, in_use: false, shared }
}

/// A command filled it: links in it are removed, not followed.
fn remove(cache: &Path) -> Result<(), Error> {
    std::fs::remove_dir_all(cache).during("removing a cache")
}
