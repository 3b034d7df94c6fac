//! Volumes, and every mount of the host's that goes into a container: by descriptor, mapped into its ids.

use super::container::Container;
use super::error::{Doing, Error};
use super::mount::{Source, volume_name};
use super::validate::Checked;
use super::{Engine, launch};
use crate::container::capabilities::SYS_ADMIN;
use crate::container::rootfs;
use crate::container::spec::{self, MountSource};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The most volumes.
const VOLUMES: usize = 8192;

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

impl Engine {
    fn volume_dir(&self, name: &str) -> PathBuf {
        self.settings.state.join("volumes").join(name)
    }

    /// Makes a volume, or answers the one that is there.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that cannot be.
    pub fn create_volume(&self, name: &str, labels: BTreeMap<String, String>) -> Result<Volume, Error> {
        let mut drawn = [0; 32];
        getrandom::fill(&mut drawn).map_err(std::io::Error::other).doing(|| "drawing a name".into())?;
        let name = if name.is_empty() { hex::encode(drawn) } else { name.to_owned() };
        volume_name(&name)?;
        if let Ok(there) = self.volume(&name) {
            return Ok(there);
        }
        if self.volumes().len() >= VOLUMES {
            return Err(Error::Conflict(format!("there are {VOLUMES} volumes: remove some")));
        }
        let dir = self.volume_dir(&name);
        let doing = || format!("making {}", dir.display());
        std::fs::create_dir_all(dir.join("_data")).doing(doing)?;
        let volume = Volume {
            name,
            driver: "local".into(),
            mountpoint: dir.join("_data"),
            created_at: jiff::Timestamp::now(),
            labels,
            scope: "local".into(),
            options: BTreeMap::new(),
        };
        let text = serde_json::to_vec(&volume).map_err(std::io::Error::other).doing(doing)?;
        std::fs::write(dir.join("volume.json"), text).doing(doing)?;
        self.events.tell("volume", "create", volume.name.clone(), BTreeMap::new());
        Ok(volume)
    }

    /// A volume by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn volume(&self, name: &str) -> Result<Volume, Error> {
        volume_name(name)?;
        let read = std::fs::read(self.volume_dir(name).join("volume.json")).ok();
        read.and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| Error::not_found("volume", name))
    }

    /// All volumes.
    #[must_use]
    pub fn volumes(&self) -> Vec<Volume> {
        let dir = std::fs::read_dir(self.settings.state.join("volumes"));
        let names = dir.into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
        names.filter_map(|name| self.volume(&name).ok()).collect()
    }

    /// The names of the containers that use a volume.
    #[must_use]
    pub fn users_of(&self, name: &str) -> Vec<String> {
        let uses = |c: &Container| {
            let host = c.record().host;
            host.binds.iter().any(|b| b.split(':').next() == Some(name))
                || host.mounts.iter().any(|m| m.source == name)
        };
        self.containers().iter().filter(|c| uses(c)).map(|c| c.name()).collect()
    }

    /// Removes a volume with what is in it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a container uses it.
    pub fn remove_volume(&self, name: &str) -> Result<(), Error> {
        self.volume(name)?;
        if let Some(user) = self.users_of(name).first() {
            return Err(Error::Conflict(format!("remove {name}: volume is in use by container {user}")));
        }
        let dir = self.volume_dir(name);
        std::fs::remove_dir_all(&dir).doing(|| format!("removing {}", dir.display()))?;
        self.events.tell("volume", "destroy", name.to_owned(), BTreeMap::new());
        Ok(())
    }

    /// Removes the volumes that were a container's own.
    pub(super) fn drop_own_volumes(&self, container: &str) {
        for volume in self.volumes() {
            if volume.labels.get(OWNER).is_some_and(|owner| owner == container) {
                std::fs::remove_dir_all(self.volume_dir(&volume.name)).unwrap_or_default();
            }
        }
    }

    /// A container's mounts: the specification, and the descriptors that it points to.
    pub(super) async fn mounts(
        &self,
        container: &Container,
        checked: &Checked,
        userns: BorrowedFd<'_>,
    ) -> Result<(Vec<spec::Mount>, Vec<OwnedFd>), Error> {
        let (mut mounts, mut sent) = (Vec::new(), Vec::new());
        for mount in &checked.mounts {
            let path = match &mount.source {
                Source::Bind(path) => Some(path.clone()),
                Source::Volume(name) if name.is_empty() => Some(self.own_volume(container, &mount.target)?),
                Source::Volume(name) => Some(self.create_volume(name, BTreeMap::new())?.mountpoint),
                Source::Tmpfs(_) => None,
            };
            let source: MountSource = launch::specification(&mount.source, sent.len());
            if let Some(path) = path {
                let fd = mapped(&path, userns)?;
                let may_mount = checked.capabilities & SYS_ADMIN != 0;
                let seal = mount.readonly && may_mount;
                sent.push(if seal { sealed(fd, &path, container)? } else { fd });
            }
            mounts.push(spec::Mount { source, target: mount.target.clone(), readonly: mount.readonly });
        }
        Ok((mounts, sent))
    }

    fn own_volume(&self, container: &Container, target: &str) -> Result<PathBuf, Error> {
        let mut labels = BTreeMap::new();
        labels.insert(OWNER.to_owned(), container.id.clone());
        let known = self.volumes().into_iter().find(|v| {
            v.labels.get(OWNER) == labels.get(OWNER) && v.labels.get(TARGET).is_some_and(|t| t == target)
        });
        if let Some(volume) = known {
            return Ok(volume.mountpoint);
        }
        labels.insert(TARGET.to_owned(), target.to_owned());
        Ok(self.create_volume("", labels)?.mountpoint)
    }
}

/// Labels of a container's own volumes.
const OWNER: &str = "sandlot.container";
const TARGET: &str = "sandlot.target";

/// A detached mount of `path` and nothing below it, whose ids are the container's.
fn mapped(path: &Path, userns: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    use std::os::fd::AsFd;
    let doing = || format!("mounting {}", path.display());
    let mount = open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
        .doing(doing)?;
    sandlot_sys::mount::idmap(mount.as_fd(), userns).doing(doing)?;
    Ok(mount)
}

/// The same for a container that may mount, and so could make it writable again.
fn sealed(mount: OwnedFd, path: &Path, container: &Container) -> Result<OwnedFd, Error> {
    if !path.is_dir() {
        return Err(Error::invalid(format!(
            "the read-only mount of the file {} is refused: this container may mount, and would make it writable; mount its directory",
            path.display()
        )));
    }
    Ok(rootfs::sealed(mount, &container.dir.join("sealed"))?)
}
