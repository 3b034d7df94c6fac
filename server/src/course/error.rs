//! Why something asked of courses was not done. Knows no status code.

use crate::{session, store};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name.
    #[error("there is no such course")]
    NoCourse,
    /// There is none of that name, or it has mistakes.
    #[error("this course has no such lab")]
    NoLab,
    /// There is none of that name.
    #[error("this course has no such slides")]
    NoDeck,
    /// There is none of that name.
    #[error("this lab has no such step")]
    NoStep,
    /// There is nothing of that name to be passed.
    #[error("this step has nothing of that name")]
    NoPart,
    /// The session is of no lab.
    #[error("this session belongs to no lab")]
    NotOfALab,
    /// The server has none of the images that it names.
    #[error("none of the images that the course names is in this server's catalogue: {0}")]
    NoImage(String),
    /// The session is still being prepared, or could not be.
    #[error("the lab is not ready: {0}")]
    NotReady(String),
    /// Something comes before.
    #[error("first comes {0:?}")]
    Waits(String),
    /// A script of the lab runs already.
    #[error("a check of this session runs already: wait for it")]
    Busy,
    /// Its author gave none.
    #[error("the author of this lab gave no solution for {0:?}")]
    NoSolution(String),
    /// A script of the author's failed.
    #[error("{what} failed: {said}")]
    Script {
        /// Which.
        what: String,
        /// What it printed last.
        said: String,
    },
    /// A file could not be put into the session.
    #[error("{path} could not be put into the session: {words}")]
    File {
        /// Which.
        path: String,
        /// Why.
        words: String,
    },
    /// The sessions did not.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The database did not.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
