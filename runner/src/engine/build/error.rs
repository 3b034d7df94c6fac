//! Why a build failed, in Docker's words.

use super::dockerfile;
use crate::engine;
use crate::image;
use std::io;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Dockerfile does not parse.
    #[error(transparent)]
    Dockerfile(#[from] dockerfile::Error),
    /// What was asked for cannot be: an option, a target, a context.
    #[error("{0}")]
    Invalid(String),
    /// An instruction cannot be carried out.
    #[error("{0}")]
    Step(String),
    /// A command ended badly.
    #[error("The command '{command}' returned a non-zero code: {code}")]
    Command {
        /// What ran.
        command: String,
        /// With which code it ended.
        code: i32,
    },
    /// The store is to blame.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The engine is.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Nobody wants it any more.
    #[error("build canceled")]
    Canceled,
}

impl Error {
    pub(super) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }

    pub(super) fn step(words: impl Into<String>) -> Self {
        Self::Step(words.into())
    }

    /// The code that Docker's client ends with.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Command { code, .. } => *code,
            _ => 1,
        }
    }
}

impl From<String> for Error {
    fn from(words: String) -> Self {
        Self::Step(words)
    }
}

/// Adds to an error what was being done.
pub(super) trait During<T> {
    /// `what` is in the form "reading the context".
    fn during(self, what: &str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Result<T, Error> {
        self.map_err(|e| Error::Io { what: what.to_owned(), source: e.into() })
    }
}

/// Runs what blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).during("a thread of the build")?
}
