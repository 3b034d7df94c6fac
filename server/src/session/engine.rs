//! What sessions ask of the container engine, as a trait, so that whoever runs containers can be handed in.
//!
//! Knows no protocol: [`super::docker`] speaks to Sandlot's engine, [`super::stock`] to any other that speaks Docker;
//! [`find`] asks which one listens.

use super::bounds::Note;
use super::used::Used;
use futures_util::future::BoxFuture;
use sandlot_wire::{Kept, Meter, OpenTerminal, Size, Terminal};
use std::os::fd::OwnedFd;
use tokio::sync::watch;

/// What an engine's call answers in the end.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers on its socket.
    #[error("the container engine does not answer: {0}")]
    Unreachable(String),
    /// There is no such container, terminal or image.
    #[error("{0}")]
    NotFound(String),
    /// Not as things are, in its words, which are for the visitor.
    #[error("{0}")]
    Conflict(String),
    /// It refused, in its words.
    #[error("the container engine refused: {0}")]
    Refused(String),
    /// It answered something that is not in the protocol.
    #[error("the container engine answered what was not expected: {0}")]
    Protocol(String),
}

/// Which walls a session's container gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// The strict one.
    #[default]
    Standard,
    /// Containers may be made inside.
    Nested,
    /// The same, and an engine of the session's own answers at `/var/run/docker.sock`.
    Engine,
}

impl Profile {
    /// Its name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Nested => "nested",
            Self::Engine => "engine",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Standard, Self::Nested, Self::Engine].into_iter().find(|profile| profile.name() == name)
    }
}

/// What a session reaches outside itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// Its own loopback.
    #[default]
    None,
    /// Public addresses as well; neither the host nor other sessions.
    Internet,
}

impl Network {
    /// Its name for the engine and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Internet => "internet",
        }
    }

    /// The network of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Internet].into_iter().find(|network| network.name() == name)
    }
}

/// What a session may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Processors, in billionths.
    pub nano_cpus: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes that may be written to the root filesystem.
    pub disk: u64,
}

/// A session's container to be made.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The session.
    pub session: String,
    /// Whose it is.
    pub owner: String,
    /// The server that holds it.
    pub node: String,
    /// The image's reference.
    pub image: String,
    /// Its host name.
    pub hostname: String,
    /// Walls.
    pub profile: Profile,
    /// The images that an engine of its own finds without fetching them.
    pub share: Vec<String>,
    /// What it reaches.
    pub network: Network,
    /// Limits.
    pub limits: Limits,
    /// Names of its own loopback, beside the usual.
    pub loopback: Vec<String>,
}

/// Whether a container's processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// Made, not yet started.
    Created,
    /// They do.
    Running,
    /// Frozen.
    Paused,
    /// Ended.
    Dead,
}

/// A session's container that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The container's id.
    pub container: String,
    /// The session that it belongs to.
    pub session: String,
    /// The server that made it.
    pub node: String,
    /// Whether it runs.
    pub running: Running,
}

/// A terminal's two descriptors.
#[derive(Debug)]
pub struct Handed {
    /// The terminal's id.
    pub id: String,
    /// The pty's master.
    pub master: OwnedFd,
    /// The ring file.
    pub ring: OwnedFd,
    /// Told of every size, where the pty is not the one that the programs see.
    pub resized: Option<watch::Sender<Size>>,
}

/// What a session uses and has used, and the limits that it came against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// As the engine reads it now.
    pub meter: Meter,
    /// In all.
    pub used: Used,
    /// The limits, each once.
    pub notes: Vec<Note>,
}

/// The container engine. Calls on what is already so (starting what runs, removing what is gone) succeed.
pub trait Engine: Send + Sync + 'static {
    /// Makes a container; its id.
    fn create<'a>(&'a self, spec: &'a Spec) -> Reply<'a, String>;
    /// Starts it.
    fn start<'a>(&'a self, container: &'a str) -> Reply<'a, ()>;
    /// Ends and removes it.
    fn remove<'a>(&'a self, container: &'a str) -> Reply<'a, ()>;
    /// All containers that are sessions.
    fn list(&self) -> Reply<'_, Vec<Found>>;
    /// The digest of the image that a reference means now.
    fn image<'a>(&'a self, reference: &'a str) -> Reply<'a, String>;
    /// What it uses.
    fn meter<'a>(&'a self, container: &'a str) -> Reply<'a, Meter>;
    /// What all sessions use; none of an engine that cannot tell all at once.
    fn meters(&self) -> Reply<'_, Vec<Meter>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    /// Freezes it.
    fn pause<'a>(&'a self, container: &'a str) -> Reply<'a, ()>;
    /// Thaws it.
    fn unpause<'a>(&'a self, container: &'a str) -> Reply<'a, ()>;
    /// Opens a terminal in it.
    fn open_terminal<'a>(&'a self, container: &'a str, request: &'a OpenTerminal) -> Reply<'a, Handed>;
    /// Hands a terminal over again.
    fn take_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, Handed>;
    /// Its terminals, also those whose process has ended.
    fn terminals<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Terminal>>;
    /// Closes a terminal everywhere.
    fn close_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, ()>;
    /// Waits for the end of a terminal's process; its exit code.
    fn wait_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, i32>;
    /// Makes an image, called after `name`, of what a container wrote, if that is not more than `most` bytes.
    fn keep<'a>(&'a self, container: &'a str, name: &'a str, most: u64) -> Reply<'a, Kept>;
    /// Removes such an image.
    fn forget_kept<'a>(&'a self, name: &'a str) -> Reply<'a, ()>;
    /// Files of its containers, if it lets others at them.
    fn files(&self) -> Option<&dyn super::files::Files> {
        None
    }
    /// Ports of its containers, if it lets others at them.
    fn ports(&self) -> Option<&dyn super::ports::Ports> {
        None
    }
    /// Scripts in its containers, if it runs any by a shell of its own.
    fn scripts(&self) -> Option<&dyn super::scripts::Scripts> {
        None
    }
    /// Whether it answers.
    fn ping(&self) -> Reply<'_, ()>;
    /// The promises that cannot be kept with it, in words; with any, strangers are not let in.
    fn voids(&self) -> &'static [&'static str] {
        &[]
    }
}
