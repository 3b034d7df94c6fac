//! What the server's sessions are is compared with what the engine has: once at the start, to take the terminals up
//! again, and now and then, for containers end without being asked.
//!
//! The engine is the truth about containers, the store about whose they are: a container without a living session is
//! removed, a session without a living container has ended.

use super::engine::{self, Found, Running};
use super::error::Error;
use super::pool::Spoiled;
use super::service::{Readiness, Sessions};
use super::state::{Reason, State};
use super::table::{Renewal, Session, Slot};
use crate::terminal;
use sandlot_wire::ring;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Between two comparisons.
const EVERY: Duration = Duration::from_secs(5);

/// Between two attempts to reach the engine at the start.
const RETRY: Duration = Duration::from_millis(300);

/// How long a viewer that comes during the recovery waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a terminal that another process still reads is tried, a [`RETRY`] apart.
const TRIES: usize = 30;

impl Sessions {
    /// Recovers, then compares now and then; ends never.
    pub(super) async fn keep_compared(self) {
        while let Err(error) = self.recover().await {
            tracing::warn!(%error, "sessions cannot be taken up yet");
            tokio::time::sleep(RETRY).await;
        }
        self.inner.readiness.send_replace(Readiness::Ready);
        self.promote();
        loop {
            self.clear_unkept().await;
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.compare().await {
                tracing::warn!(%error, "the engine's containers cannot be listed");
                self.pool().spoil(Spoiled::Engine, |_| true);
            }
        }
    }

    /// Whether the sessions of before the start were taken up again.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        *self.inner.readiness.borrow() == Readiness::Ready
    }

    /// Waits for the recovery, within reason.
    pub(super) async fn recovered(&self) {
        let mut readiness = self.inner.readiness.subscribe();
        let _ = tokio::time::timeout(PATIENCE, readiness.wait_for(|now| *now == Readiness::Ready)).await;
    }

    async fn recover(&self) -> Result<(), engine::Error> {
        self.compare().await?;
        let up: Vec<(String, String)> = self.table(|table| {
            let up = table.all().filter(|session| session.state.is_up());
            up.filter_map(|session| Some((session.id.clone(), session.container.clone()?))).collect()
        });
        for (id, container) in up {
            self.furnish(&id, &container).await;
            if let Err(error) = self.take_up(&id, &container).await {
                tracing::error!(session = id, %error, "the session's terminals could not be taken up");
            }
        }
        Ok(())
    }

    async fn take_up(&self, id: &str, container: &str) -> Result<(), Error> {
        for found in self.inner.engine.terminals(container).await? {
            let known = self.table(|table| {
                table.get(id).is_none_or(|session| session.terminals.iter().any(|slot| slot.id == found.id))
            });
            if known {
                continue;
            }
            match self.take(id, container, &found.id).await {
                Ok(slot) => tracing::info!(session = id, terminal = slot.id, "taken up again"),
                Err(error) => {
                    tracing::warn!(session = id, terminal = found.id, %error, "cannot be taken up");
                    let slot = Slot { id: found.id, terminal: None, ended: found.exit_code };
                    self.table(|table| table.get_mut(id).map(|session| session.terminals.push(slot)));
                }
            }
        }
        Ok(())
    }

    async fn take(&self, id: &str, container: &str, terminal: &str) -> Result<Slot, Error> {
        let mut tries = 0;
        loop {
            let handed = self.inner.engine.take_terminal(container, terminal).await?;
            match self.add(id, handed) {
                Err(Error::Terminal(terminal::Error::Ring(ring::Error::Busy))) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(RETRY).await;
                }
                other => return other,
            }
        }
    }

    /// See the module.
    async fn compare(&self) -> Result<(), engine::Error> {
        // Sessions that come up while the engine lists are not judged by its list.
        let up: Vec<(String, Option<String>, State)> = self.table(|table| {
            let up = table.all().filter(|session| session.state.is_up());
            up.map(|session| (session.id.clone(), session.container.clone(), session.state.clone())).collect()
        });
        let ready = self.pool().containers();
        let list = self.inner.engine.list().await?;
        let found: HashMap<&str, &Found> = list
            .iter()
            .filter(|found| found.node == self.inner.node)
            .map(|found| (found.container.as_str(), found))
            .collect();
        let runs = |container: &str| found.get(container).is_some_and(|one| one.running == Running::Running);
        self.pool().spoil(Spoiled::Dead, |one| ready.contains(&one.container) && !runs(&one.container));
        for (id, container, state) in up {
            let found = container.as_deref().and_then(|container| found.get(container));
            match (found.map(|found| found.running), &state) {
                (Some(Running::Running), State::Paused) => self.follow(&id, State::Running).await,
                (Some(Running::Paused), State::Running) => self.follow(&id, State::Paused).await,
                (Some(Running::Running | Running::Paused), _) => (),
                (Some(Running::Dead | Running::Created) | None, _) => {
                    self.end(&id, Reason::Gone, "the session's container has ended").await;
                }
            }
        }
        for container in self.orphans(found.into_values()) {
            self.spawn_remove(container);
        }
        Ok(())
    }

    async fn follow(&self, id: &str, state: State) {
        if let Err(error) = self.turn(id, state).await {
            tracing::warn!(session = id, %error, "the session's state could not be stored");
        }
    }

    /// The containers behind which no living session stands. The label of one that was ready before it was anybody's may name
    /// a session that never was: what counts is whose it is now.
    fn orphans<'f>(&self, found: impl Iterator<Item = &'f Found>) -> Vec<String> {
        self.table(|table| {
            let up = table.all().filter(|session| session.state.is_up());
            let held: HashSet<&str> = up.filter_map(|session| session.container.as_deref()).collect();
            let orphans = found.filter(|found| {
                !held.contains(found.container.as_str()) && self.is_nobodys(table.get(&found.session), found)
            });
            orphans.map(|found| found.container.clone()).collect()
        })
    }

    /// Whether the session that a container's label names does not need it. One that is starting may not have noted it yet.
    fn is_nobodys(&self, session: Option<&Session>, found: &Found) -> bool {
        match session {
            None => !self.pool().holds(&found.session),
            Some(session) => match session.state {
                State::Starting => false,
                State::Running | State::Paused => session.renewal == Renewal::No,
                State::Queued | State::Ended(_) => true,
            },
        }
    }
}
