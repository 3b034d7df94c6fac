//! Removing a tree of files that a stranger made, however deep it is.
//!
//! The standard library's way takes a frame of the stack and a descriptor for each level: a container that goes 30,000 levels
//! down ended the engine that removed it. Here both are bounded: what lies deeper is moved up first.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How many directories are open at once.
const LEVELS: usize = 64;
/// How often a directory is emptied again into which somebody still puts something.
const ROUNDS: usize = 64;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Removes the directory at `path` with all that is in it; never through a link, and nothing else on the way.
///
/// # Errors
/// What the system answers: `NotFound` if there is none.
pub fn tree(path: &Path) -> io::Result<()> {
    tree_at(CWD, path)
}

/// The same of the directory at `path` as seen from the directory `from`.
///
/// # Errors
/// As [`tree`].
pub fn tree_at(from: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let root = openat(from, path, DIRECTORY, Mode::empty())?;
    let mut remover = Remover { root, moved: 0 };
    for _ in 0..ROUNDS {
        while remover.sweep()? == Left::Deeper {}
        match unlinkat(from, path, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::NOTEMPTY.into())
}

/// What a sweep has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing.
    Nothing,
    /// Directories that lay too deep, right below the root now.
    Deeper,
}

struct Remover {
    root: OwnedFd,
    /// How many directories were moved up.
    moved: u64,
}

/// A directory that is being emptied.
struct Level {
    directory: OwnedFd,
    name: CString,
    below: Vec<CString>,
}

impl Remover {
    fn sweep(&mut self) -> io::Result<Left> {
        let mut left = Left::Nothing;
        let directory = openat(&self.root, ".", DIRECTORY, Mode::empty())?;
        let below = files_gone(directory.as_fd())?;
        let mut levels = vec![Level { directory, name: CString::default(), below }];
        loop {
            let full = levels.len() > LEVELS;
            let Some(level) = levels.last_mut() else { return Ok(left) };
            match level.below.pop() {
                Some(name) if full => {
                    self.move_up(level.directory.as_fd(), &name)?;
                    left = Left::Deeper;
                }
                Some(name) => {
                    let directory = openat(&level.directory, &name, DIRECTORY, Mode::empty())?;
                    let below = files_gone(directory.as_fd())?;
                    levels.push(Level { directory, name, below });
                }
                None => {
                    let done = levels.pop();
                    if let (Some(done), Some(above)) = (done, levels.last()) {
                        unlinkat(&above.directory, &done.name, AtFlags::REMOVEDIR)?;
                    }
                }
            }
        }
    }

    /// Under a name that is free: the stranger may have foreseen any.
    fn move_up(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        loop {
            self.moved += 1;
            match renameat(directory, name, &self.root, format!("deep-{}", self.moved)) {
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                other => return Ok(other?),
            }
        }
    }
}

/// Removes all from a directory but directories, and answers the names of those.
fn files_gone(directory: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let mut directories = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        if kind == FileType::Directory {
            directories.push(name.to_owned());
        } else {
            unlinkat(directory, name, AtFlags::empty())?;
        }
    }
    Ok(directories)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{mkdirat, symlinkat};
    use std::os::unix::fs::symlink;

    /// A chain of directories with a file at its end, made by descriptors: no path is that long.
    fn chain(top: &Path, levels: usize) {
        let mut at = openat(CWD, top, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..levels {
            mkdirat(&at, "deep-1", Mode::from_raw_mode(0o755)).unwrap();
            at = openat(&at, "deep-1", DIRECTORY, Mode::empty()).unwrap();
        }
        symlinkat("/", &at, "end").unwrap();
    }

    #[test]
    fn a_tree_that_is_too_deep_for_the_stack_goes() {
        const LEVELS: usize = 20_000;
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let tree_at = dir.path().join("tree");
        std::fs::create_dir(&tree_at).unwrap();
        chain(&tree_at, LEVELS);
        tree(&tree_at).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_are_removed_and_not_what_they_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("canary"), "alive").unwrap();
        let tree_at = dir.path().join("tree");
        std::fs::create_dir_all(tree_at.join("a/b")).unwrap();
        symlink(&outside, tree_at.join("a/b/link")).unwrap();
        symlink("..", tree_at.join("up")).unwrap();
        std::fs::write(tree_at.join("a/file"), "").unwrap();
        assert!(tree(&dir.path().join("nothing")).unwrap_err().kind() == io::ErrorKind::NotFound);
        symlink(&tree_at, dir.path().join("to-tree")).unwrap();
        assert!(tree(&dir.path().join("to-tree")).is_err(), "a link is no tree");
        tree(&tree_at).unwrap();
        assert_eq!(std::fs::read_to_string(outside.join("canary")).unwrap(), "alive");
        assert!(!tree_at.exists());
    }
}
