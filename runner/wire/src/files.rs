//! A container's files one at a time, as a tree and an editor ask for them: `{PREFIX}/containers/{id}/files`.
//!
//! Names are bytes, so every path and name here is percent-encoded ASCII; a path is seen from the container's root.
//!
//! * `GET files?path=` answers a [`Listing`] or, of a file, its bytes (one `Range` is understood) with its [tag](Entry::tag)
//!   as `ETag`; [`HEADER_KIND`] tells which. With `&archive=tar` either is an archive.
//! * `PUT files?path=` writes a file, with `&kind=directory` makes a directory; missing parents are made. `If-Match` with
//!   a tag, or `If-None-Match: *`, is kept to: 412.
//! * `DELETE files?path=` removes what is there, a directory with all that is in it.
//! * `POST files?path=&to=` renames; never onto what is there.
//! * `GET files/changes?path=&path=…` answers lines of JSON, each a [`Change`]: first one of every directory.

use serde::{Deserialize, Serialize};

/// The response header that tells what stands at the path: a [`Kind`].
pub const HEADER_KIND: &str = "sandlot-kind";

/// The most entries of a listing.
pub const ENTRIES: usize = 2000;

/// The most directories that one stream of changes follows.
pub const DIRECTORIES: usize = 256;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file with bytes.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A pipe, a socket or a device: nothing that could be read to its end.
    Other,
}

impl Kind {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, percent-encoded.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Of a link: what it leads to inside the container, if that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<Kind>,
    /// Bytes.
    pub size: u64,
    /// When its content was changed, in milliseconds since 1970.
    pub changed: i64,
    /// Its permissions: the lowest 12 bits of `st_mode`.
    pub mode: u32,
    /// Another one after every change.
    pub tag: String,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// What is in it, in no order.
    pub entries: Vec<Entry>,
    /// Whether there is more than [`ENTRIES`].
    pub truncated: bool,
}

/// Something in a directory is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The directory, percent-encoded as it was asked for.
    pub directory: String,
    /// The names; none: anything may have changed, the directory itself included.
    pub names: Vec<String>,
}
