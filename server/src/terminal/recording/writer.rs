//! The one thread that writes recordings: it joins events for a moment, packs them and adds them to their file.

use super::cast::{self, Cast};
use super::indexer::Poke;
use super::reel::{Packer, Reel};
use super::{Label, News, SOON, Shelf, Stopped};
use bytes::Bytes;
use sandlot_wire::Size;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

/// Bytes of lines that are written at once, before their time.
const LARGE: usize = 512 * 1024;

/// A terminal's recording, opened, as the thread is handed it.
pub(super) struct Opened {
    pub(super) label: Label,
    pub(super) path: PathBuf,
    pub(super) reel: Reel,
    pub(super) begin: Begin,
    /// Bytes that are on their way to the thread.
    pub(super) queued: Arc<AtomicUsize>,
    /// Told when the recording stops.
    pub(super) stopped: Box<dyn Fn(Stopped) + Send>,
}

/// How a recording begins.
pub(super) enum Begin {
    /// With a header.
    New { size: Size, started: u64, title: String },
    /// Where it was left: bytes printed, and milliseconds.
    Resumed { seq: u64, last: u64 },
}

/// What happened at a terminal.
#[derive(Debug)]
pub(super) enum Event {
    /// It printed; and how much in all with that.
    Output(Bytes, u64),
    Input(Bytes),
    Resize(Size),
    Marker(String),
    Exit(i32),
}

/// What the thread is asked.
pub(super) enum Order {
    Open(u64, Box<Opened>),
    Event(u64, u64, Event),
    Close(u64),
}

/// A recording that is being written.
struct Deck {
    label: Label,
    path: PathBuf,
    reel: Reel,
    cast: Cast,
    seq: u64,
    /// When what waits is to be written.
    due: Option<Instant>,
    queued: Arc<AtomicUsize>,
    stopped: Box<dyn Fn(Stopped) + Send>,
    /// Whether nothing more is taken.
    over: Option<Stopped>,
}

struct Writer {
    largest: u64,
    shelf: Arc<dyn Shelf>,
    pokes: Sender<Poke>,
    packer: Packer,
    decks: HashMap<u64, Deck>,
}

/// Starts the thread; it ends when nobody has the sender any more.
pub(super) fn start(largest: u64, shelf: Arc<dyn Shelf>, pokes: Sender<Poke>) -> io::Result<Sender<Order>> {
    let (orders, inbox) = channel();
    let writer = Writer { largest, shelf, pokes, packer: Packer::new()?, decks: HashMap::new() };
    std::thread::Builder::new().name("recorder".to_owned()).spawn(move || writer.run(&inbox))?;
    Ok(orders)
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            let due = self.decks.values().filter_map(|deck| deck.due).min();
            let order = match due {
                Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            let late = |(key, deck): (&u64, &Deck)| deck.due.filter(|due| *due <= now).map(|_| *key);
            let late: Vec<u64> = self.decks.iter().filter_map(late).collect();
            late.into_iter().for_each(|key| self.write(key));
        }
        let all: Vec<u64> = self.decks.keys().copied().collect();
        all.into_iter().for_each(|key| self.close(key));
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open(key, opened) => {
                let Opened { label, path, reel, begin, queued, stopped } = *opened;
                let (cast, seq) = match begin {
                    Begin::New { size, started, title } => (Cast::new(size, started, &title), 0),
                    Begin::Resumed { seq, last } => (Cast::resumed(last), seq),
                };
                self.shelf.tell(News::Begun(label.clone()));
                let due = Some(Instant::now() + SOON);
                self.decks
                    .insert(key, Deck { label, path, reel, cast, seq, due, queued, stopped, over: None });
            }
            Order::Event(key, at, event) => {
                let Some(deck) = self.decks.get_mut(&key) else { return };
                deck.take(at, event);
                if deck.cast.len() >= LARGE {
                    self.write(key);
                }
            }
            Order::Close(key) => self.close(key),
        }
    }

    fn close(&mut self, key: u64) {
        self.write(key);
        if let Some(deck) = self.decks.remove(&key) {
            self.shelf.tell(News::Ended(deck.label.clone()));
            let _ = self.pokes.send(Poke::Ended(deck.label));
        }
    }

    /// Writes what waits of a recording.
    fn write(&mut self, key: u64) {
        let Some(deck) = self.decks.get_mut(&key) else { return };
        deck.due = None;
        if deck.cast.is_empty() || deck.over.is_some() {
            return;
        }
        let (lines, at) = deck.cast.take();
        // Parts, for a frame that is too long would not be read again; each ends with a line.
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let most = rest.len().min(LARGE * 2);
            let end = memchr::memrchr(b'\n', &rest[..most]).map_or(rest.len(), |at| at + 1);
            let (part, later) = rest.split_at(end);
            if let Err(error) = deck.reel.append(&mut self.packer, part, (deck.seq, at)) {
                tracing::warn!(session = deck.label.session, terminal = deck.label.terminal, %error, "recording stops");
                return deck.stop(Stopped::Disk(error.to_string()));
            }
            rest = later;
        }
        let (label, bytes) = (deck.label.clone(), deck.reel.len());
        if bytes >= self.largest {
            deck.stop(Stopped::Largest);
        }
        let _ = self.pokes.send(Poke::Grown(label.clone(), deck.path.clone()));
        self.shelf.tell(News::Grown { label, bytes, length: at });
    }
}

impl Deck {
    fn take(&mut self, at: u64, event: Event) {
        if let Event::Output(bytes, _) = &event {
            self.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
        if self.over.is_some() {
            return;
        }
        match event {
            Event::Output(bytes, seq) => {
                self.cast.output(at, &bytes);
                self.seq = seq;
            }
            Event::Input(bytes) => self.cast.input(at, &bytes),
            Event::Resize(size) => self.cast.resize(at, size),
            Event::Marker(label) => self.cast.marker(at, &label),
            Event::Exit(code) => self.cast.exit(at, code),
        }
        self.due.get_or_insert_with(|| Instant::now() + SOON);
    }

    fn stop(&mut self, why: Stopped) {
        self.cast = Cast::default();
        (self.stopped)(why.clone());
        self.over = Some(why);
    }
}

/// Where a recording that is there was left, and when it began (Unix time, milliseconds).
pub(super) fn left(reel: &Reel, first: &super::Frame, last: &super::Frame) -> io::Result<(Begin, u64)> {
    let content = super::read(reel.file(), first)?;
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let started = cast::header(line).map(|(_, second)| second * 1000);
    let started = started.ok_or_else(|| io::Error::other("the recording has no header"))?;
    Ok((Begin::Resumed { seq: last.seq, last: last.at }, started))
}
