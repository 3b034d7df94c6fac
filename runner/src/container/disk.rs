//! Disks of a fixed size for what a container writes: a sparse file with ext4 in it, mounted by a loop device.
//!
//! Writing past the size answers `ENOSPC` inside, and nothing outside fills up. Knows no overlay and no container but by
//! its id: it gives a directory with `upper` and `work` in it.
//!
//! A disk is `<state>/disks/<id>/` with the file `image` and the mount point `mount`. Files are sparse, so a disk costs
//! what is in it; yet what is promised counts: a disk is refused when the free space could not hold all that the disks there
//! are may still write (times [`Settings::overcommit_percent`]). The filesystem has no journal: after a power cut a
//! container's files may be damaged, which its overlay (`volatile`) would be anyway.

mod filesystem;

use super::spec::IdRange;
use filesystem::{attach, attach_again, copy_sparse, detach, release, template};
use std::io;
use std::path::{Path, PathBuf};
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

/// What a disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What one container writes: it goes with it.
    Passing,
    /// A volume, which must come through a power cut.
    Lasting,
}

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
    /// Held while one is mounted again: a filesystem that is mounted by two devices is lost.
    opening: Mutex<()>,
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
        Ok(Self { directory, settings, pool: Mutex::default(), opening: Mutex::default() })
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
            None => self.make(directory, size, Kind::Passing)?,
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

    /// Makes a disk of `size` bytes (rounded up to MiB) that belongs to no container, and outlives a power cut. It is mounted when
    /// it is opened; what is in it has the ids that it is given.
    ///
    /// # Errors
    /// As [`Disks::acquire`].
    pub fn create(&self, id: &str, size: u64) -> Result<(), Error> {
        let (directory, size) = (self.place(id)?, checked(size)?);
        let _pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        self.format(directory, size, Kind::Lasting).map(drop)
    }

    /// Where the content of the disk `id` is while it is open: the directory `upper` of it.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn content(&self, id: &str) -> Result<PathBuf, Error> {
        Ok(Disk { directory: self.place(id)? }.upper())
    }

    /// The disk `id`, mounted again if the machine was started anew meanwhile.
    ///
    /// # Errors
    /// If there is none, or it cannot be mounted.
    pub fn open(&self, id: &str) -> Result<Disk, Error> {
        let disk = Disk { directory: self.place(id)? };
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if !disk.upper().is_dir() {
            attach_again(&disk)?;
        }
        Ok(disk)
    }

    /// The bytes that the disk `id` takes on the host, if it is not mounted: else what is in it can be counted.
    #[must_use]
    pub fn closed_bytes(&self, id: &str) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        let disk = Disk { directory: self.place(id).ok()? };
        let closed = !disk.upper().is_dir();
        disk.image().metadata().ok().filter(|_| closed).map(|image| image.blocks() * 512)
    }

    /// Unmounts the disk `id`, which nobody uses, and keeps it.
    ///
    /// # Errors
    /// What unmounting answers.
    pub fn close(&self, id: &str) -> Result<(), Error> {
        let disk = Disk { directory: self.place(id)? };
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        detach(&disk)
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
            let disk = self.make(self.directory.join(name), self.settings.size, Kind::Passing)?;
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

    fn make(&self, directory: PathBuf, size: u64, kind: Kind) -> Result<Disk, Error> {
        let disk = self.format(directory, size, kind)?;
        if let Err(error) = attach(&disk) {
            // The first error is the one to tell; a sweep finds the rest.
            drop(release(&disk.directory));
            return Err(error);
        }
        Ok(disk)
    }

    /// A new disk that is not mounted yet.
    fn format(&self, directory: PathBuf, size: u64, kind: Kind) -> Result<Disk, Error> {
        self.check_space(size)?;
        let template = template(&self.directory, size, kind)?;
        std::fs::create_dir(&directory).map_err(failed("making", &directory))?;
        let disk = Disk { directory };
        let copied = copy_sparse(&template, &disk.image());
        if let Err(error) = copied.map_err(failed("copying a filesystem to", &disk.directory)) {
            drop(release(&disk.directory));
            return Err(error);
        }
        Ok(disk)
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
}

fn checked(size: u64) -> Result<u64, Error> {
    match size.checked_next_multiple_of(STEP) {
        Some(rounded @ SMALLEST..=LARGEST) => Ok(rounded),
        _ => Err(Error::Size(size)),
    }
}

#[cfg(test)]
mod tests;
