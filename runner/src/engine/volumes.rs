//! Volumes: directories that outlive containers. Who mounts them where is said in [`super::mounting`].
//!
//! ```text
//! volumes/NAME/volume.json    what it is
//! volumes/NAME/_data          what is in it, with the ids that containers see, if its size is not bounded
//! volumes/NAME/_copy          what the image has there, while it is copied
//! volumes/.gone-NAME-…        one that is being removed
//! disks/volume-…              the disk of one whose size is bounded
//! ```

mod bound;

use super::container::Container;
use super::error::{Doing, Error};
use super::mount::{Source, volume_name};
use super::{Engine, changes};
use bound::Bound;
pub use bound::size;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The most volumes.
const VOLUMES: usize = 8192;
/// The label of those whose name nobody gave; Docker's.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";
/// How the directory of one that is being removed begins: no volume is called that.
const GONE: &str = ".gone-";

/// A volume as the Docker Engine API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct Volume {
    pub name: String,
    pub driver: String,
    pub mountpoint: PathBuf,
    pub created_at: jiff::Timestamp,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// What a volume is made with.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `size`, and nothing else.
    pub options: BTreeMap<String, String>,
}

/// A volume as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    volume: Volume,
    /// None for one that may fill the state's filesystem.
    #[serde(default)]
    bound: Option<Bound>,
}

impl Volume {
    /// Whether nobody gave it a name.
    #[must_use]
    pub fn anonymous(&self) -> bool {
        self.labels.contains_key(ANONYMOUS)
    }
}

impl Engine {
    pub(super) fn volume_dir(&self, name: &str) -> PathBuf {
        self.settings.state.join("volumes").join(name)
    }

    /// Makes a volume, or answers the one that is there. Without a name it gets one that is drawn.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or an option that cannot be, [`Error::Conflict`] if the host could not hold it.
    pub fn create_volume(&self, name: &str, wish: Wish) -> Result<Volume, Error> {
        let Wish { mut labels, options } = wish;
        let size = size(&options)?;
        let name = if name.is_empty() {
            labels.insert(ANONYMOUS.to_owned(), String::new());
            drawn()?
        } else {
            name.to_owned()
        };
        volume_name(&name)?;
        if let Ok(there) = self.volume(&name) {
            return Ok(there);
        }
        if self.volumes().len() >= VOLUMES {
            return Err(Error::Conflict(format!("there are {VOLUMES} volumes: remove some")));
        }
        let dir = self.volume_dir(&name);
        let doing = || format!("making {}", dir.display());
        std::fs::create_dir_all(&dir).doing(doing)?;
        let (mountpoint, bound) = match size.or(self.settings.volume) {
            Some(bytes) => self.bounded(bytes).map(|(at, bound)| (at, Some(bound)))?,
            None => (dir.join("_data"), None),
        };
        if bound.is_none() {
            std::fs::create_dir_all(&mountpoint).doing(doing)?;
        }
        let volume = Volume {
            name,
            driver: "local".into(),
            mountpoint,
            created_at: jiff::Timestamp::now(),
            labels,
            scope: "local".into(),
            options,
        };
        let stored = Stored { volume: volume.clone(), bound };
        let text = serde_json::to_vec(&stored).map_err(std::io::Error::other).doing(doing)?;
        // In one piece: a volume with half a description would be none.
        std::fs::write(dir.join("volume.new"), text).doing(doing)?;
        std::fs::rename(dir.join("volume.new"), dir.join("volume.json")).doing(doing)?;
        self.volume_event("create", &volume.name, &[]);
        Ok(volume)
    }

    /// A volume by its name.
    ///
    /// # Errors
    /// [`Error::NoVolume`].
    pub fn volume(&self, name: &str) -> Result<Volume, Error> {
        self.stored_volume(name).map(|stored| stored.volume)
    }

    fn stored_volume(&self, name: &str) -> Result<Stored, Error> {
        let none = || Error::NoVolume(name.to_owned());
        if name.is_empty() || volume_name(name).is_err() {
            return Err(none());
        }
        let read = std::fs::read(self.volume_dir(name).join("volume.json")).ok();
        read.and_then(|text| serde_json::from_slice(&text).ok()).ok_or_else(none)
    }

    /// All volumes.
    #[must_use]
    pub fn volumes(&self) -> Vec<Volume> {
        let dir = std::fs::read_dir(self.settings.state.join("volumes"));
        let names = dir.into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
        names.filter_map(|name| self.volume(&name).ok()).collect()
    }

    /// The containers that use a volume, running or not.
    #[must_use]
    pub fn users_of(&self, name: &str) -> Vec<Arc<Container>> {
        let uses = |c: &Arc<Container>| c.volumes().iter().any(|used| used == name);
        self.containers().into_iter().filter(uses).collect()
    }

    /// The bytes in a volume; what cannot be read counts nothing.
    pub async fn volume_bytes(&self, name: &str) -> u64 {
        let (engine, name) = (self.clone(), name.to_owned());
        let count = move || {
            // None is mounted for this.
            let bound = engine.stored_volume(&name).ok()?.bound;
            if let Some(bytes) = bound.and_then(|bound| engine.disks.closed_bytes(&bound.disk)) {
                return Some(bytes);
            }
            let directory = crate::image::tree::directory(&engine.volume_data(&name).ok()?).ok()?;
            Some(changes::bytes(std::os::fd::AsFd::as_fd(&directory), 0))
        };
        tokio::task::spawn_blocking(count).await.ok().flatten().unwrap_or(0)
    }

    /// Removes a volume; what is in it is deleted off the caller's path.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a container uses it.
    pub fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let stored = self.stored_volume(name)?;
        let users: Vec<String> = self.users_of(name).iter().map(|c| c.id.clone()).collect();
        if !users.is_empty() {
            return Err(Error::Conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
        }
        let dir = self.volume_dir(name);
        let grave = self.volume_dir(&format!("{GONE}{name}-{}", drawn()?));
        std::fs::rename(&dir, &grave).doing(|| format!("removing {}", dir.display()))?;
        self.volume_event("destroy", name, &[]);
        self.bury(grave, stored.bound);
        Ok(())
    }

    /// Removes the volumes of a container that is gone, if nobody gave them a name and nobody else uses them.
    pub(super) fn drop_anonymous_volumes(&self, container: &Container) {
        for name in container.volumes() {
            if self.volume(&name).is_ok_and(|v| v.anonymous()) && self.users_of(&name).is_empty() {
                self.remove_volume(&name).unwrap_or_else(|e| tracing::warn!("a volume stays: {e}"));
            }
        }
    }

    /// Goes on with what a crash interrupted.
    pub(super) fn sweep_volumes(&self) {
        let dir = std::fs::read_dir(self.settings.state.join("volumes"));
        for entry in dir.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(GONE) {
                // A disk that no volume has is swept away with the disks.
                self.bury(entry.path(), None);
            }
        }
    }

    /// Deletes a volume while nobody waits.
    fn bury(&self, grave: PathBuf, bound: Option<Bound>) {
        let engine = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(Err(e)) = bound.map(|bound| engine.disks.release(&bound.disk)) {
                tracing::warn!("a volume's disk stays for now: {e}");
            }
            if let Err(e) = crate::image::remove::tree(&grave) {
                tracing::warn!(path = %grave.display(), "not removed: {e}; the next start tries again");
            }
        });
    }

    pub(super) fn volume_event(&self, action: &str, name: &str, more: &[(&str, &str)]) {
        let more = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let driver = ("driver".to_owned(), "local".to_owned());
        self.events.tell("volume", action, name.to_owned(), more.chain([driver]).collect());
    }
}

impl Container {
    /// The names of the volumes that are mounted in it.
    #[must_use]
    pub fn volumes(&self) -> Vec<String> {
        let volume = |mount: super::mount::Mount| match mount.source {
            Source::Volume(name) => Some(name),
            Source::Bind(_) | Source::Tmpfs(_) => None,
        };
        self.record().mounts.into_iter().filter_map(volume).collect()
    }
}

/// A name that no other volume has.
pub(super) fn drawn() -> Result<String, Error> {
    let mut drawn = [0; 32];
    getrandom::fill(&mut drawn).map_err(std::io::Error::other).doing(|| "drawing a name".into())?;
    Ok(hex::encode(drawn))
}
