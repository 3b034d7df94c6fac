//! Walking and removing a tree of groups by descriptors: a delegated group's owner chooses names and depth, and a path may
//! become longer than the kernel takes.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, unlinkat};
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Calls `each` with the group at `root` and every one below it.
///
/// # Errors
/// What opening or `each` answers, beside groups that vanish meanwhile.
pub(super) fn walk(root: &Path, each: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut here = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
    each(here.as_fd())?;
    // One descriptor at a time, whatever the depth: the way back is by `..`, for groups stay below the one they were made in.
    let mut levels = vec![children(here.as_fd())?];
    while let Some(names) = levels.last_mut() {
        let Some(name) = names.pop() else {
            levels.pop();
            if !levels.is_empty() {
                here = openat(&here, "..", DIRECTORY, Mode::empty())?;
            }
            continue;
        };
        let child = match openat(&here, name, DIRECTORY, Mode::empty()) {
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => continue,
            other => other?,
        };
        match each(child.as_fd()).and_then(|()| children(child.as_fd())) {
            Ok(names) => {
                here = child;
                levels.push(names);
            }
            Err(e) if gone(&e) => {}
            Err(e) => return Err(e),
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
        if !remove_below(root)? {
            return Err(io::Error::from_raw_os_error(libc_ebusy()));
        }
    }
}

fn libc_ebusy() -> i32 {
    rustix::io::Errno::BUSY.raw_os_error()
}

/// Removes every group below `root`, the lowest first; false if there was none.
fn remove_below(root: &Path) -> io::Result<bool> {
    let mut here = match rustix::fs::open(root, DIRECTORY, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(true),
        other => other?,
    };
    let mut removed = false;
    let (mut path, mut levels) = (Vec::new(), vec![children(here.as_fd())?]);
    while let Some(names) = levels.last_mut() {
        if let Some(name) = names.pop() {
            match openat(&here, &name, DIRECTORY, Mode::empty()) {
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => removed = true,
                other => {
                    here = other?;
                    levels.push(children(here.as_fd())?);
                    path.push(name);
                }
            }
            continue;
        }
        levels.pop();
        let Some(name) = path.pop() else { break };
        here = openat(&here, "..", DIRECTORY, Mode::empty())?;
        match unlinkat(&here, &name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => removed = true,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(removed)
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
