//! Recording: what a terminal showed, kept on disk as an asciicast that grows by a piece each half second.
//!
//! ```text
//!  task ──Tape: orders, bounded──▶ writer (one thread) ──frames──▶ file ──▶ indexer (one thread) ──lines shown──▶ Shelf
//! ```
//! A terminal never waits for its recording: what the writer cannot take any more is passed over, and a fresh screen
//! follows, as for a viewer that is too slow. The same when a terminal prints more than [`CREDIT`] ahead of
//! [`REFILL`] a second: a flood must not end the recording of what comes after it. Who may see recordings, and the
//! database, are the business of the [`Shelf`] that is handed in.

mod cast;
mod indexer;
mod reel;
mod tape;
mod writer;

pub use reel::{Frame, Reel, frames, read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub(in crate::terminal) use tape::Held;
pub use tape::Tape;

/// Bytes that one terminal may print at once and have recorded whole.
pub const CREDIT: u64 = 64 * 1024 * 1024;

/// By how much that grows again in a second.
pub const REFILL: u64 = 1024 * 1024;

/// Bytes of one terminal that may wait to be written.
const QUEUE: usize = 4 * 1024 * 1024;

/// How long an event may wait to be written.
const SOON: Duration = Duration::from_millis(400);

/// What is recorded, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether what is typed is recorded too.
    pub input: Input,
    /// The most bytes of one terminal's recording on disk.
    pub largest: u64,
}

/// Whether what is typed is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Input {
    /// It is not: passwords that a program does not show stay unknown.
    #[default]
    Left,
    /// It is.
    Kept,
}

/// Why a recording goes on no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It has its largest size.
    Largest,
    /// The disk did not take more.
    Disk(String),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Largest => {
                write!(f, "this terminal is recorded no longer: its recording has its largest size")
            }
            Self::Disk(_) => {
                write!(f, "this terminal is recorded no longer: the recording cannot be written")
            }
        }
    }
}

/// Which recording.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// The session.
    pub session: String,
    /// The terminal.
    pub terminal: String,
}

impl Label {
    /// The file below the folder of recordings; `None`: the names are none that a file may have.
    #[must_use]
    pub fn file(&self, folder: &Path) -> Option<PathBuf> {
        let plain = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            (1..=128).contains(&name.len()) && name.chars().all(fits)
        };
        let plain = plain(&self.session) && plain(&self.terminal);
        plain.then(|| folder.join(&self.session).join(format!("{}.cast.zst", self.terminal)))
    }
}

/// A line that was shown, and when first, in milliseconds since the recording began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: u64,
    /// Its text, as shown.
    pub text: String,
}

/// What happens to recordings; told by threads that may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One has begun, or goes on.
    Begun(Label),
    /// One has so many bytes on disk and is so many milliseconds long.
    Grown {
        /// Which.
        label: Label,
        /// Bytes on disk.
        bytes: u64,
        /// Milliseconds.
        length: u64,
    },
    /// Lines were shown that were not shown lately.
    Shown(Label, Vec<Line>),
    /// It is whole: nothing more comes. Its lines may still.
    Ended(Label),
    /// All its lines were told.
    Indexed(Label),
}

/// Who keeps account of recordings.
pub trait Shelf: Send + Sync {
    /// Takes news in their order; may wait.
    fn tell(&self, news: News);
}

/// The two threads; cheap to clone. They end when the last handle and the last tape are gone.
#[derive(Clone)]
pub struct Recorder {
    folder: PathBuf,
    settings: Settings,
    orders: std::sync::mpsc::Sender<writer::Order>,
    pokes: std::sync::mpsc::Sender<indexer::Poke>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts both threads; recordings are files below `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder or a thread cannot be made.
    pub fn start(folder: PathBuf, settings: Settings, shelf: Arc<dyn Shelf>) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let pokes = indexer::start(shelf.clone())?;
        let orders = writer::start(settings.largest, shelf, pokes.clone())?;
        Ok(Self { folder, settings, orders, pokes })
    }

    /// Tells the lines of a recording that nobody adds to any more: a server that was killed had not told them all.
    pub fn index(&self, label: &Label) {
        if let Some(path) = label.file(&self.folder) {
            let _ = self.pokes.send(indexer::Poke::Grown(label.clone(), path));
            let _ = self.pokes.send(indexer::Poke::Ended(label.clone()));
        }
    }

    /// What the next terminal is recorded on. `title` is told by the recording itself.
    #[must_use]
    pub fn tape(&self, label: Label, title: String) -> Option<Tape> {
        let file = label.file(&self.folder)?;
        Some(Tape::new(label, title, file, self.settings.input, self.orders.clone()))
    }

    /// Where a recording is.
    #[must_use]
    pub fn file(&self, label: &Label) -> Option<PathBuf> {
        label.file(&self.folder)
    }

    /// Whether what is typed is recorded.
    #[must_use]
    pub fn input(&self) -> Input {
        self.settings.input
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
