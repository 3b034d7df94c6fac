//! Reading a container's log while it is written: what is there, then what comes, over files that are put aside meanwhile.

use super::log::Place;
use super::output::{Line, Output};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use tokio::sync::watch;

/// How much is read at once.
const READ: usize = 64 << 10;
/// The longest entry: 16 KiB of text, six bytes each at the worst, and what stands around it. More is passed over.
const ENTRY: usize = 1 << 20;

/// One reader of a log.
#[derive(Debug)]
pub struct Reader {
    output: Output,
    file: Option<File>,
    at: Place,
    /// Where the log ended when the reading began.
    past: Place,
    /// How often the container had ended then.
    ends: u64,
    news: watch::Receiver<u64>,
    waiting: Vec<u8>,
    /// How much of that has been given out.
    given: usize,
}

/// What there is to read at the moment.
enum More {
    /// It was added to what waits.
    Read,
    /// Nothing.
    Nothing,
}

impl Reader {
    pub(super) fn new(output: Output, oldest: u64, past: Place, news: watch::Receiver<u64>) -> Self {
        let ends = *news.borrow();
        let at = Place { generation: oldest, offset: 0 };
        Self { output, file: None, at, past, ends, news, waiting: Vec::new(), given: 0 }
    }

    /// The next line of those that were there when the reading began.
    ///
    /// # Errors
    /// What reading answers.
    pub fn past(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.entry() {
                return Ok(Some(line));
            }
            if self.at >= self.past || matches!(self.more(Some(self.past))?, More::Nothing) {
                return Ok(None);
            }
        }
    }

    /// The next line of those to come; `None` once the container has ended.
    ///
    /// # Errors
    /// What reading answers.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.entry() {
                return Ok(Some(line));
            }
            // Looked at before reading: what is written before the end is read before the end is believed.
            let ended = *self.news.borrow_and_update() != self.ends;
            match self.more(None)? {
                More::Read => {}
                More::Nothing if ended => return Ok(None),
                More::Nothing => {
                    if self.news.changed().await.is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The first whole entry of what waits; what is none is passed over.
    fn entry(&mut self) -> Option<Line> {
        while let Some(end) = self.waiting[self.given..].iter().position(|b| *b == b'\n') {
            let line = serde_json::from_slice(&self.waiting[self.given..self.given + end]).ok();
            self.given += end + 1;
            if line.is_some() {
                return line;
            }
        }
        self.waiting.drain(..self.given);
        self.given = 0;
        if self.waiting.len() > ENTRY {
            self.waiting.clear();
        }
        None
    }

    fn more(&mut self, until: Option<Place>) -> io::Result<More> {
        loop {
            // Asked for before reading: a file that is not the last any more will not grow.
            let last = self.output.log_end().generation;
            let read = self.read(until)?;
            if read > 0 {
                return Ok(More::Read);
            }
            let stop = until.map_or(last, |place| place.generation.min(last));
            if self.at.generation >= stop {
                return Ok(More::Nothing);
            }
            self.file = None;
            self.waiting.clear();
            // Files that were deleted while nobody looked are passed over.
            let next = (self.at.generation + 1).max(self.output.oldest_log());
            self.at = Place { generation: next, offset: 0 };
        }
    }

    fn read(&mut self, until: Option<Place>) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = self.output.open_log(self.at.generation)?;
        }
        let Some(file) = &self.file else { return Ok(0) };
        let most = match until {
            Some(place) if place.generation == self.at.generation => {
                usize::try_from(place.offset.saturating_sub(self.at.offset)).unwrap_or(READ).min(READ)
            }
            _ => READ,
        };
        let before = self.waiting.len();
        self.waiting.resize(before + most, 0);
        let read = file.read_at(&mut self.waiting[before..], self.at.offset);
        self.waiting.truncate(before + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.at.offset += read as u64;
        Ok(read)
    }
}
