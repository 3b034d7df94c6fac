//! What can go wrong with a container, in words for the one who asked.

use crate::spawner::client::{self, Failure};
use std::io;

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("No such {kind}: {name}")]
    NotFound {
        /// `container`, `image`, …
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// There is no such volume.
    #[error("get {0}: no such volume")]
    NoVolume(String),
    /// There is no such driver of volumes.
    #[error("error looking up volume plugin {0}: plugin \"{0}\" not found: the only driver is local")]
    NoDriver(String),
    /// There is no such network.
    #[error("network {0} not found")]
    NoNetwork(String),
    /// There is no such checkpoint.
    #[error("checkpoint {checkpoint} does not exist for container {container}")]
    NoCheckpoint {
        /// Its name.
        checkpoint: String,
        /// The container's name.
        container: String,
    },
    /// A container could not be written down, or not be put on its feet again.
    #[error("{0}")]
    Checkpoint(String),
    /// This host cannot.
    #[error("{0}")]
    Unsupported(String),
    /// It is there, and not to be had so.
    #[error("{0}")]
    Forbidden(String),
    /// A container could not be connected.
    #[error("failed to set up container networking: {0}")]
    Network(String),
    /// It is in a state in which that cannot be done, or a name is taken.
    #[error("{0}")]
    Conflict(String),
    /// It is in the state already that was asked for.
    #[error("already so")]
    Unchanged,
    /// What was asked for is not well formed, or never done by Sandlot.
    #[error("{0}")]
    Invalid(String),
    /// The process does not run, because.
    #[error("{0}")]
    Start(Failure),
    /// The spawner cannot be reached.
    #[error(transparent)]
    Spawner(client::Error),
    /// The root filesystem could not be assembled.
    #[error("cannot assemble the root filesystem: {0}")]
    Rootfs(#[from] crate::container::rootfs::Error),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// There is no such thing.
    pub(crate) fn not_found(kind: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into() }
    }

    /// Bad input.
    pub(crate) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        match error {
            client::Error::Refused(failure) => Self::Start(failure),
            other => Self::Spawner(other),
        }
    }
}

/// Adds to an error what was being done.
pub(crate) trait Doing<T> {
    /// `what` is in the form "reading the record of 3f2a".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|e| Error::Io { what: what(), source: e.into() })
    }
}
