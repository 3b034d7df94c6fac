//! What a container is given that has an engine of its own: this very program, a place for that engine's state, and what its
//! init runs when somebody asks for it. The other end of it is [`crate::cli`]'s `engine --inside`.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::validate::{Checked, Own};
use crate::container::rootfs;
use crate::container::seccomp;
use crate::container::spec::{self, MountSource, Process, Stdio};
use crate::image::shared::{self, Offer};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Where this program is in the container.
const PROGRAM: &str = "/usr/local/bin/sandlot";
/// Where it is as well, in a container whose image has no docker.
const DOCKER: &str = "/usr/local/bin/docker";
/// Where an image's own may be.
const CLIENTS: [&str; 3] = ["usr/bin/docker", "usr/local/bin/docker", "bin/docker"];
/// Where the inner engine keeps its state.
const STATE: &str = "/var/lib/sandlot";
/// Where it finds the images that are shared with it.
const SHARED: &str = "/var/lib/sandlot/shared";
/// The most images that are shared with one container.
const SHARED_MOST: usize = 32;
/// Its directory, beside what the container writes.
const BESIDE: &str = "engine";
/// What the kernel says behind a program's path that is not there any more.
const GONE: &str = " (deleted)";
/// What everybody may do with a program.
const EVERYBODY: u32 = 0o005;

const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

impl Engine {
    /// Adds what an engine of its own takes to a container's description, and to the descriptors that are sent along. `layers` are
    /// its image's; `upper` takes what it writes.
    pub(super) fn give_engine(
        &self,
        container: &Container,
        (checked, layers, upper, userns): (&Checked, &[PathBuf], &Path, BorrowedFd<'_>),
        description: &mut spec::Container,
        sent: &mut Vec<OwnedFd>,
    ) -> Result<(), Error> {
        if checked.own == Own::Nothing {
            return Ok(());
        }
        let mut add = |mount: OwnedFd, target: &str, readonly| {
            let source = MountSource::Detached(sent.len());
            description.mounts.push(spec::Mount { source, target: target.to_owned(), readonly });
            sent.push(mount);
        };
        add(state(upper, container.slot.range().base)?, STATE, false);
        for (mount, target) in self.offers(container, userns)? {
            add(mount, &target, true);
        }
        let mut targets = vec![PROGRAM];
        if !has_client(layers, upper) {
            targets.push(DOCKER);
        }
        for target in targets {
            add(program(&container.dir)?, target, true);
        }
        description.engine = Some(process(checked)?);
        Ok(())
    }
}

impl Engine {
    /// The images that are shared with the container, as mounts: a directory of files, then a view of the layers of each.
    fn offers(&self, container: &Container, userns: BorrowedFd<'_>) -> Result<Vec<(OwnedFd, String)>, Error> {
        let record = container.record();
        let Some(names) = record.host.annotations.get(sandlot_wire::ANNOTATION_SHARE) else {
            return Ok(Vec::new());
        };
        let (place, doing) = (container.dir.join("shared"), || "sharing images".to_owned());
        match crate::image::remove::tree(&place) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).doing(doing),
            _ => std::fs::create_dir(&place).doing(doing)?,
        }
        let (mut offers, mut views) = (Vec::new(), Vec::new());
        for name in names.split(',').filter(|name| !name.is_empty()).take(SHARED_MOST) {
            // What is not here (yet) is pulled by whoever wants it.
            let Ok(image) = self.images.resolve(name) else { continue };
            let offer = self.images.offer(name, &place).map_err(std::io::Error::other).doing(doing)?;
            if offers.iter_mut().any(|other: &mut Offer| other.merge(&offer)) {
                continue;
            }
            let target = Path::new(SHARED).join(offer.view()).display().to_string();
            views.push((rootfs::shown(&image.layers, userns, &container.dir.join("sealed"))?, target));
            offers.push(offer);
        }
        shared::write(&offers, &place).doing(doing)?;
        let files = open_tree(CWD, &place, CLONE).doing(doing)?;
        Ok(std::iter::once((files, SHARED.to_owned())).chain(views).collect())
    }
}

/// The place of the inner engine's state: on the container's disk, so that both together have its size. An overlay's upper
/// directory cannot lie in the container's own root, nor below a mount whose ids are mapped.
fn state(upper: &Path, owner: u32) -> Result<OwnedFd, Error> {
    let place = upper.with_file_name(BESIDE);
    let doing = || format!("making {}", place.display());
    match std::fs::DirBuilder::new().mode(0o700).create(&place) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.and_then(|()| chown(&place, Some(owner), Some(owner))).doing(doing)?,
    }
    let mount = open_tree(CWD, &place, CLONE).doing(doing)?;
    // On the host nothing of a disk is executed.
    sandlot_sys::mount::executable(std::os::fd::AsFd::as_fd(&mount)).doing(doing)?;
    Ok(mount)
}

/// This program, as a mount of one file that nobody writes through, whatever flags a container's root clears (CVE-2019-5736): of an
/// overlay without an upper directory.
fn program(dir: &Path) -> Result<OwnedFd, Error> {
    let path = std::env::current_exe().doing(|| "finding this program".into())?;
    // One that was replaced meanwhile: the new one, which is as good, stands where it was.
    let path = path.to_str().and_then(|p| p.strip_suffix(GONE)).map(PathBuf::from).unwrap_or(path);
    let doing = || format!("mounting {}", path.display());
    let mode = std::fs::metadata(&path).doing(doing)?.permissions().mode();
    if mode & EVERYBODY != EVERYBODY {
        return Err(Error::Conflict(format!(
            "{} is not for everybody to run, so no container can have an engine of its own: chmod 755",
            path.display()
        )));
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::Conflict(format!("{} is no program's path", path.display())));
    };
    let below = open_tree(CWD, parent, CLONE).doing(doing)?;
    let sealed = rootfs::sealed(below, &dir.join("sealed"))?;
    let place = dir.join("attached");
    std::fs::create_dir_all(&place).doing(doing)?;
    rootfs::part(sealed, Path::new(name), &place).doing(doing)
}

/// Whether the container has a client of docker's, as far as can be seen from outside. An empty file is the place of an
/// earlier mount.
fn has_client(layers: &[PathBuf], upper: &Path) -> bool {
    let found =
        |path: PathBuf| path.symlink_metadata().is_ok_and(|m| m.is_symlink() || m.len() > 0 && m.is_file());
    let mut roots = layers.iter().map(PathBuf::as_path).chain([upper]);
    roots.any(|root| CLIENTS.iter().any(|client| found(root.join(client))))
}

/// The inner engine: with the rights and the filter of the container's other processes, and no more.
fn process(checked: &Checked) -> Result<Process, Error> {
    let seccomp = seccomp::programs(checked.profile, checked.capabilities)
        .map_err(std::io::Error::other)
        .doing(|| "compiling the system call filter".into())?;
    Ok(Process {
        argv: [PROGRAM, "engine", "--inside"].map(str::to_owned).to_vec(),
        env: vec!["HOME=/root".to_owned()],
        cwd: "/".to_owned(),
        user: "0:0".to_owned(),
        groups: Vec::new(),
        stdio: Stdio::Null,
        capabilities: checked.capabilities,
        seccomp,
        rlimits: checked.rlimits.clone(),
        oom_score_adj: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_own_client_is_seen_and_an_empty_place_is_none() {
        let (layer, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let layers = [layer.path().to_owned()];
        assert!(!has_client(&layers, upper.path()));
        std::fs::create_dir_all(upper.path().join("usr/local/bin")).unwrap();
        std::fs::write(upper.path().join("usr/local/bin/docker"), "").unwrap();
        assert!(!has_client(&layers, upper.path()));
        std::fs::create_dir_all(layer.path().join("usr/bin")).unwrap();
        std::fs::write(layer.path().join("usr/bin/docker"), "x").unwrap();
        assert!(has_client(&layers, upper.path()));
    }
}
