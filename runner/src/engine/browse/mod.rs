//! A container's files one at a time, as a person browses and edits them: listed, read, written, renamed, removed, watched.
//!
//! The container may change its tree at any moment and means harm: every path is resolved by the kernel inside the root
//! to a descriptor ([`crate::image::place::open_inside`]), and everything is done by descriptors. What is no file or
//! directory is never opened, and what the kernel makes up is left to the container. Knows no HTTP.

mod alter;
mod read;
mod spot;
mod watch;
mod write;

pub use read::{File, Opened};
pub use watch::{Watch, Watches};
pub use write::{Condition, What};

use super::error::Error as EngineError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What files are called while they are written; no listing shows them.
const UNFINISHED: &[u8] = b".sandlot-upload-";

/// What a name is written with as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &PLAIN.remove(b'/');

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container, or the system.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Nothing is there.
    #[error("there is no {0}")]
    Missing(String),
    /// What is there is of another kind, or there is something.
    #[error("{0}")]
    Kind(String),
    /// It is not as whoever asked knows it.
    #[error("{0} was changed meanwhile: load it again, or write it without a condition")]
    Changed(String),
    /// It is never done.
    #[error("{0}")]
    Refused(String),
    /// The container's disk.
    #[error("the disk of this session is full: {0} was not written; remove something first")]
    Full(String),
    /// The bytes stopped before their end.
    #[error("the upload of {0} broke off; nothing was changed")]
    Broken(String),
    /// The kernel's or our bound.
    #[error("too many directories of this session are followed at once: close some")]
    TooMany,
}

/// A path of the wire; seen from the container's root, however it begins.
#[must_use]
pub fn decode(text: &str) -> PathBuf {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let start = bytes.iter().position(|b| *b != b'/').unwrap_or(bytes.len());
    PathBuf::from(std::ffi::OsString::from_vec([b"/", &bytes[start..]].concat()))
}

/// A path or name as the wire has it.
fn encode(path: &OsStr) -> String {
    percent_encode(path.as_bytes(), PATH).to_string()
}

/// What the system answered, in words about `path`.
fn told(path: &Path) -> impl Fn(Errno) -> Error {
    let name = path.display().to_string();
    move |errno| match errno {
        Errno::NOENT => Error::Missing(name.clone()),
        Errno::NOTDIR => Error::Kind(format!("{name} is no directory, or something above it is none")),
        Errno::ISDIR => Error::Kind(format!("{name} is a directory")),
        Errno::EXIST | Errno::NOTEMPTY => Error::Kind(format!("{name} is there already")),
        Errno::LOOP => {
            Error::Kind(format!("{name} leads through too many links, or one of the kernel's own"))
        }
        Errno::NAMETOOLONG => Error::Kind(format!("the name {name} is too long")),
        Errno::INVAL => Error::Kind(format!("{name} cannot be put there")),
        Errno::XDEV => Error::Kind(format!("{name} lies on another file system: use mv in the terminal")),
        Errno::BUSY => Error::Kind(format!("{name} is in use: something is mounted there")),
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Error::Full(name.clone()),
        Errno::ROFS => Error::Refused(format!("{name} lies on a file system that cannot be written")),
        Errno::PERM | Errno::ACCESS => Error::Refused(format!("the system does not allow it: {name}")),
        other => Error::Engine(EngineError::Io { what: name.clone(), source: other.into() }),
    }
}

/// The same of an error of the standard library's.
fn told_io(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(code) => told(path)(Errno::from_raw_os_error(code)),
        None => Error::Engine(EngineError::Io { what: path.display().to_string(), source: error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes() {
        let path = decode("a%20b/%0A%ff/c");
        assert_eq!(path.as_os_str().as_bytes(), b"/a b/\n\xff/c");
        assert_eq!(encode(path.as_os_str()), "/a%20b/%0A%FF/c");
        assert_eq!(decode("///").as_os_str(), "/");
        assert_eq!(decode("").as_os_str(), "/");
    }
}
