//! What a container's first process prints: read once, kept in a log file, passed on to whoever is attached.
//!
//! An attacher that does not read holds the container back, as with Docker; one that is gone does not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

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
    /// When.
    pub time: Timestamp,
}

/// How many pieces may wait for an attacher.
const WAITING: usize = 64;
/// The longest line before it is cut, as Docker cuts it.
const LINE: usize = 16 * 1024;
/// The size at which a log file is put aside; one old file is kept.
const LOG: u64 = 32 << 20;

/// Where the output of one container goes.
#[derive(Debug, Clone)]
pub struct Output(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: Option<std::fs::File>,
    size: u64,
    partial: BTreeMap<Stream, Vec<u8>>,
    attached: Vec<mpsc::Sender<Chunk>>,
    followers: Vec<mpsc::Sender<Line>>,
}

impl Output {
    /// Output that is logged to `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let size = std::fs::metadata(path).map_or(0, |m| m.len());
        Self(Arc::new(Mutex::new(Inner {
            path: path.to_owned(),
            file: None,
            size,
            partial: BTreeMap::new(),
            attached: Vec::new(),
            followers: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All output from now on; the end of the process closes the channel.
    #[must_use]
    pub fn attach(&self) -> mpsc::Receiver<Chunk> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.lock().attached.push(sender);
        receiver
    }

    /// The lines logged so far, and, with `follow`, a channel of those to come: nothing lies between.
    ///
    /// # Errors
    /// What reading the log answers.
    pub fn lines(&self, follow: Follow) -> io::Result<(Vec<Line>, Option<mpsc::Receiver<Line>>)> {
        let mut inner = self.lock();
        let mut lines = Vec::new();
        for path in [old(&inner.path), inner.path.clone()] {
            match std::fs::read(path) {
                Ok(text) => {
                    lines.extend(text.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let receiver = (follow == Follow::Yes).then(|| {
            let (sender, receiver) = mpsc::channel(4096);
            inner.followers.push(sender);
            receiver
        });
        Ok((lines, receiver))
    }

    /// Takes a piece of output in.
    pub async fn take(&self, chunk: Chunk) {
        let attached = {
            let mut inner = self.lock();
            inner.log(chunk.stream, &chunk.bytes);
            inner.attached.retain(|a| !a.is_closed());
            inner.attached.clone()
        };
        for sender in attached {
            // One that left in the meantime needs nothing.
            sender.send(chunk.clone()).await.unwrap_or_default();
        }
    }

    /// The process has ended: unfinished lines are logged, attachers and followers see the end.
    pub fn end(&self) {
        let mut inner = self.lock();
        for (stream, rest) in std::mem::take(&mut inner.partial) {
            if !rest.is_empty() {
                inner.write(stream, &rest);
            }
        }
        inner.attached.clear();
        inner.followers.clear();
        inner.file = None;
    }
}

/// Whether lines to come are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// They are.
    Yes,
    /// They are not.
    No,
}

impl Inner {
    fn log(&mut self, stream: Stream, bytes: &[u8]) {
        let mut text = self.partial.remove(&stream).unwrap_or_default();
        text.extend_from_slice(bytes);
        let mut rest = text.as_slice();
        while let Some(end) =
            rest.iter().position(|b| *b == b'\n').map(|n| n + 1).or((rest.len() > LINE).then_some(LINE))
        {
            let (line, after) = rest.split_at(end.min(rest.len()));
            for piece in line.chunks(LINE) {
                self.write(stream, piece);
            }
            rest = after;
        }
        self.partial.insert(stream, rest.to_vec());
    }

    /// A log that cannot be written must not stop the container: the line is lost, and said so once in our own log.
    fn write(&mut self, stream: Stream, text: &[u8]) {
        let line = Line { log: String::from_utf8_lossy(text).into_owned(), stream, time: Timestamp::now() };
        if let Err(e) = self.append(&line) {
            tracing::warn!(path = %self.path.display(), "cannot log: {e}");
        }
        self.followers
            .retain(|f| !matches!(f.try_send(line.clone()), Err(mpsc::error::TrySendError::Closed(_))));
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        if self.size > LOG {
            self.file = None;
            std::fs::rename(&self.path, old(&self.path))?;
            self.size = 0;
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(std::fs::File::options().create(true).append(true).open(&self.path)?),
        };
        file.write_all(&text)?;
        self.size += text.len() as u64;
        Ok(())
    }
}

fn old(path: &Path) -> PathBuf {
    path.with_extension("old")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &'static [u8]) -> Chunk {
        Chunk { stream: Stream::Stdout, bytes: bytes::Bytes::from_static(text) }
    }

    #[tokio::test]
    async fn lines_are_put_together_and_the_last_needs_no_newline() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::new(&dir.path().join("log"));
        let mut attached = output.attach();
        for text in [&b"on"[..], b"e\ntwo\nthr", b"ee"] {
            output.take(chunk(text)).await;
        }
        output.end();
        let (lines, _) = output.lines(Follow::No).unwrap();
        assert_eq!(lines.iter().map(|l| l.log.as_str()).collect::<Vec<_>>(), ["one\n", "two\n", "three"]);
        let mut all = Vec::new();
        while let Some(chunk) = attached.recv().await {
            all.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(all, b"one\ntwo\nthree");
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_and_the_log_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::new(&dir.path().join("log"));
        let flood = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        for _ in 0..80 {
            output.take(Chunk { stream: Stream::Stderr, bytes: flood.clone() }).await;
        }
        output.end();
        let size: u64 =
            std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert!(size < 2 * LOG + (2 << 20), "{size}");
        assert!(output.lines(Follow::No).unwrap().0.iter().all(|l| l.log.len() <= LINE));
    }
}
