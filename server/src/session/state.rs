//! Where a session is in its life.
//!
//! ```text
//!  queued ──a place is free──▶ starting ──▶ running ◀──▶ paused
//!    │                            │            │            │
//!    └────────────────────────────┴────────────┴────────────┴──▶ ended(reason)
//! ```
//! Knows neither container nor clock.

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its owner ended it.
    Closed,
    /// Nobody typed for the idle time-out.
    Idle,
    /// Its lifetime was over.
    Expired,
    /// It left the queue because nobody asked for it any more.
    Abandoned,
    /// It could not be started.
    Failed,
    /// Its container ended by itself, or was removed from outside.
    Gone,
}

impl Reason {
    const ALL: [Self; 6] =
        [Self::Closed, Self::Idle, Self::Expired, Self::Abandoned, Self::Failed, Self::Gone];

    /// Its name in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: Reason,
    /// Why, in words for its owner.
    pub message: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits for a place.
    Queued,
    /// Its container is being cloned.
    Starting,
    /// Up.
    Running,
    /// Frozen.
    Paused,
    /// Over.
    Ended(End),
}

impl State {
    /// Its name in the store.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Ended(_) => "ended",
        }
    }

    /// Whether it takes one of the places that are limited.
    #[must_use]
    pub fn holds_place(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }

    /// Whether there is a container whose terminals can be reached.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}
