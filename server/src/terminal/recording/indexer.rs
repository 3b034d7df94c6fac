//! The one thread that reads recordings as they grow and finds the lines that were shown.
//!
//! It reads the files, not the terminals: a flood makes it late, never a terminal slow. It emulates the screen, as search
//! is in what people saw: text that was drawn piece by piece is one line, and what was never on a screen is not found.
//! Lines that flew by in a flood are passed over but for the last.

use super::cast;
use super::reel::{frame, read};
use super::{Label, Line, News, Shelf};
use crate::terminal::screen::shown::{Reading, Rest};
use sandlot_wire::Size;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Milliseconds of a recording between two looks at its screen.
const LOOK: u64 = 100;

/// Bytes printed after which the screen is looked at all the same: fewer lines than it remembers.
const BITE: usize = 1024;

/// A frame with so much output is a flood.
const FLOOD: usize = 128 * 1024;

/// How long a recording's screen is kept after its last change.
const QUIET: Duration = Duration::from_secs(3);

/// The most text of one recording that is found, in bytes.
const MOST: usize = 16 * 1024 * 1024;

/// What the thread is told.
pub(super) enum Poke {
    /// A recording has grown.
    Grown(Label, PathBuf),
    /// Nothing more comes.
    Ended(Label),
}

/// A recording that is being read.
struct Reader {
    file: File,
    /// Where the next frame's head is.
    at: u64,
    /// The time of the last event.
    time: u64,
    looked: u64,
    fed: usize,
    found: usize,
    reading: Option<Reading>,
    used: Instant,
}

/// Starts the thread; it ends when nobody has the sender any more.
pub(super) fn start(shelf: Arc<dyn Shelf>) -> io::Result<Sender<Poke>> {
    let (pokes, inbox) = channel();
    std::thread::Builder::new().name("indexer".to_owned()).spawn(move || {
        // Whoever waits for a terminal comes before whoever will search later.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
        run(&inbox, &*shelf);
    })?;
    Ok(pokes)
}

fn run(inbox: &Receiver<Poke>, shelf: &dyn Shelf) {
    let mut readers: HashMap<Label, Reader> = HashMap::new();
    loop {
        let poke = match inbox.recv_timeout(QUIET) {
            Ok(poke) => Some(poke),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match poke {
            Some(Poke::Grown(label, path)) => {
                let reader = match readers.remove(&label) {
                    Some(reader) => Ok(reader),
                    None => Reader::open(&path),
                };
                let read = reader.and_then(|mut reader| reader.advance(&label, shelf).map(|()| reader));
                match read {
                    Ok(reader) => drop(readers.insert(label, reader)),
                    Err(error) => {
                        tracing::warn!(session = label.session, %error, "a recording is not searched: it cannot be read");
                    }
                }
            }
            Some(Poke::Ended(label)) => {
                if let Some(mut reader) = readers.remove(&label) {
                    let lines = reader.look(Rest::Cursor);
                    reader.tell(&label, lines, shelf);
                }
                shelf.tell(News::Indexed(label));
            }
            None => (),
        }
        for (label, reader) in readers.iter_mut().filter(|(_, reader)| reader.used.elapsed() >= QUIET) {
            let lines = reader.look(Rest::Cursor);
            reader.tell(label, lines, shelf);
            if let Some(reading) = &mut reader.reading {
                reading.fold();
            }
        }
    }
}

impl Reader {
    fn open(path: &PathBuf) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { file, at: 0, time: 0, looked: 0, fed: 0, found: 0, reading: None, used: Instant::now() })
    }

    /// Reads the frames that have come.
    fn advance(&mut self, label: &Label, shelf: &dyn Shelf) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        while let Some(found) = frame(&self.file, self.at, 0, len)? {
            self.at = found.end();
            self.used = Instant::now();
            let content = read(&self.file, &found)?;
            let lines = self.take(&content);
            self.tell(label, lines, shelf);
        }
        Ok(())
    }

    fn tell(&mut self, label: &Label, lines: Vec<Line>, shelf: &dyn Shelf) {
        let mut left = MOST.saturating_sub(self.found);
        let fits = |line: &Line| {
            let fits = line.text.len() <= left;
            left = left.saturating_sub(line.text.len());
            fits
        };
        let lines: Vec<Line> = lines.into_iter().take_while(fits).collect();
        self.found += lines.iter().map(|line| line.text.len()).sum::<usize>();
        if !lines.is_empty() {
            shelf.tell(News::Shown(label.clone(), lines));
        }
    }

    fn take(&mut self, content: &[u8]) -> Vec<Line> {
        let flood = content.len() >= FLOOD;
        let mut shown = Vec::new();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if self.reading.is_none() {
                let size = cast::header(line).map_or(Size { cols: 80, rows: 24 }, |(size, _)| size);
                self.reading = Some(Reading::new(size));
            }
            let Some(event) = cast::event(line) else { continue };
            if !flood && self.fed > 0 && self.time + event.after > self.looked + LOOK {
                shown.extend(self.look(Rest::Settled));
            }
            self.time += event.after;
            match &event.kind[..] {
                "o" if flood => self.feed(event.text.as_bytes()),
                "o" => {
                    for bite in event.text.as_bytes().chunks(BITE) {
                        self.feed(bite);
                        if self.fed >= BITE {
                            shown.extend(self.look(Rest::Settled));
                        }
                    }
                }
                "r" => {
                    shown.extend(self.look(Rest::Settled));
                    let sides = event.text.split_once('x');
                    let size = sides.and_then(|(cols, rows)| Some((cols.parse().ok()?, rows.parse().ok()?)));
                    if let (Some((cols, rows)), Some(reading)) = (size, &mut self.reading) {
                        reading.resize(Size { cols, rows });
                    }
                }
                _ => (),
            }
        }
        shown.extend(self.look(Rest::Settled));
        shown
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some(reading) = &mut self.reading {
            reading.feed(bytes);
            self.fed += bytes.len();
        }
    }

    /// The lines that are shown now and were not shown lately.
    fn look(&mut self, rest: Rest) -> Vec<Line> {
        (self.looked, self.fed) = (self.time, 0);
        let at = self.time;
        let texts = self.reading.as_mut().map(|reading| reading.take(rest)).unwrap_or_default();
        texts.into_iter().map(|text| Line { at, text }).collect()
    }
}
