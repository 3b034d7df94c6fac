//! The JSON bodies of the routes of files and ports. The TypeScript side is generated from these types.

use crate::session::files::{self, Change, Entry, Kind, Listing};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A file with bytes.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FileEntry {
    /// Its name: any bytes, percent-encoded.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Of a link: what it leads to, if that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub leads_to: Option<FileKind>,
    /// Bytes.
    pub size: u64,
    /// When its content was changed, in milliseconds since 1970.
    pub changed: i64,
    /// Its permissions, as chmod takes them.
    pub mode: u32,
    /// Another one after every change: what `ETag` tells and `If-Match` takes, without the quotes.
    pub tag: String,
}

/// `GET /sessions/{id}/files/{path}` of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FileListing {
    /// What is in it, in no order.
    pub entries: Vec<FileEntry>,
    /// Whether there is more than is told.
    pub truncated: bool,
    /// The most bytes of one upload.
    pub upload_limit: u64,
}

/// One event `change` of `GET /sessions/{id}/file-changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FileChange {
    /// The directory, percent-encoded.
    pub directory: String,
    /// The names in it; none: anything may have changed, the directory itself included.
    pub names: Vec<String>,
}

/// `POST /sessions/{id}/files/{path}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameFile {
    /// The new path: any bytes, percent-encoded. Nothing must be there.
    pub to: String,
}

/// One port on which something listens in a session: `GET /sessions/{id}/ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct ListeningPort {
    /// The TCP port.
    pub port: u16,
    /// The path of the playground that leads to its preview, where there is a domain for previews.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub url: Option<String>,
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Link => Self::Link,
            Kind::Other => Self::Other,
        }
    }
}

impl From<Entry> for FileEntry {
    fn from(entry: Entry) -> Self {
        let files::Entry { name, kind, leads_to, size, changed, mode, tag } = entry;
        Self { name, kind: kind.into(), leads_to: leads_to.map(Into::into), size, changed, mode, tag }
    }
}

impl FileListing {
    /// A listing, with what may be uploaded.
    #[must_use]
    pub fn new(listing: Listing, upload_limit: u64) -> Self {
        let entries = listing.entries.into_iter().map(Into::into).collect();
        Self { entries, truncated: listing.truncated, upload_limit }
    }
}

impl From<Change> for FileChange {
    fn from(change: Change) -> Self {
        Self { directory: change.directory, names: change.names }
    }
}
