//! From a layer's bytes to a directory: decompression, digest and extraction in one pass.
//!
//! An archive is hostile. Every path is resolved by the kernel inside the target (`openat2(2)`, `RESOLVE_IN_ROOT`), files
//! are made by descriptors of their parents, devices are left out (nobody could use them in a user namespace), and
//! bytes, entries and the ratio of both sizes are bounded. The caller deletes the target when this fails.

use super::Digest;
use super::ahead::Ahead;
use super::dress::{dress, own, stamps, times};
use super::gzip::Gzip;
use super::meter::{Bounded, Limits, Meter, Tracked};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags, fchmod, fsetxattr, futimens, linkat, mkdirat,
    mknodat, openat, openat2, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use sandlot_sys::userns::within;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tar::{Entry, EntryType};

/// Bytes read and written at a time.
const BUFFER: usize = 128 << 10;
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

pub(super) fn at<E: Into<io::Error>>(what: &Path) -> impl FnOnce(E) -> Error {
    let what = what.display().to_string();
    move |e| Error::Io { what, source: e.into() }
}

/// Unpacks a layer (plain, gzip or zstd) into the empty directory `into`; answers the digest of what was inside the
/// compression: the layer's diff id.
///
/// # Errors
/// See [`Error`].
pub fn unpack(packed: impl Read + Send, into: &Path, limits: Limits) -> Result<Digest, Error> {
    let meter = Meter::new(limits);
    // Decompressing takes as long as all the rest: each has a processor.
    std::thread::scope(|scope| {
        let of = Arc::clone(&meter);
        let plain = Ahead::start(scope, move || plain(packed, of)).map_err(at(Path::new("the layer")))?;
        extract(Bounded::new(plain, Arc::clone(&meter)), into, (&meter, limits))
    })
}

/// Fills the directory with what the archive holds.
fn extract(
    plain: Bounded<impl BufRead>,
    into: &Path,
    (meter, limits): (&Arc<Meter>, Limits),
) -> Result<Digest, Error> {
    let whole = Path::new("the layer");
    let mut archive = tar::Archive::new(plain);
    let mut tree = Tree::new(into, Arc::clone(meter))?;
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
    Ok(rest.finish())
}

/// The diff id of a layer that need not be unpacked.
pub(super) fn diff_id(packed: impl Read, limits: Limits) -> Result<Digest, Error> {
    let whole = Path::new("the layer");
    let meter = Meter::new(limits);
    let plain = plain(packed, Arc::clone(&meter)).map_err(at(whole))?;
    let mut bounded = Bounded::new(plain, meter);
    io::copy(&mut bounded, &mut io::sink()).map_err(at(whole))?;
    Ok(bounded.finish())
}

/// What is inside the compression.
fn plain<'a>(packed: impl Read + 'a, meter: Arc<Meter>) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut packed = packed;
    let mut magic = [0; 4];
    let filled = fill(&mut packed, &mut magic)?;
    let head = io::Cursor::new(magic).take(filled as u64);
    let buffered = BufReader::with_capacity(BUFFER, Tracked::new(head.chain(packed), meter));
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(Gzip::new(buffered)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(buffered)?))
        }
        _ => Box::new(buffered),
    })
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
    meter: Arc<Meter>,
    buffer: Vec<u8>,
    /// The directory of the entry before, until something there is another than it was.
    near: Option<(PathBuf, OwnedFd)>,
}

impl Tree {
    fn new(into: &Path, meter: Arc<Meter>) -> Result<Self, Error> {
        let root: OwnedFd = File::open(into).map_err(at(into))?.into();
        let top = depth(root.as_fd()).map_err(at(into))?;
        let buffer = vec![0; BUFFER];
        Ok(Self { root, directories: Vec::new(), top, bytes: 0, meter, buffer, near: None })
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Error> {
        let named = entry.path().map_err(at(Path::new("an entry's name")))?.into_owned();
        let path = inside(&named)?;
        let Some(name) = path.file_name().map(ToOwned::to_owned) else { return self.dress_root(entry) };
        let above = path.parent().unwrap_or(Path::new(""));
        let parent = match self.near.take() {
            Some((near, directory)) if near == above => directory,
            _ => self.directory(above)?,
        };
        let place = Place { parent: parent.as_fd(), name: name.as_ref(), path: &path };
        let changed = match name.as_bytes().strip_prefix(b".wh.") {
            Some(hidden) => whiteout(place.parent, hidden, &path).map(|()| Changed::No)?,
            None => self.make_entry(entry, &place)?,
        };
        // A link that was replaced may have been a part of the way here.
        self.near = (changed == Changed::No).then(|| (above.to_owned(), parent));
        Ok(())
    }

    fn make_entry(&mut self, entry: &mut Entry<'_, impl Read>, place: &Place<'_>) -> Result<Changed, Error> {
        let Place { parent, name, path } = *place;
        let header = entry.header().clone();
        let seconds = header.mtime().unwrap_or(0);
        match header.entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.bytes = self.bytes.saturating_add(entry.size());
                self.meter.allows(self.bytes).map_err(|e| at(path)(io::Error::other(e)))?;
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let (file, changed) =
                    place.anew(|| openat(parent, name, flags, Mode::from_raw_mode(0o600)))?;
                let mut file = File::from(file);
                pour(entry, &mut file, &mut self.buffer).map_err(at(path))?;
                dress(file.as_fd(), &header, entry, path)?;
                futimens(&file, &stamps(seconds)).map_err(at(path))?;
                Ok(changed)
            }
            EntryType::Directory => {
                self.make(parent, name, path)?;
                let made = openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
                dress(made.map_err(at(path))?.as_fd(), &header, entry, path)?;
                self.directories.push((path.to_owned(), seconds));
                Ok(Changed::No)
            }
            EntryType::Symlink => {
                let to = entry.link_name().map_err(at(path))?.unwrap_or_default().into_owned();
                let ((), changed) = place.anew(|| symlinkat(&to, parent, name))?;
                own(parent, name, &header, path)?;
                times(parent, name, seconds, path)?;
                Ok(changed)
            }
            EntryType::Link => {
                let to = entry.link_name().map_err(at(path))?.unwrap_or_default().into_owned();
                self.link(&to, place)
            }
            EntryType::Fifo => {
                let mode = Mode::from_raw_mode(header.mode().unwrap_or(0o600) & 0o7777);
                let ((), changed) = place.anew(|| mknodat(parent, name, FileType::Fifo, mode, 0))?;
                own(parent, name, &header, path)?;
                Ok(changed)
            }
            EntryType::XGlobalHeader => Ok(Changed::No),
            // Devices: nobody may use one in a user namespace, and every container has the six that it needs. What had
            // the name before is hidden all the same.
            _ => place.clear(),
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
    fn link(&self, to: &Path, place: &Place<'_>) -> Result<Changed, Error> {
        let target = inside(to)?;
        let file = target.file_name().ok_or_else(|| Error::Outside(to.to_owned()))?;
        let holder = self.directory(target.parent().unwrap_or(Path::new("")))?;
        let link = || linkat(&holder, file, place.parent, place.name, AtFlags::empty());
        place.anew(link).map(|((), changed)| changed)
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

/// Where an entry is made.
struct Place<'a> {
    parent: BorrowedFd<'a>,
    name: &'a Path,
    /// From the root, for messages.
    path: &'a Path,
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    No,
    Yes,
}

impl Place<'_> {
    /// Makes something, in the place of what is there.
    fn anew<T>(&self, make: impl Fn() -> rustix::io::Result<T>) -> Result<(T, Changed), Error> {
        match make() {
            Err(Errno::EXIST) => {
                let changed = self.clear()?;
                make().map(|made| (made, changed)).map_err(at(self.path))
            }
            other => other.map(|made| (made, Changed::No)).map_err(at(self.path)),
        }
    }

    /// Removes what is there, unless it is a directory.
    fn clear(&self) -> Result<Changed, Error> {
        match unlinkat(self.parent, self.name, AtFlags::empty()) {
            Ok(()) => Ok(Changed::Yes),
            Err(Errno::NOENT) => Ok(Changed::No),
            Err(e) => Err(at(self.path)(e)),
        }
    }
}

/// Writes all that can be read.
fn pour(from: &mut impl Read, to: &mut File, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match from.read(buffer)? {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n])?,
        }
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
            match fsetxattr(parent, name, b"y", XattrFlags::empty()) {
                // Nobody there sets the first, nor reads it.
                Err(Errno::PERM) if within() => {}
                other => other.map_err(at(path))?,
            }
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
