//! A session's terminals: opened, attached to, closed, and their end awaited.

use super::audit::Action;
use super::engine::{self, Handed};
use super::error::Error;
use super::policy::Caller;
use super::service::Sessions;
use super::table::{Session, Slot};
use crate::terminal::protocol::TerminalMode;
use crate::terminal::{Arrival, Line, Page, Person, Phase, Terminal, Viewer};
use sandlot_wire::{OpenTerminal, Size};
use std::time::Duration;

/// What every terminal's programs are told of it.
const ENVIRONMENT: [&str; 2] = ["TERM=xterm-256color", "COLORTERM=truecolor"];

/// The exit code of a terminal whose container is gone: killed.
const KILLED: i32 = 137;

/// How long to wait before the engine is asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl Sessions {
    /// Another terminal.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, too many, the engine.
    pub async fn open_terminal(&self, caller: &Caller, id: &str, size: Size) -> Result<Slot, Error> {
        let (_, container) = self.up(caller, id)?;
        let forgotten = self.reserve(id)?;
        let opened = self.open(id, &container, size.clamped()).await;
        self.table(|table| {
            if let Some(session) = table.get_mut(id) {
                session.opening = session.opening.saturating_sub(1);
            }
        });
        if let Some(slot) = forgotten {
            self.shut(&container, slot).await;
        }
        if let Ok(slot) = &opened {
            self.note(caller, Action::OpenTerminal, Some(id), &slot.id).await;
        }
        opened
    }

    /// Notes that a terminal is being opened; the ended terminal that makes room for it.
    fn reserve(&self, id: &str) -> Result<Option<Slot>, Error> {
        let most = self.policy().terminals;
        self.table(|table| {
            let session = table.get_mut(id).ok_or(Error::NoSession)?;
            let mut forgotten = None;
            if session.terminals.len() + session.opening >= most {
                let ended = session.terminals.iter().position(|slot| slot.exit_code().is_some());
                forgotten = Some(session.terminals.remove(ended.ok_or(Error::TooManyTerminals(most))?));
            }
            session.opening += 1;
            Ok(forgotten)
        })
    }

    /// Opens a terminal in a session's container and adds it to the session.
    pub(super) async fn open(&self, id: &str, container: &str, size: Size) -> Result<Slot, Error> {
        let handed = self.inner.engine.open_terminal(container, &request(size)).await?;
        self.add(id, handed)
    }

    /// Takes a terminal's descriptors up and adds it to the session.
    pub(super) fn add(&self, id: &str, handed: Handed) -> Result<Slot, Error> {
        let known = |session: &Session| (session.activity.clone(), session.image.clone());
        let (activity, image) = self.table(|table| table.get(id).map(known)).ok_or(Error::NoSession)?;
        let Handed { id: name, master, ring, resized } = handed;
        let tape = self.tape(id, &name, &image);
        let line = Line { master, ring, resized, tape };
        let terminal = Terminal::open(name.clone(), line, activity)?;
        let slot = Slot { id: name, terminal: Some(terminal.clone()), ended: None };
        let added = self.table(|table| {
            let session = table.get_mut(id).filter(|session| !session.state.is_ended())?;
            session.terminals.push(slot.clone());
            Some(())
        });
        added.ok_or(Error::NoSession)?;
        tokio::spawn(self.clone().await_end(id.to_owned(), slot.id.clone(), terminal));
        Ok(slot)
    }

    /// Waits for the ends of the terminals of a session that came with them.
    pub(super) fn watch_ends(&self, id: &str) {
        let slots = self.table(|table| table.get(id).map(|session| session.terminals.clone()));
        for Slot { id: name, terminal, .. } in slots.into_iter().flatten() {
            let Some(terminal) = terminal else { continue };
            tokio::spawn(self.clone().await_end(id.to_owned(), name, terminal));
        }
    }

    /// Asks for the exit code once a terminal hangs up.
    async fn await_end(self, session: String, name: String, terminal: Terminal) {
        terminal.hung_up().await;
        while terminal.phase() == Phase::HungUp {
            // Its container may be another by now.
            let container = |table: &mut super::table::Table| table.get(&session)?.container.clone();
            let Some(container) = self.table(container) else { break };
            let code = match self.inner.engine.wait_terminal(&container, &name).await {
                Ok(code) => code,
                Err(engine::Error::NotFound(_)) => KILLED,
                Err(error) => {
                    tracing::debug!(session, terminal = name, %error, "no exit code yet");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if terminal.exited(code).await.is_err() {
                break;
            }
            // The handle's phase follows once the task has told it.
            let _ = terminal.settled().await;
        }
        self.changed();
    }

    /// A new viewer of a terminal.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, no such terminal.
    pub async fn attach(
        &self,
        caller: &Caller,
        id: &str,
        terminal: &str,
        (mode, page): (TerminalMode, Option<Page>),
    ) -> Result<Viewer, Error> {
        self.look(caller, id)?;
        self.recovered().await;
        let session = self.look(caller, id)?.session;
        if !session.state.is_up() {
            return Err(Error::NotUp(session.state.name()));
        }
        let (person, mode) = match caller {
            Caller::Guest(guest) if guest.mode == TerminalMode::View => (guest.person(), TerminalMode::View),
            Caller::Guest(guest) => (guest.person(), mode),
            other if other.name() == session.owner => {
                (Person { name: "Owner".to_owned(), share: None }, mode)
            }
            _ => (Person { name: "Administrator".to_owned(), share: None }, mode),
        };
        let slot = session.terminals.iter().find(|slot| slot.id == terminal);
        let slot = slot.and_then(|slot| slot.terminal.clone()).ok_or(Error::NoTerminal)?;
        let what = if mode == TerminalMode::View { "view" } else { "control" };
        let what = match caller {
            Caller::Guest(_) => format!("{terminal} {what} as {}", person.name),
            _ => format!("{terminal} {what}"),
        };
        let viewer = slot.attach(Arrival { mode, page, person }).await?;
        self.note(caller, Action::Attach, Some(id), &what).await;
        Ok(viewer)
    }

    /// Closes a terminal: its programs get their hang-up.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, no such terminal, the engine.
    pub async fn close_terminal(&self, caller: &Caller, id: &str, terminal: &str) -> Result<(), Error> {
        let (_, container) = self.up(caller, id)?;
        let slot = self.table(|table| {
            let session = table.get_mut(id)?;
            let at = session.terminals.iter().position(|slot| slot.id == terminal)?;
            Some(session.terminals.remove(at))
        });
        let slot = slot.ok_or(Error::NoTerminal)?;
        self.shut(&container, slot).await;
        self.changed();
        self.note(caller, Action::CloseTerminal, Some(id), terminal).await;
        Ok(())
    }

    /// Closes both ends of a terminal that is no longer in its session.
    async fn shut(&self, container: &str, slot: Slot) {
        if let Some(terminal) = slot.terminal {
            terminal.close().await;
        }
        if let Err(error) = self.inner.engine.close_terminal(container, &slot.id).await {
            tracing::warn!(container, terminal = slot.id, %error, "the terminal could not be closed");
        }
    }
}

/// The shell of a session, on a terminal of that size.
pub(super) fn request(size: Size) -> OpenTerminal {
    OpenTerminal {
        cmd: Vec::new(),
        size,
        user: None,
        env: ENVIRONMENT.map(str::to_owned).into(),
        cwd: None,
        id: None,
    }
}
