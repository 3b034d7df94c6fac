//! Why a registry does not do it: each error is one of the distribution specification's, or the store's.

use crate::image::{self, Digest};
use std::io;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// That cannot be a repository's name.
    #[error(
        "{0:?} cannot be a repository's name: lower-case letters and digits, separated by one of . _ __ - /"
    )]
    NameInvalid(String),
    /// There is no such repository.
    #[error("repository {0} is not known here")]
    NameUnknown(String),
    /// That cannot be a tag.
    #[error("{0:?} cannot be a tag: up to 128 letters, digits, underscores, dots and dashes are")]
    TagInvalid(String),
    /// That is no digest.
    #[error("{0:?} is no digest: sha256: and 64 lower-case hexadecimal digits are")]
    DigestInvalid(String),
    /// What came has another digest.
    #[error("what was sent has the digest {found}, not {said}")]
    DigestWrong {
        /// As the client said.
        said: Digest,
        /// As it is.
        found: Digest,
    },
    /// There is no such manifest.
    #[error("{repository} has no manifest {reference}")]
    ManifestUnknown {
        /// Where.
        repository: String,
        /// The tag or digest.
        reference: String,
    },
    /// It cannot be read as a manifest.
    #[error("the manifest is not valid: {0}")]
    ManifestInvalid(String),
    /// It is too long.
    #[error("the manifest is longer than {0} bytes")]
    ManifestLong(u64),
    /// It names something that is not here.
    #[error("the manifest names {0}, which was not pushed to this repository")]
    NamesUnknown(Digest),
    /// There is no such blob.
    #[error("{repository} has no blob {digest}")]
    BlobUnknown {
        /// Where.
        repository: String,
        /// Which.
        digest: Digest,
    },
    /// Something else needs it.
    #[error("{0}")]
    Needed(String),
    /// There is no such upload.
    #[error("there is no such upload: it ended, or nothing came for too long; begin again")]
    UploadUnknown,
    /// A piece does not follow what came before.
    #[error("the next byte is number {received}")]
    UploadRange {
        /// Bytes so far.
        received: u64,
    },
    /// Something in a request has no meaning.
    #[error("{0}")]
    UploadInvalid(String),
    /// The client stopped sending; it may go on from here.
    #[error("the upload broke off after {received} bytes: {cause}")]
    BrokeOff {
        /// Bytes so far.
        received: u64,
        /// Why.
        cause: String,
    },
    /// They may not.
    #[error("{0}")]
    Denied(String),
    /// There is no room for it.
    #[error("{0}")]
    Full(String),
    /// Too much at once.
    #[error("{0}")]
    TooMany(&'static str),
    /// A range that the blob has not.
    #[error("the blob has {size} bytes")]
    RangeInvalid {
        /// Of the blob.
        size: u64,
    },
    /// A page of a list has a size.
    #[error("n must be a number from 0 to {0}")]
    PageInvalid(usize),
    /// The store.
    #[error(transparent)]
    Store(#[from] image::Error),
    /// The system.
    #[error("image store: {0}")]
    Io(#[from] io::Error),
}
