//! Recordings as a whole: whose they are, how long they are kept, what is found in them.
//!
//! The terminals' threads tell what happens ([`Shelf`]); one task writes it to the store and removes what is too old or
//! too much. Knows not how a recording is written.

use super::error::Error;
use super::policy::{Caller, Recording};
use super::service::{Sessions, now};
use super::table::Table;
use crate::store::{self, FoundRow, RecordingRow, Store};
use crate::terminal::recording::{Label, News, Recorder, Shelf, Tape};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// News that wait for the store; the threads then wait too.
const WAITING: usize = 256;

/// Between two looks for recordings to be removed.
const SWEEP: Duration = Duration::from_secs(30);

/// The most recordings, and the most lines found, of one answer.
const LISTED: i64 = 500;
const FOUND: i64 = 200;

/// The least and the most characters that are looked for.
pub const SOUGHT: std::ops::RangeInclusive<usize> = 3..=200;

/// The recordings of this server.
#[derive(Debug, Clone)]
pub(super) struct Recordings {
    recorder: Recorder,
}

/// The threads' end.
struct Told(mpsc::Sender<News>);

impl Shelf for Told {
    fn tell(&self, news: News) {
        // Without the task the server ends: what was not told is found again in the file.
        let _ = self.0.blocking_send(news);
    }
}

impl Recordings {
    /// Starts the threads and the task; recordings are files below `folder`.
    pub(super) fn start(
        folder: &Path,
        policy: Recording,
        (store, table, node): (Store, Arc<Mutex<Table>>, String),
    ) -> Result<Self, Error> {
        let (told, news) = mpsc::channel(WAITING);
        let recorder = Recorder::start(folder.to_owned(), policy.each, Arc::new(Told(told)))?;
        let known = HashSet::new();
        let keeper = Keeper { store, table, node, policy, recorder: recorder.clone(), known };
        tokio::spawn(keeper.keep(news));
        Ok(Self { recorder })
    }

    /// What a terminal is recorded on.
    pub(super) fn tape(&self, session: &str, terminal: &str, title: String) -> Option<Tape> {
        let label = Label { session: session.to_owned(), terminal: terminal.to_owned() };
        self.recorder.tape(label, title)
    }
}

/// The one task that keeps the account.
struct Keeper {
    store: Store,
    table: Arc<Mutex<Table>>,
    node: String,
    policy: Recording,
    recorder: Recorder,
    /// Recordings whose lines are told in this process.
    known: HashSet<Label>,
}

impl Keeper {
    async fn keep(mut self, mut news: mpsc::Receiver<News>) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let kept = tokio::select! {
                told = news.recv() => match told {
                    Some(told) => self.take(told).await,
                    None => break,
                },
                _ = sweep.tick() => self.sweep().await,
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "the account of recordings could not be kept");
            }
        }
    }

    async fn take(&mut self, news: News) -> Result<(), store::Error> {
        match news {
            News::Begun(label) => {
                self.known.insert(label.clone());
                self.store.begin_recording(&self.row(label)).await
            }
            News::Grown { label, bytes, length } => {
                let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                let name = (&label.session[..], &label.terminal[..]);
                self.store.grow_recording(name, number(bytes), number(length)).await
            }
            News::Shown(label, lines) => {
                let lines =
                    lines.into_iter().map(|line| (i64::try_from(line.at).unwrap_or(i64::MAX), line.text));
                self.store.add_shown((&label.session, &label.terminal), lines).await
            }
            News::Ended(label) => self.store.end_recording(&label.session, &label.terminal, now()).await,
            News::Indexed(label) => {
                self.known.remove(&label);
                self.store.recording_indexed(&label.session, &label.terminal).await
            }
        }
    }

    fn row(&self, label: Label) -> RecordingRow {
        let known = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.get(&label.session).map(|session| (session.owner.clone(), session.image.clone()))
        };
        let (owner, title) = known.unwrap_or_default();
        RecordingRow {
            session: label.session,
            terminal: label.terminal,
            node: self.node.clone(),
            owner,
            title,
            started_at: now(),
            ended_at: None,
            length: 0,
            bytes: 0,
            indexed: 0,
        }
    }

    /// Removes what is too old, then the oldest until the rest is not too much; ends what a crash left open, and has its
    /// lines told.
    async fn sweep(&mut self) -> Result<(), store::Error> {
        let all = self.store.recordings_of(&self.node).await?;
        let (age, now) = (i64::try_from(self.policy.age.as_secs()).unwrap_or(i64::MAX), now());
        let size = |row: &RecordingRow| u64::try_from(row.bytes).unwrap_or(0);
        let mut total: u64 = all.iter().map(size).sum();
        for row in all {
            if row.ended_at.is_none() && !self.is_up(&row.session) {
                self.store.end_recording(&row.session, &row.terminal, now).await?;
                continue;
            }
            let Some(ended) = row.ended_at else { continue };
            let label = Label { session: row.session.clone(), terminal: row.terminal.clone() };
            if row.indexed == 0 && self.known.insert(label.clone()) {
                self.store.forget_shown(&row.session, &row.terminal).await?;
                self.recorder.index(&label);
                continue;
            }
            if now.saturating_sub(ended) < age && total <= self.policy.total {
                continue;
            }
            total = total.saturating_sub(size(&row));
            tracing::info!(session = row.session, terminal = row.terminal, "the recording is removed");
            self.remove(&row).await?;
        }
        Ok(())
    }

    fn is_up(&self, session: &str) -> bool {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(session).is_some_and(|session| !session.state.is_ended())
    }

    async fn remove(&self, row: &RecordingRow) -> Result<(), store::Error> {
        let label = Label { session: row.session.clone(), terminal: row.terminal.clone() };
        if let Some(file) = self.recorder.file(&label) {
            unlink(&file);
        }
        self.store.forget_recording(&row.session, &row.terminal).await
    }
}

/// Removes a recording's file, and the session's folder if it was the last.
fn unlink(file: &Path) {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(file = %file.display(), %error, "a recording could not be removed");
        }
        _ => drop(file.parent().map(std::fs::remove_dir)),
    }
}

impl Sessions {
    /// Whether terminals of some images are recorded here.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.inner.recordings.is_some()
    }

    /// What a session's terminal is recorded on, if it is.
    pub(super) fn tape(&self, id: &str, terminal: &str, image: &str) -> Option<Tape> {
        if !self.policy().is_recorded(&self.base(image)) {
            return None;
        }
        self.inner.recordings.as_ref()?.tape(id, terminal, self.title(image))
    }

    /// Begins to record the terminals of a session that was ready before it was anybody's.
    pub(super) async fn record(&self, id: &str, image: &str) {
        let slots = self.table(|table| table.get(id).map(|session| session.terminals.clone()));
        for slot in slots.unwrap_or_default() {
            if let (Some(terminal), Some(tape)) = (&slot.terminal, self.tape(id, &slot.id, image)) {
                let _ = terminal.record(tape).await;
            }
        }
    }

    /// The newest recordings that the caller may see.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn recordings(&self, caller: &Caller) -> Result<Vec<RecordingRow>, Error> {
        Ok(self.inner.store.recordings(owner(caller), LISTED).await?)
    }

    /// The terminals of a session of which the caller may see a recording, oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn recorded(&self, caller: &Caller, id: &str) -> Result<Vec<String>, Error> {
        let all = self.inner.store.recordings_in(id).await?.into_iter();
        Ok(all.filter(|row| caller.may_use(&row.owner)).map(|row| row.terminal).collect())
    }

    /// Lines that hold `text` of the recordings that the caller may see.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn find_shown(&self, caller: &Caller, text: &str) -> Result<Vec<FoundRow>, Error> {
        Ok(self.inner.store.find_shown(text, owner(caller), FOUND).await?)
    }

    /// A recording's file, if the caller may see it.
    ///
    /// # Errors
    /// [`Error::NoRecording`], [`Error::Store`].
    pub async fn recording(&self, caller: &Caller, id: &str, terminal: &str) -> Result<PathBuf, Error> {
        let row = self.inner.store.recording(id, terminal).await?;
        row.filter(|row| caller.may_use(&row.owner)).ok_or(Error::NoRecording)?;
        let label = Label { session: id.to_owned(), terminal: terminal.to_owned() };
        let file = self.inner.recordings.as_ref().and_then(|all| all.recorder.file(&label));
        file.ok_or(Error::NoRecording)
    }

    /// Removes a recording that has ended.
    ///
    /// # Errors
    /// [`Error::NoRecording`]; [`Error::NotUp`] while it goes on.
    pub async fn remove_recording(&self, caller: &Caller, id: &str, terminal: &str) -> Result<(), Error> {
        let file = self.recording(caller, id, terminal).await?;
        let row = self.inner.store.recording(id, terminal).await?;
        if row.is_some_and(|row| row.ended_at.is_none()) {
            return Err(Error::NotUp("still being recorded"));
        }
        unlink(&file);
        Ok(self.inner.store.forget_recording(id, terminal).await?)
    }

    /// Marks this moment in a terminal's recording.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, no such terminal, not recorded.
    pub async fn mark(&self, caller: &Caller, id: &str, terminal: &str, label: &str) -> Result<(), Error> {
        let (session, _) = self.up(caller, id)?;
        let slot = session.terminals.iter().find(|slot| slot.id == terminal);
        let terminal = slot.and_then(|slot| slot.terminal.clone()).ok_or(Error::NoTerminal)?;
        if !self.policy().is_recorded(&self.base(&session.image)) {
            return Err(Error::NoRecording);
        }
        Ok(terminal.mark(label).await?)
    }
}

/// Whose recordings the caller may see; `None`: everybody's.
fn owner(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::Administrator => None,
        other => Some(other.name()),
    }
}
