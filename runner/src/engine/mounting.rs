//! Every mount of the host's that goes into a container: settled when it is created, made by descriptor when it starts,
//! mapped into its ids.

use super::container::Container;
use super::error::{Doing, Error};
use super::model::{Config, HostConfig};
use super::mount::{self, Mount, Source};
use super::validate::Checked;
use super::volumes::Wish;
use super::{Engine, launch};
use crate::container::capabilities::SYS_ADMIN;
use crate::container::rootfs;
use crate::container::spec::{self, MountSource};
use crate::image::place::open_inside;
use rustix::fs::{CWD, OFlags};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Engine {
    /// What a new container will have mounted; its own volumes have names now, though they are not made yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the mount, or the container of `--volumes-from` that is not there.
    pub(super) fn settle_mounts(&self, config: &Config, host: &HostConfig) -> Result<Vec<Mount>, Error> {
        let mut others = Vec::new();
        for from in &host.volumes_from {
            others.extend(self.volumes_from(from)?);
        }
        let mut mounts = mount::all(config, host, others, &self.settings)?;
        for mount in &mut mounts {
            if mount.source == Source::Volume(String::new()) {
                mount.source = Source::Volume(super::volumes::drawn()?);
                mount.labels.insert(super::volumes::ANONYMOUS.to_owned(), String::new());
            }
        }
        Ok(mounts)
    }

    /// `container[:ro|rw]`: all that is mounted there, but for what lives in memory.
    fn volumes_from(&self, from: &str) -> Result<Vec<Mount>, Error> {
        let (name, mode) = from.split_once(':').unwrap_or((from, ""));
        let readonly = match mode {
            "" | "rw" | "z" | "Z" => false,
            "ro" => true,
            other => return Err(Error::invalid(format!("invalid mode: {other}"))),
        };
        // Not "not found": that would be the image, to whoever creates a container.
        let other = self.find(name).map_err(|e| Error::invalid(e.to_string()))?;
        let mut mounts = other.record().mounts;
        mounts.retain(|m| !matches!(m.source, Source::Tmpfs(_)));
        for mount in &mut mounts {
            mount.readonly |= readonly;
            mount.first = mount::First::Nothing;
            mode.clone_into(&mut mount.mode);
        }
        Ok(mounts)
    }

    /// Makes the volumes of a container that are not there (yet, or any more).
    pub(super) fn make_volumes(&self, mounts: &[Mount]) -> Result<(), Error> {
        for mount in mounts {
            if let Source::Volume(name) = &mount.source {
                self.create_volume(name, wish(mount))?;
            }
        }
        Ok(())
    }

    /// A container's mounts: the specification, and the descriptors that it points to.
    pub(super) async fn mounts(
        &self,
        container: &Container,
        checked: &Checked,
        userns: BorrowedFd<'_>,
    ) -> Result<(Vec<spec::Mount>, Vec<OwnedFd>), Error> {
        let (mut mounts, mut sent) = (Vec::new(), Vec::new());
        self.open_volumes(container.record().mounts).await?;
        for mount in container.record().mounts {
            let source: MountSource = launch::specification(&mount.source, sent.len());
            if let Some(fd) = self.host_mount(&mount)? {
                let doing = || format!("mounting {}", mount.target);
                sandlot_sys::mount::idmap(fd.as_fd(), userns).doing(doing)?;
                let may_mount = checked.capabilities & SYS_ADMIN != 0;
                let seal = mount.readonly && may_mount;
                sent.push(if seal { sealed(fd, &mount, container)? } else { fd });
            }
            mounts.push(spec::Mount { source, target: mount.target, readonly: mount.readonly });
        }
        Ok((mounts, sent))
    }

    /// A detached mount of what a mount shows, and nothing below it; `None` for what lives in memory.
    fn host_mount(&self, mount: &Mount) -> Result<Option<OwnedFd>, Error> {
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let name = match &mount.source {
            Source::Tmpfs(_) => return Ok(None),
            Source::Bind(path) => {
                let path = mount::again(path, &self.settings)?;
                let doing = || format!("mounting {}", path.display());
                let found = mount::resolved(&path).doing(doing)?;
                return open_tree(&found, "", clone | OpenTreeFlags::AT_EMPTY_PATH).doing(doing).map(Some);
            }
            Source::Volume(name) => name,
        };
        let data = self.volume_data(name)?;
        let mounted = match &mount.subpath {
            None => open_tree(CWD, &data, clone).doing(|| format!("mounting {}", data.display()))?,
            Some(subpath) => {
                // Containers write there: the kernel resolves it inside the volume.
                let place = data.join(subpath);
                let doing = || format!("cannot access path {}", place.display());
                let root = crate::image::tree::directory(&data).doing(doing)?;
                let part = open_inside(root.as_fd(), subpath, OFlags::PATH).doing(doing)?;
                open_tree(&part, "", clone | OpenTreeFlags::AT_EMPTY_PATH).doing(doing)?
            }
        };
        // On the host nothing of a volume's disk is executed.
        sandlot_sys::mount::executable(mounted.as_fd()).doing(|| format!("mounting {}", data.display()))?;
        Ok(Some(mounted))
    }

    /// Makes the volumes that are missing by now, and mounts the disks of all of them, while nobody else waits for that.
    async fn open_volumes(&self, mounts: Vec<Mount>) -> Result<(), Error> {
        if !mounts.iter().any(|mount| matches!(mount.source, Source::Volume(_))) {
            return Ok(());
        }
        let engine = self.clone();
        let opening = move || {
            for mount in &mounts {
                if let Source::Volume(name) = &mount.source {
                    engine.create_volume(name, wish(mount))?;
                    engine.volume_data(name)?;
                }
            }
            Ok(())
        };
        let opened = tokio::task::spawn_blocking(opening).await.map_err(std::io::Error::other);
        opened.doing(|| "opening the volumes".into())?
    }

    /// Tells of the volumes that a container has mounted now (`mount`), or not any more (`unmount`).
    pub(super) fn volume_events(&self, container: &Container, action: &str) {
        for mount in container.record().mounts {
            let Source::Volume(name) = &mount.source else { continue };
            let access = if mount.readonly { "false" } else { "true" };
            let mut words = vec![("container", container.id.as_str())];
            if action == "mount" {
                words.extend([
                    ("destination", mount.target.as_str()),
                    ("propagation", ""),
                    ("read/write", access),
                ]);
            }
            self.volume_event(action, name, &words);
        }
    }
}

/// What the volume of a mount is made with, if it is not there.
fn wish(mount: &Mount) -> Wish {
    Wish { labels: mount.labels.clone(), options: mount.options.clone() }
}

/// The same for a container that may mount, and so could make it writable again.
fn sealed(fd: OwnedFd, mount: &Mount, container: &Container) -> Result<OwnedFd, Error> {
    let stat = rustix::fs::fstat(&fd).doing(|| format!("mounting {}", mount.target))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory {
        return Err(Error::invalid(format!(
            "the read-only mount of a file at {} is refused: this container may mount, and would make it writable; mount its directory",
            mount.target
        )));
    }
    Ok(rootfs::sealed(fd, &container.dir.join("sealed"))?)
}
