//! What an unpacked file has beside its bytes: owner, mode, times, extended attributes, as far as a layer may say.

use super::unpack::{Error, at};
use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr, utimensat,
};
use rustix::io::Errno;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;
use tar::Entry;

/// Owner, mode and extended attributes of a file or directory that is open.
pub(super) fn dress(
    fd: BorrowedFd<'_>,
    header: &tar::Header,
    entry: &mut Entry<'_, impl Read>,
    path: &Path,
) -> Result<(), Error> {
    let (uid, gid) = owner(header, path)?;
    fchown(fd, Some(uid), Some(gid)).map_err(at(path))?;
    fchmod(fd, Mode::from_raw_mode(header.mode().unwrap_or(0o644) & 0o7777)).map_err(at(path))?;
    let Some(extensions) = entry.pax_extensions().map_err(at(path))? else { return Ok(()) };
    for extension in extensions {
        let extension = extension.map_err(at(path))?;
        let Some(name) = extension.key().ok().and_then(|k| k.strip_prefix("SCHILY.xattr.")) else { continue };
        // What an overlay or the host's own tools would believe does not come out of an image.
        if name.starts_with("trusted.") || name.contains("overlay.") {
            continue;
        }
        match fsetxattr(fd, name, extension.value_bytes(), XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(e) => return Err(at(path)(e)),
        }
    }
    Ok(())
}

fn owner(header: &tar::Header, path: &Path) -> Result<(Uid, Gid), Error> {
    // A container has 65,536 ids; what lies beyond belongs to nobody there.
    let id = |n: io::Result<u64>| n.map(|n| u32::try_from(n).ok().filter(|n| *n < 65_536).unwrap_or(65_534));
    let uid = id(header.uid()).map_err(at(path))?;
    let gid = id(header.gid()).map_err(at(path))?;
    Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
}

/// The owner of what cannot be opened.
pub(super) fn own(
    parent: BorrowedFd<'_>,
    name: &Path,
    header: &tar::Header,
    path: &Path,
) -> Result<(), Error> {
    let (uid, gid) = owner(header, path)?;
    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))
}

/// A time as it is set.
pub(super) fn stamps(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// The times of what cannot be opened.
pub(super) fn times(parent: BorrowedFd<'_>, name: &Path, seconds: u64, path: &Path) -> Result<(), Error> {
    utimensat(parent, name, &stamps(seconds), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))
}
