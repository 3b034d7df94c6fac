//! From a directory to a tar archive: layers out of what a container wrote, whole trees, single files.
//!
//! What is packed may belong to somebody hostile who changes it meanwhile: every step is taken by the descriptor of the
//! directory above (`openat(2)`, never through a link), a file is opened only when its descriptor has shown what it is, and
//! exactly as many bytes are written as its entry says. The opposite of [`super::unpack()`].

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, StatxFlags, fgetxattr, flistxattr, fstat, fstatfs, openat,
    readlinkat, statx,
};
use rustix::io::Errno;
use sandlot_sys::userns::opaque;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// How deep directories may stand in each other: each level holds a descriptor.
const DEPTH: usize = 250;
/// How many ids a container has.
const IDS: u32 = 65_536;
/// Whom the ids beyond belong to inside.
const NOBODY: u32 = 65_534;
/// The longest extended attribute that Linux has, and the longest list of their names.
const ATTRIBUTE: usize = 64 << 10;

/// What of mounts below the directory is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Borders {
    /// Nothing: a mount point is an empty directory or file.
    Closed,
    /// Files of every kind but those that the kernel makes up (`/proc`, `/sys` and their like).
    Open,
}

/// Whether overlayfs's own signs become those of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Device 0/0 becomes `.wh.NAME`, the attribute `opaque` becomes `.wh..wh..opq`.
    Layer,
    /// There are none.
    Plain,
}

/// How a directory is packed.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    /// The host's id of root inside; 0: ids stay what they are.
    pub base: u32,
    /// See [`Signs`].
    pub signs: Signs,
    /// See [`Borders`].
    pub borders: Borders,
}

fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> io::Error {
    let path = path.display().to_string();
    move |e| {
        let e: io::Error = e.into();
        io::Error::new(e.kind(), format!("packing {path}: {e}"))
    }
}

/// Writes all that is in `directory`, without the directory itself, as an archive to `out`.
///
/// # Errors
/// What reading or writing answers, with the path; what goes away meanwhile is left out.
pub fn all(directory: BorrowedFd<'_>, packing: Packing, out: impl Write) -> io::Result<()> {
    let mut packer = Packer::new(directory, packing, out)?;
    packer.children(directory, Path::new(""), 0)?;
    packer.out.finish()
}

/// Writes what is called `name` in `directory`, with all that is in it, as `shown` to `out`; `.` is the directory itself.
///
/// # Errors
/// As [`all`]; and if `name` is not there.
pub fn one(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    shown: &Path,
    packing: Packing,
    out: impl Write,
) -> io::Result<()> {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS).map_err(at(shown))?;
    let mut packer = Packer::new(directory, packing, out)?;
    packer.entry(directory, name, shown, 0)?;
    packer.out.finish()
}

struct Packer<W: Write> {
    out: Builder<W>,
    packing: Packing,
    /// The mount that packing began in.
    mount: u64,
    /// Where files with several names were written first.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    fn new(directory: BorrowedFd<'_>, packing: Packing, out: W) -> io::Result<Self> {
        let mount = mount_of(directory)?;
        Ok(Self { out: Builder::new(out), packing, mount, links: HashMap::new() })
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &OsStr, shown: &Path, depth: usize) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match openat(parent, name, flags, Mode::empty()) {
            // Gone meanwhile.
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(at(shown))?,
        };
        let stat = fstat(&fd).map_err(at(shown))?;
        let foreign = mount_of(fd.as_fd())? != self.mount;
        // We have the host's rights, which would show /proc/kcore.
        let hidden = foreign && self.packing.borders == Borders::Closed || made_up(fd.as_fd())?;
        let mut header = self.header(&stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.directory(fd.as_fd(), header, shown, hidden, depth),
            FileType::RegularFile => self.file(fd, &stat, header, shown, hidden),
            FileType::Symlink => {
                let to = readlinkat(&fd, "", Vec::new()).map_err(at(shown))?;
                header.set_entry_type(EntryType::Symlink);
                self.write(header, shown, to.to_bytes(), Vec::new(), io::empty())
            }
            FileType::CharacterDevice if stat.st_rdev == 0 && self.packing.signs == Signs::Layer => {
                let mut sign = OsString::from(".wh.");
                sign.push(shown.file_name().unwrap_or_default());
                self.sign(&shown.with_file_name(sign))
            }
            FileType::Fifo => {
                header.set_entry_type(EntryType::Fifo);
                self.write(header, shown, b"", Vec::new(), io::empty())
            }
            FileType::CharacterDevice | FileType::BlockDevice if self.packing.signs == Signs::Plain => {
                let block = FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice;
                header.set_entry_type(if block { EntryType::Block } else { EntryType::Char });
                header.set_device_major(rustix::fs::major(stat.st_rdev))?;
                header.set_device_minor(rustix::fs::minor(stat.st_rdev))?;
                self.write(header, shown, b"", Vec::new(), io::empty())
            }
            // A socket means nothing without its process, and a device nothing in an image.
            _ => Ok(()),
        }
    }

    fn directory(
        &mut self,
        fd: BorrowedFd<'_>,
        mut header: Header,
        shown: &Path,
        hidden: bool,
        depth: usize,
    ) -> io::Result<()> {
        if depth >= DEPTH {
            return Err(at(shown)(io::Error::other(format!("directories stand more than {DEPTH} deep"))));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = openat(fd, ".", flags, Mode::empty()).map_err(at(shown))?;
        let attributes = attributes(open.as_fd()).map_err(at(shown))?;
        header.set_entry_type(EntryType::Directory);
        self.write(header, &shown.join(""), b"", attributes, io::empty())?;
        if self.packing.signs == Signs::Layer {
            if attribute(open.as_fd(), "trusted.overlay.redirect").is_some() {
                let why =
                    "the directory was renamed by an overlay with redirect_dir, which a layer cannot say";
                return Err(at(shown)(io::Error::other(why)));
            }
            if attribute(open.as_fd(), opaque()).is_some_and(|v| v == b"y") {
                self.sign(&shown.join(".wh..wh..opq"))?;
            }
        }
        if hidden || made_up(open.as_fd()).map_err(at(shown))? {
            return Ok(());
        }
        self.children(open.as_fd(), shown, depth + 1)
    }

    fn children(&mut self, directory: BorrowedFd<'_>, shown: &Path, depth: usize) -> io::Result<()> {
        for name in names(directory).map_err(at(shown))? {
            self.entry(directory, &name, &shown.join(&name), depth)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        fd: OwnedFd,
        stat: &Stat,
        mut header: Header,
        shown: &Path,
        hidden: bool,
    ) -> io::Result<()> {
        let links = stat.st_nlink > 1 && !hidden;
        if links && let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
            header.set_entry_type(EntryType::Link);
            let first = first.clone();
            return self.write(header, shown, first.as_os_str().as_bytes(), Vec::new(), io::empty());
        }
        if hidden {
            return self.write(header, shown, b"", Vec::new(), io::empty());
        }
        // The descriptor has shown that it is a file: no device or pipe is opened by this.
        let own = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let file = File::open(own).map_err(at(shown))?;
        if self.packing.signs == Signs::Layer && attribute(file.as_fd(), "trusted.overlay.metacopy").is_some()
        {
            return Err(at(shown)(io::Error::other("an overlay with metacopy holds no content for it")));
        }
        let attributes = attributes(file.as_fd()).map_err(at(shown))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        header.set_size(size);
        // What is shorter by now is filled up, what is longer cut off: the entry has said how long it is.
        let exactly = file.take(size).chain(io::repeat(0)).take(size);
        self.write(header, shown, b"", attributes, exactly)?;
        if links {
            self.links.insert((stat.st_dev, stat.st_ino), shown.to_owned());
        }
        Ok(())
    }

    /// An empty file whose name says something of a layer.
    fn sign(&mut self, shown: &Path) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        self.write(header, shown, b"", Vec::new(), io::empty())
    }

    /// An entry; a name or a target that is too long for its head goes into an entry before it (pax), byte by byte as it
    /// is: the crate's own way would take a leading `./` away, by which Docker's clients rename.
    fn write(
        &mut self,
        mut header: Header,
        shown: &Path,
        link: &[u8],
        mut before: Vec<(String, Vec<u8>)>,
        content: impl Read,
    ) -> io::Result<()> {
        let old = header.as_old_mut();
        for (field, text, long) in
            [(&mut old.name, shown.as_os_str().as_bytes(), "path"), (&mut old.linkname, link, "linkpath")]
        {
            let length = text.len().min(field.len());
            field[..length].copy_from_slice(&text[..length]);
            if length < text.len() {
                before.push((long.to_owned(), text.to_vec()));
            }
        }
        if !before.is_empty() {
            let pairs = before.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            self.out.append_pax_extensions(pairs).map_err(at(shown))?;
        }
        header.set_cksum();
        self.out.append(&header, content).map_err(at(shown))
    }

    fn header(&self, stat: &Stat) -> Header {
        let id = |id: u32| match (self.packing.base, id.checked_sub(self.packing.base)) {
            (0, _) => id,
            (_, Some(inside)) if inside < IDS => inside,
            _ => NOBODY,
        };
        let mut header = Header::new_gnu();
        header.set_mode(stat.st_mode & 0o7777);
        header.set_uid(u64::from(id(stat.st_uid)));
        header.set_gid(u64::from(id(stat.st_gid)));
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
        header.set_size(0);
        header
    }
}

/// The extended attributes that mean something elsewhere, as an archive names them.
fn attributes(fd: BorrowedFd<'_>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut list = vec![0; ATTRIBUTE];
    let length = match flistxattr(fd, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let mut found = Vec::new();
    for name in list[..length].split(|b| *b == 0).filter_map(|n| std::str::from_utf8(n).ok()) {
        let own = name.starts_with("user.") && !name.starts_with("user.overlay.");
        if !own && name != "security.capability" {
            continue;
        }
        let Some(value) = attribute(fd, name) else { continue };
        let value = if own { value } else { capability(value) };
        found.push((format!("SCHILY.xattr.{name}"), value));
    }
    Ok(found)
}

/// The names in a directory, in order.
pub fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            all.push(OsString::from_vec(name.to_vec()));
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn mount_of(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?.stx_mnt_id)
}

/// Whether the kernel makes up what is in a directory.
///
/// # Errors
/// What `fstatfs(2)` answers.
pub fn made_up(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // proc, sysfs, cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf (statfs(2)).
    const MADE_UP: [i64; 10] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x1cd1,
        0x1980_0202,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xcafe_4a11,
    ];
    Ok(MADE_UP.contains(&fstatfs(fd)?.f_type))
}

/// An extended attribute, if there is one.
pub(super) fn attribute(fd: BorrowedFd<'_>, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; ATTRIBUTE];
    let length = fgetxattr(fd, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// File capabilities without the root that they are bound to (`struct vfs_ns_cap_data`, revision 3): a layer's are bound to
/// none (revision 2).
fn capability(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == 24 && value[3] == 3 {
        value[3] = 2;
        value.truncate(20);
    }
    value
}

#[cfg(test)]
mod tests;
