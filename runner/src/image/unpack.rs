//! From a layer's bytes to a directory: decompression, digest and extraction in one pass.
//!
//! An archive is hostile. Every path is resolved by the kernel inside the target (`openat2(2)`, `RESOLVE_IN_ROOT`), files
//! are made by descriptors of their parents, devices are left out (nobody could use them in a user namespace), and
//! bytes, entries and the ratio of both sizes are bounded. The caller deletes the target when this fails.

use super::Digest;
use super::meter::{Bounded, Limits, Meter, Tracked};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, linkat, mkdirat, mknodat, openat, openat2, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use tar::{Entry, EntryType};

/// How deep directories may be nested: deleting them again takes a descriptor for each level.
const MAX_DEPTH: usize = 256;

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
    let meter = Meter::new(limits);
    let bounded = plain(packed, &meter).map_err(at(whole))?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(256 * 1024, bounded));
    let mut tree = Tree::new(into, Rc::clone(&meter))?;
    let mut count = 0;
    let mut entries = archive.entries().map_err(at(whole))?;
    loop {
        meter.begin_header();
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(at(whole))?;
        meter.end_header();
        count += 1;
        if count > limits.entries {
            return Err(Error::Limit(format!("it has more than {} entries", limits.entries)));
        }
        tree.entry(&mut entry)?;
        // What nobody wanted of it is no part of the next one's header.
        io::copy(&mut entry, &mut io::sink()).map_err(at(whole))?;
    }
    meter.end_header();
    tree.finish()?;
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(at(whole))?;
    Ok(rest.into_inner().finish())
}

/// The diff id of a layer that need not be unpacked.
pub(super) fn diff_id(packed: impl Read, limits: Limits) -> Result<Digest, Error> {
    let whole = Path::new("the layer");
    let mut bounded = plain(packed, &Meter::new(limits)).map_err(at(whole))?;
    io::copy(&mut bounded, &mut io::sink()).map_err(at(whole))?;
    Ok(bounded.finish())
}

/// What is inside the compression, bounded and hashed.
fn plain<'a>(packed: impl Read + 'a, meter: &Rc<Meter>) -> io::Result<Bounded<Box<dyn Read + 'a>>> {
    let mut packed = packed;
    let mut magic = [0; 4];
    let filled = fill(&mut packed, &mut magic)?;
    let head = io::Cursor::new(magic).take(filled as u64);
    let source = Tracked::new(head.chain(packed), Rc::clone(meter));
    let buffered = BufReader::with_capacity(256 * 1024, source);
    let plain: Box<dyn Read + 'a> = match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::with_buffer(buffered)?),
        _ => Box::new(buffered),
    };
    Ok(Bounded::new(plain, Rc::clone(meter)))
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

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The directory that is being filled.
struct Tree {
    root: OwnedFd,
    /// Modification times of directories, set when nothing more is put into them.
    directories: Vec<(PathBuf, u64)>,
    /// How deep the root itself is.
    top: usize,
    /// Bytes of all files, with the holes that a sparse one has.
    bytes: u64,
    meter: Rc<Meter>,
}

impl Tree {
    fn new(into: &Path, meter: Rc<Meter>) -> Result<Self, Error> {
        let root: OwnedFd = File::open(into).map_err(at(into))?.into();
        let top = depth(root.as_fd()).map_err(at(into))?;
        Ok(Self { root, directories: Vec::new(), top, bytes: 0, meter })
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Error> {
        let named = entry.path().map_err(at(Path::new("an entry's name")))?.into_owned();
        let path = inside(&named)?;
        let Some(name) = path.file_name().map(ToOwned::to_owned) else { return self.dress_root(entry) };
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
                self.bytes = self.bytes.saturating_add(entry.size());
                self.meter.allows(self.bytes).map_err(|e| at(&path)(io::Error::other(e)))?;
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(&parent, name.as_os_str(), flags, Mode::from_raw_mode(0o600))
                    .map_err(at(&path))?;
                let mut file = File::from(file);
                io::copy(entry, &mut file).map_err(at(&path))?;
                dress(file.as_fd(), &header, entry, &path)?;
                times(parent.as_fd(), name.as_os_str().as_ref(), header.mtime().unwrap_or(0), &path)
            }
            EntryType::Directory => {
                self.make(parent.as_fd(), name.as_os_str().as_ref(), &path)?;
                let made = openat(&parent, name.as_os_str(), DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
                dress(made.map_err(at(&path))?.as_fd(), &header, entry, &path)?;
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
    fn dress_root(&self, entry: &Entry<'_, impl Read>) -> Result<(), Error> {
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
        self.make(above.as_fd(), name.as_ref(), path)?;
        openat(&above, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(at(path))
    }

    /// Makes a directory, if it is not there.
    fn make(&self, parent: BorrowedFd<'_>, name: &Path, path: &Path) -> Result<(), Error> {
        // Links may lead deeper than any path says.
        if depth(parent).map_err(at(path))?.saturating_sub(self.top) >= MAX_DEPTH {
            return Err(Error::Limit(format!("{} is deeper than {MAX_DEPTH} directories", path.display())));
        }
        match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(at(path)(e)),
        }
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

/// How many directories lie above one that is open.
fn depth(directory: BorrowedFd<'_>) -> io::Result<usize> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    Ok(path.components().count())
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
