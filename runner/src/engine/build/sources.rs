//! What a `COPY`'s words mean: the things in the context (or in a stage, or an image) that they name.
//!
//! Everything is looked up by the kernel inside that root: a link to what lies outside finds nothing.

use super::error::{During, Error};
use super::glob;
use crate::image::pack::names;
use crate::image::place::open_inside;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The most things that one pattern may name.
const MATCHES: usize = 100_000;
/// The most links that may lead to each other.
const LINKS: usize = 40;

/// Where things are copied from.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) fd: OwnedFd,
    pub(super) kind: Kind,
}

/// What a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the client sent: its owners mean nothing here.
    Context,
    /// A stage or an image.
    Image,
}

/// One thing to be copied.
#[derive(Debug)]
pub(super) struct Item {
    /// Its path, as it was named: without a leading slash.
    pub(super) path: PathBuf,
    /// The part that `--parents` keeps.
    pub(super) kept: PathBuf,
    /// The directory that it stands in, and its name there.
    pub(super) parent: OwnedFd,
    pub(super) name: OsString,
    pub(super) kind: FileType,
}

/// All that a word names, in order.
///
/// # Errors
/// In Docker's words: it leads out, or there is nothing.
pub(super) fn find(root: &Root, word: &str) -> Result<Vec<Item>, Error> {
    let (path, pivot) = clean(root.kind, word)?;
    let text = path.to_str().ok_or_else(|| Error::step("COPY failed: a path that is no text"))?;
    if !glob::is_pattern(text) {
        return Ok(vec![item(root, &path, pivot, word)?]);
    }
    let bad = |e: glob::BadPattern| Error::step(format!("COPY failed: {word}: {e}"));
    glob::path(text, "").map_err(bad)?;
    let parts: Vec<&str> = text.split('/').collect();
    let mut found = Vec::new();
    walk(root.fd.as_fd(), Path::new(""), &parts, &mut found).during("looking for what a pattern names")?;
    if found.is_empty() {
        return Err(Error::step("COPY failed: no source files were specified"));
    }
    found.iter().map(|path| item(root, path, pivot, word)).collect()
}

/// The path from the root, and how many of its parts stand before `/./`.
fn clean(kind: Kind, word: &str) -> Result<(PathBuf, usize), Error> {
    let mut clean = PathBuf::new();
    let mut pivot = 0;
    if let Some((before, _)) = word.split_once("/./") {
        pivot = Path::new(before).components().filter(|c| matches!(c, Component::Normal(_))).count();
    }
    for part in Path::new(word).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir if !clean.pop() && kind == Kind::Context => {
                return Err(Error::step(format!(
                    "COPY failed: forbidden path outside the build context: {word} ()"
                )));
            }
            _ => {}
        }
    }
    Ok((clean, pivot))
}

/// What stands at a path; a link at its end is followed, inside.
fn item(root: &Root, path: &Path, pivot: usize, word: &str) -> Result<Item, Error> {
    let missing = |e: Errno| match (e, root.kind) {
        (Errno::NOENT | Errno::NOTDIR | Errno::LOOP, Kind::Context) => Error::step(format!(
            "COPY failed: file not found in build context or excluded by .dockerignore: stat {word}: file does not exist"
        )),
        (Errno::NOENT | Errno::NOTDIR | Errno::LOOP, Kind::Image) => {
            Error::step(format!("COPY failed: stat {word}: file does not exist"))
        }
        (e, _) => Error::step(format!("COPY failed: {word}: {e}")),
    };
    let kept: PathBuf = path.components().skip(pivot).collect();
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let above = at.parent().unwrap_or(Path::new(""));
        let parent =
            open_inside(root.fd.as_fd(), above, OFlags::PATH | OFlags::DIRECTORY).map_err(missing)?;
        let Some(name) = at.file_name().map(OsStr::to_owned) else {
            return Ok(Item {
                path: path.to_owned(),
                kept,
                parent,
                name: ".".into(),
                kind: FileType::Directory,
            });
        };
        let stat = statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(missing)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Symlink {
            return Ok(Item { path: path.to_owned(), kept, parent, name, kind });
        }
        let to = rustix::fs::readlinkat(&parent, &name, Vec::new()).map_err(missing)?;
        let to = Path::new(OsStr::from_bytes(to.to_bytes()));
        at = resolved(root.fd.as_fd(), above, to);
    }
    Err(missing(Errno::LOOP))
}

/// Where a link's target leads, as a path from the root. `..` means the directory above the one that is really there.
fn resolved(root: BorrowedFd<'_>, above: &Path, to: &Path) -> PathBuf {
    let mut at = if to.is_absolute() { PathBuf::new() } else { above.to_owned() };
    for part in to.components() {
        match part {
            Component::Normal(name) => at.push(name),
            Component::ParentDir => at = above_of(root, &at),
            _ => {}
        }
    }
    at
}

fn above_of(root: BorrowedFd<'_>, path: &Path) -> PathBuf {
    // The kernel knows: its answer is a path of the host's, of which only the part below the root counts.
    let own = |fd: BorrowedFd<'_>| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok();
    let there = open_inside(root, path, OFlags::PATH | OFlags::DIRECTORY).ok();
    let real = there.and_then(|fd| own(fd.as_fd())).zip(own(root));
    let inside = real.and_then(|(there, root)| there.strip_prefix(root).map(Path::to_owned).ok());
    let mut path = inside.unwrap_or_else(|| path.to_owned());
    path.pop();
    path
}

/// Adds the paths that match a pattern, part by part. Links to directories are not walked through.
fn walk(
    directory: BorrowedFd<'_>,
    at: &Path,
    parts: &[&str],
    found: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    let open = openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for name in names(open.as_fd())? {
        let Some(text) = name.to_str() else { continue };
        if !glob::path(first, text).unwrap_or(false) {
            continue;
        }
        let path = at.join(&name);
        if rest.is_empty() {
            if found.len() >= MATCHES {
                return Err(std::io::Error::other(format!("a pattern names more than {MATCHES} things")));
            }
            found.push(path);
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&open, &name, flags, Mode::empty()) {
            Ok(below) => walk(below.as_fd(), &path, rest, found)?,
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Opens a file that was found, to be read.
pub(super) fn open(parent: BorrowedFd<'_>, name: &OsStr) -> std::io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(std::io::Error::other("it is no file any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root(path: &Path, kind: Kind) -> Root {
        Root { fd: std::fs::File::open(path).unwrap().into(), kind }
    }

    fn listed(root: &Root, word: &str) -> Result<Vec<String>, String> {
        let found = find(root, word).map_err(|e| e.to_string())?;
        Ok(found.iter().map(|i| format!("{} {}", i.path.display(), Path::new(&i.name).display())).collect())
    }

    #[test]
    fn nothing_outside_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let context = dir.path().join("context");
        std::fs::create_dir_all(context.join("sub/deep")).unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::fs::write(context.join("sub/file"), "x").unwrap();
        symlink("/etc/passwd", context.join("absolute")).unwrap();
        symlink("../../../../../../etc", context.join("up")).unwrap();
        symlink("../secret", context.join("sibling")).unwrap();
        symlink("sub/file", context.join("inside")).unwrap();
        symlink("/sub", context.join("rooted")).unwrap();
        symlink("../../inside", context.join("sub/deep/chain")).unwrap();
        symlink("loop", context.join("loop")).unwrap();
        let root = root(&context, Kind::Context);
        for word in ["../secret", "sub/../../secret", "/../secret"] {
            assert!(listed(&root, word).unwrap_err().contains("forbidden path outside"), "{word}");
        }
        for word in ["absolute", "up", "up/passwd", "sibling", "none", "loop", "sub/file/x"] {
            assert!(listed(&root, word).unwrap_err().contains("file not found in build context"), "{word}");
        }
        assert_eq!(listed(&root, "inside").unwrap(), ["inside file"]);
        assert_eq!(listed(&root, "sub/deep/chain").unwrap(), ["sub/deep/chain file"]);
        assert_eq!(listed(&root, "/rooted").unwrap(), ["rooted sub"]);
        assert_eq!(listed(&root, ".").unwrap(), [" ."]);
        assert_eq!(listed(&root, "s?b/*").unwrap(), ["sub/deep deep", "sub/file file"]);
        assert!(listed(&root, "*.x").unwrap_err().contains("no source files"));
        assert!(listed(&root, "[").unwrap_err().contains("syntax error in pattern"));
    }
}
