//! Walking and removing a tree of groups by descriptors: a delegated group's owner chooses names and depth, and a path may
//! become longer than the kernel takes.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, unlinkat};
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How deep a tree may be; each level holds a descriptor while it is walked.
const DEEPEST: usize = 4096;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Calls `each` with the group at `root` and every one below it.
///
/// # Errors
/// What opening or `each` answers, beside groups that vanish meanwhile; `InvalidInput` for a tree that is too deep.
pub(super) fn walk(root: &Path, each: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<()> {
    let root = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
    each(root.as_fd())?;
    let names = children(root.as_fd())?;
    let mut stack = vec![(root, names)];
    while let Some((group, names)) = stack.last_mut() {
        let Some(name) = names.pop() else {
            stack.pop();
            continue;
        };
        let child = match openat(&*group, name, DIRECTORY, Mode::empty()) {
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => continue,
            other => other?,
        };
        match each(child.as_fd()).and_then(|()| children(child.as_fd())) {
            Ok(names) => stack.push((child, names)),
            Err(e) if gone(&e) => {}
            Err(e) => return Err(e),
        }
        if stack.len() > DEEPEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a tree of groups that is too deep"));
        }
    }
    Ok(())
}

/// Removes the group at `root` and every one below it; a group that is not there is removed.
///
/// # Errors
/// `EBUSY` while there are processes in it, and what else removing answers.
pub(super) fn remove(root: &Path) -> io::Result<()> {
    loop {
        match std::fs::remove_dir(root) {
            Err(e) if gone(&e) => return Ok(()),
            Err(e) if e.raw_os_error() == Some(libc_ebusy()) => {}
            other => return other,
        }
        if !remove_leaf(root)? {
            return Err(io::Error::from_raw_os_error(libc_ebusy()));
        }
    }
}

fn libc_ebusy() -> i32 {
    rustix::io::Errno::BUSY.raw_os_error()
}

/// Removes the first leaf below `root`; false if there is none.
fn remove_leaf(root: &Path) -> io::Result<bool> {
    let mut above = match rustix::fs::open(root, DIRECTORY, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(true),
        other => other?,
    };
    let Some(mut name) = children(above.as_fd())?.pop() else { return Ok(false) };
    for _ in 0..DEEPEST {
        let below: OwnedFd = openat(&above, &name, DIRECTORY, Mode::empty())?;
        match children(below.as_fd())?.pop() {
            Some(next) => (above, name) = (below, next),
            None => {
                unlinkat(&above, &name, AtFlags::REMOVEDIR)?;
                return Ok(true);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a tree of groups that is too deep"))
}

/// The text of a group's file.
///
/// # Errors
/// What opening or reading answers.
pub(super) fn read(group: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut text = String::new();
    std::fs::File::from(openat(group, name, flags, Mode::empty())?).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a group's file.
///
/// # Errors
/// What opening or writing answers.
pub(super) fn write(group: BorrowedFd<'_>, name: &str, value: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    std::fs::File::from(openat(group, name, flags, Mode::empty())?).write_all(value.as_bytes())
}

fn children(group: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(group)? {
        let entry = entry?;
        let dots = matches!(entry.file_name().to_bytes(), b"." | b"..");
        if entry.file_type() == FileType::Directory && !dots {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Whether an error says that the group was removed meanwhile.
pub(super) fn gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [rustix::io::Errno::NOENT, rustix::io::Errno::NODEV].iter().any(|e| errno == Some(e.raw_os_error()))
}
