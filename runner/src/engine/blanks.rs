//! Blanks: containers of the commonest kind that are begun before anybody asks for one: an id, a range of ids, control groups,
//! and a child in all its namespaces. Each becomes one container, is never returned, and is replaced when that runs.

use super::Engine;
use super::ahead::Ahead;
use super::error::Error;
use super::model::Resources;
use super::slots::Slot;
use crate::container::spec::Profile;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long after a start others are begun: until then, what was started has the processors.
const LATER: Duration = Duration::from_millis(5);

/// The blanks of an engine.
#[derive(Debug, Default)]
pub(crate) struct Blanks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    all: Vec<Parts>,
    /// The engine stops: none is begun any more.
    closed: bool,
}

/// What a blank is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// Its id, which will be the container's.
    pub(super) id: String,
    /// The ids that are mapped into it.
    pub(super) slot: Slot,
    /// What was made of it.
    pub(super) ahead: Ahead,
}

/// A blank that was taken out; one that is not used goes back.
#[derive(Debug)]
pub(super) struct Blank<'e> {
    parts: Option<Parts>,
    from: &'e Blanks,
}

impl Blanks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blank<'_> {
    /// Its id; empty where there is no blank.
    pub(super) fn id(&self) -> Option<&str> {
        self.parts.as_ref().map(|parts| parts.id.as_str())
    }

    /// Uses it up.
    pub(super) fn used(mut self) -> Option<Parts> {
        self.parts.take()
    }
}

impl Drop for Blank<'_> {
    fn drop(&mut self) {
        self.from.lock().all.extend(self.parts.take());
    }
}

impl Engine {
    /// A blank for a container of that profile, if there is one.
    pub(super) fn blank(&self, profile: Profile) -> Blank<'_> {
        let parts = match profile {
            Profile::Standard => self.blanks.lock().all.pop(),
            Profile::Nested => None,
        };
        Blank { parts, from: &self.blanks }
    }

    /// Begins as many blanks as are missing, when what was just started has had its first moment.
    pub(super) fn refill_later(&self) {
        let engine = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LATER).await;
            if let Err(e) = engine.refill() {
                tracing::warn!("no container is begun ahead: {e}");
            }
        });
    }

    /// Begins as many blanks as are missing, in the background.
    ///
    /// # Errors
    /// What drawing an id answers.
    pub(super) fn refill(&self) -> Result<(), Error> {
        // Where there are few ranges, most of them are for who asks.
        let most = usize::try_from(self.settings.slots / 8).unwrap_or(usize::MAX);
        let mut blanks = self.blanks.lock();
        while !blanks.closed && blanks.all.len() < self.settings.blanks.min(most) {
            let Some(slot) = self.slots.take() else { break };
            let (id, range) = (super::create::identifier()?, slot.range());
            let ahead = self.begin(&id, range, Resources::default(), Profile::Standard);
            blanks.all.push(Parts { id, slot, ahead });
            let engine = self.clone();
            // A range that is used for the first time is also mapped for the first time.
            tokio::spawn(async move { engine.mapping(range).await.map(drop) });
        }
        Ok(())
    }

    /// Gives all blanks back, for good.
    pub(super) async fn abandon_blanks(&self) {
        let all = {
            let mut blanks = self.blanks.lock();
            blanks.closed = true;
            std::mem::take(&mut blanks.all)
        };
        for Parts { id, slot, ahead } in all {
            self.abandon_one(&id, ahead).await;
            drop(slot);
        }
    }
}
