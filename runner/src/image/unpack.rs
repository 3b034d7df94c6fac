//! From a layer's bytes to a directory: decompression, digest and extraction in one pass.
//!
//! An archive is hostile. Every path is resolved by the kernel inside the target (`openat2(2)`, `RESOLVE_IN_ROOT`), files
//! are made by descriptors of their parents, devices are left out (nobody could use them in a user namespace), and
//! bytes, entries and the ratio of both sizes are bounded. The caller deletes the target when this fails.

use super::Digest;
use super::digest::Hasher;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, linkat, mkdirat, mknodat, openat, openat2, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use tar::{Entry, EntryType};

/// What a layer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes unpacked.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
    /// How many times larger than packed, beyond the first 64 MiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 30, entries: 2_000_000, ratio: 200 }
    }
}

/// Below this size the ratio does not matter: a small layer of zeroes is no bomb.
const HARMLESS: u64 = 64 << 20;

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry leads out of the image.
    #[error("the layer's entry {0:?} leads out of the image")]
    Outside(PathBuf),
    /// The archive does more than it may.
    #[error("the layer is refused: {0}")]
    Limit(String),
    /// The archive is damaged, or the disk is full.
    #[error("unpacking {what}: {source}")]
    Io {
        /// Which entry.
        what: String,
        /// Why.
        source: io::Error,
    },
}

fn at<E: Into<io::Error>>(what: &Path) -> impl FnOnce(E) -> Error {
    let what = what.display().to_string();
    move |e| Error::Io { what, source: e.into() }
}

/// Unpacks a layer (plain, gzip or zstd) into the empty directory `into`; answers the digest of what was inside the
/// compression: the layer's diff id.
///
/// # Errors
/// See [`Error`].
pub fn unpack(packed: impl Read, into: &Path, limits: Limits) -> Result<Digest, Error> {
    let whole = Path::new("the layer");
    let mut packed = packed;
    let mut head = [0; 4];
    let filled = fill(&mut packed, &mut head).map_err(at(whole))?;
    let counter = std::rc::Rc::new(std::cell::Cell::new(0));
    let source =
        Tracked { inner: io::Cursor::new(head[..filled].to_vec()).chain(packed), seen: counter.clone() };
    let buffered = BufReader::with_capacity(256 * 1024, source);
    let plain: Box<dyn Read> = match head {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::with_buffer(buffered).map_err(at(whole))?),
        _ => Box::new(buffered),
    };
    let bounded = Bounded { inner: plain, hasher: Hasher::default(), bytes: 0, limits, packed: counter };
    let mut archive = tar::Archive::new(BufReader::with_capacity(256 * 1024, bounded));
    let root: OwnedFd = File::open(into).map_err(at(into))?.into();
    let mut tree = Tree { root, directories: Vec::new() };
    let mut count = 0;
    for entry in archive.entries().map_err(at(whole))? {
        count += 1;
        if count > limits.entries {
            return Err(Error::Limit(format!("it has more than {} entries", limits.entries)));
        }
        tree.entry(entry.map_err(at(whole))?)?;
    }
    tree.finish()?;
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(at(whole))?;
    Ok(rest.into_inner().hasher.finish())
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match from.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

/// Counts packed bytes where the unpacking side can see it.
struct Tracked<R> {
    inner: R,
    seen: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.seen.set(self.seen.get() + n as u64);
        Ok(n)
    }
}

/// Hashes what passes, and stops what grows beyond bounds.
struct Bounded<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
    limits: Limits,
    packed: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        if self.bytes > self.limits.bytes {
            return Err(io::Error::other(format!("more than {} bytes unpacked", self.limits.bytes)));
        }
        if self.bytes > HARMLESS && self.bytes / self.limits.ratio > self.packed.get() {
            return Err(io::Error::other(format!("more than {} times its packed size", self.limits.ratio)));
        }
        Ok(n)
    }
}

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The directory that is being filled.
struct Tree {
    root: OwnedFd,
    /// Modification times of directories, set when nothing more is put into them.
    directories: Vec<(PathBuf, u64)>,
}

impl Tree {
    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), Error> {
        let named = entry.path().map_err(at(Path::new("an entry's name")))?.into_owned();
        let path = inside(&named)?;
        let Some(name) = path.file_name().map(ToOwned::to_owned) else { return self.top(&entry) };
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            return whiteout(parent.as_fd(), hidden, &path);
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if !kind.is_dir() && !kind.is_pax_global_extensions() {
            match unlinkat(&parent, name.as_os_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => return Err(at(&path)(io::Error::from(Errno::ISDIR))),
                Err(e) => return Err(at(&path)(e)),
            }
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(&parent, name.as_os_str(), flags, Mode::from_raw_mode(0o600))
                    .map_err(at(&path))?;
                let mut file = File::from(file);
                io::copy(&mut entry, &mut file).map_err(at(&path))?;
                dress(file.as_fd(), &header, &mut entry, &path)?;
                times(parent.as_fd(), name.as_os_str().as_ref(), header.mtime().unwrap_or(0), &path)
            }
            EntryType::Directory => {
                match mkdirat(&parent, name.as_os_str(), Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(e) => return Err(at(&path)(e)),
                }
                let made = openat(&parent, name.as_os_str(), DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
                dress(made.map_err(at(&path))?.as_fd(), &header, &mut entry, &path)?;
                self.directories.push((path, header.mtime().unwrap_or(0)));
                Ok(())
            }
            EntryType::Symlink => {
                let to = entry.link_name().map_err(at(&path))?.unwrap_or_default().into_owned();
                symlinkat(&to, &parent, name.as_os_str()).map_err(at(&path))?;
                own(parent.as_fd(), name.as_os_str().as_ref(), &header, &path)?;
                times(parent.as_fd(), name.as_os_str().as_ref(), header.mtime().unwrap_or(0), &path)
            }
            EntryType::Link => {
                let to = entry.link_name().map_err(at(&path))?.unwrap_or_default().into_owned();
                self.link(&to, parent.as_fd(), name.as_os_str().as_ref(), &path)
            }
            EntryType::Fifo => {
                let mode = Mode::from_raw_mode(header.mode().unwrap_or(0o600) & 0o7777);
                mknodat(&parent, name.as_os_str(), FileType::Fifo, mode, 0).map_err(at(&path))?;
                own(parent.as_fd(), name.as_os_str().as_ref(), &header, &path)
            }
            // Devices: nobody may use one in a user namespace, and every container has the six that it needs.
            _ => Ok(()),
        }
    }

    /// The entry of the root itself.
    fn top(&self, entry: &Entry<'_, impl Read>) -> Result<(), Error> {
        let mode = entry.header().mode().unwrap_or(0o755) & 0o7777;
        fchmod(&self.root, Mode::from_raw_mode(mode)).map_err(at(Path::new("/")))
    }

    /// Opens a directory below the root, making what is missing.
    fn directory(&self, path: &Path) -> Result<OwnedFd, Error> {
        if path.as_os_str().is_empty() {
            return self.root.try_clone().map_err(at(path));
        }
        match openat2(&self.root, path, DIRECTORY, Mode::empty(), INSIDE) {
            Err(Errno::NOENT) => {}
            other => return other.map_err(at(path)),
        }
        let (parent, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        let above = self.directory(parent)?;
        mkdirat(&above, name, Mode::from_raw_mode(0o755)).map_err(at(path))?;
        openat(&above, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(at(path))
    }

    /// A hard link, to what lies inside only.
    fn link(&self, to: &Path, parent: BorrowedFd<'_>, name: &Path, path: &Path) -> Result<(), Error> {
        let target = inside(to)?;
        let file = target.file_name().ok_or_else(|| Error::Outside(to.to_owned()))?;
        let holder = self.directory(target.parent().unwrap_or(Path::new("")))?;
        linkat(&holder, file, parent, name, AtFlags::empty()).map_err(at(path))
    }

    fn finish(&self) -> Result<(), Error> {
        for (path, seconds) in self.directories.iter().rev() {
            let directory = self.directory(path)?;
            let flags = AtFlags::EMPTY_PATH;
            utimensat(&directory, "", &stamps(*seconds), flags).map_err(at(path))?;
        }
        Ok(())
    }
}

/// A path without a root, `.` and `..`.
fn inside(path: &Path) -> Result<PathBuf, Error> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return Err(Error::Outside(path.to_owned())),
        }
    }
    Ok(clean)
}

/// A file that hides one of a lower layer, in overlayfs's own terms; both namespaces of attributes, because an overlay that is
/// mounted inside a user namespace reads only `user.`.
fn whiteout(parent: BorrowedFd<'_>, hidden: &[u8], path: &Path) -> Result<(), Error> {
    if hidden == b".wh..opq" {
        for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
            fsetxattr(parent, name, b"y", XattrFlags::empty()).map_err(at(path))?;
        }
        return Ok(());
    }
    if hidden.starts_with(b".wh.") || hidden.is_empty() || hidden == b"." || hidden == b".." {
        return Err(Error::Outside(path.to_owned()));
    }
    let name = std::ffi::OsStr::from_bytes(hidden);
    match mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(0, 0)) {
        // The layer holds the file itself too: that one is meant.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(at(path)(e)),
    }
}

/// Owner, mode and extended attributes of a file or directory that is open.
fn dress(
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

fn own(parent: BorrowedFd<'_>, name: &Path, header: &tar::Header, path: &Path) -> Result<(), Error> {
    let (uid, gid) = owner(header, path)?;
    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))
}

fn stamps(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn times(parent: BorrowedFd<'_>, name: &Path, seconds: u64, path: &Path) -> Result<(), Error> {
    utimensat(parent, name, &stamps(seconds), AtFlags::SYMLINK_NOFOLLOW).map_err(at(path))
}
