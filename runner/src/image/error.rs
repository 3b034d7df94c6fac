//! What can go wrong with an image.

use super::{Digest, unpack};
use std::io;

/// Why an image is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No image has that name or id.
    #[error("No such image: {0}")]
    NotFound(String),
    /// No image of that repository can be pushed.
    #[error("An image does not exist locally with the tag: {0}")]
    NoneToPush(String),
    /// No image has the name that is to be pushed.
    #[error("tag does not exist: {0}")]
    NoTag(String),
    /// The last name of an image that a container uses.
    #[error(
        "conflict: unable to remove repository reference {name:?} (must force) - container {container} is using its referenced image {image}"
    )]
    NameInUse {
        /// As it was given.
        name: String,
        /// The container's short id.
        container: String,
        /// The image's short id.
        image: String,
    },
    /// An image that is used, or has several names.
    #[error("conflict: unable to delete {image} ({forced}) - {why}")]
    Conflict {
        /// Its short id.
        image: String,
        /// Whether force would help.
        forced: &'static str,
        /// Why not.
        why: String,
    },
    /// What came is not what was asked for.
    #[error("the {what} has digest {found}, not {expected}: it is refused")]
    Wrong {
        /// Layer, blob, manifest.
        what: &'static str,
        /// As it should be.
        expected: Digest,
        /// As it is.
        found: Digest,
    },
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    /// The same, of a layer that has a digest.
    #[error("layer {layer}: {source}")]
    Layer {
        /// Its blob's digest, or its diff id where it came in no blob.
        layer: Digest,
        /// Why.
        source: unpack::Error,
    },
    /// Another layer of the same image failed first.
    #[error("another layer failed first")]
    Stopped,
    /// Something cannot be written, mostly because the disk is full.
    #[error("image store: writing {what}: {source}")]
    Write {
        /// Which thing.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// Something is not in the form that it should have.
    #[error("{0}")]
    Damaged(String),
    /// The registry did not give it.
    #[error(transparent)]
    Registry(#[from] super::registry::Error),
    /// The system refused.
    #[error("image store: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// Says which layer could not be unpacked.
    pub(super) fn of_layer(self, layer: &Digest) -> Self {
        match self {
            Self::Unpack(source) => Self::Layer { layer: *layer, source },
            other => other,
        }
    }
}
