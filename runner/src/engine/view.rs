//! A container's root as the engine sees it, by descriptor: of one that runs, by the namespace of its first process; of
//! one that does not, assembled for the moment, with its volumes.
//!
//! What is done in it is done on a thread of its own whose files belong to the container's root: mounts whose ids are
//! mapped take no others. Paths are the caller's business ([`crate::image::place::open_inside`]).

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::mount::Source;
use crate::container::network;
use crate::container::rootfs;
use crate::container::target::{self, Links};
use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// How many ids a container has.
const IDS: u32 = 65_536;
/// The longest `/proc/PID/uid_map` that is read.
const MAP: u64 = 64 << 10;

/// What is done in a root: the root, and the host's id of the container's root.
type Work<T> = Box<dyn FnOnce(BorrowedFd<'_>, u32) -> Result<T, Error> + Send>;

impl Engine {
    /// Does `work` in a container's root. One that does not run is kept from starting meanwhile. Goes on to its end also
    /// if nobody waits for it any more.
    pub(super) async fn with_root<T: Send + 'static>(
        &self,
        container: Arc<Container>,
        work: impl FnOnce(BorrowedFd<'_>, u32) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (engine, work): (_, Work<T>) = (self.clone(), Box::new(work));
        let doing = tokio::spawn(async move {
            let base = container.slot.range().base;
            let busy = container.busy.lock().await;
            let Some((pid, _)) = container.state().alive() else {
                let still = engine.still(&container).await?;
                return on_own_thread(base, move || work(still.attach()?.as_fd(), base)).await;
            };
            let root = running(pid, base)?;
            drop(busy);
            on_own_thread(base, move || work(root.as_fd(), base)).await
        });
        doing.await.map_err(io::Error::other).doing(|| "working in a container's root".into())?
    }

    async fn still(&self, container: &Arc<Container>) -> Result<Still, Error> {
        let record = container.record();
        let checked = super::validate::check(&record.config, &record.host, &self.settings)?;
        let userns = self.mapping(container.slot.range()).await?;
        let image = self
            .images
            .resolve(&record.image)
            .map_err(|_| Error::not_found("image", record.image.clone()))?;
        let (upper, work) = self.writable(container, checked.disk).await?;
        let root = rootfs::assemble(&image.layers, &upper, &work, userns.as_fd())?;
        let (_, sent) = self.mounts(container, &checked, userns.as_fd()).await?;
        let kept = record.mounts.iter().filter(|m| !matches!(m.source, Source::Tmpfs(_)));
        for (mount, fd) in kept.clone().zip(&sent).filter(|(mount, _)| mount.readonly) {
            sandlot_sys::mount::readonly(fd.as_fd()).doing(|| format!("mounting {}", mount.target))?;
        }
        let targets = kept.map(|m| m.target.clone()).zip(sent).collect();
        Ok(Still { root, place: container.dir.clone(), mounts: targets })
    }
}

/// The root of a container that does not run, and what is mounted in it: all attached nowhere yet.
struct Still {
    root: OwnedFd,
    /// A directory of the host's that the thread does not need.
    place: PathBuf,
    mounts: Vec<(String, OwnedFd)>,
}

impl Still {
    /// Puts the mounts into the root, in a mount namespace of the calling thread's own that ends with it.
    fn attach(self) -> Result<OwnedFd, Error> {
        if self.mounts.is_empty() {
            return Ok(self.root);
        }
        let doing = || "mounting the container's volumes".to_owned();
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).map_err(io::Error::from).doing(doing)?;
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).doing(doing)?;
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.root, "", CWD, &self.place, whole).doing(doing)?;
        for (path, mount) in &self.mounts {
            let doing = || format!("mounting {path}");
            let place = target::directory(self.root.as_fd(), path, Links::Inside).doing(doing)?;
            let flags = whole | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            move_mount(mount, "", &place, "", flags).doing(doing)?;
        }
        Ok(self.root)
    }
}

/// The root that a container's first process sees. The process may end at any moment and its number become another's:
/// only one whose ids are the container's is believed.
fn running(pid: i32, base: u32) -> Result<OwnedFd, Error> {
    let process = process(pid, base)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&process, "root", flags, Mode::empty()).doing(|| "opening the container's root".into())
}

/// The network namespace of a container's first process, believed as its root is.
pub(super) fn netns(pid: i32, base: u32) -> Result<OwnedFd, Error> {
    network::namespace(process(pid, base)?.as_fd()).map_err(|e| Error::Network(e.to_string()))
}

/// `/proc/PID` of a process, if its ids are those of the container whose first is `base`.
pub(super) fn process(pid: i32, base: u32) -> Result<OwnedFd, Error> {
    let doing = || "opening a container that has just ended".to_owned();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).doing(doing)?;
    let map = openat(&process, "uid_map", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).doing(doing)?;
    let mut text = String::new();
    std::fs::File::from(map).take(MAP).read_to_string(&mut text).doing(doing)?;
    let outside = text.split_whitespace().nth(1).and_then(|id| id.parse::<u32>().ok());
    if !outside.is_some_and(|id| (base..base + IDS).contains(&id)) {
        return Err(Error::Conflict("the container has just ended; try again".into()));
    }
    Ok(process)
}

/// Runs `work` on a new thread, whose files belong to the host's id `base` and which keeps its rights all the same.
async fn on_own_thread<T: Send + 'static>(
    base: u32,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let doing = || "starting a thread".to_owned();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let all = move || {
        let done = belong(base).doing(|| "taking on the container's ids".into()).and_then(|()| work());
        // Whoever asked may be gone.
        sender.send(done).map_err(drop).unwrap_or_default();
    };
    std::thread::Builder::new().name("files".into()).spawn(all).doing(doing)?;
    receiver.await.map_err(io::Error::other).doing(doing)?
}

/// setfsuid(2) is of the calling thread; without `NO_SETUID_FIXUP` it would take the capabilities for files away.
fn belong(base: u32) -> io::Result<()> {
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    setfsgid(Gid::from_raw(base));
    setfsuid(Uid::from_raw(base));
    // It reports no failure; asking again tells what is in force.
    if setfsuid(Uid::from_raw(base)) == Uid::from_raw(base) {
        return Ok(());
    }
    Err(io::Error::from(io::ErrorKind::PermissionDenied))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_another_processes_by_now_is_not_believed() {
        // As if the container had ended and its number were this process's, whose namespaces are the host's.
        let own = i32::try_from(std::process::id()).unwrap();
        let by_number = std::fs::File::open(format!("/proc/{own}")).unwrap();
        assert!(
            network::namespace(by_number.as_fd()).is_ok(),
            "who goes by the number is in the host's network"
        );
        for base in [1 << 24, 1 << 30] {
            let said = netns(own, base).unwrap_err().to_string();
            assert!(said.contains("has just ended"), "{said}");
            assert!(running(own, base).is_err());
        }
        assert!(netns(i32::MAX, 1 << 24).is_err());
    }
}
