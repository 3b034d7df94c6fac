//! Disks of a fixed size for what a container writes: a sparse file with ext4 in it, mounted by a loop device.
//!
//! Writing past the size answers `ENOSPC` inside, and nothing outside fills up. Knows no overlay and no container but by
//! its id: it gives a directory with `upper` and `work` in it.
//!
//! A disk is `<state>/disks/<id>/` with the file `image` and the mount point `mount`. Files are sparse, so a disk costs
//! what is in it; yet what is promised counts: a disk is refused when the free space could not hold all that the disks there
//! are may still write (times [`Settings::overcommit_percent`]). The filesystem has no journal: after a power cut a
//! container's files may be damaged, which its overlay (`volatile`) would be anyway.

use super::spec::IdRange;
use rustix::fs::SeekFrom;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The smallest disk: ext4's own needs, and a little.
pub const SMALLEST: u64 = 16 << 20;
/// The largest one: ext4's limit for files of 4 KiB blocks.
pub const LARGEST: u64 = 16 << 40;
/// Sizes are rounded up to this, so that few templates serve many wishes.
const STEP: u64 = 1 << 20;
/// What a disk that waits in the pool is named, before its number.
const READY: &str = "ready-";
/// What a template is named, before its size.
const TEMPLATE: &str = "template-";

/// How many disks wait, and how big.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a disk whose size was not said.
    pub size: u64,
    /// How many of that size are kept ready.
    pub ready: usize,
    /// Of the free space, how much may be promised; 100: all, and no more.
    pub overcommit_percent: u64,
}

/// Why there is no disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Out of range.
    #[error("a disk of {0} bytes is not possible: from 16 MiB to 16 TiB are")]
    Size(u64),
    /// The host's own disk is too small for what is promised.
    #[error(
        "a disk of {wanted} bytes does not fit: {promised} of {available} bytes are promised to others; free some space, \
         end containers, or ask for less"
    )]
    Full {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes that others may still write.
        promised: u64,
        /// Bytes that may be promised.
        available: u64,
    },
    /// The name is none.
    #[error("\"{0}\" is no name of a disk")]
    Name(String),
    /// mkfs.ext4 failed.
    #[error("mkfs.ext4 failed: {0}; it is in the Debian package e2fsprogs")]
    Mkfs(String),
    /// A step failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn failed<'a, E: Into<io::Error>>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(E) -> Error + use<'a, E> {
    move |e| Error::Io { action, path: path.to_owned(), source: e.into() }
}

/// A disk that is mounted. Dropping it changes nothing: a container's disk outlives the engine.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// The directory for an overlay's `upperdir`.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.mount().join("upper")
    }

    /// The directory for an overlay's `workdir`.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.mount().join("work")
    }

    fn mount(&self) -> PathBuf {
        self.directory.join("mount")
    }

    fn image(&self) -> PathBuf {
        self.directory.join("image")
    }
}

/// All disks of one engine.
#[derive(Debug)]
pub struct Disks {
    directory: PathBuf,
    settings: Settings,
    /// The ready ones, and the number of the next; held while space is counted, so that nothing is promised twice.
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    ready: Vec<Disk>,
    next: u64,
    /// The engine stops: no more are made ready.
    drained: bool,
}

impl Disks {
    /// The disks below `<state>/disks`. Call [`Disks::sweep`] before the first is made.
    ///
    /// # Errors
    /// [`Error::Size`], or what making the directory answers.
    pub fn new(state: &Path, settings: Settings) -> Result<Self, Error> {
        let settings = Settings { size: checked(settings.size)?, ..settings };
        let directory = state.join("disks");
        std::fs::create_dir_all(&directory).map_err(failed("making", &directory))?;
        Ok(Self { directory, settings, pool: Mutex::default() })
    }

    /// A disk of `size` bytes (rounded up to MiB; `None`: the usual size) for the container `id`, whose `upper` and `work`
    /// belong to the root of `owner`. A ready one is taken if there is one; [`Disks::refill`] makes the next.
    ///
    /// # Errors
    /// [`Error::Full`] if the host could not hold it; nothing is left behind by a failure.
    pub fn acquire(&self, id: &str, size: Option<u64>, owner: IdRange) -> Result<Disk, Error> {
        let directory = self.place(id)?;
        let size = checked(size.unwrap_or(self.settings.size))?;
        if directory.exists() {
            return Err(failed("making", &directory)(io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = if size == self.settings.size { pool.ready.pop() } else { None };
        let disk = match ready {
            Some(ready) => {
                std::fs::rename(&ready.directory, &directory).map_err(failed("naming", &directory))?;
                Disk { directory }
            }
            None => self.make(directory, size)?,
        };
        drop(pool);
        for path in [disk.mount(), disk.upper(), disk.work()] {
            let given = std::os::unix::fs::chown(&path, Some(owner.base), Some(owner.base));
            if let Err(error) = given.map_err(failed("giving away", &path)) {
                // The first error is the one to tell; a sweep finds the rest.
                drop(release(&disk.directory));
                return Err(error);
            }
        }
        Ok(disk)
    }

    /// The disk of the container `id`, mounted again if the machine was started anew meanwhile.
    ///
    /// # Errors
    /// If there is none, or it cannot be mounted.
    pub fn open(&self, id: &str) -> Result<Disk, Error> {
        let disk = Disk { directory: self.place(id)? };
        if !disk.upper().is_dir() {
            attach(&disk)?;
        }
        Ok(disk)
    }

    /// Unmounts and deletes a container's disk; one that is not there is released.
    ///
    /// # Errors
    /// What unmounting or deleting answers.
    pub fn release(&self, id: &str) -> Result<(), Error> {
        release(&self.place(id)?)
    }

    /// Makes ready ones until there are as many as the settings say. Takes about 15 ms each: for the background.
    ///
    /// # Errors
    /// The first failure; [`Error::Full`] means that the pool stays small.
    pub fn refill(&self) -> Result<(), Error> {
        loop {
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.drained || pool.ready.len() >= self.settings.ready {
                return Ok(());
            }
            pool.next += 1;
            let name = format!("{READY}{}", pool.next);
            let disk = self.make(self.directory.join(name), self.settings.size)?;
            pool.ready.push(disk);
        }
    }

    /// Releases the ready ones: for an engine that stops. They are made again when the next one starts.
    ///
    /// # Errors
    /// The first that could not be released; the others are tried all the same.
    pub fn drain(&self) -> Result<(), Error> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.drained = true;
        let mut first = Ok(());
        for disk in pool.ready.drain(..) {
            first = first.and(release(&disk.directory));
        }
        first
    }

    /// Releases every disk whose id `keep` does not want, ready ones of an earlier engine too; answers how many there were.
    ///
    /// # Errors
    /// The first that could not be released; the others are tried all the same.
    pub fn sweep(&self, keep: &dyn Fn(&str) -> bool) -> Result<usize, Error> {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut first, mut count) = (Ok(()), 0);
        for (name, path) in self.entries()? {
            let ours = pool.ready.iter().any(|disk| disk.directory == path);
            if !ours && !keep(&name) && !name.starts_with(TEMPLATE) {
                first = first.and(release(&path));
                count += 1;
            }
        }
        first.map(|()| count)
    }

    fn place(&self, id: &str) -> Result<PathBuf, Error> {
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if id.is_empty()
            || !plain
            || id.starts_with(['.', '-'])
            || id.starts_with(READY)
            || id.starts_with(TEMPLATE)
        {
            return Err(Error::Name(id.to_owned()));
        }
        Ok(self.directory.join(id))
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let all = std::fs::read_dir(&self.directory).map_err(failed("reading", &self.directory))?;
        Ok(all.flatten().filter_map(|e| Some((e.file_name().into_string().ok()?, e.path()))).collect())
    }

    fn make(&self, directory: PathBuf, size: u64) -> Result<Disk, Error> {
        self.check_space(size)?;
        let template = self.template(size)?;
        std::fs::create_dir(&directory).map_err(failed("making", &directory))?;
        let disk = Disk { directory };
        let made = copy_sparse(&template, &disk.image())
            .map_err(failed("copying a filesystem to", &disk.directory))
            .and_then(|()| attach(&disk));
        if made.is_err() {
            // The first error is the one to tell; a sweep finds the rest.
            drop(release(&disk.directory));
        }
        made.map(|()| disk)
    }

    fn check_space(&self, wanted: u64) -> Result<(), Error> {
        use std::os::unix::fs::MetadataExt;
        let free = rustix::fs::statvfs(&self.directory).map_err(failed("measuring", &self.directory))?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        let available = free / 100 * self.settings.overcommit_percent;
        let images = self.entries()?.into_iter().filter_map(|(_, path)| path.join("image").metadata().ok());
        let promised: u64 = images.map(|m| m.len().saturating_sub(m.blocks() * 512)).sum();
        if promised.saturating_add(wanted) > available {
            return Err(Error::Full { wanted, promised, available });
        }
        Ok(())
    }

    /// The filesystem of a size, made once.
    fn template(&self, size: u64) -> Result<PathBuf, Error> {
        let path = self.directory.join(format!("{TEMPLATE}{size}"));
        if path.exists() {
            return Ok(path);
        }
        let unfinished = self.directory.join(format!("unfinished-{size}"));
        let file = File::create(&unfinished).map_err(failed("making", &unfinished))?;
        file.set_len(size).map_err(failed("sizing", &unfinished))?;
        let features = ["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"];
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-m", "0", "-b", "4096"]).args(features).arg(&unfinished);
        let done =
            mkfs.stdin(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
        match done {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                return Err(Error::Mkfs(String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", ")));
            }
            Err(error) => return Err(Error::Mkfs(error.to_string())),
        }
        std::fs::rename(&unfinished, &path).map_err(failed("naming", &path))?;
        Ok(path)
    }
}

fn checked(size: u64) -> Result<u64, Error> {
    match size.checked_next_multiple_of(STEP) {
        Some(rounded @ SMALLEST..=LARGEST) => Ok(rounded),
        _ => Err(Error::Size(size)),
    }
}

/// Copies the data of a file and leaves its holes out; shares it where the filesystem can.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create_new(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    target.set_len(source.metadata()?.len())?;
    let mut at = 0;
    loop {
        let start = match rustix::fs::seek(&source, SeekFrom::Data(at)) {
            // Nothing but a hole is left.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            other => other?,
        };
        at = rustix::fs::seek(&source, SeekFrom::Hole(start))?;
        let (mut read, mut write) = (start, start);
        while read < at {
            let left = usize::try_from(at - read).unwrap_or(usize::MAX);
            if rustix::fs::copy_file_range(&source, Some(&mut read), &target, Some(&mut write), left)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Mounts a disk's file. Nothing of it is ever executed or opened as a device on the host; the overlay above has flags of
/// its own. `noinit_itable`: a sparse file reads as zeroes, so the kernel need not write them.
fn attach(disk: &Disk) -> Result<(), Error> {
    let (image, place) = (disk.image(), disk.mount());
    let file = File::options().read(true).write(true).open(&image).map_err(failed("opening", &image))?;
    let (device, path) = sandlot_sys::loopdev::attach(file.as_fd()).map_err(failed("attaching", &image))?;
    match std::fs::create_dir(&place) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed("making", &place)(e)),
        _ => {}
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    mount(&path, &place, "ext4", flags, Some(c"noinit_itable,errors=remount-ro"))
        .map_err(failed("mounting", &image))?;
    // From here on the mount keeps the device.
    drop(device);
    for directory in [disk.upper(), disk.work()] {
        match std::fs::create_dir(&directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making", &directory)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn release(directory: &Path) -> Result<(), Error> {
    let place = directory.join("mount");
    match unmount(&place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
        Err(e) => return Err(failed("unmounting", &place)(e)),
    }
    // Not recursively: were it mounted again below, that is not ours to delete.
    let gone = |done: io::Result<()>| match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    if directory.is_file() {
        return gone(std::fs::remove_file(directory)).map_err(failed("deleting", directory));
    }
    gone(std::fs::remove_dir(&place)).map_err(failed("deleting", &place))?;
    gone(std::fs::remove_file(directory.join("image"))).map_err(failed("deleting", directory))?;
    gone(std::fs::remove_dir(directory)).map_err(failed("deleting", directory))
}

#[cfg(test)]
mod tests;
