//! A course's folder: files are read by paths relative to it, bounded in size, and no path leads out of it.
//!
//! The kernel holds that: `openat2` beneath the folder, following no symbolic link.

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, openat2};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Files and folders of a course that are looked at when it is listed.
const ENTRIES: usize = 20_000;

/// Why a file was not read, in words for the author.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("there is no file {0}")]
    Missing(String),
    /// It would lead out of the course.
    #[error("{0} leads out of the course, or through a symbolic link: name a file within it")]
    Outside(String),
    /// It is larger than what is read.
    #[error("{path} is larger than {most} bytes")]
    TooLarge {
        /// Which.
        path: String,
        /// What is allowed.
        most: u64,
    },
    /// It is no text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// Something else.
    #[error("cannot read {path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        let root = root.map_err(|errno| explain(&path.display().to_string(), errno))?;
        Ok(Self { root, path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Error> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        // Without waiting: a pipe in the folder must not hold the server up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | flags;
        openat2(&self.root, path, flags, Mode::empty(), resolve).map_err(|errno| explain(path, errno))
    }

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// [`Error`].
    pub fn bytes(&self, path: &str, most: u64) -> Result<Vec<u8>, Error> {
        let file = std::fs::File::from(self.beneath(path, OFlags::empty())?);
        let io = |error| Error::Io { path: path.to_owned(), error };
        if !file.metadata().map_err(io)?.is_file() {
            return Err(io(io::Error::other("it is no regular file")));
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > most {
            return Err(Error::TooLarge { path: path.to_owned(), most });
        }
        Ok(bytes)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// [`Error`].
    pub fn text(&self, path: &str, most: u64) -> Result<String, Error> {
        String::from_utf8(self.bytes(path, most)?).map_err(|_| Error::NotText(path.to_owned()))
    }

    /// The names in a folder, in order; of one that is not there, none.
    ///
    /// # Errors
    /// [`Error`].
    pub fn names(&self, path: &str, kind: FileType) -> Result<Vec<String>, Error> {
        let opened = match self.beneath(if path.is_empty() { "." } else { path }, OFlags::DIRECTORY) {
            Ok(opened) => opened,
            Err(Error::Missing(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let failed = |errno| explain(path, errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(&opened).map_err(failed)?.take(ENTRIES) {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !name.starts_with('.') && self.kind(&opened, &entry) == kind {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// A file system that does not tell the kind with the name is asked for it.
    fn kind(&self, folder: &OwnedFd, entry: &rustix::fs::DirEntry) -> FileType {
        match entry.file_type() {
            FileType::Unknown => {
                let stat =
                    rustix::fs::statat(folder, entry.file_name(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
                stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
            }
            known => known,
        }
    }

    /// What changes when any file of it does.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        let mut left = ENTRIES;
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let mut seen = 0_u64;
            for entry in entries.flatten() {
                left = left.saturating_sub(1);
                if left == 0 {
                    return hasher.finish();
                }
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
                let mut one = DefaultHasher::new();
                (entry.path(), metadata.len(), metadata.modified().ok(), metadata.is_dir()).hash(&mut one);
                // The order of names in a folder means nothing.
                seen = seen.wrapping_add(one.finish());
            }
            seen.hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn explain(path: &str, errno: rustix::io::Errno) -> Error {
    use rustix::io::Errno;
    match errno {
        Errno::NOENT | Errno::NOTDIR => Error::Missing(path.to_owned()),
        Errno::XDEV | Errno::LOOP => Error::Outside(path.to_owned()),
        other => Error::Io { path: path.to_owned(), error: other.into() },
    }
}

/// A path relative to the file that names it, relative to the course: `lab.yaml`'s `check/a.sh` is `labs/x/check/a.sh`.
#[must_use]
pub fn beside(file: &str, path: &str) -> String {
    match file.rsplit_once('/') {
        // An absolute path stays one, and is refused when it is opened.
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}
