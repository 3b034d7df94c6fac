//! One container in the engine's memory: its record, the channels through which its changes are told, and the locks.

use super::error::Error;
use super::output::Output;
use super::prepared::Prepared;
use super::record::{Record, State};
use super::slots::Slot;
use crate::container::cgroup::Group;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A container.
#[derive(Debug)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its directory below the state.
    pub dir: PathBuf,
    /// What its first process prints.
    pub output: Output,
    /// The ids that it holds.
    pub slot: Slot,
    /// One operation at a time changes what the container is in.
    pub(super) busy: tokio::sync::Mutex<()>,
    record: Mutex<Record>,
    state: watch::Sender<Seen>,
    /// The write end of the first process's standard input.
    pub(super) stdin: tokio::sync::Mutex<Option<super::streams::Input>>,
    /// The tasks that read what it prints.
    pub(super) readers: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    /// How long it was paused before it was last started again.
    pub(super) pause: Mutex<Option<std::time::Duration>>,
    /// Why the engine ended it, if it did.
    pub(super) reason: Mutex<String>,
    /// Who looks after its health.
    pub(super) health: Mutex<Option<tokio::task::AbortHandle>>,
    /// Its control group, from the start to the end of its first process.
    pub(super) group: Mutex<Option<Group>>,
    /// Its mount namespace, if that is to outlive its first process.
    pub(super) mounts: Mutex<Option<std::fs::File>>,
    /// The removal of the group that it had before.
    pub(super) leaving: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// What was made ahead of its start.
    pub(super) ahead: Mutex<Option<super::ahead::Ahead>>,
    /// What the next start gets that no record keeps.
    pub(super) prepared: Mutex<Prepared>,
    /// The places for who follows its files.
    pub(super) watches: super::browse::Watches,
}

/// What somebody who waits for a container can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This.
    State(State),
    /// It is gone.
    Removed(i32),
}

impl Container {
    /// A container as its record says.
    #[must_use]
    pub fn new(dir: PathBuf, record: Record, slot: Slot) -> Self {
        Self {
            id: record.id.clone(),
            output: Output::new(&dir.join("log.json"), record.logging.clone()),
            dir,
            slot,
            busy: tokio::sync::Mutex::default(),
            state: watch::Sender::new(Seen::State(record.state.clone())),
            record: Mutex::new(record),
            stdin: tokio::sync::Mutex::default(),
            readers: Mutex::default(),
            pause: Mutex::default(),
            reason: Mutex::default(),
            health: Mutex::default(),
            group: Mutex::default(),
            mounts: Mutex::default(),
            leaving: Mutex::default(),
            ahead: Mutex::default(),
            prepared: Mutex::default(),
            watches: super::browse::Watches::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of its record.
    #[must_use]
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    /// What it is in.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.lock().name.clone()
    }

    /// Changes the record, saves it, and tells those who wait.
    ///
    /// # Errors
    /// What saving answers; the change is in force in memory all the same.
    pub fn change(&self, how: impl FnOnce(&mut Record)) -> Result<(), Error> {
        let saved = {
            let mut record = self.lock();
            how(&mut record);
            record.save(&self.dir)
        };
        self.state.send_replace(Seen::State(self.state()));
        saved
    }

    /// Changes the record of a container that is about to be removed: it is not saved any more.
    pub(super) fn note(&self, how: impl FnOnce(&mut Record)) {
        how(&mut self.lock());
        self.state.send_replace(Seen::State(self.state()));
    }

    /// Keeps its mounts until it is discarded: else its first process would take them down before its end is told. For one that is
    /// never started again, whose upper directory nothing else mounts.
    pub(super) fn hold_mounts(&self, pid: i32) {
        // One that has ended already holds none any more.
        let namespace = std::fs::File::open(format!("/proc/{pid}/ns/mnt")).ok();
        *self.mounts.lock().unwrap_or_else(PoisonError::into_inner) = namespace;
    }

    /// What it still holds of its mounts, and its control group: for who gives them back.
    pub(super) fn let_go(&self) -> (Option<std::fs::File>, Option<Group>) {
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner).take();
        (mounts, self.group.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// Tells those who wait that it is gone.
    pub(super) fn removed(&self) {
        let code = self.state().exit().map_or(0, |exit| exit.code);
        self.state.send_replace(Seen::Removed(code));
    }

    /// What it is in, and every change of that.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Seen> {
        self.state.subscribe()
    }

    /// Does something with its control group.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run.
    pub(super) fn with_group<T>(&self, f: impl FnOnce(&Group) -> T) -> Result<T, Error> {
        match &*self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(group) => Ok(f(group)),
            None => Err(self.not_running()),
        }
    }

    /// Returns when its first process runs and its input can be written, or when it is gone.
    pub async fn wait_until_alive(&self) {
        let settled = |seen: &Seen| match seen {
            Seen::State(state) => state.alive().is_some(),
            Seen::Removed(_) => true,
        };
        // The sender is our own: it cannot be gone.
        self.watch().wait_for(settled).await.map(drop).unwrap_or_default();
    }

    /// Returns when its first process has ended.
    pub async fn wait_until_dead(&self) {
        let alive = |seen: &Seen| matches!(seen, Seen::State(state) if state.alive().is_some());
        // The sender is our own: it cannot be gone.
        self.watch().wait_for(|seen| !alive(seen)).await.map(drop).unwrap_or_default();
    }

    /// The error for what needs a running container.
    pub(super) fn not_running(&self) -> Error {
        Error::Conflict(format!("container {} is not running", self.id))
    }

    /// The error for what cannot be done between an end and the next start.
    pub(super) fn restarting(&self) -> Error {
        Error::Conflict(format!("Container {} is restarting, wait until the container is running", self.id))
    }

    /// The environment of its processes, as the record has it.
    #[must_use]
    pub fn environment(&self) -> Vec<String> {
        self.lock().config.env.clone()
    }
}
