//! A session begins anew in place: a fresh container, while its id, its terminals and its viewers stay.
//!
//! The fresh container is made first; if that fails, the old one goes on as if nobody had asked.

use super::audit::Action;
use super::bounds::Watch;
use super::engine::Handed;
use super::error::Error;
use super::policy::Caller;
use super::service::{Sessions, View};
use super::state::State;
use super::table::{Renewal, Session, Slot};
use super::terminals::request;
use super::used::Used;
use crate::terminal::Line;
use sandlot_wire::OpenTerminal;

/// What every terminal shows first.
const WORDS: &str = "This machine was reset: everything in it is as it was at its first start.";

/// The only reset of a session; over when this is dropped.
struct Resetting<'s> {
    sessions: &'s Sessions,
    id: &'s str,
}

impl Drop for Resetting<'_> {
    fn drop(&mut self) {
        self.sessions.table(|table| {
            if let Some(session) = table.get_mut(self.id) {
                session.renewal = Renewal::No;
            }
        });
    }
}

impl Sessions {
    /// Gives a session a fresh container in the place of its own.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, being reset already, the engine.
    pub async fn reset(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        self.recovered().await;
        let (session, old) = self.up(caller, id)?;
        self.table(|table| {
            let session = table.get_mut(id).ok_or(Error::NoSession)?;
            if std::mem::replace(&mut session.renewal, Renewal::UnderWay) == Renewal::UnderWay {
                return Err(Error::NotUp("being reset"));
            }
            Ok(())
        })?;
        let resetting = Resetting { sessions: self, id };
        let spec = self.spec_of(id, &session.owner, &self.kind(&session.image, session.profile));
        let fresh = self.inner.engine.create(&spec).await?;
        let renewed = self.begin_anew(&session, &fresh).await;
        let slots = match renewed {
            Ok(slots) => slots,
            Err(error) => {
                self.spawn_remove(fresh);
                return Err(error);
            }
        };
        self.last_reading(id).await;
        let swapped = self.table(|table| {
            let session = table.get_mut(id).filter(|session| session.state.is_up())?;
            session.container = Some(fresh.clone());
            session.state = State::Running;
            session.earlier = session.used.after(session.earlier);
            (session.used, session.watch) = (Used::default(), Watch::of_new());
            session.activity.touch();
            Some(())
        });
        if swapped.is_none() {
            // It ended meanwhile: with its old container goes the new one.
            self.spawn_remove(fresh);
            return Err(Error::NotUp("ended"));
        }
        let saved = self.inner.writer.save(id).await;
        for (slot, handed) in slots {
            self.renew(id, slot, handed).await;
        }
        if session.terminals.iter().all(|slot| slot.exit_code().is_some()) {
            self.open(id, &fresh, super::life::FIRST).await?;
        }
        self.spawn_remove(old);
        drop(resetting);
        saved?;
        self.changed();
        self.note(caller, Action::Reset, Some(id), "").await;
        self.view(caller, id)
    }

    /// Starts the fresh container, and opens in it what is open in the old one.
    async fn begin_anew(&self, session: &Session, fresh: &str) -> Result<Vec<(Slot, Handed)>, Error> {
        let engine = &self.inner.engine;
        engine.start(fresh).await?;
        self.furnish(&session.id, fresh).await;
        let mut slots = Vec::new();
        for slot in session.terminals.iter().filter(|slot| slot.exit_code().is_none()) {
            let wanted = OpenTerminal { id: Some(slot.id.clone()), ..request(super::life::FIRST) };
            slots.push((slot.clone(), engine.open_terminal(fresh, &wanted).await?));
        }
        Ok(slots)
    }

    async fn renew(&self, id: &str, slot: Slot, handed: Handed) {
        let Some(terminal) = slot.terminal else { return };
        let line = Line { master: handed.master, ring: handed.ring, resized: handed.resized, tape: None };
        if let Err(error) = terminal.renew(line, WORDS).await {
            tracing::warn!(session = id, terminal = slot.id, %error, "a terminal was not renewed");
            terminal.close().await;
        }
    }
}
