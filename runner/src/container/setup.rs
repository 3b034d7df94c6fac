//! Carrying out the plan, in the child that becomes the container.
//!
//! Runs in the spawner's freshly cloned child with all seven namespaces, as the container's root. Everything that can
//! fail names its step.

use super::failure::Failure;
use super::plan::{Access, Attached, Filesystem, Need, PROC, Step};
use super::rootfs::FILES_PLACE;
use super::target::{self, Links};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The mounts that the engine made for this container.
#[derive(Debug)]
pub struct Materials {
    /// Its root.
    pub root: OwnedFd,
    /// The tmpfs that becomes `/dev`.
    pub volatile: OwnedFd,
    /// What its creator asked for.
    pub mounts: Vec<OwnedFd>,
}

/// The filesystems that were made, by their numbers; `None` for one that the kernel refuses and that may be missing.
#[derive(Debug, Default)]
pub struct Made(Vec<Option<OwnedFd>>);

/// Carries out `steps` that need no materials.
///
/// # Errors
/// The step that failed, and why.
pub fn prepare(steps: &[Step], made: &mut Made) -> Result<(), Failure> {
    steps.iter().try_for_each(|step| {
        let done = match step {
            Step::Make(filesystem) => make(filesystem).map(|fd| made.0.push(fd)),
            Step::Sysctl(path, value) => sysctl(&made.0, path, value),
            Step::LoopbackUp => loopback_up(),
            _ => Err(rustix::io::Errno::INVAL),
        };
        failing(step, done)
    })
}

fn failing(step: &Step, done: rustix::io::Result<()>) -> Result<(), Failure> {
    done.map_err(|e| Failure::setup(&name(step), &std::io::Error::from(e)))
}

/// Carries out `steps`; `await_network` is called for [`Step::AwaitNetwork`].
///
/// # Errors
/// The step that failed, and why.
pub fn run(
    steps: &[Step],
    made: &mut Made,
    materials: &Materials,
    await_network: &mut dyn FnMut() -> std::io::Result<()>,
) -> Result<(), Failure> {
    for step in steps {
        let done = match step {
            Step::EnterRoot => enter(materials.root.as_fd()),
            Step::Attach { what, target, access, links } => {
                attach(*access, what, (target, *links), materials, &made.0)
            }
            Step::HostName(name) => rustix::system::sethostname(name.as_bytes()),
            Step::DomainName(name) => rustix::system::setdomainname(name.as_bytes()),
            Step::AwaitNetwork => await_network().map_err(|e| errno(&e)),
            Step::SealRoot => seal(),
            Step::Make(_) | Step::Sysctl(..) | Step::LoopbackUp => {
                prepare(std::slice::from_ref(step), made)?;
                continue;
            }
        };
        failing(step, done)?;
    }
    Ok(())
}

fn name(step: &Step) -> String {
    match step {
        Step::Make(filesystem) => format!("making a {}", filesystem.kind),
        Step::EnterRoot => "entering the root".into(),
        Step::Attach { target, .. } => format!("mounting {target}"),
        Step::HostName(name) => format!("setting the host name {name}"),
        Step::DomainName(name) => format!("setting the domain name {name}"),
        Step::Sysctl(path, value) => format!("setting the sysctl {} to {value}", path.replace('/', ".")),
        Step::LoopbackUp => "bringing the loopback device up".into(),
        Step::AwaitNetwork => "waiting for the network".into(),
        Step::SealRoot => "making the root read-only".into(),
    }
}

fn make(filesystem: &Filesystem) -> rustix::io::Result<Option<OwnedFd>> {
    match try_make(filesystem) {
        Err(_) if filesystem.need == Need::May => Ok(None),
        other => other.map(Some),
    }
}

fn try_make(filesystem: &Filesystem) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(filesystem.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", filesystem.kind)?;
    for (key, value) in &filesystem.options {
        if value.is_empty() {
            fsconfig_set_flag(context.as_fd(), key.as_str())?;
        } else {
            fsconfig_set_string(context.as_fd(), key.as_str(), value.as_str())?;
        }
    }
    fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID;
    if filesystem.kind != "tmpfs" {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    if filesystem.kind != "devpts" {
        attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
    }
    if filesystem.kind == "sysfs" {
        // Below a container that sees one read-only, the kernel makes no other.
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Attaches the root over the old one, makes it the root, and lets go of the old one with everything below.
fn enter(root: BorrowedFd<'_>) -> rustix::io::Result<()> {
    move_mount(root, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

fn attach(
    access: Access,
    what: &Attached,
    (path, links): (&str, Links),
    materials: &Materials,
    made: &[Option<OwnedFd>],
) -> rustix::io::Result<()> {
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match what {
        Attached::Made(n) => match made.get(*n) {
            Some(Some(mount)) => {
                onto(mount.as_fd(), target::directory(root.as_fd(), path, links)?.as_fd(), access)
            }
            _ => Ok(()),
        },
        Attached::Volatile => {
            onto(materials.volatile.as_fd(), target::directory(root.as_fd(), path, links)?.as_fd(), access)
        }
        Attached::File(file) => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let source = open_tree(materials.volatile.as_fd(), format!("{FILES_PLACE}/{file}"), flags)?;
            onto(source.as_fd(), target::file(root.as_fd(), path)?.as_fd(), access)
        }
        Attached::Sent(n) => {
            let mount = materials.mounts.get(*n).ok_or(rustix::io::Errno::BADF)?;
            let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(mount)?.st_mode);
            let place = match kind {
                rustix::fs::FileType::Directory => target::directory(root.as_fd(), path, links)?,
                _ => target::file(root.as_fd(), path)?,
            };
            onto(mount.as_fd(), place.as_fd(), access)
        }
    }
}

fn onto(mount: BorrowedFd<'_>, place: BorrowedFd<'_>, access: Access) -> rustix::io::Result<()> {
    if access == Access::Read {
        sandlot_sys::mount::readonly(mount).map_err(|e| errno(&e))?;
    }
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", place, "", both)
}

/// Written through the container's own `/proc`, not by a path.
fn sysctl(made: &[Option<OwnedFd>], path: &str, value: &str) -> rustix::io::Result<()> {
    let Some(Some(proc)) = made.get(PROC) else { return Err(rustix::io::Errno::NOENT) };
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    // Somebody may have asked for a mount below /proc: what is written there would set nothing (CVE-2025-52881).
    let plain = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    let file = openat2(proc, format!("sys/{path}"), flags, Mode::empty(), plain)?;
    rustix::io::write(&file, value.as_bytes()).map(drop)
}

/// Brings the loopback device of the own network namespace up.
pub(super) fn loopback_up() -> rustix::io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sandlot_sys::netdevice::loopback_up(socket.as_fd()).map_err(|e| errno(&e))
}

fn seal() -> rustix::io::Result<()> {
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    sandlot_sys::mount::readonly(root.as_fd()).map_err(|e| errno(&e))
}

fn errno(error: &std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_raw_os_error(error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error()))
}
