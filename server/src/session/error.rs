//! Why something asked of sessions was not done. Knows no status code.

use super::engine;
use super::table::Refusal;
use crate::{store, terminal};

/// Why something asked of sessions was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such session, or it is another's: the caller cannot tell.
    #[error("there is no such session")]
    NoSession,
    /// There is no such terminal.
    #[error("this session has no such terminal")]
    NoTerminal,
    /// The image is not in the catalogue.
    #[error("there is no image {0:?} in the catalogue: choose one that is listed")]
    NoImage(String),
    /// The catalogue is empty and no image was named.
    #[error("the catalogue is empty: add [[images]] to the configuration")]
    NoImages,
    /// Only the administrator may ask for the wider profile of an image.
    #[error("the image {0:?} has no nested sessions: choose one that has")]
    NotNested(String),
    /// Only the administrator may.
    #[error("only the administrator may do this")]
    NotAdministrator,
    /// More were announced than may be made ahead.
    #[error("at most {most} sessions are made ahead (pool-count), of which {left} are not announced yet")]
    TooWarm {
        /// How many may be ready in all.
        most: usize,
        /// How many of them are left.
        left: usize,
    },
    /// There is no such kept work, or it is another's.
    #[error("there is no such kept work")]
    NothingKept,
    /// As much is kept as is allowed.
    #[error("you keep {0} works, and no more are allowed: delete one, then keep this")]
    TooMuchKept(usize),
    /// A session runs from it.
    #[error("a session that started from this still lives: end it first")]
    KeptInUse,
    /// Not admitted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is not up.
    #[error("the session is {0}, so this cannot be done now")]
    NotUp(&'static str),
    /// As many terminals as are allowed.
    #[error("this session has {0} terminals, and no more are allowed: close one first")]
    TooManyTerminals(usize),
    /// No extension is left.
    #[error("this session was extended {0} times, and no more is allowed")]
    NoExtension(u32),
    /// There is no such share link of this session.
    #[error("this session has no such share link")]
    NoShare,
    /// The share link was revoked.
    #[error("the owner of this session has revoked the link by which you came")]
    Revoked,
    /// The share link lets its guests look on only.
    #[error("the link by which you came lets you look on, and change nothing: ask the owner for another")]
    LooksOn,
    /// As many share links as are allowed.
    #[error("this session has {0} share links, and no more are allowed: revoke one first")]
    TooManyShares(usize),
    /// As many guests as are allowed.
    #[error("{0} guests came by this link, and no more are let in: ask for another")]
    TooManyGuests(usize),
    /// There is no such recording, or it is another's: the caller cannot tell.
    #[error("there is no such recording")]
    NoRecording,
    /// A recording cannot be kept or read.
    #[error("cannot use the recordings: {0}")]
    Recording(#[from] std::io::Error),
    /// The engine has no such calls.
    #[error("the engine that runs the sessions here does not offer this: {0}")]
    NotOffered(&'static str),
    /// The engine did not.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The database did not.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The terminal cannot be used.
    #[error(transparent)]
    Terminal(#[from] terminal::Error),
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
