//! Copying into a layer that is being made, as `COPY` does it: by descriptors on both sides, never through a link of either.
//!
//! Targets are resolved by the kernel inside the new root; what is there is replaced, not written through.

use super::excludes::Excludes;
use super::sources::{self, Item, Kind};
use crate::image::pack::names;
use crate::image::place::open_inside;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod,
    fchown, fgetxattr, flistxattr, fsetxattr, linkat, mkdirat, mknodat, openat, readlinkat, statat,
    symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How deep directories may stand in each other.
const DEPTH: usize = 250;

/// How things are copied.
pub(super) struct Copying<'a> {
    /// The new root.
    pub(super) root: BorrowedFd<'a>,
    /// What the sources come from.
    pub(super) from: Kind,
    /// To whom all belongs, where `--chown` says.
    pub(super) owner: Option<(u32, u32)>,
    /// Which mode all has, where `--chmod` says.
    pub(super) mode: Option<u32>,
    /// What is left out.
    pub(super) excludes: &'a Excludes,
    /// Bytes that may still be copied.
    pub(super) left: u64,
    /// Files with several names: where the first was put.
    pub(super) links: HashMap<(u64, u64), (PathBuf, OsString)>,
}

fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    let path = path.display().to_string();
    move |e| {
        let e: io::Error = e.into();
        io::Error::new(e.kind(), format!("{path}: {e}"))
    }
}

impl Copying<'_> {
    /// Opens a directory of the new root, making what is missing.
    pub(super) fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        match open_inside(self.root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT) if path.file_name().is_some() => {}
            Err(Errno::NOTDIR) => {
                return Err(io::Error::other(format!("cannot copy to non-directory: {}", path.display())));
            }
            other => return other.map_err(at(path)),
        }
        let above = self.directory(path.parent().unwrap_or(Path::new("/")))?;
        let name = path.file_name().unwrap_or_default();
        mkdirat(&above, name, Mode::from_raw_mode(0o755)).map_err(at(path))?;
        let made = openat(&above, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let made = made.map_err(at(path))?;
        let (uid, gid) = self.owner.unwrap_or_default();
        fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(at(path))?;
        fchmod(&made, Mode::from_raw_mode(0o755)).map_err(at(path))?;
        Ok(made)
    }

    /// Copies one item to `target`; `into` says that this is a directory for it.
    pub(super) fn item(&mut self, item: &Item, target: &Path, into: bool) -> io::Result<()> {
        if item.kind == FileType::Directory {
            let to = self.directory(target)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let from = openat(&item.parent, &item.name, flags, Mode::empty()).map_err(at(&item.path))?;
            return self.children(from.as_fd(), (to.as_fd(), target), Path::new(""), 0);
        }
        let there = || open_inside(self.root, target, OFlags::PATH | OFlags::DIRECTORY).is_ok();
        let target = match into || there() {
            true => target.join(item.path.file_name().unwrap_or(&item.name)),
            false => target.to_owned(),
        };
        let parent = target.parent().unwrap_or(Path::new("/"));
        let to = self.directory(parent)?;
        let name = target.file_name().unwrap_or_default().to_owned();
        let from = (item.parent.as_fd(), item.name.as_os_str());
        self.entry(from, (to.as_fd(), parent, &name), Path::new(&item.name), 0)
    }

    /// Writes a file that stands in the Dockerfile.
    pub(super) fn text(&self, name: &str, content: &[u8], target: &Path, into: bool) -> io::Result<()> {
        let there = || open_inside(self.root, target, OFlags::PATH | OFlags::DIRECTORY).is_ok();
        let target = if into || there() { target.join(name) } else { target.to_owned() };
        let to = self.directory(target.parent().unwrap_or(Path::new("/")))?;
        let name = target.file_name().unwrap_or_default();
        clear(to.as_fd(), name).map_err(at(&target))?;
        let mut file = create(to.as_fd(), name).map_err(at(&target))?;
        file.write_all(content).map_err(at(&target))?;
        let (uid, gid) = self.owner.unwrap_or_default();
        fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(at(&target))?;
        fchmod(&file, Mode::from_raw_mode(self.mode.unwrap_or(0o644))).map_err(at(&target))?;
        // What has no time of its own was written at the beginning: it is the same each time.
        utimensat(to.as_fd(), name, &stamps(0, 0), AtFlags::SYMLINK_NOFOLLOW).map_err(at(&target))
    }

    fn children(
        &mut self,
        from: BorrowedFd<'_>,
        (to, place): (BorrowedFd<'_>, &Path),
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        for name in names(from).map_err(at(path))? {
            let path = path.join(&name);
            if !self.excludes.hide(&path) {
                self.entry((from, &name), (to, place, &name), &path, depth)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: (BorrowedFd<'_>, &OsStr),
        (to, place, name): (BorrowedFd<'_>, &Path, &OsStr),
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        let stat = statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return self.subdirectory(from, (to, place, name), &stat, path, depth);
        }
        if !matches!(kind, FileType::RegularFile | FileType::Symlink | FileType::Fifo) {
            // Devices and sockets mean nothing in an image.
            return Ok(());
        }
        clear(to, name).map_err(at(path))?;
        let (uid, gid) = self.ids(&stat);
        match kind {
            FileType::Symlink => {
                let target = readlinkat(from.0, from.1, Vec::new()).map_err(at(path))?;
                symlinkat(target, to, name).map_err(at(path))?;
                chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))?;
            }
            FileType::Fifo => {
                mknodat(to, name, FileType::Fifo, Mode::from_raw_mode(0o600), 0).map_err(at(path))?;
                chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))?;
                rustix::fs::chmodat(to, name, self.mode(&stat), AtFlags::empty()).map_err(at(path))?;
            }
            _ => {
                if stat.st_nlink > 1 {
                    if let Some((place, first)) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                        let holder = open_inside(self.root, place, OFlags::PATH | OFlags::DIRECTORY);
                        let holder = holder.map_err(at(path))?;
                        return linkat(&holder, first, to, name, AtFlags::empty()).map_err(at(path));
                    }
                    self.links.insert((stat.st_dev, stat.st_ino), (place.to_owned(), name.to_owned()));
                }
                self.file(from, (to, name), &stat).map_err(at(path))?;
            }
        }
        let times = stamps(stat.st_mtime, 0);
        utimensat(to, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))
    }

    fn file(
        &mut self,
        from: (BorrowedFd<'_>, &OsStr),
        to: (BorrowedFd<'_>, &OsStr),
        stat: &Stat,
    ) -> io::Result<()> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let left = self.left.checked_sub(size);
        self.left =
            left.ok_or_else(|| io::Error::other("the layer has more bytes than this engine allows"))?;
        let mut source = sources::open(from.0, from.1)?;
        let mut file = create(to.0, to.1)?;
        io::copy(&mut source, &mut file)?;
        let (uid, gid) = self.ids(stat);
        fchown(&file, Some(uid), Some(gid))?;
        fchmod(&file, self.mode(stat))?;
        if self.from == Kind::Image {
            attributes(source.as_fd(), file.as_fd())?;
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        from: (BorrowedFd<'_>, &OsStr),
        (to, place, name): (BorrowedFd<'_>, &Path, &OsStr),
        stat: &Stat,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if depth >= DEPTH {
            return Err(at(path)(io::Error::other(format!("directories stand more than {DEPTH} deep"))));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(from.0, from.1, flags, Mode::empty()).map_err(at(path))?;
        let place = place.join(name);
        let made = match mkdirat(to, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => openat(to, name, flags, Mode::empty()),
            // What is there may be a link to a directory of the image.
            Err(Errno::EXIST) => open_inside(self.root, &place, OFlags::RDONLY | OFlags::DIRECTORY),
            Err(e) => Err(e),
        };
        let made = made.map_err(|e| match e {
            Errno::NOTDIR | Errno::NOENT => {
                io::Error::other(format!("cannot copy to non-directory: {}", place.display()))
            }
            e => at(path)(e),
        })?;
        let (uid, gid) = self.ids(stat);
        fchown(&made, Some(uid), Some(gid)).map_err(at(path))?;
        fchmod(&made, self.mode(stat)).map_err(at(path))?;
        self.children(source.as_fd(), (made.as_fd(), &place), path, depth + 1)?;
        utimensat(&made, "", &stamps(stat.st_mtime, 0), AtFlags::EMPTY_PATH).map_err(at(path))
    }

    fn ids(&self, stat: &Stat) -> (Uid, Gid) {
        let (uid, gid) = self.owner.unwrap_or(match self.from {
            Kind::Context => (0, 0),
            Kind::Image => (stat.st_uid, stat.st_gid),
        });
        (Uid::from_raw(uid), Gid::from_raw(gid))
    }

    fn mode(&self, stat: &Stat) -> Mode {
        Mode::from_raw_mode(self.mode.unwrap_or(stat.st_mode) & 0o7777)
    }
}

/// Takes away what stands where a file is to be; a directory stays, and is an error.
fn clear(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => Err(io::Error::other("cannot overwrite a directory with a file")),
        Err(e) => Err(e.into()),
    }
}

fn create(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::from_raw_mode(0o600))?.into())
}

/// Extended attributes that mean something elsewhere.
fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut list = vec![0; 64 << 10];
    let length = match flistxattr(from, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(e) => return Err(e.into()),
    };
    for name in list[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let own = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        if own || name == b"security.capability" {
            let mut value = vec![0; 64 << 10];
            let length = fgetxattr(from, OsStr::from_bytes(name), &mut value[..])?;
            fsetxattr(to, OsStr::from_bytes(name), &value[..length], XattrFlags::empty())?;
        }
    }
    Ok(())
}

fn stamps(seconds: i64, nanos: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
    Timestamps { last_access: time, last_modification: time }
}
