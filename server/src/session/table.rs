//! All sessions of this server, and who waits for a place: pure data, no clock, no engine.
//!
//! Whoever holds it guards it by a lock that is never held across a wait.

use super::bounds::Watch;
use super::engine::Profile;
use super::policy::{Caller, Policy};
use super::state::{End, Reason, State};
use super::used::Used;
use crate::store::SessionRow;
use crate::terminal::{Activity, Phase, Terminal};
use std::collections::HashMap;
use std::sync::Arc;

/// A terminal of a session.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its id.
    pub id: String,
    /// Its handle; `None`: its process ended before this server took it up.
    pub terminal: Option<Terminal>,
    /// Its exit code, where it ended before.
    pub ended: Option<i32>,
}

impl Slot {
    /// Its exit code, once its process has ended.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self.terminal.as_ref().map(Terminal::phase) {
            Some(Phase::Exited(code)) => Some(code),
            _ => self.ended,
        }
    }
}

/// Whether a fresh container is being made for a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Renewal {
    /// No.
    #[default]
    No,
    /// Yes: containers of its label that are not its own are not lost.
    UnderWay,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// The image's reference.
    pub image: String,
    /// Its walls.
    pub profile: Profile,
    /// Where it is in its life.
    pub state: State,
    /// Its container, once made.
    pub container: Option<String>,
    /// Its terminals, oldest first.
    pub terminals: Vec<Slot>,
    /// How many more are being opened.
    pub opening: usize,
    /// When somebody was last there.
    pub activity: Arc<Activity>,
    /// How often it was extended.
    pub extensions: u32,
    /// When it was asked for, in seconds since 1970.
    pub created_at: i64,
    /// When its lifetime is over.
    pub expires_at: i64,
    /// When its first prompt was there.
    pub started_at: Option<i64>,
    /// What its container has used.
    pub used: Used,
    /// What earlier containers of it had used, and what was stored of all.
    pub earlier: Used,
    /// The limits that it came against.
    pub watch: Watch,
    /// Whether a fresh container is being made for it.
    pub renewal: Renewal,
    /// When its owner last asked for it: who does not ask leaves the queue.
    pub seen_at: i64,
}

impl Session {
    /// The row that stores it.
    #[must_use]
    pub fn row(&self, node: &str) -> SessionRow {
        let end = match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        };
        SessionRow {
            id: self.id.clone(),
            node: node.to_owned(),
            owner: self.owner.clone(),
            image: self.image.clone(),
            profile: self.profile.name().to_owned(),
            state: self.state.name().to_owned(),
            reason: end.map(|end| end.reason.name().to_owned()),
            message: end.map(|end| end.message.clone()),
            container: self.container.clone(),
            extensions: self.extensions.into(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            ended_at: end.map(|end| end.at),
            started_at: self.started_at,
            used: end.and_then(|end| serde_json::to_string(&self.total(end.at)).ok()),
        }
    }

    /// The session that a row stores, without its terminals. One that was starting waits again.
    #[must_use]
    pub fn from_row(row: SessionRow, now: i64) -> Self {
        let state = match (row.state.as_str(), row.ended_at) {
            (_, Some(at)) => State::Ended(End {
                reason: row.reason.as_deref().and_then(Reason::named).unwrap_or(Reason::Gone),
                message: row.message.unwrap_or_default(),
                at,
            }),
            ("running", None) => State::Running,
            ("paused", None) => State::Paused,
            _ => State::Queued,
        };
        let activity = Arc::<Activity>::default();
        activity.touch();
        let earlier = row.used.as_deref().and_then(|used| serde_json::from_str(used).ok());
        Self {
            started_at: row.started_at,
            used: Used::default(),
            earlier: earlier.unwrap_or_default(),
            watch: Watch::default(),
            renewal: Renewal::No,
            id: row.id,
            owner: row.owner,
            image: row.image,
            profile: Profile::named(&row.profile).unwrap_or_default(),
            state,
            container: row.container,
            terminals: Vec::new(),
            opening: 0,
            activity,
            extensions: row.extensions.try_into().unwrap_or(u32::MAX),
            created_at: row.created_at,
            expires_at: row.expires_at,
            seen_at: now,
        }
    }
}

/// Why a session was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The visitor has as many as are allowed.
    #[error("you have {0} sessions, and no more are allowed at once: end one, then start another")]
    TooMany(usize),
    /// The queue is full too.
    #[error("all {0} places are taken and the queue is full: try again in some minutes")]
    Full(usize),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Table {
    sessions: HashMap<String, Session>,
    /// Ids of queued sessions, first come first.
    queue: Vec<String>,
}

impl Table {
    /// How many sessions hold a place.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.sessions.values().filter(|session| session.state.holds_place()).count()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many of this owner's are not over.
    #[must_use]
    pub fn owned(&self, owner: &str) -> usize {
        self.sessions.values().filter(|session| session.owner == owner && !session.state.is_ended()).count()
    }

    /// How many are being started.
    #[must_use]
    pub fn starting(&self) -> usize {
        self.sessions.values().filter(|session| session.state == State::Starting).count()
    }

    /// Whether a session that is asked for now would not have to wait.
    #[must_use]
    pub fn has_place(&self, policy: &Policy) -> bool {
        self.queue.is_empty() && self.placed() < policy.total
    }

    /// Gives a starting session what was ready for it: it runs.
    pub fn adopt(&mut self, id: &str, container: String, slot: Slot, activity: Arc<Activity>) {
        if let Some(session) = self.sessions.get_mut(id).filter(|session| session.state == State::Starting) {
            activity.touch();
            session.container = Some(container);
            session.terminals.push(slot);
            session.activity = activity;
            session.state = State::Running;
            session.started_at = Some(session.created_at);
            session.watch = Watch::of_new();
        }
    }

    /// Takes a new session in: it starts, or waits.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(
        &mut self,
        mut session: Session,
        caller: &Caller,
        policy: &Policy,
    ) -> Result<State, Refusal> {
        if *caller != Caller::Administrator && self.owned(&session.owner) >= policy.per_visitor {
            return Err(Refusal::TooMany(policy.per_visitor));
        }
        session.state = if self.has_place(policy) {
            State::Starting
        } else if self.queue.len() < policy.queue {
            State::Queued
        } else {
            return Err(Refusal::Full(policy.total));
        };
        let state = session.state.clone();
        self.insert(session);
        Ok(state)
    }

    /// Takes a session in as it is; a queued one waits last.
    pub fn insert(&mut self, session: Session) {
        if session.state == State::Queued {
            self.queue.push(session.id.clone());
        }
        self.sessions.insert(session.id.clone(), session);
    }

    /// Those who wait and now have a place: they are starting from here on.
    pub fn promote(&mut self, total: usize) -> Vec<String> {
        let mut promoted = Vec::new();
        while !self.queue.is_empty() && self.placed() < total {
            let id = self.queue.remove(0);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.state = State::Starting;
                promoted.push(id);
            }
        }
        promoted
    }

    /// Ends a session; what it was, unless it is unknown or over already.
    pub fn end(&mut self, id: &str, end: End) -> Option<Session> {
        let session = self.sessions.get_mut(id).filter(|session| !session.state.is_ended())?;
        let before = session.clone();
        session.state = State::Ended(end);
        session.terminals.clear();
        self.queue.retain(|queued| queued != id);
        Some(before)
    }

    /// The place in the queue, from 1.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.queue.iter().position(|queued| queued == id).map(|at| at + 1)
    }

    /// A session.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// A session, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.get_mut(id)
    }

    /// All sessions, to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut()
    }

    /// All sessions.
    pub fn all(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// Forgets sessions that ended before `time`.
    pub fn forget_ended(&mut self, time: i64) {
        self.sessions.retain(|_, session| !matches!(&session.state, State::Ended(end) if end.at < time));
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
pub(super) mod tests;
