//! A terminal: pty ⇄ viewers. Screen state, replay, flow control.
//!
//! Knows neither HTTP nor the engine: it is handed a pty's master and a ring. One task owns both ([`task`]); this is
//! the handle by which others reach it.

mod answers;
pub mod outbox;
pub mod protocol;
pub mod recording;
pub mod screen;
mod seat;
mod skim;
mod taken;
mod task;
mod viewers;
mod window;

use bytes::Bytes;
use outbox::Outbox;
use protocol::{ServerMessage, TerminalMode};
use recording::{Stopped, Tape};
use sandlot_wire::Size;
use sandlot_wire::ring::{self, Ring};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
pub use taken::Page;
use tokio::sync::{mpsc, oneshot, watch};
pub use window::WIDEST;

/// Commands that wait for a terminal's task; it takes them at once, so this only smooths bursts.
const COMMANDS: usize = 32;

/// Why a terminal cannot be taken up, or reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its ring cannot be read.
    #[error(transparent)]
    Ring(#[from] ring::Error),
    /// The pty refused.
    #[error("cannot use the terminal's pty: {0}")]
    Pty(#[from] io::Error),
    /// Its task has ended.
    #[error("the terminal is closed")]
    Closed,
    /// As many look at it as may.
    #[error("{0} pages look at this terminal already: close one first")]
    Crowded(usize),
}

/// Who a viewer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What the others call them.
    pub name: String,
    /// The share link by which they came; `None`: the session is theirs.
    pub share: Option<String>,
}

/// Somebody who comes to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What they may do.
    pub mode: TerminalMode,
    /// The page, if it names itself: it takes the place of the viewer that it was before.
    pub page: Option<Page>,
    /// Who they are.
    pub person: Person,
}

impl From<TerminalMode> for Arrival {
    fn from(mode: TerminalMode) -> Self {
        Self { mode, page: None, person: Person { name: "Owner".to_owned(), share: None } }
    }
}

/// When somebody last did something in a session, and how many look at it: shared by a session's terminals.
#[derive(Debug, Default)]
pub struct Activity {
    last: AtomicI64,
    viewers: AtomicUsize,
}

impl Activity {
    /// Notes that somebody was there just now.
    pub fn touch(&self) {
        self.last.store(jiff::Timestamp::now().as_second(), Ordering::Relaxed);
    }

    /// The second (Unix time) in which somebody typed, came or left.
    pub fn last(&self) -> i64 {
        self.last.load(Ordering::Relaxed)
    }

    /// How many viewers are connected.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    fn enter(&self) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        self.touch();
    }

    fn leave(&self) {
        self.viewers.fetch_sub(1, Ordering::Relaxed);
        self.touch();
    }
}

/// Whether a terminal's programs still hold it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Yes.
    Open,
    /// No process has it open any more; the exit code is to be asked for, then told by [`Terminal::exited`].
    HungUp,
    /// Its process ended with this code.
    Exited(i32),
}

/// Which viewer of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ViewerId(u64);

/// What others ask of a terminal's task.
#[derive(Debug)]
enum Command {
    Attach(Arrival, oneshot::Sender<Result<Viewer, Error>>),
    Detach(ViewerId),
    Input(ViewerId, Bytes),
    Answer(ViewerId, String),
    Drive(ViewerId),
    LetGo(String),
    Record(Box<Tape>),
    Mark(String),
    Stopped(Stopped),
    Ack(ViewerId, u64),
    Resize(ViewerId, Size),
    Announce(ServerMessage),
    Exited(i32),
    Renew(Box<Line>, String, oneshot::Sender<Result<(), Error>>),
    Close,
}

/// A terminal's end on this side.
#[derive(Debug)]
pub struct Line {
    /// The pty's master.
    pub master: OwnedFd,
    /// The ring file.
    pub ring: OwnedFd,
    /// Told of every size, where the pty is not the one that the programs see.
    pub resized: Option<watch::Sender<Size>>,
    /// What it is recorded on, if it is.
    pub tape: Option<Tape>,
}

/// A handle of a terminal; cheap to clone. Once all handles and viewers are gone the task ends.
#[derive(Debug, Clone)]
pub struct Terminal {
    commands: mpsc::Sender<Command>,
    phase: watch::Receiver<Phase>,
}

impl Terminal {
    /// Takes up a terminal, new or already used: whatever its ring holds is its past.
    ///
    /// # Errors
    /// [`Error`] when the ring is read by another process, or the pty's master is none.
    pub fn open(id: String, line: Line, activity: Arc<Activity>) -> Result<Self, Error> {
        let Line { master, ring, resized, tape } = line;
        let ring = Ring::attach(ring)?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (told, phase) = watch::channel(Phase::Open);
        let task = task::Task::new(
            id,
            (master, ring, tape),
            activity,
            (inbox, commands.downgrade()),
            (told, resized),
        )?;
        tokio::spawn(task.run());
        Ok(Self { commands, phase })
    }

    /// Whether it is open, or how it ended.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until no process has it open any more, or its task is gone.
    pub async fn hung_up(&self) {
        let mut phase = self.phase.clone();
        let _ = phase.wait_for(|phase| *phase != Phase::Open).await;
    }

    /// Waits until its exit code is known, or its task is gone.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn settled(&self) -> Result<(), Error> {
        let mut phase = self.phase.clone();
        let known = phase.wait_for(|phase| matches!(phase, Phase::Exited(_))).await;
        known.map(drop).map_err(|_| Error::Closed)
    }

    /// A new viewer. A page that names itself takes the place of the viewer that it was before, and is told how much of
    /// what it typed was taken.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Crowded`].
    pub async fn attach(&self, arrival: impl Into<Arrival>) -> Result<Viewer, Error> {
        let (reply, viewer) = oneshot::channel();
        self.send(Command::Attach(arrival.into(), reply)).await?;
        viewer.await.map_err(|_| Error::Closed)?
    }

    /// Lets the guests of a share link go, with words.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn let_go(&self, share: &str) -> Result<(), Error> {
        self.send(Command::LetGo(share.to_owned())).await
    }

    /// Begins to record it, from the present screen on.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn record(&self, tape: Tape) -> Result<(), Error> {
        self.send(Command::Record(Box::new(tape))).await
    }

    /// Marks this moment in the recording, if there is one.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn mark(&self, label: &str) -> Result<(), Error> {
        self.send(Command::Mark(label.to_owned())).await
    }

    /// Tells every viewer something.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn announce(&self, message: ServerMessage) -> Result<(), Error> {
        self.send(Command::Announce(message)).await
    }

    /// Tells how its process ended.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn exited(&self, code: i32) -> Result<(), Error> {
        self.send(Command::Exited(code)).await
    }

    /// Goes on with another pty: viewers stay, the screen is cleared, and `words` say why.
    ///
    /// # Errors
    /// [`Error`] when it is closed, or the other pty cannot be used; then it goes on as it was.
    pub async fn renew(&self, line: Line, words: &str) -> Result<(), Error> {
        let (reply, done) = oneshot::channel();
        self.send(Command::Renew(Box::new(line), words.to_owned(), reply)).await?;
        done.await.map_err(|_| Error::Closed)?
    }

    /// Ends it: viewers are told, the descriptors are closed. The engine is to be asked separately.
    pub async fn close(&self) {
        let _ = self.send(Command::Close).await;
        self.commands.closed().await;
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Closed)
    }
}

/// One viewer's end. Dropping it detaches.
#[derive(Debug)]
pub struct Viewer {
    id: ViewerId,
    outbox: Arc<Outbox>,
    commands: mpsc::Sender<Command>,
    _presence: Presence,
}

impl Viewer {
    /// What is to be sent to this viewer.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        self.outbox.clone()
    }

    /// What the viewer typed.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn input(&self, bytes: Bytes) -> Result<(), Error> {
        self.send(Command::Input(self.id, bytes)).await
    }

    /// What the viewer's emulator answered to a program's question; taken of the driver only.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn answer(&self, text: String) -> Result<(), Error> {
        self.send(Command::Answer(self.id, text)).await
    }

    /// The terminal is to have this viewer's size.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn drive(&self) -> Result<(), Error> {
        self.send(Command::Drive(self.id)).await
    }

    /// So many bytes more have reached the viewer's screen.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn ack(&self, bytes: u64) -> Result<(), Error> {
        self.send(Command::Ack(self.id, bytes)).await
    }

    /// The viewer's screen has this size.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn resize(&self, size: Size) -> Result<(), Error> {
        self.send(Command::Resize(self.id, size)).await
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Closed)
    }
}

/// Being there: counted while it lives.
#[derive(Debug)]
struct Presence {
    id: ViewerId,
    activity: Arc<Activity>,
    commands: mpsc::Sender<Command>,
}

impl Presence {
    fn new(id: ViewerId, activity: Arc<Activity>, commands: mpsc::Sender<Command>) -> Self {
        activity.enter();
        Self { id, activity, commands }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.activity.leave();
        let (commands, id) = (self.commands.clone(), self.id);
        // Full for a moment only: the task takes commands at once.
        if let Err(mpsc::error::TrySendError::Full(command)) = commands.try_send(Command::Detach(id)) {
            tokio::spawn(async move { commands.send(command).await });
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "company_tests.rs"]
mod company_tests;
