//! The lines that a screen has shown, as text, each once: what a search in recordings looks at.

use super::emulator::Shown;
use super::line::Line;
use super::{SNAPSHOT, Screen, dump};
use sandlot_wire::Size;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Lines above the screen that are remembered until they are taken.
const HISTORY: usize = 600;

/// Lines that are not taken again as long as they are among the last so many.
const RECENT: usize = 1024;

/// The longest line, in characters.
const LONGEST: usize = 2000;

/// Which lines are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::terminal) enum Rest {
    /// All but the one with the cursor: it is still being written.
    Settled,
    /// That one too.
    Cursor,
}

/// A screen that is read from.
pub(in crate::terminal) struct Reading {
    size: Size,
    screen: Option<Screen>,
    folded: Vec<u8>,
    /// The number of the first line that was not above the screen when lines were taken last.
    settled: u64,
    recent: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Reading {
    pub(in crate::terminal) fn new(size: Size) -> Self {
        Self {
            size,
            screen: None,
            folded: Vec::new(),
            settled: 0,
            recent: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn screen(&mut self) -> &mut Screen {
        let (size, folded) = (self.size, std::mem::take(&mut self.folded));
        if self.screen.is_none() {
            self.settled = 0;
        }
        self.screen.get_or_insert_with(|| {
            let mut screen = Screen::with_history(size, HISTORY);
            screen.feed(&folded);
            screen
        })
    }

    pub(in crate::terminal) fn feed(&mut self, bytes: &[u8]) {
        self.screen().feed(bytes);
    }

    pub(in crate::terminal) fn resize(&mut self, size: Size) {
        self.size = size.clamped();
        let size = self.size;
        self.screen().resize(size);
    }

    /// Keeps the visible lines as bytes only: a recording in which nothing happens costs little memory.
    pub(in crate::terminal) fn fold(&mut self) {
        if let Some(screen) = self.screen.take() {
            self.folded = dump::write(&screen.emulator, 0).into_bytes();
            self.folded.truncate(SNAPSHOT);
        }
    }

    /// The lines shown since this was last asked that are not among those taken lately.
    pub(in crate::terminal) fn take(&mut self, rest: Rest) -> Vec<String> {
        let Some(screen) = &self.screen else { return Vec::new() };
        let emulator = &screen.emulator;
        let on = if emulator.shown == Shown::Alternate { &emulator.alternate } else { &emulator.normal };
        let above = self.settled.saturating_sub(on.dropped);
        let first = match emulator.shown {
            Shown::Alternate => 0,
            Shown::Normal => usize::try_from(above).unwrap_or(usize::MAX).min(on.base()),
        };
        if emulator.shown == Shown::Normal {
            self.settled = on.dropped + on.base() as u64;
        }
        let cursor = on.base() + on.y;
        let mut texts = Vec::new();
        let mut at = first;
        while at < on.lines.len() {
            let end =
                (at + 1..on.lines.len()).find(|next| !on.lines[*next].wrapped).unwrap_or(on.lines.len());
            if rest == Rest::Cursor || !(at..end).contains(&cursor) {
                texts.push(text(on.lines.range(at..end)));
            }
            at = end;
        }
        texts.retain(|text| !text.is_empty() && self.is_new(text));
        texts
    }

    fn is_new(&mut self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.recent.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        true
    }
}

/// The text of a line, which goes on in those that continue it.
fn text<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    let mut text = String::new();
    lines.flat_map(|line| &line.cells).for_each(|cell| cell.write(&mut text));
    text.trim_end().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { cols: 20, rows: 4 };

    fn reading(bytes: &str) -> Reading {
        let mut reading = Reading::new(SIZE);
        reading.feed(bytes.as_bytes());
        reading
    }

    #[test]
    fn lines_are_taken_as_shown_each_once_and_not_while_they_are_typed() {
        let mut reading = reading("$ l");
        assert_eq!(reading.take(Rest::Settled), [""; 0]);
        reading.feed(b"s\x08\x08ps\r\n\x1b[31mred\x1b[m file\r\n$ ");
        assert_eq!(reading.take(Rest::Settled), ["$ ps", "red file"]);
        reading.feed(b"ps\r\nred file\r\nthis one is longer than the screen\r\n");
        assert_eq!(reading.take(Rest::Settled), ["this one is longer than the screen"]);
        reading.feed(b"end");
        assert_eq!(reading.take(Rest::Cursor), ["end"]);
    }

    #[test]
    fn what_scrolled_away_between_two_looks_is_taken_and_what_was_drawn_over_is_not() {
        let long: String = (0..100).map(|n| format!("line {n}\r\n")).collect();
        let mut reading = reading(&long);
        assert_eq!(reading.take(Rest::Settled).len(), 100);
        reading.feed(b"\x1b[?1049h\x1b[Hsecret\rpublic\x1b[3H");
        assert_eq!(reading.take(Rest::Settled), ["public"]);
        reading.fold();
        reading.feed(b"\x1b[?1049lback\r\n");
        assert_eq!(reading.take(Rest::Settled), ["back"]);
    }
}
