//! Directories listed, files opened.

use super::spot::{self};
use super::{Error, UNFINISHED, encode, told, told_io};
use crate::engine::Engine;
use crate::engine::pipe::Writer;
use crate::image::place::open_inside;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use sandlot_wire::files::{ENTRIES, Entry, Kind, Listing};
use std::ffi::OsStr;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An open file.
#[derive(Debug)]
pub struct File {
    file: std::fs::File,
    /// Bytes.
    pub size: u64,
    /// See [`Entry::tag`].
    pub tag: String,
}

/// What stands at a path.
#[derive(Debug)]
pub enum Opened {
    /// A directory.
    Directory(Listing),
    /// A file.
    File(File),
}

impl Engine {
    /// What stands at `path` in a container: links are followed inside.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Kind`] for pipes, sockets and devices; [`Error::Refused`] for what the kernel makes up.
    pub async fn browse(&self, key: &str, path: PathBuf) -> Result<Opened, Error> {
        let container = self.find(key)?;
        self.with_root(container, move |root, _| Ok(open(root, &path))).await?
    }
}

impl File {
    /// Writes `length` bytes from `start` to `out`, on the calling thread.
    ///
    /// # Errors
    /// What reading answers; whoever reads `out` gets to see it.
    pub fn send(mut self, start: u64, length: u64, out: Writer) -> std::io::Result<()> {
        out.fill(|out| {
            self.file.seek(SeekFrom::Start(start))?;
            let sent = std::io::copy(&mut self.file.take(length), out)?;
            // A length was promised: what became shorter meanwhile must not look whole.
            if sent < length { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        })
    }
}

fn open(root: BorrowedFd<'_>, path: &Path) -> Result<Opened, Error> {
    // By O_PATH nothing is opened yet: a pipe would hang, a device might do something.
    let found = open_inside(root, path, OFlags::PATH).map_err(told(path))?;
    let stat = fstat(&found).map_err(told(path))?;
    match kind(&stat) {
        Kind::Directory => {
            spot::real(found.as_fd(), path)?;
            Ok(Opened::Directory(list(root, &found, path)?))
        }
        Kind::File => {
            spot::real(found.as_fd(), path)?;
            let file = std::fs::File::from(again(&found, OFlags::RDONLY).map_err(told(path))?);
            let stat = fstat(&file).map_err(told(path))?;
            Ok(Opened::File(File { file, size: size(&stat), tag: tag(&stat) }))
        }
        Kind::Link | Kind::Other => Err(special(path)),
    }
}

/// Pipes, sockets, devices.
pub(super) fn special(path: &Path) -> Error {
    Error::Kind(format!("{} is a pipe, a socket or a device: only files can be opened", path.display()))
}

/// Opens what a descriptor stands for, and nothing else, whatever has its name by now.
pub(super) fn again(found: &OwnedFd, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(CWD, format!("/proc/self/fd/{}", found.as_raw_fd()), flags, Mode::empty())
}

fn list(root: BorrowedFd<'_>, directory: &OwnedFd, path: &Path) -> Result<Listing, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(directory, ".", flags, Mode::empty()).map_err(told(path))?;
    let mut entries = Vec::new();
    for entry in Dir::read_from(&directory).map_err(told(path))? {
        let entry = entry.map_err(told(path))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if matches!(name.as_bytes(), b"." | b"..") || name.as_bytes().starts_with(UNFINISHED) {
            continue;
        }
        if entries.len() == ENTRIES {
            return Ok(Listing { entries, truncated: true });
        }
        match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => entries.push(shown(root, &path.join(name), name, &stat)),
            // It has just gone.
            Err(Errno::NOENT) => {}
            Err(e) => return Err(told_io(path, e.into())),
        }
    }
    Ok(Listing { entries, truncated: false })
}

fn shown(root: BorrowedFd<'_>, path: &Path, name: &OsStr, stat: &Stat) -> Entry {
    let leads_to = (kind(stat) == Kind::Link)
        .then(|| open_inside(root, path, OFlags::PATH).and_then(fstat).ok())
        .flatten()
        .map(|stat| kind(&stat));
    Entry {
        name: encode(name),
        kind: kind(stat),
        leads_to,
        size: size(stat),
        changed: stat.st_mtime.saturating_mul(1000).saturating_add(nanos(stat.st_mtime_nsec) / 1_000_000),
        mode: stat.st_mode & 0o7777,
        tag: tag(stat),
    }
}

pub(super) fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn nanos(nanos: impl TryInto<i64>) -> i64 {
    nanos.try_into().unwrap_or(0)
}

/// Another one after every change: size, and both times to the nanosecond.
pub(super) fn tag(stat: &Stat) -> String {
    let (changed, touched) = (nanos(stat.st_mtime_nsec), nanos(stat.st_ctime_nsec));
    format!("{:x}-{:x}.{changed:x}-{:x}.{touched:x}", size(stat), stat.st_mtime, stat.st_ctime)
}
