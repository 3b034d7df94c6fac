//! A terminal's screen, emulated, so that it can be written down as the bytes that rebuild it.
//!
//! Built only when it is needed: when a ring's half is full, or the size changes. Between those the ring's own bytes
//! rebuild the screen. Knows neither pty nor viewer.

use super::modes::Modes;
use super::skim;
use avt::parser::{Function, Parser, State};
use avt::{Line, Pen, Terminal};
use sandlot_wire::Size;
use sandlot_wire::ring::SNAPSHOT;
use std::fmt::Write;

/// Cells of scrollback that are kept: a thousand lines of a wide terminal.
const SCROLLBACK_CELLS: usize = 250_000;

/// Lines of scrollback of a terminal of usual width.
const SCROLLBACK_LINES: usize = 1024;

/// The longest unfinished escape sequence that is kept, in characters; the rest of a longer one is text of a title or
/// of a device string, which no screen shows.
const UNFINISHED: usize = 4096;

/// See the module.
pub(super) struct Screen {
    terminal: Terminal,
    parser: Parser,
    modes: Modes,
    size: Size,
    /// The escape sequence that is being received.
    unfinished: String,
    /// The first bytes of a character that is not complete yet.
    partial: Vec<u8>,
    /// Whether only a part of the screen scrolls.
    region: bool,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new(size: Size) -> Self {
        let size = size.clamped();
        Self {
            terminal: empty(size),
            parser: Parser::new(),
            modes: Modes::default(),
            size,
            unfinished: String::new(),
            partial: Vec::new(),
            region: false,
        }
    }

    /// Shows what a program printed.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
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
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && incomplete(invalid) {
                self.partial = invalid.to_vec();
            } else {
                self.feed_char(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    /// Leaves out what the rest of `bytes` scrolls out of memory anyway; answers the rest.
    fn pass_over<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.region || self.parser.state != State::Ground {
            return bytes;
        }
        let lines = scrollback_lines(self.size) + usize::from(self.size.rows);
        let (passed, rest) = bytes.split_at(skim::out_of_sight(bytes, lines));
        skim::colours(passed).for_each(|sequence| self.feed_text(sequence));
        rest
    }

    fn feed_text(&mut self, text: &str) {
        text.chars().for_each(|c| self.feed_char(c));
    }

    fn feed_char(&mut self, c: char) {
        let before = self.parser.state;
        let function = self.parser.feed(c);
        if before != State::Ground || self.parser.state != State::Ground {
            self.note(c, before);
        }
        match function {
            // One short sequence must not cost 65,535 characters; xterm.js too repeats to the line's end only.
            Some(Function::Rep(n)) => self.terminal.execute(Function::Rep(n.min(self.size.cols))),
            Some(function) => self.terminal.execute(function),
            None => (),
        }
    }

    /// Keeps the sequence that is being received, and hands it on when it is whole.
    fn note(&mut self, c: char, before: State) {
        let string = matches!(before, State::OscString | State::DcsPassthrough | State::SosPmApcString);
        if c == '\x1b' && !string {
            self.unfinished.clear();
        }
        if self.unfinished.len() < UNFINISHED {
            self.unfinished.push(c);
        }
        if self.parser.state == State::Ground {
            self.modes.take(&self.unfinished);
            self.region = self.region_after(&self.unfinished);
            self.unfinished.clear();
        }
    }

    /// Whether only a part of the screen scrolls after a whole escape sequence.
    fn region_after(&self, sequence: &str) -> bool {
        if matches!(sequence, "\x1bc" | "\x1b[!p") {
            return false;
        }
        let set = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('r'));
        let Some(set) = set else { return self.region };
        let mut numbers = set.split(';').map(|number| number.parse().unwrap_or(0));
        let (top, bottom) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        top > 1 || (bottom != 0 && bottom < self.size.rows)
    }

    /// Gives the screen another size; lines are wrapped anew as xterm.js does.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = size.clamped();
        self.terminal.resize(self.size.cols.into(), self.size.rows.into());
    }

    /// The bytes that bring an empty terminal of the same size to this screen, with as much scrollback as a ring's
    /// snapshot holds.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let mut tail = self.terminal.dump();
        tail.push_str(&self.modes.dump());
        tail.push_str(&self.unfinished);
        let mut keep = usize::MAX;
        loop {
            let mut bytes = self.scrollback(keep).into_bytes();
            bytes.extend_from_slice(tail.as_bytes());
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

    /// The last `keep` lines of scrollback, and then as many line feeds as leave an empty screen below them.
    fn scrollback(&self, keep: usize) -> String {
        let rows = usize::from(self.size.rows);
        let primary = self.terminal.primary_screen();
        let lines = primary.all_lines().count().saturating_sub(rows);
        if lines == 0 || keep == 0 {
            return String::new();
        }
        let mut out = String::new();
        let (mut pen, mut continues) = (None, false);
        let skipped = lines.saturating_sub(keep);
        for (n, line) in primary.all_lines().enumerate().skip(skipped).take(lines - skipped) {
            // A blank line that continues a wrapped one needs a character that makes the terminal wrap.
            write_line(&mut out, line, usize::from(continues), &mut pen);
            continues = line.is_wrapped();
            if n + 1 == lines || !line.is_wrapped() {
                out.push_str("\x1b[m\r\n");
                pen = None;
            }
        }
        out.push_str(&"\n".repeat(rows - 1));
        out.push_str("\x1b[H");
        out
    }

    /// The visible text alone, for a screen so large and colourful that nothing more fits a snapshot.
    fn plain(&self) -> Vec<u8> {
        let mut out = String::new();
        for line in self.terminal.screen().visible_lines() {
            let text = line.text();
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

/// An emulator with the scrollback that a terminal of this width gets.
fn empty(size: Size) -> Terminal {
    Terminal::with_scrollback(size.cols.into(), size.rows.into(), Some(scrollback_lines(size)))
        .unwrap_or_else(|_| unreachable!("a clamped size is not zero"))
}

fn scrollback_lines(size: Size) -> usize {
    (SCROLLBACK_CELLS / usize::from(size.cols)).min(SCROLLBACK_LINES)
}

/// Whether these bytes may become a character once more arrive.
fn incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn write_line(out: &mut String, line: &Line, least: usize, pen: &mut Option<Pen>) {
    let cells = line.cells();
    let used =
        cells.iter().rposition(|cell| cell.char() != ' ' || !cell.pen().is_default()).map_or(0, |at| at + 1);
    let used = if line.is_wrapped() { cells.len() } else { used.max(least) };
    for cell in cells.iter().take(used).filter(|cell| cell.width() > 0) {
        if *pen != Some(*cell.pen()) {
            write_pen(out, cell.pen());
            *pen = Some(*cell.pen());
        }
        out.push(cell.char());
    }
}

fn write_pen(out: &mut String, pen: &Pen) {
    out.push_str("\x1b[0");
    let attributes = [
        (pen.is_bold(), 1),
        (pen.is_faint(), 2),
        (pen.is_italic(), 3),
        (pen.is_underline(), 4),
        (pen.is_blink(), 5),
        (pen.is_inverse(), 7),
        (pen.is_strikethrough(), 9),
    ];
    for (_, code) in attributes.iter().filter(|(is, _)| *is) {
        let _ = write!(out, ";{code}");
    }
    for (color, base) in [(pen.foreground(), 38), (pen.background(), 48)] {
        let _ = match color {
            Some(avt::Color::Indexed(n)) => write!(out, ";{base};5;{n}"),
            Some(avt::Color::RGB(c)) => write!(out, ";{base};2;{};{};{}", c.r, c.g, c.b),
            None => Ok(()),
        };
    }
    out.push('m');
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
