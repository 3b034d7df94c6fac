//! What a container's first process prints: read once, kept in a log file, passed on to whoever is attached.
//!
//! An attacher that does not read holds the container back, as with Docker; one that is gone does not.

use super::log::{Log, Place};
use super::log_reader::Reader;
use super::logging::Logging;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};

/// A stream that a process prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Where it was printed.
    pub stream: Stream,
    /// What.
    pub bytes: bytes::Bytes,
}

/// A line of a log file, in Docker's `json-file` format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The text, with its newline if it had one.
    pub log: String,
    /// Where it was printed.
    pub stream: Stream,
    /// What `--log-opt labels=…` and its like add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// How many pieces may wait for an attacher.
const WAITING: usize = 64;
/// The longest line before it is cut, as Docker cuts it.
const LINE: usize = 16 * 1024;

/// Where the output of one container goes.
#[derive(Debug, Clone)]
pub struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// How often the container has ended; told also when something was logged.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    log: Log,
    partial: BTreeMap<Stream, Vec<u8>>,
    attached: Vec<mpsc::Sender<Chunk>>,
    over: bool,
}

impl Output {
    /// Output that is logged to `path`.
    #[must_use]
    pub fn new(path: &Path, logging: Logging) -> Self {
        let (log, partial) = (Log::new(path, logging), BTreeMap::new());
        let inner = Inner { log, partial, attached: Vec::new(), over: false };
        Self(Arc::new(Shared { inner: Mutex::new(inner), news: watch::Sender::new(0) }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All output from now on; the end of the process closes the channel.
    #[must_use]
    pub fn attach(&self) -> mpsc::Receiver<Chunk> {
        self.attach_and_read().0
    }

    /// The same, and a reader of what was logged before: nothing lies between.
    #[must_use]
    pub fn attach_and_read(&self) -> (mpsc::Receiver<Chunk>, Reader) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut inner = self.lock();
        inner.attached.push(sender);
        let reader = self.reader(&inner);
        drop(inner);
        (receiver, reader)
    }

    /// A reader of the log; `None` if none is kept.
    #[must_use]
    pub fn read(&self) -> Option<Reader> {
        let inner = self.lock();
        inner.log.keeps().then(|| self.reader(&inner))
    }

    fn reader(&self, inner: &Inner) -> Reader {
        Reader::new(self.clone(), inner.log.oldest(), inner.log.end(), self.0.news.subscribe())
    }

    pub(super) fn log_end(&self) -> Place {
        self.lock().log.end()
    }

    pub(super) fn oldest_log(&self) -> u64 {
        self.lock().log.oldest()
    }

    pub(super) fn open_log(&self, generation: u64) -> io::Result<Option<std::fs::File>> {
        self.lock().log.open(generation)
    }

    /// Takes a piece of output in.
    pub async fn take(&self, chunk: Chunk) {
        let attached = {
            let mut inner = self.lock();
            inner.log(chunk.stream, &chunk.bytes);
            inner.attached.retain(|a| !a.is_closed());
            inner.attached.clone()
        };
        self.0.news.send_modify(|_| {});
        for sender in attached {
            // One that left in the meantime needs nothing.
            sender.send(chunk.clone()).await.unwrap_or_default();
        }
    }

    /// A process is about to begin.
    pub(super) fn begin(&self) {
        self.lock().over = false;
    }

    /// Whether the last process that printed has ended: to be asked after beginning to listen, by whoever would wait for
    /// more. A container's state follows a moment later.
    #[must_use]
    pub fn over(&self) -> bool {
        self.lock().over
    }

    /// The process has ended: unfinished lines are logged, attachers and followers see the end.
    pub fn end(&self) {
        let mut inner = self.lock();
        for (stream, rest) in std::mem::take(&mut inner.partial) {
            if !rest.is_empty() {
                inner.write(stream, &rest);
            }
        }
        inner.log.flush();
        inner.log.close();
        inner.attached.clear();
        inner.over = true;
        drop(inner);
        self.0.news.send_modify(|ends| *ends += 1);
    }
}

impl Inner {
    fn log(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.log.keeps() {
            return;
        }
        let mut text = self.partial.remove(&stream).unwrap_or_default();
        text.extend_from_slice(bytes);
        let mut rest = text.as_slice();
        while let Some(end) = end_of_piece(rest) {
            let (piece, after) = rest.split_at(end);
            self.write(stream, piece);
            rest = after;
        }
        self.partial.insert(stream, rest.to_vec());
        self.log.flush();
    }

    fn write(&mut self, stream: Stream, text: &[u8]) {
        let log = String::from_utf8_lossy(text).into_owned();
        self.log.line(&Line { log, stream, attrs: BTreeMap::new(), time: Timestamp::now() });
    }
}

/// Where the first line ends, or the piece that is cut off one that is too long: never within a letter.
fn end_of_piece(text: &[u8]) -> Option<usize> {
    let end = text.iter().take(LINE).position(|b| *b == b'\n').map(|n| n + 1);
    if end.is_some() || text.len() <= LINE {
        return end;
    }
    let begins = |n: &usize| text[*n] & 0xc0 != 0x80;
    Some((LINE - 3..=LINE).rev().find(begins).unwrap_or(LINE))
}

#[cfg(test)]
mod tests;
