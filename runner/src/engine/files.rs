//! Files of a container, in and out: what `cp` and `export` ask for. Knows archives and roots, no HTTP.

use super::Engine;
use super::error::{Doing, Error};
use super::pipe::Writer;
use crate::container::user;
use crate::image::pack::{self, Borders, Packing, Signs};
use crate::image::place::{self, Kinds, Placing, open_inside};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, readlinkat, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many links may lead to each other.
const LINKS: usize = 40;
/// How much is read behind the end of an archive: tar fills its last record, and some programs more.
const PADDING: u64 = 1 << 20;

/// What stands at a path.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// `st_mode`
    pub mode: u32,
    /// When it was changed.
    pub changed: jiff::Timestamp,
    /// Of a symbolic link: the path that it leads to, inside.
    pub target: Option<String>,
}

/// To whom what is copied in belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// To whom the archive says.
    Archive,
    /// To the container's user.
    Container,
}

impl Engine {
    /// What stands at `path` in a container.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the container, or if nothing is there.
    pub async fn look(&self, key: &str, path: PathBuf) -> Result<Found, Error> {
        let container = self.find(key)?;
        self.with_root(container, move |root, _| look(root, &path)).await
    }

    /// Writes what stands at `path`, with all that is in it, as an archive to `out`.
    ///
    /// # Errors
    /// As [`Engine::look`]; and what reading and writing answers.
    pub async fn copy_out(&self, key: &str, path: PathBuf, out: Writer) -> Result<(), Error> {
        let container = self.find(key)?;
        let work = move |root: BorrowedFd<'_>, base| {
            out.fill(|out| {
                let (parent, name) = locate(root, &path)?;
                let shown = if name == "." { shown(&path) } else { Path::new(&name) };
                let packing = Packing { base, signs: Signs::Plain, borders: Borders::Open };
                pack::one(parent.as_fd(), &name, shown, packing, out).doing(|| "copying".into())
            })
        };
        self.with_root(container, work).await
    }

    /// Unpacks an archive into the directory at `path`.
    ///
    /// # Errors
    /// As [`Engine::look`]; [`Error::Invalid`] if `path` is no directory, the archive leads out or kinds clash.
    pub async fn copy_in(
        &self,
        key: &str,
        path: PathBuf,
        archive: impl Read + Send + 'static,
        kinds: Kinds,
        owners: Owners,
    ) -> Result<(), Error> {
        let container = self.find(key)?;
        let record = container.record();
        if record.host.readonly_rootfs && record.state.alive().is_none() {
            return Err(Error::invalid("container rootfs is marked read-only"));
        }
        let who = (owners == Owners::Container).then_some(record.config.user);
        let work = move |root: BorrowedFd<'_>, base| {
            let owner = who.map(|user| owner(root, base, &user)).transpose()?;
            let found = open_inside(root, &path, OFlags::PATH | OFlags::DIRECTORY);
            found.map_err(|e| missing(e, &path))?;
            let placing = Placing { base, owner, kinds, name: None };
            let mut archive = archive;
            place::place(&mut archive, root, &path, placing).map_err(|e| Error::invalid(e.to_string()))?;
            // An archive ends before its stream does; who still sends the rest would be cut off.
            std::io::copy(&mut archive.take(PADDING), &mut std::io::sink())
                .map(drop)
                .doing(|| "reading on".into())
        };
        self.with_root(container, work).await
    }

    /// Writes a container's whole root, without what is mounted in it, as an archive to `out`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what reading and writing answers.
    pub async fn export(&self, key: &str, out: Writer) -> Result<(), Error> {
        let container = self.find(key)?;
        let work = move |root: BorrowedFd<'_>, base| {
            out.fill(|out| {
                let packing = Packing { base, signs: Signs::Plain, borders: Borders::Closed };
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                let root = open_inside(root, Path::new("/"), flags).doing(|| "exporting".into())?;
                pack::all(root.as_fd(), packing, out).doing(|| "exporting".into())
            })
        };
        self.with_root(container, work).await
    }
}

fn missing(e: Errno, path: &Path) -> Error {
    match e {
        Errno::NOENT => Error::not_found("file or directory", path.display().to_string()),
        Errno::NOTDIR => Error::invalid(format!("{} is no directory", path.display())),
        Errno::LOOP => Error::invalid(format!(
            "{} leads through too many links, or one of the kernel's own",
            path.display()
        )),
        e => Error::Io { what: format!("opening {}", path.display()), source: e.into() },
    }
}

/// The directory that a path's last name stands in, and that name; a path that ends with a slash or a point means the
/// directory itself.
fn locate(root: BorrowedFd<'_>, path: &Path) -> Result<(OwnedFd, OsString), Error> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(Error::invalid("a path has no zero byte"));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let open = |path: &Path| open_inside(root, path, flags).map_err(|e| missing(e, path));
    let dots = |name: &[u8]| matches!(name, b"" | b"." | b"..");
    let last = bytes.rsplit(|b| *b == b'/').next().unwrap_or_default();
    if dots(last) {
        return Ok((open(path)?, ".".into()));
    }
    let above = &bytes[..bytes.len() - last.len()];
    Ok((open(Path::new(OsStr::from_bytes(above)))?, OsStr::from_bytes(last).to_owned()))
}

/// Under which name a directory that is meant itself is packed: `/a/b/` as `b`, `/a/b/.` and the root as `.`.
fn shown(path: &Path) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    match path.file_name() {
        Some(name) if bytes.ends_with(b"/") => Path::new(name),
        _ => Path::new("."),
    }
}

fn look(root: BorrowedFd<'_>, path: &Path) -> Result<Found, Error> {
    let stat = |parent: &OwnedFd, name: &OsStr, path: &Path| {
        statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| missing(e, path))
    };
    let (parent, name) = locate(root, path)?;
    let first = stat(&parent, &name, path)?;
    let is_link = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    let mut at = path.to_owned();
    let mut now = Some((parent, name, first));
    for _ in 0..LINKS {
        let Some((parent, name, _)) = now.as_ref().filter(|(_, _, stat)| is_link(stat)) else { break };
        let to = readlinkat(parent, name, Vec::new()).map_err(|e| missing(e, &at))?;
        // An absolute target replaces all of it; `..` is left to the kernel.
        at = at.parent().unwrap_or(Path::new("/")).join(OsStr::from_bytes(to.to_bytes()));
        // A link may lead to what is not there (yet).
        now = locate(root, &at).and_then(|(p, n)| stat(&p, &n, &at).map(|s| (p, n, s))).ok();
    }
    let name = path.file_name().unwrap_or(OsStr::new("/"));
    Ok(Found {
        name: name.to_string_lossy().into_owned(),
        size: first.st_size,
        mode: first.st_mode,
        changed: jiff::Timestamp::from_second(first.st_mtime).unwrap_or_default(),
        target: is_link(&first).then(|| at.to_string_lossy().into_owned()),
    })
}

/// The host's ids of a container's user.
pub(super) fn owner(root: BorrowedFd<'_>, base: u32, user: &str) -> Result<(u32, u32), Error> {
    let read = |path: &str| {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // In the root itself: a link to /proc/kmsg would be read with the host's rights.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let file = openat2(root, path, flags, Mode::empty(), resolve);
        file.map(|file| user::text(file.into())).unwrap_or_default()
    };
    let found = user::find(user, &[], &read("/etc/passwd"), &read("/etc/group"));
    let found = found.map_err(|e| Error::invalid(e.to_string()))?;
    Ok((base + found.uid.min(65_535), base + found.gid.min(65_535)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_inside() {
        let root = tempfile::tempdir().unwrap();
        let open: OwnedFd = std::fs::File::open(root.path()).unwrap().into();
        std::fs::create_dir(root.path().join("dir")).unwrap();
        std::fs::write(root.path().join("dir/file"), "12345").unwrap();
        symlink("../dir/file", root.path().join("dir/one")).unwrap();
        symlink("/dir/one", root.path().join("two")).unwrap();
        symlink("/etc", root.path().join("out")).unwrap();
        let found = |path: &str| look(open.as_fd(), Path::new(path));
        let two = found("/two").unwrap();
        assert_eq!(two.target.as_deref(), Some("/dir/../dir/file"));
        assert_eq!(found("/two").unwrap().name, "two");
        assert_eq!(found("dir/file").unwrap().size, 5);
        assert!(found("/dir/").unwrap().target.is_none());
        assert_eq!(found("/out").unwrap().target.as_deref(), Some("/etc"));
        for bad in ["/out/passwd", "/no", "/dir/file/", "/out/."] {
            assert!(found(bad).is_err(), "{bad}");
        }
    }
}
