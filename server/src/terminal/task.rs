//! The one task that owns a terminal: its pty's master, its ring and its viewers.
//!
//! Reading goes straight into the ring; what was read is then sent to the viewers, so that a viewer that joins between
//! two reads gets the ring's content as its replay and every later byte live: nothing doubled, nothing lost. The screen
//! is emulated only when the ring's half is full or the size changes, and forgotten when the terminal is quiet.

use super::outbox::Parting;
use super::protocol::{NoticeLevel, ServerMessage, TerminalMode};
use super::screen::Screen;
use super::taken::Taken;
use super::viewers::{Due, Viewers};
use super::{Activity, Command, Error, Page, Phase, Presence, Viewer, ViewerId};
use bytes::{Buf, BytesMut};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use sandlot_wire::Size;
use sandlot_wire::ring::Ring;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Bytes read before viewers are served: a pty gives at most 4 KiB a call.
const BURST: usize = 128 * 1024;

/// In a flood, what is read goes to the viewers when there is this much of it,
const BATCH: usize = 64 * 1024;

/// or when so long has passed since they last got something. After a pause they get the first byte at once.
const BEAT: Duration = Duration::from_millis(1);

/// Typed bytes that wait for a program that does not read; more disconnects whoever typed them.
const PENDING: usize = 4 * 1024 * 1024;

/// Raw bytes that a viewer who joins is sent; more are first turned into the screen that they come to.
const REPLAY: usize = 256 * 1024;

/// How long an emulated screen is kept after its last use.
const QUIET: Duration = Duration::from_secs(5);

/// The size of a terminal whose pty has none.
const DEFAULT: Size = Size { cols: 80, rows: 24 };

/// See the module.
pub(super) struct Task {
    id: String,
    master: AsyncFd<OwnedFd>,
    ring: Ring,
    activity: Arc<Activity>,
    inbox: mpsc::Receiver<Command>,
    commands: mpsc::WeakSender<Command>,
    phase: watch::Sender<Phase>,
    resized: Option<watch::Sender<Size>>,
    viewers: Viewers,
    taken: Taken,
    size: Size,
    pending: BytesMut,
    /// Bytes in the ring that the viewers were not sent yet.
    unsent: usize,
    sent: Instant,
    screen: Option<Emulated>,
}

/// A screen that shows everything up to a position of the stream.
struct Emulated {
    screen: Screen,
    seq: u64,
    used: Instant,
}

/// What one round of reading came to.
enum Round {
    Read,
    HungUp,
}

impl Task {
    pub(super) fn new(
        id: String,
        master: OwnedFd,
        ring: Ring,
        activity: Arc<Activity>,
        (inbox, commands): (mpsc::Receiver<Command>, mpsc::WeakSender<Command>),
        (phase, resized): (watch::Sender<Phase>, Option<watch::Sender<Size>>),
    ) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&master, true).map_err(io::Error::from)?;
        let found = tcgetwinsize(&master).map_err(io::Error::from)?;
        let mut size = Size { cols: found.ws_col, rows: found.ws_row };
        if size.clamped() != size {
            size = if size.cols == 0 || size.rows == 0 { DEFAULT } else { size.clamped() };
            set_size(&master, size)?;
        }
        #[expect(deprecated, reason = "its successor is unsafe for types that may lie; an OwnedFd is true")]
        let master = AsyncFd::with_interest(master, Interest::READABLE | Interest::WRITABLE)?;
        let (viewers, taken, pending) = (Viewers::default(), Taken::default(), BytesMut::new());
        Ok(Self {
            id,
            master,
            ring,
            activity,
            inbox,
            commands,
            phase,
            resized,
            viewers,
            taken,
            size,
            pending,
            unsent: 0,
            sent: Instant::now(),
            screen: None,
        })
    }

    /// Lives until it is closed or nobody has a handle any more.
    pub(super) async fn run(mut self) {
        loop {
            let open = *self.phase.borrow() == Phase::Open;
            let wake = self.wake();
            tokio::select! {
                biased;
                command = self.inbox.recv() => match command {
                    None | Some(Command::Close) => break,
                    Some(command) => self.obey(command),
                },
                ready = self.master.readable(), if open && self.viewers.may_read() => {
                    let result = ready.map(|mut guard| guard.retain_ready());
                    let round = result.and_then(|()| self.read());
                    match round {
                        Ok(Round::Read) => (),
                        Ok(Round::HungUp) => drop(self.phase.send(Phase::HungUp)),
                        Err(error) => {
                            tracing::warn!(terminal = self.id, %error, "cannot read the terminal");
                            let _ = self.phase.send(Phase::HungUp);
                        }
                    }
                },
                ready = self.master.writable(), if open && !self.pending.is_empty() => {
                    let result = ready.map(|mut guard| guard.retain_ready());
                    if result.and_then(|()| self.write()).is_err() {
                        self.pending.clear();
                    }
                },
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.flush();
                    self.viewers.confirm(Instant::now());
                    self.viewers.drop_stalled();
                    if self.screen.as_ref().is_some_and(|emulated| emulated.used.elapsed() >= QUIET) {
                        self.screen = None;
                    }
                },
            }
        }
        self.flush();
        self.viewers.end(Parting::Closed);
    }

    fn wake(&self) -> Option<Instant> {
        let quiet = self.screen.as_ref().map(|emulated| emulated.used + QUIET);
        let beat = (self.unsent > 0).then(|| self.sent + BEAT);
        [self.viewers.deadline(), quiet, beat].into_iter().flatten().min()
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach(mode, page, reply) => {
                if let Some(viewer) = self.attach(mode, page) {
                    let _ = reply.send(viewer);
                }
            }
            Command::Detach(id) => self.viewers.remove(id),
            Command::Input(id, bytes) => self.input(id, &bytes),
            Command::Ack(id, bytes) => {
                if self.viewers.ack(id, bytes) == Due::FreshScreen {
                    let replay = self.replay();
                    self.viewers.refresh(id, &replay);
                }
            }
            Command::Resize(id, size) => self.resize(id, size),
            Command::Announce(message) => self.viewers.announce(&message, None),
            Command::Exited(code) => self.exited(code),
            Command::Close => (),
        }
    }

    fn attach(&mut self, mode: TerminalMode, page: Option<Page>) -> Option<Viewer> {
        let commands = self.commands.upgrade()?;
        if let Some(page) = &page {
            self.viewers.replace(page);
        }
        let taken = page.as_ref().and_then(|page| self.taken.of(page));
        let replay = self.replay();
        let hello = ServerMessage::Hello {
            id: self.id.clone(),
            mode,
            cols: self.size.cols,
            rows: self.size.rows,
            replay: !replay.is_empty(),
            replay_bytes: replay.len() as u64,
            seq: self.ring.seq().unwrap_or(0),
            taken,
        };
        let (id, outbox) = self.viewers.add(mode, page, hello, &replay);
        if let Phase::Exited(code) = *self.phase.borrow() {
            outbox.push_message(ServerMessage::Exit { code });
            outbox.end(Parting::Exited);
        }
        let presence = Presence::new(id, self.activity.clone(), commands.clone());
        Some(Viewer { id, outbox, commands, _presence: presence })
    }

    /// The bytes that rebuild the screen: the last snapshot and what was printed since.
    fn replay(&mut self) -> Vec<u8> {
        // What the replay holds must not come once more.
        self.flush();
        let short = if self.ring.filled() > REPLAY { self.flip(self.size) } else { Ok(()) };
        match short.and_then(|()| Ok(self.ring.recover()?)) {
            Ok(found) => [found.snapshot, found.bytes].concat(),
            Err(error) => {
                tracing::error!(terminal = self.id, %error, "the terminal's ring is broken");
                Vec::new()
            }
        }
    }

    fn input(&mut self, id: ViewerId, bytes: &[u8]) {
        let Some(viewer) = self.viewers.get_mut(id) else { return };
        if viewer.mode == TerminalMode::View {
            viewer.refuse();
        } else if *self.phase.borrow() != Phase::Open {
            // Nobody is there to take it: it is not counted as taken.
        } else if self.pending.len() + bytes.len() > PENDING {
            viewer.outbox.end(Parting::Flooding);
            self.viewers.remove(id);
        } else {
            self.activity.touch();
            if let Some(taken) = viewer.page.as_ref().and_then(|page| self.taken.add(page, bytes.len())) {
                viewer.took(taken);
            }
            self.pending.extend_from_slice(bytes);
            if self.write().is_err() {
                self.pending.clear();
            }
        }
    }

    /// Writes as much of what was typed as the pty takes now.
    fn write(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.master.try_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, &self.pending)?)) {
                Ok(n) => self.pending.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.pending = BytesMut::new();
        Ok(())
    }

    /// Reads what the pty holds, at most [`BURST`], and serves the viewers.
    fn read(&mut self) -> io::Result<Round> {
        let Self { master, ring, .. } = self;
        let mut total = 0;
        let round = loop {
            if total >= BURST || ring.is_full() {
                break Round::Read;
            }
            match master.try_io(Interest::READABLE, |fd| ring.read_from(fd.as_fd(), BURST - total)) {
                Ok(read) if read.n == 0 => break Round::HungUp,
                Ok(read) => total += read.n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Round::Read,
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    break Round::HungUp;
                }
                Err(error) => return Err(error),
            }
        };
        self.unsent += total;
        if self.unsent >= BATCH || self.sent.elapsed() >= BEAT || matches!(round, Round::HungUp) {
            self.flush();
        }
        if self.ring.is_full() {
            self.flip(self.size).map_err(io::Error::other)?;
        }
        Ok(round)
    }

    /// Sends the viewers what they were not sent yet.
    fn flush(&mut self) {
        if self.unsent == 0 {
            return;
        }
        match self.ring.last(std::mem::take(&mut self.unsent)) {
            Ok(bytes) => self.viewers.send(&bytes),
            Err(error) => tracing::error!(terminal = self.id, %error, "the terminal's ring is broken"),
        }
        self.sent = Instant::now();
    }

    /// Begins the ring's other half with the present screen, brought to `size`.
    fn flip(&mut self, size: Size) -> Result<(), Error> {
        self.flush();
        let seq = self.ring.seq()?;
        let mut emulated = match self.screen.take() {
            Some(mut emulated) => {
                let missing = usize::try_from(seq - emulated.seq).unwrap_or(usize::MAX);
                emulated.screen.feed(&self.ring.last(missing)?);
                emulated
            }
            None => {
                let found = self.ring.recover()?;
                let mut screen = Screen::new(self.size);
                screen.feed(&found.snapshot);
                screen.feed(&found.bytes);
                Emulated { screen, seq, used: Instant::now() }
            }
        };
        if size != self.size {
            emulated.screen.resize(size);
        }
        (emulated.seq, emulated.used) = (seq, Instant::now());
        self.ring.flip(&emulated.screen.snapshot())?;
        self.screen = Some(emulated);
        Ok(())
    }

    fn resize(&mut self, id: ViewerId, size: Size) {
        let Some(viewer) = self.viewers.get_mut(id) else { return };
        if viewer.mode == TerminalMode::View {
            return viewer.refuse();
        }
        if size.clamped() != size {
            let text = format!(
                "a terminal of {} × {} is refused: both must be between 1 and {}",
                size.cols,
                size.rows,
                Size::MAX
            );
            return viewer.outbox.push_message(ServerMessage::Notice { level: NoticeLevel::Warning, text });
        }
        if size == self.size {
            return;
        }
        if let Err(error) = self.change_size(size) {
            tracing::warn!(terminal = self.id, %error, "cannot resize the terminal");
            return;
        }
        self.viewers.announce(&ServerMessage::Size { cols: size.cols, rows: size.rows }, Some(id));
    }

    fn change_size(&mut self, size: Size) -> Result<(), Error> {
        if self.ring.seq()? > 0 {
            self.flip(size)?;
        }
        self.size = size;
        set_size(&self.master, size)?;
        if let Some(resized) = &self.resized {
            resized.send_replace(size);
        }
        Ok(())
    }

    fn exited(&mut self, code: i32) {
        // A process in the background may hold the terminal open: what it already printed still counts.
        if *self.phase.borrow() == Phase::Open {
            let _ = self.read();
        }
        self.flush();
        let _ = self.phase.send(Phase::Exited(code));
        self.pending.clear();
        self.viewers.confirm(Instant::now() + QUIET);
        self.viewers.announce(&ServerMessage::Exit { code }, None);
        self.viewers.end(Parting::Exited);
    }
}

fn set_size(master: impl AsFd, size: Size) -> io::Result<()> {
    let size = Winsize { ws_col: size.cols, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(master, size)?)
}
