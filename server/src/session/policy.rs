//! What sessions are allowed: how many, how long, how large, from which images.
//!
//! Plain data that the configuration fills in and checks.

use super::engine::{Limits, Network, Profile};
use super::keep::Keeping;
use super::pool::{Budget, Kind, Window};
use crate::terminal::protocol::TerminalMode;
use crate::terminal::recording::Settings;
use std::time::Duration;

/// An image that visitors may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its reference.
    pub name: String,
    /// Some words.
    pub title: String,
    /// A sentence or two.
    pub description: String,
    /// The walls that its sessions get.
    pub profile: Profile,
    /// What its sessions reach.
    pub network: Network,
    /// Whether they are recorded; `None`: as [`Recording::usual`] says.
    pub recorded: Option<Recorded>,
}

/// Whether terminals are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// They are, and their pages say so.
    Yes,
    /// They are not.
    No,
}

/// Sessions that are to be ready at set times, as before a class begins.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// The image, one of the catalogue.
    pub image: String,
    /// How many.
    pub count: usize,
    /// When.
    pub window: Window,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What each session may use.
    pub limits: Limits,
    /// Without typing for this long, a session ends.
    pub idle: Duration,
    /// How long a session lives.
    pub lifetime: Duration,
    /// How much longer each extension makes it.
    pub extension: Duration,
    /// How often it may be extended.
    pub extensions: u32,
    /// Sessions of one visitor, queued ones included.
    pub per_visitor: usize,
    /// Sessions in all; more wait.
    pub total: usize,
    /// How many may wait.
    pub queue: usize,
    /// Terminals of one session.
    pub terminals: usize,
    /// How much a visitor may keep.
    pub keeping: Keeping,
    /// What sessions that are made ahead may take.
    pub pool: Budget,
    /// What is made ahead at set times.
    pub schedule: Vec<Scheduled>,
    /// How what is recorded is kept; `None`: nothing is.
    pub recording: Option<Recording>,
    /// What visitors may choose; the first is the default.
    pub catalogue: Vec<Image>,
}

impl Policy {
    /// The catalogue's image of that name.
    #[must_use]
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.catalogue.iter().find(|image| image.name == name)
    }

    /// Whether terminals of sessions of this image are recorded.
    #[must_use]
    pub fn is_recorded(&self, image: &str) -> bool {
        let listed = self.image(image).and_then(|image| image.recorded);
        self.recording.is_some_and(|recording| listed.unwrap_or(recording.usual) == Recorded::Yes)
    }

    /// What sessions of an image and walls are.
    pub(super) fn kind(&self, image: &str, profile: Profile) -> Kind {
        let network = self.image(image).map(|image| image.network).unwrap_or_default();
        Kind { image: image.to_owned(), profile, network, limits: self.limits }
    }
}

/// What is recorded, and how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Whether terminals are recorded of whose image nothing is said.
    pub usual: Recorded,
    /// Of each terminal.
    pub each: Settings,
    /// A recording that ended so long ago is removed.
    pub age: Duration,
    /// The most bytes of all; the oldest are removed first.
    pub total: u64,
}

/// Who came by a share link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The session, the only one that is shared with them.
    pub session: String,
    /// The link.
    pub share: String,
    /// Their number among the session's guests.
    pub number: i64,
    /// What they may do.
    pub mode: TerminalMode,
}

/// The administrator's name; no visitor's id is like it.
const ADMINISTRATOR: &str = "administrator";

/// Who asks for something of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A visitor, by id.
    Visitor(String),
    /// The administrator.
    Administrator,
    /// Somebody with whom one session is shared.
    Guest(Guest),
}

impl Caller {
    /// Whose name it is, as [`Caller::name`] tells it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            ADMINISTRATOR => Self::Administrator,
            id => Self::Visitor(id.to_owned()),
        }
    }

    /// The name that is stored as a session's owner.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Visitor(id) => id,
            Self::Administrator => ADMINISTRATOR,
            Self::Guest(_) => "guest",
        }
    }

    /// Whether the caller may see and use what belongs to `owner`.
    #[must_use]
    pub fn may_use(&self, owner: &str) -> bool {
        match self {
            Self::Administrator => true,
            Self::Visitor(id) => id == owner,
            // What guests may do is asked for by `Sessions::look`, `attach`, `files` and `ports` alone.
            Self::Guest(_) => false,
        }
    }
}
