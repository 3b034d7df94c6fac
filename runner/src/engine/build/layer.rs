//! From a directory that was written to a layer: what is only there for mounts goes, owners become those inside, times are
//! clamped, and overlayfs's private marks are taken away.
//!
//! What a command wrote is hostile: everything is reached by the descriptor of the directory above, never through a link.

use super::error::{During, Error};
use crate::container::rootfs::plain;
use crate::engine::changes::below;
use crate::image::pack::names;
use crate::image::place::open_inside;
use crate::image::steps::Layer;
use crate::image::{Digest, Store};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod,
    fchown, fgetxattr, fremovexattr, fsetxattr, fstat, openat, statat, unlinkat, utimensat,
};
use sandlot_sys::userns;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How deep directories may stand in each other.
const DEPTH: usize = 250;
/// How many ids a container has, and whom those beyond belong to.
const IDS: u32 = 65_536;
const NOBODY: u32 = 65_534;
/// Overlayfs's marks that mean something in one mount only.
const PRIVATE: [&str; 8] = [
    "trusted.overlay.origin",
    "trusted.overlay.impure",
    "trusted.overlay.uuid",
    "trusted.overlay.nlink",
    "user.overlay.origin",
    "user.overlay.impure",
    "user.overlay.uuid",
    "user.overlay.nlink",
];
const CAPABILITY: &str = "security.capability";

/// Where a layer is made: an overlay of what is below, which is written to by its descriptor.
#[derive(Debug)]
pub(super) struct Workshop {
    made: TempDir,
    /// The root, everything below seen through.
    pub(super) root: OwnedFd,
}

impl Workshop {
    /// One above these layers.
    pub(super) fn above(store: &Store, layers: &[Digest]) -> Result<Self, Error> {
        let made = store.workshop()?;
        let work = made.path().join("work");
        std::fs::create_dir(&work).during("making a layer")?;
        let below = directories(store, layers, made.path())?;
        let tree = made.path().join("tree");
        if let Some(top) = below.last() {
            // The root is what it was, where nothing changes it.
            alike(top, &tree).during("making a layer")?;
        }
        let root = plain::writable(&below, &tree, &work)
            .map_err(|e| Error::step(format!("stacking the layers: {e}")))?;
        Ok(Self { made, root })
    }

    /// What was written, as a layer.
    pub(super) fn finish(self, store: &Store, clamp: Option<i64>) -> Result<Layer, Error> {
        drop(self.root);
        settle(&self.made.path().join("tree"), 0, clamp)?;
        Ok(store.adopt(self.made)?)
    }
}

/// The directories of layers, lowest first; an empty one below `made` where there is none.
pub(super) fn directories(store: &Store, layers: &[Digest], made: &Path) -> Result<Vec<PathBuf>, Error> {
    if layers.is_empty() {
        let nothing = made.join("nothing");
        std::fs::create_dir_all(&nothing).during("making a layer")?;
        return Ok(vec![nothing]);
    }
    Ok(store.directories(layers))
}

/// Gives the directory `to` the owner and mode of `from`.
fn alike(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let there = std::fs::metadata(from)?;
    chown(to, Some(there.uid()), Some(there.gid()))?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(there.mode() & 0o7777))
}

/// Takes away what was made for mounts alone: `places`, where the layers show nothing, and directories that hold nothing else.
pub(super) fn clear(tree: &Path, layers: &[PathBuf], places: &[PathBuf]) -> Result<(), Error> {
    let work = || -> io::Result<()> {
        let root = open(tree)?;
        let layers = layers.iter().rev().map(|layer| open(layer)).collect::<io::Result<Vec<_>>>()?;
        for place in places {
            let mut path = place.as_path();
            // The place, then the directories above it, as long as they are empty and were made for it.
            while let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
                let Ok(above) = open_inside(root.as_fd(), parent, OFlags::RDONLY | OFlags::DIRECTORY) else {
                    break;
                };
                if !needless(above.as_fd(), name, path, &layers, path == place)? {
                    break;
                }
                path = parent;
            }
        }
        Ok(())
    };
    work().during("clearing what mounts left")
}

/// Removes one thing if it says nothing; whether it did.
fn needless(
    above: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
    layers: &[OwnedFd],
    is_place: bool,
) -> io::Result<bool> {
    let Ok(stat) = statat(above, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(true) };
    let there = below(layers, path);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if is_place && stat.st_size == 0 && !there => {
            unlinkat(above, name, AtFlags::empty())?;
            Ok(true)
        }
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let open = openat(above, name, flags, Mode::empty())?;
            let opaque = value(open.as_fd(), userns::opaque()).is_some();
            let changed = there && !unchanged(&stat, layers, path);
            if opaque || changed || !names(open.as_fd())?.is_empty() {
                return Ok(false);
            }
            unlinkat(above, name, AtFlags::REMOVEDIR)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Whether a directory that was copied up has kept its mode: its owner is mapped, and its time says that a place was made.
fn unchanged(stat: &Stat, layers: &[OwnedFd], path: &Path) -> bool {
    let inside = path.strip_prefix("/").unwrap_or(path);
    let found = layers.iter().find_map(|layer| {
        let fd = open_inside(layer.as_fd(), inside, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        fstat(fd).ok()
    });
    found.is_some_and(|there| there.st_mode == stat.st_mode)
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(path)?.into())
}

/// Makes a tree what a layer is. `base` is the host's id of root inside, 0 if ids are what they are.
pub(super) fn settle(tree: &Path, base: u32, clamp: Option<i64>) -> Result<(), Error> {
    let work = || {
        let root = open(tree)?;
        let stat = fstat(&root)?;
        let settler = Settler { base, clamp };
        settler.directory(root.as_fd(), &stat, 0)
    };
    work().during("making a layer of what was written")
}

struct Settler {
    base: u32,
    clamp: Option<i64>,
}

impl Settler {
    fn directory(&self, directory: BorrowedFd<'_>, stat: &Stat, depth: usize) -> io::Result<()> {
        if depth > DEPTH {
            return Err(io::Error::other(format!("directories stand more than {DEPTH} deep in each other")));
        }
        for name in names(directory)? {
            self.entry(directory, &name, depth)
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", Path::new(&name).display())))?;
        }
        for mark in PRIVATE {
            // Most have none.
            fremovexattr(directory, mark).unwrap_or_default();
        }
        if value(directory, userns::opaque()).is_some() {
            // An overlay that is mounted in a user namespace reads this one only.
            fsetxattr(directory, "user.overlay.opaque", b"y", XattrFlags::empty())?;
        }
        if let Some((uid, gid)) = self.owner(stat) {
            fchown(directory, Some(uid), Some(gid))?;
        }
        if let Some(times) = self.times(stat) {
            utimensat(directory, "", &times, AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }

    fn entry(&self, parent: BorrowedFd<'_>, name: &OsStr, depth: usize) -> io::Result<()> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let open = openat(parent, name, flags | OFlags::DIRECTORY, Mode::empty())?;
                return self.directory(open.as_fd(), &stat, depth + 1);
            }
            // Without its process it means nothing.
            FileType::Socket => return Ok(unlinkat(parent, name, AtFlags::empty())?),
            FileType::CharacterDevice => return Ok(()),
            FileType::RegularFile => {
                // The owner of a file with several names was set with its first.
                if let Some((uid, gid)) = self.owner(&stat) {
                    let file = openat(parent, name, flags, Mode::empty())?;
                    // A change of owner takes both away.
                    let capability = value(file.as_fd(), CAPABILITY);
                    fchown(&file, Some(uid), Some(gid))?;
                    if stat.st_mode & 0o6000 != 0 {
                        fchmod(&file, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
                    }
                    if let Some(capability) = capability {
                        fsetxattr(&file, CAPABILITY, &unbound(capability), XattrFlags::empty())?;
                    }
                }
            }
            _ => {
                if let Some((uid, gid)) = self.owner(&stat) {
                    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
        }
        if let Some(times) = self.times(&stat) {
            utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// The owner inside, where it is not that already.
    fn owner(&self, stat: &Stat) -> Option<(Uid, Gid)> {
        if self.base == 0 {
            return None;
        }
        let id = |id: u32| match id.checked_sub(self.base) {
            Some(inside) if inside < IDS => inside,
            // One with several names, which was mapped before.
            None if id < IDS => id,
            _ => NOBODY,
        };
        Some((Uid::from_raw(id(stat.st_uid)), Gid::from_raw(id(stat.st_gid))))
    }

    fn times(&self, stat: &Stat) -> Option<Timestamps> {
        let clamp = self.clamp.filter(|clamp| stat.st_mtime > *clamp)?;
        let time = Timespec { tv_sec: clamp, tv_nsec: 0 };
        Some(Timestamps { last_access: time, last_modification: time })
    }
}

/// An extended attribute, if there is one.
fn value(fd: BorrowedFd<'_>, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = fgetxattr(fd, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// File capabilities without the root that they are bound to (`struct vfs_ns_cap_data`).
fn unbound(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == 24 && value[3] == 3 {
        value[3] = 2;
        value.truncate(20);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

    #[test]
    fn owners_become_those_inside_and_links_lead_nowhere() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root gives files away");
            return;
        }
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |name: &str| tree.path().join(name);
        std::fs::write(outside.path().join("canary"), "x").unwrap();
        std::fs::write(path("suid"), "x").unwrap();
        std::fs::hard_link(path("suid"), path("second")).unwrap();
        symlink(outside.path(), path("out")).unwrap();
        for (name, owner) in [("suid", 100_005), ("out", 100_000)] {
            lchown(path(name), Some(owner), Some(owner)).unwrap();
        }
        std::fs::set_permissions(path("suid"), PermissionsExt::from_mode(0o4755)).unwrap();
        lchown(tree.path(), Some(100_000), Some(99_999)).unwrap();
        settle(tree.path(), 100_000, Some(1000)).unwrap();
        let found = |name: &str| path(name).symlink_metadata().unwrap();
        let suid = found("second");
        assert_eq!((suid.uid(), suid.mode() & 0o7777, suid.mtime()), (5, 0o4755, 1000));
        assert_eq!((found("out").uid(), found("out").mtime()), (0, 1000));
        let root = tree.path().metadata().unwrap();
        assert_eq!((root.uid(), root.gid()), (0, 65_534));
        let canary = outside.path().join("canary").metadata().unwrap();
        assert!(canary.uid() == rustix::process::geteuid().as_raw() && canary.mtime() > 1000);
    }
}
