//! A directory's content, copied with all that belongs to it: owners, modes, times, attributes, links between files.
//!
//! Everything is reached by descriptors, and no link is followed, on neither side. Ids stay what they are.

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fgetxattr, flistxattr, fsetxattr, fstat, linkat, mkdirat, mknodat, openat, readlinkat, statat,
    symlinkat, utimensat,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How deep directories may stand in each other.
const DEPTH: usize = 250;
/// The longest list of attributes, and the longest value: the kernel's own limits.
const ATTRIBUTES: usize = 64 << 10;

const LOOK: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Copies what is in the directory `from`, and its own owner, mode, times and attributes, to the empty directory `to`.
///
/// # Errors
/// What the system answers, with the path.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut copier = Copier { to, known: HashMap::new() };
    copier.directory(from, to, Path::new(""), 0)
}

/// Gives `to` the owner, mode, attributes and times of `from`.
///
/// # Errors
/// What the system answers.
pub fn alike(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let stat = fstat(from)?;
    own(to, &stat)?;
    attributes(from, to)?;
    times(to, &stat)
}

struct Copier<'a> {
    to: BorrowedFd<'a>,
    /// Where a file with several names was put first.
    known: HashMap<(u64, u64), PathBuf>,
}

fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    let path = path.display().to_string();
    move |e| {
        let e: io::Error = e.into();
        io::Error::new(e.kind(), format!("{path}: {e}"))
    }
}

impl Copier<'_> {
    fn directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEPTH {
            return Err(io::Error::other(format!(
                "{}: directories stand more than {DEPTH} deep",
                path.display()
            )));
        }
        for entry in Dir::read_from(from).map_err(at(path))? {
            let entry = entry.map_err(at(path))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                self.entry(from, to, name, &path.join(name), depth)?;
            }
        }
        // Last, for what is put in changes the times.
        alike(from, to).map_err(at(path))
    }

    fn entry(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 {
            let file = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.known.get(&file) {
                return linkat(self.to, first, to, name, AtFlags::empty()).map_err(at(path));
            }
            self.known.insert(file, path.to_owned());
        }
        match kind {
            FileType::Directory => {
                let inner: OwnedFd =
                    openat(from, name, LOOK | OFlags::DIRECTORY, Mode::empty()).map_err(at(path))?;
                mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(at(path))?;
                let made = openat(to, name, LOOK | OFlags::DIRECTORY, Mode::empty()).map_err(at(path))?;
                self.directory(inner.as_fd(), made.as_fd(), path, depth + 1)
            }
            FileType::RegularFile => file(from, to, name, &stat).map_err(at(path)),
            FileType::Symlink => link(from, to, name, &stat).map_err(at(path)),
            FileType::Fifo | FileType::Socket => special(to, name, kind, &stat).map_err(at(path)),
            // Devices of an image are never made.
            _ => Ok(()),
        }
    }
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let mut source = File::from(openat(from, name, LOOK, Mode::empty())?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut made = File::from(openat(to, name, flags, Mode::from_raw_mode(0o600))?);
    io::copy(&mut source, &mut made)?;
    own(made.as_fd(), stat)?;
    // After the owner: changing that takes a file's capabilities away.
    attributes(source.as_fd(), made.as_fd())?;
    times(made.as_fd(), stat)
}

fn link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let target = readlinkat(from, name, Vec::new())?;
    symlinkat(target.as_c_str(), to, name)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(utimensat(to, name, &stamps(stat), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn special(to: BorrowedFd<'_>, name: &OsStr, kind: FileType, stat: &Stat) -> io::Result<()> {
    mknodat(to, name, kind, Mode::from_raw_mode(stat.st_mode & 0o777), 0)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(utimensat(to, name, &stamps(stat), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The owner first: changing it clears the bits that a mode may have beyond the usual.
fn own(made: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    rustix::fs::fchown(made, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    Ok(fchmod(made, Mode::from_raw_mode(stat.st_mode & 0o7777))?)
}

fn times(made: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    Ok(utimensat(made, "", &stamps(stat), AtFlags::EMPTY_PATH)?)
}

fn stamps(stat: &Stat) -> Timestamps {
    let time = |tv_sec, nanos: u64| Timespec { tv_sec, tv_nsec: i64::try_from(nanos).unwrap_or(0) };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Those that a container could have set itself, and the capabilities of a file.
fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut names = vec![0; ATTRIBUTES];
    let length = match flistxattr(from, names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    names.truncate(length);
    for name in names.split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let mine = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        if !mine && name != b"security.capability" && !name.starts_with(b"system.posix_acl_") {
            continue;
        }
        let mut value = vec![0; ATTRIBUTES];
        let name = CString::new(name).map_err(io::Error::other)?;
        let length = fgetxattr(from, name.as_c_str(), value.as_mut_slice())?;
        match fsetxattr(to, name.as_c_str(), &value[..length], XattrFlags::empty()) {
            // A filesystem that has none does without.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// Opens the directory `path` of the host's own, to be copied from or to.
///
/// # Errors
/// What the system answers.
pub fn directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    openat(CWD, path, LOOK | OFlags::DIRECTORY, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn what_is_copied_is_the_same_and_no_link_is_followed() {
        let (from, to, outside) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (a, b) = (from.path(), to.path());
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::fs::create_dir_all(a.join("dir/in")).unwrap();
        std::fs::write(a.join("dir/one"), "text").unwrap();
        std::fs::hard_link(a.join("dir/one"), a.join("two")).unwrap();
        symlink(outside.path(), a.join("out")).unwrap();
        symlink(outside.path().join("secret"), a.join("dir/secret")).unwrap();
        for (name, mode) in [("dir/one", 0o4711), ("dir", 0o1777), ("", 0o751)] {
            std::fs::set_permissions(a.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let xattr = |file: &File, value: &[u8]| fsetxattr(file, "user.a", value, XattrFlags::empty());
        let has_xattrs = xattr(&File::open(a.join("two")).unwrap(), b"1").is_ok();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_007);
        for name in ["two", "dir", ""] {
            File::open(a.join(name)).unwrap().set_modified(old).unwrap();
        }
        copy(directory(a).unwrap().as_fd(), directory(b).unwrap().as_fd()).unwrap();
        for name in ["", "dir", "dir/in", "dir/one", "two"] {
            let (x, y) = (a.join(name).symlink_metadata().unwrap(), b.join(name).symlink_metadata().unwrap());
            assert_eq!(
                (x.mode(), x.uid(), x.mtime(), x.nlink()),
                (y.mode(), y.uid(), y.mtime(), y.nlink()),
                "{name}"
            );
        }
        assert_eq!(b.join("two").metadata().unwrap().ino(), b.join("dir/one").metadata().unwrap().ino());
        assert_eq!(std::fs::read_link(b.join("out")).unwrap(), outside.path());
        assert!(b.join("dir/secret").symlink_metadata().unwrap().is_symlink());
        if has_xattrs {
            let mut value = [0; 8];
            let file = File::open(b.join("two")).unwrap();
            assert_eq!(fgetxattr(&file, "user.a", &mut value[..]).unwrap(), 1);
        }
    }
}
