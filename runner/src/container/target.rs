//! Finding, and if need be making, the place in a container's root that something is mounted on.
//!
//! All paths are resolved by the kernel inside the root (`openat2(2)`, `RESOLVE_IN_ROOT`), to a descriptor that is then
//! mounted on: a link swapped in between changes nothing (CVE-2021-30465 and its kin).

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::{Errno, Result};
use std::os::fd::{BorrowedFd, OwnedFd};

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// What is done with symbolic links on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They are followed, inside the root.
    Inside,
    /// They are an error (`ELOOP`): an image whose `/proc` or `/dev` is a link wants something of us.
    Refused,
}

/// Opens the directory at `path` in `root` (`O_PATH`), making what is missing.
///
/// # Errors
/// What the system answers; `ENOTDIR` if something else is there.
pub fn directory(root: BorrowedFd<'_>, path: &str, links: Links) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = match links {
        Links::Inside => INSIDE,
        Links::Refused => INSIDE | ResolveFlags::NO_SYMLINKS,
    };
    match openat2(root, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let (parent, name) = parent(root, path)?;
    match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) | Ok(()) => openat(&parent, name, flags | OFlags::NOFOLLOW, Mode::empty()),
        Err(other) => Err(other),
    }
}

/// Opens the file at `path` in `root` (`O_PATH`), making an empty one (and its directories) if there is none.
///
/// # Errors
/// What the system answers.
pub fn file(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(root, path, flags, Mode::empty(), INSIDE) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let (parent, name) = parent(root, path)?;
    let make = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat(&parent, name, make, Mode::from_raw_mode(0o644)) {
        Err(Errno::EXIST) | Ok(_) => openat(&parent, name, flags | OFlags::NOFOLLOW, Mode::empty()),
        Err(other) => Err(other),
    }
}

fn parent<'p>(root: BorrowedFd<'_>, path: &'p str) -> Result<(OwnedFd, &'p str)> {
    let path = path.trim_end_matches('/');
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() || name == "." || name == ".." {
        return Err(Errno::INVAL);
    }
    let above = if above.is_empty() { "/" } else { above };
    Ok((directory(root, above, Links::Inside)?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_nowhere_but_into_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("../../../../..", root.path().join("up")).unwrap();
        let fd = std::fs::File::open(root.path()).unwrap();
        file(fd.as_fd(), "/up/a/b").unwrap();
        assert!(root.path().join("a/b").is_file());
        // The link's absolute target is looked up below the root, where it is not: nothing is made behind the link.
        assert!(file(fd.as_fd(), "/out/canary").is_err() || !outside.path().join("canary").exists());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_there_is_kept() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("there"), "text").unwrap();
        let fd = std::fs::File::open(root.path()).unwrap();
        file(fd.as_fd(), "/there").unwrap();
        directory(fd.as_fd(), "/x/y/z", Links::Refused).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("there")).unwrap(), "text");
        assert!(root.path().join("x/y/z").is_dir());
        assert!(directory(fd.as_fd(), "/there/below", Links::Inside).is_err());
        assert!(file(fd.as_fd(), "/x/..").is_ok());
        assert!(file(fd.as_fd(), "/nothing/..").is_err());
    }
}
