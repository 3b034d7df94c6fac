//! What a container has changed in its root: the upper directory of its overlay, compared with the layers below.
//!
//! The upper directory is the container's: it is walked by descriptors, never through a link.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::record::Record;
use crate::image::place::open_inside;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fgetxattr, openat, statat};
use rustix::io::Errno;
use sandlot_sys::userns;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The most changes that are told.
const CHANGES: usize = 1_000_000;
/// How deep directories may stand in each other.
const DEPTH: usize = 250;
/// What is put into every root so that something can be mounted there.
const PLACES: [&str; 6] = ["/dev", "/proc", "/sys", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What of.
    pub path: PathBuf,
    /// Which.
    pub kind: Kind,
}

/// What happened to a path; the numbers are Docker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was changed, or something in it was.
    Changed = 0,
    /// It is new.
    Added = 1,
    /// It is gone.
    Deleted = 2,
}

impl Engine {
    /// All changes, in order.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what reading answers.
    pub async fn changes(&self, key: &str) -> Result<Vec<Change>, Error> {
        let container = self.find(key)?;
        let record = container.record();
        let image = self
            .images
            .resolve(&record.image)
            .map_err(|_| Error::not_found("image", record.image.clone()))?;
        let upper = self.upper(&container).await?;
        let doing = || "comparing with the image".to_owned();
        let places = places(&record);
        let walk = move || {
            let layers =
                image.layers.iter().rev().map(|layer| open(layer)).collect::<io::Result<Vec<_>>>()?;
            let mut walk = Walk { layers, places, found: Vec::new() };
            walk.directory(open(&upper)?.as_fd(), Path::new("/"), 0)?;
            Ok(walk.found)
        };
        let done = tokio::task::spawn_blocking(walk).await.map_err(io::Error::other).doing(doing)?;
        done.map_err(|source: io::Error| Error::Io { what: doing(), source })
    }
}

impl Engine {
    /// Bytes that a container has written and not deleted again; what cannot be read counts nothing.
    pub async fn written(&self, container: &Container) -> u64 {
        let record = container.record();
        let limited = super::validate::check(&record.config, &record.host, &self.settings)
            .is_ok_and(|checked| checked.disk.is_some());
        let (engine, id, upper) = (self.clone(), container.id.clone(), container.dir.join("upper"));
        let count = move || {
            // A disk is not made for this.
            let upper = if limited { engine.disks.open(&id).ok()?.upper() } else { upper };
            Some(bytes(open(&upper).ok()?.as_fd(), 0))
        };
        tokio::task::spawn_blocking(count).await.ok().flatten().unwrap_or(0)
    }
}

/// Bytes in a directory; what cannot be read counts nothing.
pub(super) fn size(path: &Path) -> u64 {
    open(path).map_or(0, |fd| bytes(fd.as_fd(), 0))
}

/// The bytes of all files below a directory.
pub(super) fn bytes(directory: BorrowedFd<'_>, depth: usize) -> u64 {
    let one = |name: &std::ffi::CStr| -> Option<u64> {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory || depth >= DEPTH {
            return u64::try_from(stat.st_size).ok();
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Some(bytes(openat(directory, name, flags, Mode::empty()).ok()?.as_fd(), depth + 1))
    };
    let entries = Dir::read_from(directory).into_iter().flatten().flatten();
    let entries = entries.filter(|e| !matches!(e.file_name().to_bytes(), b"." | b".."));
    entries.filter_map(|entry| one(entry.file_name())).sum()
}

/// The paths that are there for mounts alone.
pub(super) fn places(record: &Record) -> Vec<PathBuf> {
    let asked = record.mounts.iter().map(|mount| mount.target.as_str());
    PLACES.into_iter().chain(asked).map(PathBuf::from).collect()
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(path)?.into())
}

struct Walk {
    /// The top one first.
    layers: Vec<OwnedFd>,
    places: Vec<PathBuf>,
    found: Vec<Change>,
}

impl Walk {
    fn directory(&mut self, directory: BorrowedFd<'_>, path: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH {
            return Err(io::Error::other(format!(
                "{}: directories stand more than {DEPTH} deep",
                path.display()
            )));
        }
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names {
            self.entry(directory, OsStr::from_bytes(&name), &path.join(OsStr::from_bytes(&name)), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize) -> io::Result<()> {
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let below = below(&self.layers, path);
        let change = match kind {
            FileType::CharacterDevice if stat.st_rdev == 0 => Kind::Deleted,
            _ if below => Kind::Changed,
            _ => Kind::Added,
        };
        // Hiding what was not there is no change.
        if change == Kind::Deleted && !below {
            return Ok(());
        }
        let before = self.found.len();
        self.found.push(Change { path: path.to_owned(), kind: change });
        if self.found.len() > CHANGES {
            return Err(io::Error::other(format!("there are more than {CHANGES} changes")));
        }
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(parent, name, flags, Mode::empty()) {
                // It has become something else meanwhile.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                other => self.directory(other?.as_fd(), path, depth + 1)?,
            }
        }
        let alone = self.found.len() == before + 1;
        let empty = kind == FileType::Directory || stat.st_size == 0;
        let place = change != Kind::Deleted && alone && empty && self.places.iter().any(|p| p == path);
        // A directory that holds nothing but such places was touched for them alone.
        let emptied =
            kind == FileType::Directory && change == Kind::Changed && alone && self.holds_places(path);
        if place || emptied {
            self.found.truncate(before);
        }
        Ok(())
    }

    fn holds_places(&self, path: &Path) -> bool {
        self.places.iter().any(|place| place.parent() == Some(path))
    }
}

/// Whether the layers, the top one first, show something at `path`.
pub(super) fn below(layers: &[OwnedFd], path: &Path) -> bool {
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    for layer in layers {
        match seen(layer.as_fd(), &names) {
            Ok(Seen::There) => return true,
            Ok(Seen::Hidden) => return false,
            // What cannot be read shows nothing.
            Ok(Seen::Nothing) | Err(_) => {}
        }
    }
    false
}

enum Seen {
    There,
    /// It is not there, and what lies below does not show either.
    Hidden,
    Nothing,
}

fn seen(layer: BorrowedFd<'_>, names: &[&OsStr]) -> rustix::io::Result<Seen> {
    let Some((last, above)) = names.split_last() else { return Ok(Seen::There) };
    let mut opaque = false;
    let mut directory = open_inside(layer, Path::new("."), OFlags::RDONLY | OFlags::DIRECTORY)?;
    for name in above.iter().chain(std::iter::once(last)) {
        let stat = match statat(&directory, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(if opaque { Seen::Hidden } else { Seen::Nothing }),
            other => other?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
            return Ok(Seen::Hidden);
        }
        if std::ptr::eq(name, last) {
            return Ok(Seen::There);
        }
        if kind != FileType::Directory {
            return Ok(Seen::Hidden);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = openat(&directory, *name, flags, Mode::empty())?;
        let mut value = [0; 1];
        opaque |= fgetxattr(&directory, userns::opaque(), &mut value[..]) == Ok(1) && value == *b"y";
    }
    Ok(Seen::There)
}
