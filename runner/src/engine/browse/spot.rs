//! Where something stands: the directory, by descriptor, and the name in it.

use super::{Error, told};
use crate::image::pack::made_up;
use crate::image::place::open_inside;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, chownat, fstatfs, mkdirat, readlinkat, statat};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many links may lead to each other.
const LINKS: usize = 40;
/// How deep directories are made that are missing.
const DEPTH: usize = 100;
/// `TMPFS_MAGIC`
const TMPFS: i64 = 0x0102_1994;

/// See the module.
pub(super) struct Spot {
    pub(super) parent: OwnedFd,
    pub(super) name: OsString,
    /// The path by which it was found.
    pub(super) path: PathBuf,
}

/// To whom what is made belongs (ids of the host).
pub(super) type Owner = (u32, u32);

impl Spot {
    /// The place that `path` names; its last name is not followed if it is a link.
    pub(super) fn of(root: BorrowedFd<'_>, path: &Path) -> Result<Self, Error> {
        let (above, name) = split(path)?;
        let parent = open_inside(root, &above, OFlags::PATH | OFlags::DIRECTORY);
        Ok(Self { parent: parent.map_err(told(&above))?, name, path: path.to_owned() })
    }

    /// The same, where directories that are missing are made.
    pub(super) fn with_parents(root: BorrowedFd<'_>, path: &Path, owner: Owner) -> Result<Self, Error> {
        let (above, name) = split(path)?;
        let parent = directory(root, &above, owner, DEPTH)?;
        Ok(Self { parent, name, path: path.to_owned() })
    }

    /// The place of what a link leads to in the end, inside the root; which need not be there.
    pub(super) fn followed(self, root: BorrowedFd<'_>) -> Result<Self, Error> {
        let mut at = self;
        for _ in 0..LINKS {
            let is_link = at.stat()?.is_some_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Symlink);
            if !is_link {
                return Ok(at);
            }
            let to = readlinkat(&at.parent, &at.name, Vec::new()).map_err(told(&at.path))?;
            // An absolute target replaces all of it; `..` is left to the kernel.
            let to = at.path.parent().unwrap_or(Path::new("/")).join(OsStr::from_bytes(to.to_bytes()));
            at = Self::of(root, &to)?;
        }
        Err(told(&at.path)(Errno::LOOP))
    }

    /// What stands there, if anything does.
    pub(super) fn stat(&self) -> Result<Option<Stat>, Error> {
        match statat(&self.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(told(&self.path)(e)),
        }
    }

    /// Refuses what the kernel makes up, and what would fill the host's memory instead of the container's disk.
    pub(super) fn writable(&self) -> Result<(), Error> {
        real(self.parent.as_fd(), &self.path)?;
        if fstatfs(&self.parent).map_err(told(&self.path))?.f_type == TMPFS {
            let words = "lives in the session's memory: write it in the terminal";
            return Err(Error::Refused(format!("{} {words}", self.path.display())));
        }
        Ok(())
    }
}

/// Refuses what the kernel makes up: we have the host's rights there.
pub(super) fn real(fd: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    match made_up(fd) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Refused(format!(
            "the kernel makes up what is at {}: look at it in the terminal",
            path.display()
        ))),
        Err(e) => Err(super::told_io(path, e)),
    }
}

/// The directory above, and the last name, which must be one.
fn split(path: &Path) -> Result<(PathBuf, OsString), Error> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(Error::Kind("a path has no zero byte".into()));
    }
    let end = bytes.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
    let start = bytes[..end].iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    let name = &bytes[start..end];
    if matches!(name, b"" | b"." | b"..") {
        return Err(Error::Kind(format!("{} names nothing in a directory", path.display())));
    }
    let above = if start == 0 { b"/".to_vec() } else { bytes[..start].to_vec() };
    Ok((PathBuf::from(OsString::from_vec(above)), OsStr::from_bytes(name).to_owned()))
}

fn directory(root: BorrowedFd<'_>, path: &Path, owner: Owner, depth: usize) -> Result<OwnedFd, Error> {
    let open = || open_inside(root, path, OFlags::PATH | OFlags::DIRECTORY);
    match open() {
        Err(Errno::NOENT) if depth > 0 => {}
        other => return other.map_err(told(path)),
    }
    let (above, name) = split(path)?;
    let parent = directory(root, &above, owner, depth - 1)?;
    let spot = Spot { parent, name, path: path.to_owned() };
    spot.writable()?;
    spot.make_directory(owner)?;
    open().map_err(told(path))
}

impl Spot {
    /// Makes a directory here; one that is there is an error.
    pub(super) fn make_directory(&self, (uid, gid): Owner) -> Result<(), Error> {
        mkdirat(&self.parent, &self.name, Mode::from_raw_mode(0o755)).map_err(told(&self.path))?;
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        chownat(&self.parent, &self.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(told(&self.path))
    }
}
