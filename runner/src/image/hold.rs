//! What a running pull or load needs stays while it runs, whoever else needs it too; what nobody needs or names is swept away.

use super::steps::Step;
use super::{Digest, Error, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Keeps blobs and layers from being swept away, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    store: Store,
    names: Vec<String>,
}

impl Store {
    /// Holds these blobs and layers, whether they are here already or not. Take it before looking whether they are.
    pub(super) fn hold(&self, digests: impl IntoIterator<Item = Digest>) -> Hold {
        let names: Vec<String> = digests.into_iter().map(|d| d.hex()).collect();
        let mut shared = self.lock();
        for name in &names {
            *shared.held.entry(name.clone()).or_default() += 1;
        }
        drop(shared);
        Hold { store: self.clone(), names }
    }

    /// Deletes the blobs and layers that belong to no image and that nobody holds.
    ///
    /// They are moved aside while the index is locked: whoever takes a hold later does not find them.
    pub(super) fn collect(&self) -> Result<(), Error> {
        for gone in self.move_garbage_aside()? {
            delete(&gone)?;
        }
        Ok(())
    }

    /// The same, where an earlier error is the one to be told.
    pub(super) fn collect_quietly(&self) {
        if let Err(e) = self.collect() {
            tracing::warn!("unused blobs and layers could not be deleted: {e}");
        }
    }

    fn move_garbage_aside(&self) -> Result<Vec<PathBuf>, Error> {
        let mut shared = self.lock();
        let images = shared.index.images.values();
        let mut keep: BTreeSet<String> = images
            .flat_map(|i| i.blobs.iter().chain(&i.layers).chain(&i.manifest).map(Digest::hex))
            .collect();
        keep.extend(shared.index.steps.values().filter_map(Step::layer).map(|layer| layer.hex()));
        keep.extend(shared.held.keys().cloned());
        keep.extend(shared.catalogue.needed());
        let mut aside = Vec::new();
        for name in ["blobs", "layers"] {
            for entry in std::fs::read_dir(self.root.join(name))? {
                let entry = entry?;
                if keep.contains(&*entry.file_name().to_string_lossy()) {
                    continue;
                }
                shared.swept += 1;
                let to = self.root.join("making").join(format!("gone-{}", shared.swept));
                match std::fs::rename(entry.path(), &to) {
                    Ok(()) => aside.push(to),
                    // A full disk may have no room for another name.
                    Err(_) => delete(&entry.path())?,
                }
            }
        }
        Ok(aside)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut shared = self.store.lock();
        for name in &self.names {
            if let Some(count) = shared.held.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    shared.held.remove(name);
                }
            }
        }
    }
}

fn delete(path: &Path) -> Result<(), Error> {
    let done = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => super::remove::tree(path),
        Ok(_) => std::fs::remove_file(path),
        Err(e) => Err(e),
    };
    match done {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}
