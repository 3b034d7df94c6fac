//! The one task that owns a terminal: its pty's master, its ring and its viewers.
//!
//! Reading goes straight into the ring; what was read is then sent to the viewers, so that a viewer that joins between
//! two reads gets the ring's content as its replay and every later byte live: nothing doubled, nothing lost. The screen
//! is emulated only when the ring's half is full or the size changes, and forgotten when the terminal is quiet.

mod past;
mod renewal;
mod sizes;
mod taped;

use super::outbox::Parting;
use super::protocol::{ServerMessage, TerminalMode};
use super::recording::Tape;
use super::taken::Taken;
use super::viewers::{Due, MOST, Viewers};
use super::{Activity, Arrival, Command, Error, Phase, Presence, Viewer, ViewerId};
use bytes::{Buf, BytesMut};
use past::Emulated;
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

/// How long an emulated screen is kept after its last use.
const QUIET: Duration = Duration::from_secs(5);

/// The longest answer of a viewer's emulator, in bytes.
const ANSWER: usize = 4096;

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
    tape: Option<Tape>,
    /// The last bytes that were printed, of which a question to the terminal may be the beginning.
    tail: Vec<u8>,
}

/// What one round of reading came to.
enum Round {
    Read,
    HungUp,
}

impl Task {
    pub(super) fn new(
        id: String,
        (master, ring, tape): (OwnedFd, Ring, Option<Tape>),
        activity: Arc<Activity>,
        (inbox, commands): (mpsc::Receiver<Command>, mpsc::WeakSender<Command>),
        (phase, resized): (watch::Sender<Phase>, Option<watch::Sender<Size>>),
    ) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&master, true).map_err(io::Error::from)?;
        let size = sizes::found(&master)?;
        #[expect(deprecated, reason = "its successor is unsafe for types that may lie; an OwnedFd is true")]
        let master = AsyncFd::with_interest(master, Interest::READABLE | Interest::WRITABLE)?;
        let (viewers, taken, pending) = (Viewers::default(), Taken::default(), BytesMut::new());
        let mut task = Self {
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
            tape,
            tail: Vec::new(),
        };
        task.begin_tape();
        Ok(task)
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
                    if self.viewers.drop_stalled() {
                        self.people_changed();
                    }
                    self.record_screen();
                    if self.screen.as_ref().is_some_and(|emulated| emulated.forgotten() <= Instant::now()) {
                        self.screen = None;
                    }
                },
            }
        }
        self.flush();
        self.viewers.end(Parting::Closed);
    }

    fn wake(&self) -> Option<Instant> {
        let quiet = self.screen.as_ref().map(Emulated::forgotten);
        let beat = (self.unsent > 0).then(|| self.sent + BEAT);
        let tape = self.tape.as_ref().and_then(Tape::due).map(Instant::from_std);
        [self.viewers.deadline(), quiet, beat, tape].into_iter().flatten().min()
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach(arrival, reply) => {
                let _ = reply.send(self.attach(arrival));
            }
            Command::Detach(id) => {
                self.viewers.remove(id);
                self.people_changed();
            }
            Command::Input(id, bytes) => self.input(id, &bytes),
            Command::Answer(id, text) => self.answer(id, &text),
            Command::Drive(id) => {
                let size = self.viewers.drive(id);
                self.follow(size);
            }
            Command::LetGo(share) => {
                self.viewers.let_go(&share);
                self.people_changed();
            }
            Command::Record(tape) => {
                self.flush();
                self.tape = Some(*tape);
                self.begin_tape();
            }
            Command::Mark(label) => self.tape.iter().for_each(|tape| tape.marker(&label)),
            Command::Stopped(why) => self.tape_stopped(&why),
            Command::Ack(id, bytes) => {
                if self.viewers.ack(id, bytes) == Due::FreshScreen {
                    let replay = self.replay();
                    self.viewers.refresh(id, &replay);
                }
            }
            Command::Resize(id, size) => self.resize(id, size),
            Command::Announce(message) => self.viewers.announce(&message, None),
            Command::Exited(code) => self.exited(code),
            Command::Renew(line, words, reply) => {
                let _ = reply.send(self.renew(*line, &words));
            }
            Command::Close => (),
        }
    }

    fn attach(&mut self, arrival: Arrival) -> Result<Viewer, Error> {
        let commands = self.commands.upgrade().ok_or(Error::Closed)?;
        let (mode, page) = (arrival.mode, arrival.page.clone());
        // The page that comes back keeps its seat.
        let drove = page.as_ref().is_some_and(|page| self.viewers.replace(page, &arrival.person));
        if self.viewers.count() >= MOST {
            return Err(Error::Crowded(MOST));
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
            driven: !drove && self.viewers.is_driven(),
            seq: self.ring.seq().unwrap_or(0),
            taken,
        };
        let greeting = std::iter::once(hello).chain(self.recording());
        let (id, outbox) = self.viewers.add(arrival, greeting, &replay);
        if drove {
            self.viewers.drive(id);
        }
        if let Phase::Exited(code) = *self.phase.borrow() {
            outbox.push_message(ServerMessage::Exit { code });
            outbox.end(Parting::Exited);
        }
        self.people_changed();
        let presence = Presence::new(id, self.activity.clone(), commands.clone());
        Ok(Viewer { id, outbox, commands, _presence: presence })
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
            self.people_changed();
        } else {
            self.activity.touch();
            if let Some(taken) = viewer.page.as_ref().and_then(|page| self.taken.add(page, bytes.len())) {
                viewer.took(taken);
            }
            if let Some(tape) = &self.tape {
                tape.typed(bytes);
            }
            let size = self.viewers.typed(id, Instant::now());
            self.follow(size);
            self.say(bytes);
        }
    }

    /// What a viewer's emulator answered: of several, only that of the one who drives.
    fn answer(&mut self, id: ViewerId, text: &str) {
        let open = *self.phase.borrow() == Phase::Open;
        let fits = text.len() <= ANSWER && self.pending.len() + text.len() <= PENDING;
        if open && fits && self.viewers.driver == Some(id) {
            self.say(text.as_bytes());
        }
    }

    /// Gives the program something to read.
    fn say(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.write().is_err() {
            self.pending.clear();
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
        self.answer_questions(total);
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
            Ok(bytes) => {
                self.viewers.send(&bytes);
                self.record(bytes.into());
            }
            Err(error) => tracing::error!(terminal = self.id, %error, "the terminal's ring is broken"),
        }
        self.sent = Instant::now();
    }

    fn exited(&mut self, code: i32) {
        // A process in the background may hold the terminal open: what it already printed still counts.
        if *self.phase.borrow() == Phase::Open {
            let _ = self.read();
        }
        self.flush();
        let _ = self.phase.send(Phase::Exited(code));
        if let Some(tape) = self.tape.take() {
            tape.exit(code);
        }
        self.pending.clear();
        self.viewers.confirm(Instant::now() + QUIET);
        self.viewers.announce(&ServerMessage::Exit { code }, None);
        self.viewers.end(Parting::Exited);
    }
}
