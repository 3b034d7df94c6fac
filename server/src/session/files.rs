//! What sessions ask of whoever runs containers about files, as a trait: listed, read, written, renamed, removed, followed.
//!
//! Knows neither HTTP nor how files are reached; [`super::engine_files`] is Sandlot's engine's.

use super::engine::Error as EngineError;
use super::permit::Use;
use super::policy::Caller;
use super::{Error, Sessions};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
pub use sandlot_wire::files::{Change, DIRECTORIES, Entry, Kind, Listing};
use std::io;

/// What a path is written with as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A path inside a session: any bytes, percent-encoded, from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

impl FilePath {
    /// The path that a percent-encoded text says, however it begins.
    #[must_use]
    pub fn decoded(text: &str) -> Self {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        let start = bytes.iter().position(|b| *b != b'/').unwrap_or(bytes.len());
        Self(format!("/{}", percent_encode(&bytes[start..], PLAIN)))
    }

    /// Percent-encoded.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.0
    }

    /// The last name, percent-encoded; of the root, nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

/// Bytes on their way.
pub type Body = BoxStream<'static, io::Result<Bytes>>;

/// What is asked about files answers in the end.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// Why it was not done, in words for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing is there.
    #[error("{0}")]
    Missing(String),
    /// What is there is of another kind, or there is something.
    #[error("{0}")]
    Conflict(String),
    /// It was changed since the caller saw it.
    #[error("{0}")]
    Changed(String),
    /// It is never done.
    #[error("{0}")]
    Refused(String),
    /// The session's disk is full.
    #[error("{0}")]
    Full(String),
    /// A bound of the engine's.
    #[error("{0}")]
    TooMany(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The range lies outside of the file; this is the `Content-Range` that tells its size.
    #[error("the file has no such range: {0}")]
    Range(String),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

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

/// A file's bytes.
pub struct Content {
    /// How many come.
    pub length: u64,
    /// See [`Entry::tag`].
    pub tag: String,
    /// Of a part: which, as `Content-Range` says it.
    pub range: Option<String>,
    /// They.
    pub body: Body,
}

/// What stands at a path.
pub enum Opened {
    /// A directory.
    Directory(Listing),
    /// A file.
    File(Content),
}

/// Files of containers.
pub trait Files: Send + Sync {
    /// What stands at a path; `range` is asked for as in HTTP's `Range`.
    fn open<'a>(
        &'a self,
        container: &'a str,
        path: &'a FilePath,
        range: Option<&'a str>,
    ) -> Answer<'a, Opened>;
    /// What stands at a path, with all that is in it, as a tar archive.
    fn archive<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, Body>;
    /// Writes a file, whose missing parents are made; its tag.
    fn write<'a>(
        &'a self,
        container: &'a str,
        path: &'a FilePath,
        body: Body,
        condition: Condition,
    ) -> Answer<'a, String>;
    /// Makes a directory, and its missing parents.
    fn make_directory<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, ()>;
    /// Removes what is there, a directory with all that is in it.
    fn remove<'a>(&'a self, container: &'a str, path: &'a FilePath) -> Answer<'a, ()>;
    /// Renames; never onto what is there.
    fn rename<'a>(&'a self, container: &'a str, from: &'a FilePath, to: &'a FilePath) -> Answer<'a, ()>;
    /// Tells what changes in directories; first of each that anything may have.
    fn follow<'a>(
        &'a self,
        container: &'a str,
        directories: &'a [FilePath],
    ) -> Answer<'a, BoxStream<'static, io::Result<Change>>>;
}

impl Sessions {
    /// The files of a session that is up, and its container.
    ///
    /// # Errors
    /// [`Error`]: neither the caller's nor shared with them for that, not up, an engine that has no such calls.
    pub fn files(&self, caller: &Caller, id: &str, what: Use) -> Result<(&dyn Files, String), Error> {
        let (_, container) = self.up_shared(caller, id, what)?;
        let files = self.inner.engine.files().ok_or(Error::NotOffered("files of a session"))?;
        Ok((files, container))
    }
}

#[cfg(test)]
mod tests {
    use super::FilePath;

    #[test]
    fn paths_are_bytes_and_begin_at_the_root() {
        for (text, path, name) in [
            ("root/a b", "/root/a%20b", "a%20b"),
            ("//root/%ff%0a/", "/root/%FF%0A/", "%FF%0A"),
            ("", "/", ""),
            ("%2F%2fetc", "/etc", "etc"),
        ] {
            let made = FilePath::decoded(text);
            assert_eq!((made.encoded(), made.name()), (path, name), "{text}");
        }
    }
}
