//! A container's root filesystem, assembled by the engine as mounts that are attached nowhere on the host.
//!
//! Layers are mounted idmapped into the container's ids, an overlay is stacked on them, and what comes back is one
//! descriptor. When the last process that has it (or is in it) is gone, so is the mount: there is nothing to clean up.

mod bound;
pub mod plain;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, mkdirat, mknodat, openat, openat2,
    symlinkat,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The bytes that a container may write to `/dev` and to its own `/etc/hosts` and the like.
const VOLATILE_SIZE: &str = "1m";
/// The files it may make there.
const VOLATILE_INODES: &str = "512";

/// Why there is no root filesystem.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct Error {
    step: String,
    source: io::Error,
}

fn at<E: Into<io::Error>>(step: &str) -> impl FnOnce(E) -> Error {
    let step = step.to_owned();
    move |e| Error { step, source: e.into() }
}

/// Stacks `layers` (lowest first), mapped by `userns`, below `upper`: a detached overlay mount. `work` is a directory of
/// the filesystem of `upper`; both belong to the container's root.
///
/// # Errors
/// Names the layer or the step that failed.
pub fn assemble(
    layers: &[PathBuf],
    upper: &Path,
    work: &Path,
    userns: BorrowedFd<'_>,
) -> Result<OwnedFd, Error> {
    let mapped = distinct(layers).map(|layer| map(layer, userns)).collect::<Result<Vec<_>, _>>()?;
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening an overlay"))?;
    fsconfig_set_string(context.as_fd(), "source", "sandlot").map_err(at("naming the overlay"))?;
    let attached = match stack(context.as_fd(), &mapped) {
        Ok(()) => Vec::new(),
        // Before Linux 6.15 an overlay takes no detached layers: attach them for the moment of the mount.
        Err(_) => stack_attached(context.as_fd(), &mapped, work)?,
    };
    for (key, path) in [("upperdir", upper), ("workdir", work)] {
        fsconfig_set_string(context.as_fd(), key, path).map_err(at("setting the upper directory"))?;
    }
    again(work).map_err(at("taking up what an earlier start left"))?;
    passing(context.as_fd())?;
    made(context.as_fd(), &attached)
}

/// Of an overlay that is written to. No sync on unmount: what a container wrote need not outlive a crash of the machine. Within a
/// user namespace its marks are attributes that everybody may set.
fn passing(context: BorrowedFd<'_>) -> Result<(), Error> {
    if sandlot_sys::userns::within() {
        fsconfig_set_flag(context, "userxattr").map_err(at("choosing the overlay's attributes"))?;
    }
    fsconfig_set_flag(context, "volatile").map_err(at("setting the overlay volatile"))
}

/// The layers, each where it lies topmost: an overlay takes none twice, and the lower one shows nothing that the upper does not.
fn distinct(layers: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    layers.iter().enumerate().filter(|(n, layer)| !layers[n + 1..].contains(layer)).map(|(_, layer)| layer)
}

/// A view of the directory `mount` that nobody writes through, whatever flags they clear: an overlay without an upper
/// directory. It is for who may mount, as the root of a nested container may; what changes below is seen late or not at all by
/// who has looked before. `work` names a path beside which an older kernel attaches layers.
///
/// # Errors
/// Names the step that failed.
pub fn sealed(mount: OwnedFd, work: &Path) -> Result<OwnedFd, Error> {
    read_only(&[empty()?, mount], work)
}

/// `layers` (lowest first) to be read, with the ids that they have on disk: a detached overlay mount that nobody writes. `work`
/// names a path beside which an older kernel attaches layers.
///
/// # Errors
/// Names the layer or the step that failed.
pub fn view(layers: &[PathBuf], work: &Path) -> Result<OwnedFd, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let layer = |layer: &PathBuf| open_tree(CWD, layer, flags).map_err(at("cloning a layer"));
    let mut all = vec![empty()?];
    all.extend(layers.iter().map(layer).collect::<Result<Vec<_>, _>>()?);
    read_only(&all, work)
}

/// The same with their ids mapped by `userns`, for a container to read.
///
/// # Errors
/// Names the layer or the step that failed.
pub fn shown(layers: &[PathBuf], userns: BorrowedFd<'_>, work: &Path) -> Result<OwnedFd, Error> {
    let mut all = vec![empty()?];
    all.extend(distinct(layers).map(|layer| map(layer, userns)).collect::<Result<Vec<_>, _>>()?);
    read_only(&all, work)
}

/// A mount of what stands at `path` in a detached mount. `place` is a directory to attach it to for the moment.
///
/// # Errors
/// What the system answers.
pub fn part(root: OwnedFd, path: &Path, place: &Path) -> io::Result<OwnedFd> {
    if path.as_os_str().is_empty() || path == Path::new(".") {
        return Ok(root);
    }
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    match open_tree(found(root.as_fd(), path)?, "", flags) {
        Err(rustix::io::Errno::INVAL) => {}
        other => return Ok(other?),
    }
    // Before Linux 6.15 only what is attached can be cloned.
    move_mount(&root, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let cloned = found(root.as_fd(), path).and_then(|found| open_tree(found, "", flags));
    unmount(place, UnmountFlags::DETACH)?;
    Ok(cloned?)
}

fn found(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// An empty tmpfs: without an upper directory an overlay takes two layers at least.
fn empty() -> Result<OwnedFd, Error> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening a tmpfs"))?;
    fsconfig_create(context.as_fd()).map_err(at("making a tmpfs"))?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        .map_err(at("mounting a tmpfs"))
}

fn read_only(layers: &[OwnedFd], work: &Path) -> Result<OwnedFd, Error> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening an overlay"))?;
    fsconfig_set_string(context.as_fd(), "source", "sandlot").map_err(at("naming the overlay"))?;
    let attached = match stack(context.as_fd(), layers) {
        Ok(()) => Vec::new(),
        Err(_) => stack_attached(context.as_fd(), layers, work)?,
    };
    made(context.as_fd(), &attached)
}

/// The overlay that `context` describes, mounted; its layers need not stay `attached` then.
fn made(context: BorrowedFd<'_>, attached: &[PathBuf]) -> Result<OwnedFd, Error> {
    let made = fsconfig_create(context).map_err(at("making the overlay"));
    for place in attached {
        // What stays attached here is found and unmounted by the engine's start-up sweep.
        unmount(place, UnmountFlags::DETACH).unwrap_or_default();
        std::fs::remove_dir(place).unwrap_or_default();
    }
    made?;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NODEV)
        .map_err(at("mounting the overlay"))
}

/// A volatile overlay leaves a mark that forbids the next mount, for its upper directory may not be whole after a crash
/// of the machine (overlayfs.rst, "Volatile mount"). We take that risk, so the mark goes.
fn again(work: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(work.join("work/incompat")) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn map(layer: &Path, userns: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let name = || format!("mapping the ids of layer {}", layer.display());
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, layer, flags).map_err(at(&name()))?;
    sandlot_sys::mount::idmap(mount.as_fd(), userns).map_err(at(&name()))?;
    Ok(mount)
}

/// Adds the layers by descriptor, the top one first.
fn stack(context: BorrowedFd<'_>, layers: &[OwnedFd]) -> rustix::io::Result<()> {
    layers.iter().rev().try_for_each(|layer| fsconfig_set_fd(context, "lowerdir+", layer.as_fd()))
}

fn stack_attached(context: BorrowedFd<'_>, layers: &[OwnedFd], work: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut places = Vec::new();
    for (n, layer) in layers.iter().enumerate() {
        let place = work.with_file_name(format!("lower-{n}"));
        std::fs::create_dir_all(&place).map_err(at("making a place for a layer"))?;
        move_mount(layer, "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(at("attaching a layer"))?;
        places.push(place);
    }
    let names: Vec<String> = places.iter().rev().map(|p| p.display().to_string()).collect();
    fsconfig_set_string(context, "lowerdir", names.join(":")).map_err(at("stacking the layers"))?;
    Ok(places)
}

/// The text of the files that every container gets an own version of.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// `/etc/hostname`
    pub hostname: String,
    /// `/etc/hosts`
    pub hosts: String,
    /// `/etc/resolv.conf`
    pub resolv_conf: String,
}

/// The character devices of every container: name, major, minor.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Where in the small tmpfs the files lie: the devpts that is mounted there covers them. They are not removed, for what is mounted
/// of a file that has no name any more is not restored by CRIU.
pub const FILES_PLACE: &str = "pts";

/// [`devices`] with its files.
///
/// # Errors
/// Names the step that failed.
pub fn volatile(files: &Files, owner: u32) -> Result<OwnedFd, Error> {
    let mount = devices(owner)?;
    put_files(mount.as_fd(), files, owner)?;
    Ok(mount)
}

/// The container's small tmpfs: its root becomes `/dev`, with device nodes that belong to the container's root (`owner`,
/// a host id). Made by the host, so that nobody inside can enlarge it.
///
/// # Errors
/// Names the step that failed.
pub fn devices(owner: u32) -> Result<OwnedFd, Error> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening a tmpfs"))?;
    let id = owner.to_string();
    let options = [
        ("mode", "0755"),
        ("size", VOLATILE_SIZE),
        ("nr_inodes", VOLATILE_INODES),
        ("uid", &id),
        ("gid", &id),
    ];
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), key, value).map_err(at("setting up a tmpfs"))?;
    }
    fsconfig_set_string(context.as_fd(), "source", "dev").map_err(at("setting up a tmpfs"))?;
    fsconfig_create(context.as_fd()).map_err(at("making a tmpfs"))?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(at("mounting a tmpfs"))?;
    fill(mount.as_fd(), owner).map_err(at("filling /dev"))?;
    if sandlot_sys::userns::within() { bound::with_nodes(&mount) } else { Ok(mount) }
}

fn own(dir: BorrowedFd<'_>, name: &str, owner: u32) -> rustix::io::Result<()> {
    chownat(dir, name, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)), AtFlags::SYMLINK_NOFOLLOW)
}

/// Puts the text of `files` into [`FILES_PLACE`] of [`devices`], once.
///
/// # Errors
/// That it failed, and why.
pub fn put_files(dev: BorrowedFd<'_>, files: &Files, owner: u32) -> Result<(), Error> {
    write_files(dev, files, owner).map_err(at("writing the files of /etc"))
}

fn write_files(dev: BorrowedFd<'_>, files: &Files, owner: u32) -> rustix::io::Result<()> {
    let etc = openat(dev, FILES_PLACE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let texts = [&files.hostname, &files.hosts, &files.resolv_conf];
    for (name, text) in super::plan::FILES.into_iter().zip(texts) {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&etc, name, flags, Mode::from_raw_mode(0o644))?;
        rustix::io::write(&file, text.as_bytes())?;
        own(etc.as_fd(), name, owner)?;
    }
    Ok(())
}

fn fill(dev: BorrowedFd<'_>, owner: u32) -> rustix::io::Result<()> {
    let own = |dir: BorrowedFd<'_>, name: &str| own(dir, name, owner);
    // Within a user namespace nobody makes a node: a file is the place of one.
    let (kind, made) = match sandlot_sys::userns::within() {
        true => (FileType::RegularFile, false),
        false => (FileType::CharacterDevice, true),
    };
    for (name, major, minor) in DEVICES {
        let device = if made { rustix::fs::makedev(major, minor) } else { 0 };
        mknodat(dev, name, kind, Mode::from_raw_mode(0o666), device)?;
        rustix::fs::chmodat(dev, name, Mode::from_raw_mode(0o666), AtFlags::empty())?;
        own(dev, name)?;
    }
    for (name, to) in LINKS {
        symlinkat(to, dev, name)?;
        own(dev, name)?;
    }
    for name in ["pts", "shm", "mqueue", ".proc"] {
        mkdirat(dev, name, Mode::from_raw_mode(0o755))?;
        own(dev, name)?;
    }
    Ok(())
}
