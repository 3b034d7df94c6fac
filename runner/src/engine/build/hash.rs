//! The digest of what is copied: names, modes, content, targets of links; no times, so that a fresh checkout is the same.

use super::excludes::Excludes;
use super::sources::{self, Item, Kind};
use crate::image::Hasher;
use crate::image::pack::names;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, readlinkat, statat};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How deep directories may stand in each other.
const DEPTH: usize = 250;

/// Adds an item, with all that is in it.
pub(super) fn item(hasher: &mut Hasher, item: &Item, kind: Kind, excludes: &Excludes) -> io::Result<()> {
    let mut walk = Walk { hasher, kind, excludes };
    walk.part(item.path.as_os_str().as_bytes());
    walk.entry(item.parent.as_fd(), &item.name, Path::new(""), 0)
}

struct Walk<'a> {
    hasher: &'a mut Hasher,
    kind: Kind,
    excludes: &'a Excludes,
}

impl Walk<'_> {
    /// Bytes with their length: two of them cannot be taken for one.
    fn part(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH {
            return Err(io::Error::other(format!("directories stand more than {DEPTH} deep in each other")));
        }
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.part(name.as_bytes());
        let owner = match self.kind {
            Kind::Context => (0, 0),
            Kind::Image => (stat.st_uid, stat.st_gid),
        };
        self.part(format!("{:o} {} {}", stat.st_mode, owner.0, owner.1).as_bytes());
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let open = openat(parent, name, flags, Mode::empty())?;
                for name in names(open.as_fd())? {
                    let path = path.join(&name);
                    if !self.excludes.hide(&path) {
                        self.entry(open.as_fd(), &name, &path, depth + 1)?;
                    }
                }
                self.part(b"end");
            }
            FileType::RegularFile => {
                let mut file = sources::open(parent, name)?;
                let mut buffer = vec![0; 128 << 10];
                self.hasher.update(&u64::try_from(stat.st_size).unwrap_or(0).to_le_bytes());
                loop {
                    match file.read(&mut buffer)? {
                        0 => break,
                        n => self.hasher.update(&buffer[..n]),
                    }
                }
            }
            FileType::Symlink => {
                let to = readlinkat(parent, name, Vec::new())?;
                self.part(to.to_bytes());
            }
            _ => {}
        }
        Ok(())
    }
}
