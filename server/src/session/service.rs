//! What can be asked of sessions: create, look, pause, extend, end.
//!
//! How a session is brought up and taken down is in [`super::life`].

use super::audit::{Action, Audit};
use super::engine::{Engine, Profile};
use super::error::Error;
use super::inside::Inside;
use super::keep::Shelf;
use super::lease::Lease;
use super::policy::{Caller, Policy};
use super::pool::{Planned, Pool};
use super::recordings::Recordings;
use super::state::{Reason, State};
use super::table::{Session, Table};
use super::writer::Writer;
use crate::store::{SessionRow, Store};
use crate::terminal::protocol::ServerMessage;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A session that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The image; absent: the catalogue's first.
    pub image: Option<String>,
    /// Kept work to start from, by its id; then no image is named.
    pub kept: Option<String>,
    /// The walls; absent: the image's own.
    pub profile: Option<Profile>,
    /// Who chose image and walls.
    pub origin: Origin,
}

/// Who chose a session's image and walls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// Who asked for it.
    #[default]
    Caller,
    /// A course, whose author has the word of whoever runs the server.
    Course,
}

/// A session as it is now.
#[derive(Debug, Clone)]
pub struct View {
    /// The session.
    pub session: Session,
    /// Its place in the queue, from 1.
    pub position: Option<usize>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that hold a place.
    pub placed: usize,
    /// Sessions that wait.
    pub waiting: usize,
    /// Viewers of all terminals.
    pub viewers: usize,
}

/// Whether the sessions of before the start were taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Not yet: the engine has not answered.
    Recovering,
    /// They were.
    Ready,
}

/// All sessions of this server; cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) audit: Audit,
    pub(super) policy: Policy,
    pub(super) pool: Pool,
    pub(super) kept: Shelf,
    pub(super) node: String,
    pub(super) table: Arc<Mutex<Table>>,
    pub(super) changes: watch::Sender<()>,
    /// Told of every share link that is revoked.
    pub(super) revocations: watch::Sender<()>,
    pub(super) readiness: watch::Sender<Readiness>,
    pub(super) recordings: Option<Recordings>,
    pub(super) inside: Inside,
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A duration in whole seconds, as times are counted.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl Sessions {
    /// The sessions that the store knows, with recordings below `folder`; call [`Sessions::run`] to take their containers up.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn load(
        engine: Arc<dyn Engine>,
        store: Store,
        policy: Policy,
        node: String,
        folder: &Path,
    ) -> Result<Self, Error> {
        let rows = store.sessions(&node).await?;
        let mut table = Table::default();
        rows.into_iter().for_each(|row: SessionRow| table.insert(Session::from_row(row, now())));
        let table = Arc::new(Mutex::new(table));
        let writer = Writer::new(store.clone(), table.clone(), node.clone());
        let kept = Shelf::new(store.kept(&node).await?);
        let audit = Audit::new(store.clone(), node.clone(), store.last_noted(&node).await?);
        let (changes, readiness) = (watch::Sender::new(()), watch::Sender::new(Readiness::Recovering));
        let usual = policy.catalogue.iter().map(|image| policy.kind(&image.name, image.profile)).collect();
        let pool = Pool::new(policy.pool, usual, planned(&policy));
        let recordings = match policy.recording {
            Some(recording) => {
                let kept = (store.clone(), table.clone(), node.clone());
                Some(Recordings::start(&folder.join("recordings"), recording, kept)?)
            }
            None => None,
        };
        let inner = Inner {
            engine,
            store,
            writer,
            audit,
            policy,
            pool,
            kept,
            node,
            table,
            changes,
            revocations: watch::Sender::new(()),
            readiness,
            recordings,
            inside: Inside::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What sessions are allowed.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    pub(super) fn table<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        act(&mut self.inner.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The promises that this engine cannot keep; with any, strangers are not let in.
    #[must_use]
    pub fn voids(&self) -> &'static [&'static str] {
        self.inner.engine.voids()
    }

    /// Tells of every change of a session's state or place in the queue.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.inner.changes.send_replace(());
    }

    /// Waits until a session is neither queued nor starting, or for `patience`.
    ///
    /// # Errors
    /// [`Error::NoSession`].
    pub async fn settled(&self, caller: &Caller, id: &str, patience: Duration) -> Result<View, Error> {
        let mut changes = self.inner.changes.subscribe();
        let settle = async {
            while self.view(caller, id)?.session.state == State::Starting {
                let _ = changes.changed().await;
            }
            Ok::<(), Error>(())
        };
        let _ = tokio::time::timeout(patience, settle).await;
        self.view(caller, id)
    }

    /// One session, if the caller may see it.
    ///
    /// # Errors
    /// [`Error::NoSession`].
    pub fn view(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        self.table(|table| {
            let position = table.position(id);
            let session = table.get_mut(id).filter(|session| caller.may_use(&session.owner));
            let session = session.ok_or(Error::NoSession)?;
            session.seen_at = now();
            Ok(View { session: session.clone(), position })
        })
    }

    /// One session, if the caller may see it or it is shared with them.
    ///
    /// # Errors
    /// [`Error::NoSession`].
    pub fn look(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        match caller {
            Caller::Guest(guest) if guest.session == id => self.view(&Caller::Administrator, id),
            _ => self.view(caller, id),
        }
    }

    /// All sessions that the caller may see, newest first.
    #[must_use]
    pub fn list(&self, caller: &Caller) -> Vec<View> {
        let mut all: Vec<View> = self.table(|table| {
            let mine = table.all().filter(|session| caller.may_use(&session.owner));
            mine.map(|session| View { session: session.clone(), position: table.position(&session.id) })
                .collect()
        });
        all.sort_by(|a, b| (b.session.created_at, &b.session.id).cmp(&(a.session.created_at, &a.session.id)));
        all
    }

    /// How many sessions of the caller are not over.
    #[must_use]
    pub fn owned(&self, caller: &Caller) -> usize {
        self.table(|table| table.owned(caller.name()))
    }

    /// How many there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.table(|table| Counts {
            placed: table.placed(),
            waiting: table.waiting(),
            viewers: table.all().map(|session| session.activity.viewers()).sum(),
        })
    }

    /// Freezes a session.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, the engine.
    pub async fn pause(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        let (session, container) = self.up(caller, id)?;
        if session.state == State::Running {
            self.inner.engine.pause(&container).await?;
            self.turn(id, State::Paused).await?;
            self.note(caller, Action::Pause, Some(id), "").await;
        }
        self.view(caller, id)
    }

    /// Lets a frozen session go on.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, the engine.
    pub async fn unpause(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        let (session, container) = self.up(caller, id)?;
        if session.state == State::Paused {
            self.inner.engine.unpause(&container).await?;
            session.activity.touch();
            self.turn(id, State::Running).await?;
            self.note(caller, Action::Unpause, Some(id), "").await;
        }
        self.view(caller, id)
    }

    /// Changes between running and paused.
    pub(super) async fn turn(&self, id: &str, state: State) -> Result<(), Error> {
        self.table(|table| {
            if let Some(session) = table.get_mut(id).filter(|session| session.state.is_up()) {
                session.state = state;
            }
        });
        self.changed();
        Ok(self.inner.writer.save(id).await?)
    }

    /// Makes a session live longer.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, no extension left.
    pub async fn extend(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        self.up(caller, id)?;
        let (allowed, by) = (self.policy().extensions, seconds(self.policy().extension));
        self.table(|table| {
            let session = table.get_mut(id).ok_or(Error::NoSession)?;
            if session.extensions >= allowed && *caller != Caller::Administrator {
                return Err(Error::NoExtension(allowed));
            }
            session.extensions = session.extensions.saturating_add(1);
            session.expires_at += by;
            session.activity.touch();
            Ok(())
        })?;
        self.inner.writer.save(id).await?;
        self.note(caller, Action::Extend, Some(id), "").await;
        let view = self.view(caller, id)?;
        let lease = Lease::of(&view.session, self.policy(), now());
        self.announce(&view.session, &lease.message(&view.session)).await;
        Ok(view)
    }

    /// Ends a session at its owner's wish. One that is over stays as it is.
    ///
    /// # Errors
    /// [`Error::NoSession`].
    pub async fn close(&self, caller: &Caller, id: &str) -> Result<View, Error> {
        self.view(caller, id)?;
        self.end_by(caller.name(), id, Reason::Closed, "you ended this session").await;
        self.view(caller, id)
    }

    /// Whether the database and the engine answer.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Engine`].
    pub async fn check(&self) -> Result<(), Error> {
        self.inner.store.ping().await?;
        Ok(self.inner.engine.ping().await?)
    }

    /// Lets go of all terminals, so that the next server can take them up; the sessions go on. The pool is emptied.
    pub async fn let_go(&self) {
        self.empty_pool().await;
        self.flush_notes().await;
        let slots =
            self.table(|table| table.all().flat_map(|session| session.terminals.clone()).collect::<Vec<_>>());
        for terminal in slots.into_iter().filter_map(|slot| slot.terminal) {
            terminal.close().await;
        }
    }

    /// A session that is up, and its container.
    pub(super) fn up(&self, caller: &Caller, id: &str) -> Result<(Session, String), Error> {
        let session = self.view(caller, id)?.session;
        match (&session.state, session.container.clone()) {
            (state, Some(container)) if state.is_up() => Ok((session, container)),
            (state, _) => Err(Error::NotUp(state.name())),
        }
    }

    /// Tells every viewer of a session something.
    pub(super) async fn announce(&self, session: &Session, message: &ServerMessage) {
        for terminal in session.terminals.iter().filter_map(|slot| slot.terminal.as_ref()) {
            let _ = terminal.announce(message.clone()).await;
        }
    }
}

/// What the configuration wants made ahead at set times.
fn planned(policy: &Policy) -> Vec<Planned> {
    let listed = policy.schedule.iter().filter_map(|one| Some((one, policy.image(&one.image)?)));
    let planned = listed.map(|(one, image)| Planned {
        kind: policy.kind(&image.name, image.profile),
        count: one.count,
        window: one.window.clone(),
    });
    planned.collect()
}

/// A time as the API writes it.
#[must_use]
pub(crate) fn rfc3339(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX).to_string()
}
