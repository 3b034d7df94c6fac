//! The files of one container's log: lines in Docker's `json-file` format, in files that are put aside when they are full.
//!
//! ```text
//! log.json      what is written to
//! log.json.1    the one before, and so on up to the last
//! ```
//!
//! Files are numbered by generation, so that a reader that was at the end of one knows which comes next whatever it is
//! called by now.

use super::logging::Logging;
use super::output::Line;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A log that is written.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    kept: Logging,
    file: Option<File>,
    size: u64,
    generation: u64,
    failing: bool,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
}

/// A place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) generation: u64,
    pub(super) offset: u64,
}

impl Log {
    /// The log at `path`, with what is there.
    pub(super) fn new(path: &Path, kept: Logging) -> Self {
        let old = (1..).take_while(|n| aside(path, *n).exists()).count();
        Self {
            size: std::fs::metadata(path).map_or(0, |m| m.len()),
            path: path.to_owned(),
            generation: u64::try_from(old).unwrap_or(0),
            kept,
            file: None,
            failing: false,
            waiting: Vec::new(),
        }
    }

    /// Whether anything is kept.
    pub(super) fn keeps(&self) -> bool {
        self.kept.files > 0
    }

    /// Takes a line; it is written with the next [`Log::flush`] at the latest.
    pub(super) fn line(&mut self, line: &Line) {
        if !self.keeps() {
            return;
        }
        let mut line = line.clone();
        line.attrs.clone_from(&self.kept.attributes);
        let before = self.waiting.len();
        let done = serde_json::to_writer(&mut self.waiting, &line).map_err(io::Error::other);
        self.waiting.push(b'\n');
        let length = self.waiting.len() - before;
        let full = self.size + self.waiting.len() as u64 > self.kept.size;
        if full && (self.size > 0 || before > 0) {
            let last = self.waiting.split_off(before);
            self.flush();
            self.waiting = last;
            let turned = self.turn();
            self.note(turned);
        }
        debug_assert!(length > 0);
        self.note(done);
    }

    /// Writes what waits. A log that cannot be written must not stop the container: the lines are lost, and that is said
    /// once.
    pub(super) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.waiting);
        let written = self.write(&text);
        self.note(written);
        self.waiting = text;
        self.waiting.clear();
    }

    fn note(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.failing = false,
            Err(e) if !self.failing => {
                self.failing = true;
                tracing::warn!(path = %self.path.display(), "cannot log, lines are lost: {e}");
            }
            Err(_) => {}
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().create(true).append(true).open(&self.path)?),
        };
        let written = file.write_all(text);
        // Also half a line counts, and is passed over by whoever reads.
        self.size = file.metadata()?.len();
        written
    }

    /// Puts the file aside and goes on with a new one.
    fn turn(&mut self) -> io::Result<()> {
        self.file = None;
        for n in (1..self.kept.files).rev() {
            let from = if n == 1 { self.path.clone() } else { aside(&self.path, n - 1) };
            match std::fs::rename(from, aside(&self.path, n)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.kept.files == 1 {
            std::fs::remove_file(&self.path)?;
        }
        self.generation += 1;
        self.size = 0;
        Ok(())
    }

    /// The descriptor is not needed while nothing runs.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Where the next line will stand.
    pub(super) fn end(&self) -> Place {
        Place { generation: self.generation, offset: self.size }
    }

    /// The generation of the oldest file.
    pub(super) fn oldest(&self) -> u64 {
        self.generation.saturating_sub(u64::from(self.kept.files.saturating_sub(1)))
    }

    /// The file of a generation; `None` if it is not there (any more, or yet).
    pub(super) fn open(&self, generation: u64) -> io::Result<Option<File>> {
        let path = match self.generation.checked_sub(generation).and_then(|n| u32::try_from(n).ok()) {
            Some(0) => self.path.clone(),
            Some(n) => aside(&self.path, n),
            None => return Ok(None),
        };
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn aside(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}
