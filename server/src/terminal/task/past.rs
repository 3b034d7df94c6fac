//! What a terminal has shown before: the screen, emulated when it is asked for, and the replay for who joins.

use super::{QUIET, Task};
use crate::terminal::Error;
use crate::terminal::answers::asked;
use crate::terminal::screen::Screen;
use sandlot_wire::Size;
use tokio::time::Instant;

/// Raw bytes that a viewer who joins is sent; more are first turned into the screen that they come to.
const REPLAY: usize = 256 * 1024;

/// Answers that wait for a program that does not read; it gets no more.
const ANSWERS: usize = 4096;

/// The bytes that are kept to find a question that comes in two parts.
const TAIL: usize = 8;

/// A screen that shows everything up to a position of the stream.
pub(super) struct Emulated {
    screen: Screen,
    seq: u64,
    used: Instant,
}

impl Emulated {
    /// When it is forgotten if nobody asks for it again.
    pub(super) fn forgotten(&self) -> Instant {
        self.used + QUIET
    }
}

impl Task {
    /// The bytes that rebuild the screen: the last snapshot and what was printed since.
    pub(super) fn replay(&mut self) -> Vec<u8> {
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

    /// The screen as it was `missing` bytes ago, brought to there.
    fn emulated(&mut self, missing: usize) -> Result<Emulated, Error> {
        let now = self.ring.seq()?;
        let wanted = now.saturating_sub(missing as u64);
        if let Some(mut emulated) = self.screen.take().filter(|emulated| emulated.seq <= wanted) {
            let behind = usize::try_from(now - emulated.seq).unwrap_or(usize::MAX);
            let bytes = self.ring.last(behind)?;
            emulated.screen.feed(&bytes[..bytes.len().saturating_sub(missing)]);
            (emulated.seq, emulated.used) = (wanted, Instant::now());
            return Ok(emulated);
        }
        let found = self.ring.recover()?;
        let mut screen = Screen::new(self.size);
        screen.feed(&found.snapshot);
        screen.feed(&found.bytes[..found.bytes.len().saturating_sub(missing)]);
        Ok(Emulated { screen, seq: wanted, used: Instant::now() })
    }

    /// Begins the ring's other half with the present screen, brought to `size`.
    pub(super) fn flip(&mut self, size: Size) -> Result<(), Error> {
        self.flush();
        let mut emulated = self.emulated(0)?;
        if size != self.size {
            emulated.screen.resize(size);
        }
        self.ring.flip(&emulated.screen.snapshot())?;
        self.screen = Some(emulated);
        Ok(())
    }

    /// Answers what programs asked of the terminal in the last `read` bytes, while nobody's page is there to do it.
    pub(super) fn answer_questions(&mut self, read: usize) {
        let Ok(bytes) = self.ring.last(if self.viewers.is_driven() { TAIL.min(read) } else { read }) else {
            return;
        };
        let before = std::mem::take(&mut self.tail);
        if !self.viewers.is_driven() {
            for (end, question) in asked(&before, &bytes) {
                if self.pending.len() > ANSWERS {
                    break;
                }
                // Answered even if the screen cannot be had: a program that waits is worse than a wrong place.
                let emulated = self.emulated(bytes.len() - end).ok();
                let cursor = emulated.map_or((0, 0), |mut emulated| {
                    let cursor = emulated.screen.cursor();
                    self.screen = Some(emulated);
                    cursor
                });
                self.say(question.answer(cursor).as_bytes());
            }
        }
        self.tail = [before, bytes].concat();
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }
}
