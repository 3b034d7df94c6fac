//! How much a volume may hold, and the disk of its own that keeps it to that: past its size a writer gets `ENOSPC`, and what is
//! promised to all of them together is bounded by the free space ([`crate::container::disk`]).
//!
//! A disk is mounted when its volume is first used, and stays so until the volume goes or the engine ends with no container.

use super::{Engine, drawn};
use crate::engine::error::Error;
use crate::engine::validate::bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How the disks of volumes are named, before what was drawn.
const DISK: &str = "volume-";

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Bound {
    /// The disk.
    pub(super) disk: String,
    /// Its size.
    bytes: u64,
}

/// The size that a volume's options ask for.
///
/// # Errors
/// [`Error::Invalid`] that names the option: `size` is the only one.
pub fn size(options: &BTreeMap<String, String>) -> Result<Option<u64>, Error> {
    let mut size = None;
    for (name, value) in options {
        match name.as_str() {
            "size" => {
                let asked = bytes(value).ok_or_else(|| Error::invalid(format!("invalid size: '{value}'")))?;
                size = Some(asked);
            }
            "type" | "device" | "o" => {
                return Err(Error::invalid(format!(
                    "the volume option {name} is refused: it could mount anything of the host"
                )));
            }
            other => return Err(Error::invalid(format!("invalid option: \"{other}\""))),
        }
    }
    Ok(size)
}

impl Engine {
    /// A new disk of that size, and where its content will be.
    pub(super) fn bounded(&self, bytes: u64) -> Result<(PathBuf, Bound), Error> {
        if sandlot_sys::userns::within() {
            return Err(Error::invalid(
                "the volume option size is refused: this engine makes no disks, for it runs within a container, whose own disk \
                 bounds all",
            ));
        }
        let disk = format!("{DISK}{}", drawn()?);
        let failed = |e: crate::container::disk::Error| Error::Conflict(format!("making a volume: {e}"));
        self.disks.create(&disk, bytes).map_err(failed)?;
        Ok((self.disks.content(&disk).map_err(failed)?, Bound { disk, bytes }))
    }

    /// Where a volume's content is, and is mounted now. For a thread that may wait.
    pub(in crate::engine) fn volume_data(&self, name: &str) -> Result<PathBuf, Error> {
        let stored = self.stored_volume(name)?;
        if let Some(bound) = stored.bound {
            let failed = |e| Error::Conflict(format!("opening the volume {name}: {e}"));
            return self.disks.open(&bound.disk).map(|disk| disk.upper()).map_err(failed);
        }
        Ok(stored.volume.mountpoint)
    }

    /// The disks of all volumes.
    pub(in crate::engine) fn volume_disks(&self) -> BTreeSet<String> {
        let bound = |volume: super::Volume| self.stored_volume(&volume.name).ok()?.bound;
        self.volumes().into_iter().filter_map(bound).map(|bound| bound.disk).collect()
    }

    /// Unmounts all of them; for an engine that ends when no container runs.
    pub(in crate::engine) fn close_volumes(&self) {
        for disk in self.volume_disks() {
            if let Err(e) = self.disks.close(&disk) {
                tracing::warn!("the disk of a volume stays mounted: {e}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_option_is_a_size() {
        let of = |options: &[(&str, &str)]| {
            let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            size(&options).map_err(|e| e.to_string())
        };
        assert_eq!((of(&[]), of(&[("size", "20m")])), (Ok(None), Ok(Some(20 << 20))));
        for (options, words) in [
            (&[("size", "much")][..], "invalid size: 'much'"),
            (&[("size", "1g"), ("o", "bind"), ("device", "/")], "device is refused"),
            (&[("type", "nfs")], "type is refused"),
            (&[("colour", "red")], "invalid option: \"colour\""),
        ] {
            let said = of(options).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
