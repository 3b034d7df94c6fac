//! Files written: beside the place, then put there in one step, so that nobody sees half of one.
//!
//! While its bytes come a file has no name, so an engine that is killed meanwhile leaves nothing; where the file system cannot do
//! that, it has one that no listing shows.

use super::read::{again, kind, special, tag};
use super::spot::{self, Owner, Spot};
use super::{Error, UNFINISHED, told, told_io};
use crate::engine::Engine;
use crate::engine::files;
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Stat, Uid, fchmod, fchown, fstat, linkat, openat, renameat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;
use sandlot_wire::files::Kind;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The permissions of a new file.
const MODE: u32 = 0o644;
/// Bytes that are copied at once.
const PIECE: usize = 128 << 10;

/// What must be so, or nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// Nothing is there.
    Absent,
    /// What is there has this tag.
    Tag(String),
}

/// What is put at a path.
#[derive(Debug)]
pub enum What<R> {
    /// A file with these bytes.
    File(R),
    /// A directory.
    Directory,
}

impl Engine {
    /// Puts a file or directory at `path` in a container, whose missing parents are made; the file's tag. A file that is
    /// there keeps its owner and permissions (but for set-id bits, as with any write); a new one is the container's user's.
    ///
    /// # Errors
    /// [`Error`]; nothing was changed then but parents that were made.
    pub async fn put(
        &self,
        key: &str,
        path: PathBuf,
        what: What<impl Read + Send + 'static>,
        condition: Condition,
    ) -> Result<Option<String>, Error> {
        let container = self.find(key)?;
        let record = container.record();
        if record.host.readonly_rootfs && record.state.alive().is_none() {
            return Err(Error::Refused("container rootfs is marked read-only".into()));
        }
        let user = record.config.user;
        let work = move |root: BorrowedFd<'_>, base| {
            let owner = files::owner(root, base, &user)?;
            Ok(match what {
                What::Directory => make(root, &path, owner).map(|()| None),
                What::File(mut bytes) => write(root, &path, owner, &mut bytes, &condition).map(Some),
            })
        };
        self.with_root(container, work).await?
    }
}

fn make(root: BorrowedFd<'_>, path: &Path, owner: Owner) -> Result<(), Error> {
    let spot = Spot::with_parents(root, path, owner)?;
    spot.writable()?;
    spot.make_directory(owner)
}

/// A file on its way; what is dropped before it is put goes.
struct Unfinished<'a> {
    spot: &'a Spot,
    /// Its name beside the place, once it has one.
    name: Option<OsString>,
    file: File,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            unlinkat(&self.spot.parent, name, AtFlags::empty()).unwrap_or_default();
        }
    }
}

impl Unfinished<'_> {
    /// Puts it at its place, in one step.
    fn put(&mut self, condition: &Condition) -> rustix::io::Result<()> {
        let (parent, place) = (&self.spot.parent, &self.spot.name);
        match (&self.name, condition) {
            (None, Condition::Absent) => self.link(place),
            (Some(name), Condition::Absent) => {
                renameat_with(parent, name, parent, place, RenameFlags::NOREPLACE)
            }
            (Some(name), _) => renameat(parent, name, parent, place),
            // A link replaces nothing: a name for this moment, and then that is moved.
            (None, _) => {
                let name = random_name()?;
                self.link(&name)?;
                let name = self.name.insert(name);
                renameat(parent, &*name, parent, place)
            }
        }
    }

    fn link(&self, name: &OsStr) -> rustix::io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, own, &self.spot.parent, name, AtFlags::SYMLINK_FOLLOW)
    }
}

fn write(
    root: BorrowedFd<'_>,
    path: &Path,
    owner: Owner,
    bytes: &mut dyn Read,
    condition: &Condition,
) -> Result<String, Error> {
    let spot = Spot::with_parents(root, path, owner)?.followed(root)?;
    spot.writable()?;
    check(&spot, condition)?;
    let mut new = unfinished(&spot)?;
    copy(bytes, &mut new.file, path)?;
    // What is there now, not what was there when the bytes began to come.
    let there = check(&spot, condition)?;
    dress(&new.file, there.as_ref(), owner).map_err(told(path))?;
    match new.put(condition) {
        Ok(()) => Ok(tag(&fstat(&new.file).map_err(told(path))?)),
        Err(Errno::EXIST) if *condition == Condition::Absent => Err(Error::Changed(shown(path))),
        // Something is mounted there, as on /etc/hosts: such a file can only be filled anew.
        Err(Errno::BUSY) => fill(root, &spot, &mut new.file),
        Err(e) => Err(told(path)(e)),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What is there, if it may be replaced and is as it must be.
fn check(spot: &Spot, condition: &Condition) -> Result<Option<Stat>, Error> {
    let there = spot.stat()?;
    match there.as_ref().map(kind) {
        None | Some(Kind::File) => {}
        Some(Kind::Directory) => return Err(told(&spot.path)(Errno::ISDIR)),
        Some(Kind::Link | Kind::Other) => return Err(special(&spot.path)),
    }
    let kept = match condition {
        Condition::None => true,
        Condition::Absent => there.is_none(),
        Condition::Tag(known) => there.as_ref().is_some_and(|stat| tag(stat) == *known),
    };
    if kept { Ok(there) } else { Err(Error::Changed(shown(&spot.path))) }
}

fn unfinished(spot: &Spot) -> Result<Unfinished<'_>, Error> {
    let (mode, flags) = (Mode::from_raw_mode(0o600), OFlags::RDWR | OFlags::CLOEXEC);
    match openat(&spot.parent, ".", OFlags::TMPFILE | flags, mode) {
        Ok(file) => return Ok(Unfinished { spot, name: None, file: file.into() }),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        Err(e) => return Err(told(&spot.path)(e)),
    }
    let name = random_name().map_err(told(&spot.path))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | flags;
    let file = openat(&spot.parent, &name, flags, mode);
    Ok(Unfinished { spot, name: Some(name), file: file.map_err(told(&spot.path))?.into() })
}

fn random_name() -> rustix::io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| Errno::IO)?;
    let name = [UNFINISHED, hex::encode(random).as_bytes()].concat();
    Ok(OsStr::from_bytes(&name).to_owned())
}

/// Tells who is to blame: who sends the bytes, or the disk.
fn copy(bytes: &mut dyn Read, file: &mut File, path: &Path) -> Result<(), Error> {
    let mut piece = vec![0; PIECE];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => file.write_all(&piece[..n]).map_err(|e| told_io(path, e))?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Error::Broken(shown(path))),
        }
    }
}

/// Owner, then mode: changing an owner takes bits away.
fn dress(file: &File, there: Option<&Stat>, owner: Owner) -> rustix::io::Result<()> {
    let (uid, gid) = there.map_or(owner, |stat| (stat.st_uid, stat.st_gid));
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    fchmod(file, Mode::from_raw_mode(there.map_or(MODE, |stat| stat.st_mode & 0o777)))
}

fn fill(root: BorrowedFd<'_>, spot: &Spot, new: &mut File) -> Result<String, Error> {
    let doing = told(&spot.path);
    let found = crate::image::place::open_inside(root, &spot.path, OFlags::PATH).map_err(&doing)?;
    spot::real(found.as_fd(), &spot.path)?;
    if kind(&fstat(&found).map_err(&doing)?) != Kind::File {
        return Err(special(&spot.path));
    }
    let mut file = File::from(again(&found, OFlags::WRONLY | OFlags::TRUNC).map_err(&doing)?);
    new.rewind().and_then(|()| std::io::copy(new, &mut file)).map_err(|e| told_io(&spot.path, e))?;
    Ok(tag(&fstat(&file).map_err(&doing)?))
}
