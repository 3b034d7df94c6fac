//! The process that becomes CRIU and puts a container on its feet, as a sibling: the spawner, whose child this is, becomes the
//! parent of the container as well.
//!
//! It sits in the container's control groups already. It takes a mount namespace, in which all that the container is made of lies in
//! one place, and a control group namespace, which the container inherits; so it does `no_new_privs`, which CRIU 3.17 does not restore.

use super::mounted::{CGROUP, DEV};
use super::{PATH, hook};
use crate::container::become_process::quiet;
use crate::container::failure::Failure;
use crate::container::plan::{self, FILES};
use crate::container::rootfs::FILES_PLACE;
use crate::container::setup::Materials;
use crate::container::spec::{Container, MountSource};
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, openat};
use rustix::io::FdFlags;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
};
use rustix::process::{Gid, Uid};
use sandlot_sys::clone::{Alone, namespace, unshare};
use sandlot_sys::process as sys;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Directories of every host in which nothing lies that CRIU needs; one is hidden, from this process alone.
const PLACES: [&str; 4] = ["/mnt", "/media", "/srv", "/opt"];
/// The log, in the working directory.
pub const LOG: &str = "restore.log";
/// Where the pid of the restored first process stands, in the working directory.
pub const PID: &str = "pid";
/// What is made in the place beside the names of mounts.
const ROOT: &str = "root";
const IMAGES: &str = "images";
const WORK: &str = "work";

/// What a restore needs beside the container's description.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restoration {
    /// The program.
    pub criu: PathBuf,
    /// What it wrote.
    pub images: PathBuf,
    /// An empty directory for its log and the pid.
    pub work: PathBuf,
    /// How many of the descriptors sent along are mounts of the host's.
    pub mounts: usize,
    /// The names of what was mounted from outside.
    pub named: Vec<String>,
    /// The pipes that were its standard input, output and error; each is replaced by a new one.
    pub streams: Streams,
}

/// The standard streams at the time of the dump, where they are known.
pub type Streams = [Option<Pipe>; 3];

/// The inner ends of the new ones, where there are any.
pub type Inner<'a> = [Option<&'a OwnedFd>; 3];

/// A standard stream at the time of the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipe {
    /// Its inode.
    pub inode: u64,
    /// Whose it is: a host id.
    pub owner: u32,
}

fn at<E: ToString>(step: &'static str) -> impl Fn(E) -> Failure {
    move |e| Failure::setup(step, &e)
}

/// Becomes CRIU; comes back only with the reason why it cannot.
#[must_use]
pub fn become_criu(
    alone: Alone,
    (spec, restoration): (&Container, &Restoration),
    streams: Inner<'_>,
    materials: &Materials,
) -> Failure {
    match prepare(alone, (spec, restoration), streams, materials) {
        Ok(argv) => execute(restoration, &argv),
        Err(failure) => failure,
    }
}

fn prepare(
    alone: Alone,
    (spec, restoration): (&Container, &Restoration),
    streams: Inner<'_>,
    materials: &Materials,
) -> Result<Vec<String>, Failure> {
    sys::reset_signals();
    // By paths of the old mount namespace: a clone of what is mounted is made there only.
    let images = clone(&restoration.images).map_err(at("opening the images"))?;
    sandlot_sys::mount::readonly(images.as_fd()).map_err(at("opening the images"))?;
    let work = clone(&restoration.work).map_err(at("opening the working directory"))?;
    let program = clone(Path::new("/proc/self/exe")).map_err(at("opening our own program"))?;
    unshare(alone, namespace::MOUNT | namespace::CGROUP).map_err(at("taking namespaces for criu"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(at("hiding the mounts"))?;
    let place = Place::make().map_err(at("making a place for the mounts"))?;
    let put = |name: &str, mount: BorrowedFd<'_>| place.put(name, mount).map_err(at("laying out the mounts"));
    put(IMAGES, images.as_fd())?;
    put(WORK, work.as_fd())?;
    put(hook::NAME, program.as_fd())?;
    if spec.readonly {
        sandlot_sys::mount::readonly(materials.root.as_fd()).map_err(at("making the root read-only"))?;
    }
    put(ROOT, materials.root.as_fd())?;
    put(DEV, materials.volatile.as_fd())?;
    if restoration.named.iter().any(|name| name == CGROUP) {
        put(CGROUP, cgroup().map_err(at("mounting the control groups"))?.as_fd())?;
    }
    let readonly = spec.mounts.iter().filter_map(|mount| match mount.source {
        MountSource::Detached(n) => Some((n, mount.readonly)),
        MountSource::Tmpfs(_) => None,
    });
    for (n, readonly) in readonly {
        let missing = || Failure::setup("laying out the mounts", &"a descriptor is missing");
        let mount = materials.mounts.get(n).ok_or_else(missing)?.as_fd();
        if readonly {
            sandlot_sys::mount::readonly(mount).map_err(at("making a mount read-only"))?;
        }
        put(&format!("m{n}"), mount)?;
    }
    let sysctls: String =
        plan::settings(spec).iter().map(|(path, value)| format!("{path}={value}\n")).collect();
    std::fs::write(place.path(hook::SETTINGS), sysctls).map_err(at("writing the settings down"))?;
    for (stream, pipe) in pairs(streams, restoration) {
        own(stream, pipe, spec).map_err(at("giving the streams away"))?;
    }
    quiet().map_err(at("connecting the standard streams"))?;
    let parent = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    parent.map_err(at("tying to the parent"))?;
    rustix::thread::set_no_new_privs(true).map_err(at("setting no_new_privs"))?;
    Ok(arguments(&place, restoration, streams))
}

/// The place where all lies that the container is made of.
struct Place(PathBuf, OwnedFd);

impl Place {
    fn make() -> io::Result<Self> {
        let found = PLACES.into_iter().map(Path::new).find(|path| path.is_dir());
        let path =
            found.ok_or_else(|| io::Error::other(format!("there is none of {}", PLACES.join(", "))))?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let tmpfs = filesystem("tmpfs", &[("mode", "0755"), ("size", "1m")], attributes)?;
        move_mount(&tmpfs, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(Self(path.to_owned(), tmpfs))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Mounts a directory or a file there.
    fn put(&self, name: &str, mount: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(mount)?.st_mode);
        if kind == FileType::Directory {
            mkdirat(&self.1, name, Mode::from_raw_mode(0o755))?;
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(openat(&self.1, name, flags, Mode::from_raw_mode(0o644))?);
        }
        move_mount(mount, "", &self.1, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }
}

fn clone(path: &Path) -> rustix::io::Result<OwnedFd> {
    open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

fn filesystem(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", kind)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The container's own groups, as its control group namespace shows them.
fn cgroup() -> rustix::io::Result<OwnedFd> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_RDONLY;
    filesystem("cgroup2", &[], attributes)
}

/// Each new stream with the old one that it stands for.
fn pairs<'a>(streams: Inner<'a>, restoration: &Restoration) -> impl Iterator<Item = (&'a OwnedFd, Pipe)> {
    streams.into_iter().zip(restoration.streams).filter_map(|(new, old)| Some((new?, old?)))
}

/// A stream is to stay open over exec, and its owner as it was; nobody else's than the container's.
fn own(stream: &OwnedFd, pipe: Pipe, spec: &Container) -> io::Result<()> {
    if pipe.owner.wrapping_sub(spec.range.base) < spec.range.count {
        rustix::fs::fchown(stream, Some(Uid::from_raw(pipe.owner)), Some(Gid::from_raw(spec.range.base)))?;
    }
    Ok(rustix::io::fcntl_setfd(stream, FdFlags::empty())?)
}

fn arguments(place: &Place, restoration: &Restoration, streams: Inner<'_>) -> Vec<String> {
    let path = |name: &str| place.path(name).display().to_string();
    let mut all: Vec<String> =
        ["criu", "restore", "--restore-detached", "--restore-sibling", "--leave-stopped"]
            .into_iter()
            .chain(["--manage-cgroups=ignore", "--empty-ns", "net", "--file-locks", "--log-file", LOG])
            .chain(["--pidfile", PID])
            .map(str::to_owned)
            .collect();
    let options = [
        ("--images-dir", path(IMAGES)),
        ("--work-dir", path(WORK)),
        ("--root", path(ROOT)),
        ("--action-script", path(hook::NAME)),
    ];
    all.extend(options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
    for name in &restoration.named {
        let source = if FILES.contains(&name.as_str()) {
            path(&format!("{DEV}/{FILES_PLACE}/{name}"))
        } else {
            path(name)
        };
        all.extend(["--external".to_owned(), format!("mnt[{name}]:{source}")]);
    }
    for (stream, pipe) in pairs(streams, restoration) {
        all.extend(["--inherit-fd".to_owned(), format!("fd[{}]:pipe:[{}]", stream.as_raw_fd(), pipe.inode)]);
    }
    all
}

fn execute(restoration: &Restoration, argv: &[String]) -> Failure {
    let failed = |e: &dyn ToString| Failure::setup("running criu", &e.to_string());
    let strings = argv.iter().map(|a| CString::new(a.as_bytes())).collect::<Result<Vec<_>, _>>();
    let program = CString::new(restoration.criu.as_os_str().as_encoded_bytes());
    match (program, strings, CString::new(PATH)) {
        (Ok(program), Ok(argv), Ok(path)) => match nix::unistd::execve(&program, &argv, &[path]) {
            Err(errno) => failed(&errno.desc()),
            Ok(never) => match never {},
        },
        _ => failed(&"a NUL byte in an argument"),
    }
}
