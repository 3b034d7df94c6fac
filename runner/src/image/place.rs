//! From a tar archive into a directory that somebody hostile may be changing meanwhile: `cp` into a container.
//!
//! Every path is resolved by the kernel inside the root (`openat2(2)`, `RESOLVE_IN_ROOT`) to the descriptor of a directory,
//! and the entry is made by that descriptor without following a link. Nothing is ever opened by a path of the host's.
//! Where [`super::unpack()`] fills an empty directory with a layer, this changes one that is in use.

use super::pack::made_up;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown,
    linkat, mkdirat, mknodat, openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use tar::{Archive, Entry, EntryType, Header};

/// How many ids a container has, and whom the ids beyond belong to inside.
const IDS: u64 = 65_536;
const NOBODY: u32 = 65_534;
/// The most entries.
const ENTRIES: u64 = 2_000_000;
/// How often a path is looked up again that was renamed while it was resolved.
const TRIES: usize = 64;

/// How files are put.
#[derive(Debug, Clone, Copy)]
pub struct Placing<'a> {
    /// The host's id of root inside; 0: ids stay what they are.
    pub base: u32,
    /// To whom all belongs (ids of the host), if not to whom the archive says.
    pub owner: Option<(u32, u32)>,
    /// What is done where a directory meets what is none.
    pub kinds: Kinds,
    /// The name that a file at the archive's top gets, if not its own.
    pub name: Option<&'a OsStr>,
}

/// What becomes of an archive's entry for the directory that it is unpacked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// It says nothing.
    Left,
    /// The directory gets its owner, mode and time.
    Dressed,
}

/// What is done where a directory meets what is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// It is an error.
    Kept,
    /// What is there goes, unless it is a directory with something in it.
    Replaced,
}

fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    let path = path.display().to_string();
    move |e| {
        let e: io::Error = e.into();
        io::Error::new(e.kind(), format!("{path}: {e}"))
    }
}

/// Opens what is at `path` as seen from `root`, and never outside of it.
///
/// # Errors
/// What `openat2(2)` answers.
pub fn open_inside(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for _ in 1..TRIES {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // Somebody renames directories at this moment, and the kernel cannot say that all stayed inside.
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Unpacks an archive (plain, gzip or zstd) into the directory `into` of `root`, which must be there.
///
/// # Errors
/// With the path: what the system answers, an entry that leads out, kinds that clash.
pub fn place(archive: impl Read, root: BorrowedFd<'_>, into: &Path, placing: Placing<'_>) -> io::Result<()> {
    place_plain(inflated(archive)?, root, into, placing, (Top::Left, u64::MAX))
}

/// The same for an archive that is packed by nobody, and of at most so many bytes of files, holes included.
///
/// # Errors
/// As [`place`].
pub fn place_plain(
    archive: impl Read,
    root: BorrowedFd<'_>,
    into: &Path,
    placing: Placing<'_>,
    (top, most): (Top, u64),
) -> io::Result<()> {
    open_inside(root, into, OFlags::PATH | OFlags::DIRECTORY).map_err(at(into))?;
    let placer = Placer { root, into, placing, top, left: Cell::new(most) };
    let mut directories = Vec::new();
    let mut archive = Archive::new(archive);
    for (n, entry) in (0..).zip(archive.entries()?) {
        if n >= ENTRIES {
            return Err(io::Error::other(format!("the archive has more than {ENTRIES} entries")));
        }
        placer.entry(entry?, &mut directories)?;
    }
    // Times last: putting something into a directory changes its own.
    for (path, seconds) in directories.into_iter().rev() {
        let directory = open_inside(root, &path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(at(&path))?;
        if !made_up(directory.as_fd())? {
            utimensat(&directory, "", &stamps(seconds), AtFlags::EMPTY_PATH).map_err(at(&path))?;
        }
    }
    Ok(())
}

fn inflated<'r>(mut packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut head = Vec::new();
    packed.by_ref().take(4).read_to_end(&mut head)?;
    let kind = head.clone();
    let whole = BufReader::with_capacity(256 << 10, io::Cursor::new(head).chain(packed));
    Ok(match kind[..] {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::with_buffer(whole)?),
        _ => Box::new(whole),
    })
}

struct Placer<'a> {
    root: BorrowedFd<'a>,
    into: &'a Path,
    placing: Placing<'a>,
    top: Top,
    /// Bytes that files may still have.
    left: Cell<u64>,
}

impl Placer<'_> {
    fn entry(
        &self,
        mut entry: Entry<'_, impl Read>,
        directories: &mut Vec<(PathBuf, u64)>,
    ) -> io::Result<()> {
        let mut path = inside(&entry.path()?)?;
        let header = entry.header().clone();
        let seconds = header.mtime().unwrap_or(0);
        let kind = header.entry_type();
        if let Some(name) = self.placing.name.filter(|_| !kind.is_dir() && path.components().count() == 1) {
            path = PathBuf::from(name);
        }
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return if self.top == Top::Dressed { self.dress_top(&header, directories) } else { Ok(()) };
        };
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        let parent = parent.as_fd();
        if kind.is_dir() {
            self.make_directory(parent, &name, &header, &path)?;
            directories.push((self.into.join(&path), seconds));
            return Ok(());
        }
        let plain = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
        if !plain && !matches!(kind, EntryType::Symlink | EntryType::Link | EntryType::Fifo) {
            // Devices: every mount of a container refuses them anyway.
            return Ok(());
        }
        self.clear(parent, &name, &path)?;
        let left = self.left.get().checked_sub(if plain { entry.size() } else { 0 });
        self.left
            .set(left.ok_or_else(|| at(&path)(io::Error::other("the archive has more bytes than it may")))?);
        match kind {
            EntryType::Symlink => {
                let to = entry.link_name()?.unwrap_or_default().into_owned();
                symlinkat(&to, parent, &name).map_err(at(&path))?;
            }
            EntryType::Link => {
                let to = inside(&entry.link_name()?.unwrap_or_default())?;
                let holder = self.directory(to.parent().unwrap_or(Path::new("")))?;
                let file = to.file_name().unwrap_or_default();
                return linkat(&holder, file, parent, &name, AtFlags::empty()).map_err(at(&path));
            }
            EntryType::Fifo => {
                let mode = Mode::from_raw_mode(header.mode().unwrap_or(0o600) & 0o777);
                mknodat(parent, &name, FileType::Fifo, mode, 0).map_err(at(&path))?;
            }
            _ => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(parent, &name, flags, Mode::from_raw_mode(0o600)).map_err(at(&path))?;
                let mut file = File::from(file);
                io::copy(&mut entry, &mut file).map_err(at(&path))?;
                self.dress(file.as_fd(), &header, &path)?;
            }
        }
        if !plain {
            let (uid, gid) = self.owner(&header);
            chownat(parent, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at(&path))?;
        }
        utimensat(parent, &name, &stamps(seconds), AtFlags::SYMLINK_NOFOLLOW).map_err(at(&path))
    }

    fn dress_top(&self, header: &Header, directories: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
        let top =
            open_inside(self.root, self.into, OFlags::RDONLY | OFlags::DIRECTORY).map_err(at(self.into))?;
        if !made_up(top.as_fd())? {
            self.dress(top.as_fd(), header, self.into)?;
            directories.push((self.into.to_owned(), header.mtime().unwrap_or(0)));
        }
        Ok(())
    }

    /// Opens a directory below where things are put, making what is missing.
    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let whole = self.into.join(path);
        match open_inside(self.root, &whole, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT) if path.file_name().is_some() => {}
            other => {
                let found = other.map_err(at(&whole))?;
                // We have the host's rights, and a link may lead to /proc/sys.
                if made_up(found.as_fd())? {
                    return Err(at(&whole)(io::Error::other("the kernel makes up what is there")));
                }
                return Ok(found);
            }
        }
        let above = self.directory(path.parent().unwrap_or(Path::new("")))?;
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        self.make_directory(above.as_fd(), path.file_name().unwrap_or_default(), &header, path)
    }

    fn make_directory(
        &self,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        header: &Header,
        path: &Path,
    ) -> io::Result<OwnedFd> {
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(parent, name, flags, Mode::empty())
        };
        let made = match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => open(),
            Err(Errno::EXIST) => match open() {
                Err(Errno::NOTDIR | Errno::LOOP) if self.placing.kinds == Kinds::Kept => {
                    let what = format!("cannot overwrite non-directory {:?} with directory", path.display());
                    return Err(io::Error::new(io::ErrorKind::NotADirectory, what));
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    unlinkat(parent, name, AtFlags::empty()).map_err(at(path))?;
                    mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(at(path))?;
                    open()
                }
                other => other,
            },
            Err(other) => Err(other),
        };
        let made = made.map_err(at(path))?;
        if made_up(made.as_fd())? {
            return Ok(made);
        }
        self.dress(made.as_fd(), header, path)?;
        Ok(made)
    }

    /// Takes away what stands where a file is to be.
    fn clear(&self, parent: BorrowedFd<'_>, name: &OsStr, path: &Path) -> io::Result<()> {
        let there = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => FileType::from_raw_mode(other.map_err(at(path))?.st_mode),
        };
        let flags = match (there, self.placing.kinds) {
            (FileType::Directory, Kinds::Kept) => {
                let what = format!("cannot overwrite directory {:?} with non-directory", path.display());
                return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
            }
            (FileType::Directory, Kinds::Replaced) => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        unlinkat(parent, name, flags).map_err(at(path))
    }

    /// Owner, then mode: changing an owner takes setuid bits away.
    fn dress(&self, fd: BorrowedFd<'_>, header: &Header, path: &Path) -> io::Result<()> {
        let (uid, gid) = self.owner(header);
        fchown(fd, Some(uid), Some(gid)).map_err(at(path))?;
        fchmod(fd, Mode::from_raw_mode(header.mode().unwrap_or(0o644) & 0o7777)).map_err(at(path))
    }

    fn owner(&self, header: &Header) -> (Uid, Gid) {
        let id = |n: io::Result<u64>| {
            let n = n.unwrap_or(0);
            let small = u32::try_from(n).ok().filter(|_| self.placing.base == 0 || n < IDS).unwrap_or(NOBODY);
            self.placing.base + small
        };
        let (uid, gid) = self.placing.owner.unwrap_or_else(|| (id(header.uid()), id(header.gid())));
        (Uid::from_raw(uid), Gid::from_raw(gid))
    }
}

/// A path without a root, `.` and `..`.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            _ => return Err(io::Error::other(format!("the entry {:?} leads out", path.display()))),
        }
    }
    Ok(clean)
}

fn stamps(seconds: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
