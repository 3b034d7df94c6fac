//! A terminal's screen, emulated, so that it can be written down as the bytes that rebuild it.
//!
//! Built only when it is needed: when a ring's half is full, or the size changes. Between those the ring's own bytes
//! rebuild the screen. Knows neither pty nor viewer.

mod buffer;
mod charsets;
mod dump;
mod editing;
mod emulator;
mod line;
mod modes;
mod pen;
mod perform;
mod reflow;
pub(in crate::terminal) mod shown;
mod widths;

use super::skim;
use emulator::Emulator;
use reflow::Reflow;
use sandlot_wire::Size;
use sandlot_wire::ring::SNAPSHOT;
use vte::Parser;

/// Cells of scrollback that are kept: a thousand lines of a wide terminal.
const SCROLLBACK_CELLS: usize = 250_000;

/// Lines of scrollback of a terminal of usual width.
const SCROLLBACK_LINES: usize = 1024;

/// The longest unfinished escape sequence that is kept, in bytes; the rest of a longer one is text of a title or
/// of a device string, which no screen shows.
const UNFINISHED: usize = 4096;

/// The controls of the upper half that the page's emulator takes for what ESC and a letter say.
const UPPER: [char; 10] =
    ['\u{84}', '\u{85}', '\u{88}', '\u{90}', '\u{98}', '\u{9b}', '\u{9c}', '\u{9d}', '\u{9e}', '\u{9f}'];

/// See the module.
pub struct Screen {
    emulator: Emulator,
    parser: Parser,
    size: Size,
    /// The most lines above it.
    history: usize,
    /// The escape sequence that is being received.
    unfinished: String,
    /// The first bytes of a character that is not complete yet.
    partial: Vec<u8>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Screen {
    /// An empty screen.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self::with_history(size, SCROLLBACK_LINES)
    }

    /// An empty screen that keeps at most so many lines above it.
    fn with_history(size: Size, history: usize) -> Self {
        let size = size.clamped();
        Self {
            emulator: Emulator::new(size, scrollback_lines(size).min(history)),
            parser: Parser::new(),
            size,
            history,
            unfinished: String::new(),
            partial: Vec::new(),
        }
    }

    /// The cursor's column and row, from 0.
    pub(in crate::terminal) fn cursor(&mut self) -> (usize, usize) {
        let on = self.emulator.screen();
        (on.x.min(on.cols - 1), on.y)
    }

    /// Shows what a program printed.
    pub fn feed(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = bytes;
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            rest = &joined;
        }
        let mut chunks = self.pass_over(rest).utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.feed_text(chunk.valid());
            // The page's decoder passes over bytes that are no character.
            if chunks.peek().is_none() && incomplete(chunk.invalid()) {
                self.partial = chunk.invalid().to_vec();
            }
        }
    }

    /// Leaves out what the rest of `bytes` scrolls out of memory anyway; answers the rest.
    fn pass_over<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.unfinished.is_empty() || !self.emulator.screen().scrolls_whole() {
            return bytes;
        }
        let lines = scrollback_lines(self.size).min(self.history) + usize::from(self.size.rows);
        let (passed, rest) = bytes.split_at(skim::out_of_sight(bytes, lines));
        skim::colours(passed).for_each(|sequence| self.feed_text(sequence));
        rest
    }

    fn feed_text(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.unfinished.is_empty() {
                let plain =
                    rest.find(|c| c == '\x1b' || ('\u{80}'..='\u{9f}').contains(&c)).unwrap_or(rest.len());
                self.parser.advance(&mut self.emulator, &rest.as_bytes()[..plain]);
                rest = &rest[plain..];
            }
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                self.feed_control(c);
            }
            rest = chars.as_str();
        }
    }

    /// A control character, or a part of a sequence.
    fn feed_control(&mut self, c: char) {
        match c {
            '\x1b' => {
                self.unfinished.clear();
                self.advance(c);
            }
            c if UPPER.contains(&c) => {
                self.feed_control('\x1b');
                self.feed_control(char::from(u8::try_from(u32::from(c)).unwrap_or(0x40) - 0x40));
            }
            '\u{80}'..='\u{9f}' => (),
            // No sequence but a string has such characters: the page's emulator gives it up.
            '\u{a0}'.. if !self.is_string() => self.advance('\x18'),
            c if self.is_string() && self.unfinished.len() >= UNFINISHED && !c.is_control() => (),
            c => self.advance(c),
        }
    }

    fn advance(&mut self, c: char) {
        self.emulator.ended = false;
        self.parser.advance(&mut self.emulator, c.encode_utf8(&mut [0; 4]).as_bytes());
        self.unfinished.push(c);
        if c != '\x1b' && (self.emulator.ended || self.is_over(c)) {
            self.unfinished.clear();
        }
    }

    /// Whether the sequence is a string that only its terminator ends.
    fn is_string(&self) -> bool {
        matches!(self.unfinished.as_bytes(), [0x1b, b']' | b'P' | b'X' | b'^' | b'_', ..])
    }

    /// Whether `c` ended a sequence that the parser took for none.
    fn is_over(&self, c: char) -> bool {
        let last = ('@'..='~').contains(&c);
        matches!(c, '\x18' | '\x1a')
            || match self.unfinished.as_bytes() {
                [0x1b, b'[', _, ..] => last,
                [0x1b, _] => ('0'..='~').contains(&c) && !matches!(c, '[' | ']' | 'P' | 'X' | '^' | '_'),
                [0x1b, b' '..=b'/', ..] => ('0'..='~').contains(&c),
                _ => false,
            }
    }

    /// Gives the screen another size; lines are wrapped anew as xterm.js does.
    pub fn resize(&mut self, size: Size) {
        self.size = size.clamped();
        let (cols, rows) = (usize::from(self.size.cols), usize::from(self.size.rows));
        self.emulator.normal.history = scrollback_lines(self.size).min(self.history);
        reflow::resize(&mut self.emulator.normal, cols, rows, Reflow::Yes);
        reflow::resize(&mut self.emulator.alternate, cols, rows, Reflow::No);
        self.emulator.joint = None;
    }

    /// The bytes that bring an empty terminal of the same size to this screen, with as much scrollback as a ring's
    /// snapshot holds.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut keep = usize::MAX;
        loop {
            let mut bytes = dump::write(&self.emulator, keep).into_bytes();
            bytes.extend_from_slice(self.unfinished.as_bytes());
            bytes.extend_from_slice(&self.partial);
            if bytes.len() <= SNAPSHOT {
                return bytes;
            }
            match keep {
                0 => return self.plain(),
                usize::MAX => keep = SCROLLBACK_LINES / 2,
                _ => keep /= 2,
            }
        }
    }

    /// The visible text alone, for a screen so large and colourful that nothing more fits a snapshot.
    fn plain(&self) -> Vec<u8> {
        let mut out = String::new();
        for line in self.emulator.visible_lines() {
            let mut text = String::new();
            line.cells.iter().for_each(|cell| cell.write(&mut text));
            if out.len() + text.len() + 2 > SNAPSHOT {
                break;
            }
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            out.push_str(text.trim_end());
        }
        out.into_bytes()
    }
}

fn scrollback_lines(size: Size) -> usize {
    (SCROLLBACK_CELLS / usize::from(size.cols)).min(SCROLLBACK_LINES)
}

/// Whether these bytes may become a character once more arrive.
fn incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests;
