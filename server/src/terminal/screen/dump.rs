//! A terminal written down as the bytes that bring an empty one of the same size to its state.
//!
//! First the normal screen with what is above it, then the alternate one if it is shown, then the modes, the cursor last:
//! and if a character was printed just now, that character once more, so that a mark that comes next combines with it.

use super::buffer::{Buffer, Saved};
use super::charsets::{Charset, Charsets};
use super::emulator::Emulator;
use super::line::{Cell, Glyph, Line};
use super::pen::Pen;
use super::widths;
use std::fmt::Write;

/// Any wide character.
const WIDE: char = '漢';

/// Writes the whole terminal, with at most `keep` lines above the normal screen.
pub(super) fn write(terminal: &Emulator, keep: usize) -> String {
    let mut out = Writer::default();
    let normal = &terminal.normal;
    let above = normal.base().min(keep);
    out.lines(normal.lines.iter().skip(normal.base() - above));
    out.settings(normal);
    if terminal.is_alternate() {
        out.alternate(&terminal.alternate);
    } else if terminal.alternate.saved != Saved::default() {
        // A program that comes back to the alternate screen may restore what it saved there.
        out.text.push_str("\x1b[m\x1b[?1047h");
        out.saved(&terminal.alternate);
        out.text.push_str("\x1b[?1047l");
    }
    let shown = if terminal.is_alternate() { &terminal.alternate } else { normal };
    out.region(shown);
    out.place(terminal, shown);
    out.text
}

/// The bytes so far, and the pen that they leave.
#[derive(Default)]
struct Writer {
    text: String,
    pen: Pen,
}

impl Writer {
    fn take(&mut self, pen: Pen) {
        if pen != self.pen {
            pen.write(&mut self.text);
            self.pen = pen;
        }
    }

    /// Lines from the cursor's, which is at the beginning of an empty one.
    fn lines<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) {
        let mut lines = lines.peekable();
        let mut first = true;
        while let Some(line) = lines.next() {
            let next = lines.peek().filter(|next| next.wrapped);
            let wraps = next.is_some();
            let continues = line.wrapped && !first;
            // A wide character that follows leaves the last column empty by itself.
            let last = line.cells.last().filter(|cell| cell.glyph == Glyph::Empty);
            let leaves = last
                .zip(next)
                .is_some_and(|(last, next)| next.cells[0].width() == 2 && next.cells[0].pen == last.pen);
            let used = match next {
                Some(_) => line.cells.len() - usize::from(leaves),
                None => line.used().max(usize::from(continues)),
            };
            self.line(line, used, continues);
            if lines.peek().is_some() && !wraps {
                // A line that comes in by scrolling has the background of the pen.
                self.take(Pen::default());
                self.text.push_str("\r\n");
            }
            first = false;
        }
    }

    /// The first `used` cells of a line. One that continues another has at least one, for it is that which wraps.
    fn line(&mut self, line: &Line, used: usize, continues: bool) {
        let cols = line.cells.len();
        // The line came in with the background of the character that wrapped.
        let filled = continues && used < cols && line.cells[0].pen.erasing() != Pen::default();
        // Behind a torn character, erasing would take it, too: then it is done before.
        let early = used.checked_sub(1).filter(|last| filled && line.is_torn(*last));
        for (at, cell) in line.cells.iter().enumerate().take(used) {
            if early == Some(at) {
                self.erase_rest();
            }
            if line.is_torn(at) {
                self.text.push_str("\x1b[?7l");
                self.tear(line, at, None);
                self.text.push_str("\x1b[?7h");
            } else if line.is_lone(at) {
                self.lone(line, at);
            } else if at == 0 || !line.is_torn(at - 1) {
                self.cell(cell, at);
            }
        }
        if filled && early.is_none() {
            self.erase_rest();
        }
    }

    fn erase_rest(&mut self) {
        self.take(Pen::default());
        self.text.push_str("\x1b[K");
    }

    fn cell(&mut self, cell: &Cell, at: usize) {
        if cell.glyph == Glyph::Tail {
            return;
        }
        self.take(cell.pen);
        if matches!(&cell.glyph, Glyph::One(_, 0)) && at > 0 {
            // A mark that stands alone must not combine with what was written before it.
            self.pen.write(&mut self.text);
        }
        cell.write(&mut self.text);
    }

    /// A second half without its first: made as it came to be, by inserting where a wide character's stands. What was there
    /// before is written again.
    fn lone(&mut self, line: &Line, at: usize) {
        let cells = &line.cells;
        let Some(head) =
            at.checked_sub(2).filter(|_| at + 1 < cells.len() && cells[at - 1].glyph == Glyph::Empty)
        else {
            self.take(cells[at].pen);
            return self.text.push(' ');
        };
        let _ = write!(self.text, "\x1b[{}G", head + 1);
        self.take(cells[at].pen);
        self.text.push(WIDE);
        self.take(cells[at - 1].pen);
        self.text.push_str("\x1b[D\x1b[@");
        let before = if cells[head].glyph == Glyph::Tail { head.saturating_sub(1) } else { head };
        let _ = write!(self.text, "\x1b[{}G", before + 1);
        self.cell(&cells[before], before);
        let _ = write!(self.text, "\x1b[{}G", at + 2);
    }

    /// A torn wide character, and what stands where its second half was: a wide one that does not fit takes it away, or
    /// makes a narrow one wide, with whose marks it was joined. Where the cursor is to stand behind it, if it matters.
    fn tear(&mut self, line: &Line, at: usize, cursor: Option<usize>) {
        let (mut head, mut next) = (String::new(), String::new());
        line.cells[at].write(&mut head);
        if line.cells[at + 1].glyph != Glyph::Empty {
            line.cells[at + 1].write(&mut next);
        }
        let base = head.chars().next().map_or(0, char::len_utf8);
        let narrow = head[..base].chars().all(|c| widths::width(c) < 2);
        self.take(line.cells[at].pen);
        // A mark that was joined with a blank.
        let blank = head[..base].chars().all(|c| widths::width(c) == 0);
        let base = if blank { 0 } else { base };
        match (blank, narrow) {
            (true, _) => drop(write!(self.text, "\x1b[{}G\x1b[X\x1b[C", at + 1)),
            (false, true) => self.text.push_str(&head[..base]),
            (false, false) => self.text.push_str(&head),
        }
        self.take(line.cells[at + 1].pen);
        if narrow {
            self.text.push_str(&next);
            self.text.push(WIDE);
            self.text.push_str(&head[base..]);
            if cursor == Some(line.cells.len()) {
                self.text.push_str(&next);
            }
        } else {
            self.text.push(WIDE);
            self.text.push_str(&next);
            if cursor == Some(at + 1) && !next.is_empty() {
                self.text.push(WIDE);
            }
        }
    }

    /// The alternate screen, shown.
    fn alternate(&mut self, screen: &Buffer) {
        self.take(Pen::default());
        self.text.push_str("\x1b[?1047h\x1b[H");
        self.lines(screen.lines.iter());
        self.settings(screen);
    }

    /// What a screen has of its own beside its lines and its region: tab stops, the saved cursor.
    fn settings(&mut self, screen: &Buffer) {
        if !screen.has_usual_tabs() {
            self.text.push_str("\x1b[3g");
            for at in screen.tabs.iter().enumerate().filter_map(|(at, stop)| stop.then_some(at + 1)) {
                let _ = write!(self.text, "\x1b[{at}G\x1bH");
            }
        }
        self.saved(screen);
        self.region(screen);
    }

    fn region(&mut self, screen: &Buffer) {
        if !screen.scrolls_whole() {
            let _ = write!(self.text, "\x1b[{};{}r", screen.top + 1, screen.bottom + 1);
        }
    }

    fn saved(&mut self, screen: &Buffer) {
        let Saved { x, y, pen, charset } = screen.saved;
        // What was never saved is the first column of the first line of all, which a fresh terminal has too.
        let untouched = Saved { y, ..Saved::default() } == screen.saved;
        if untouched && (y < 0 || screen.base() == 0 && y == 0) {
            return;
        }
        let _ = write!(self.text, "\x1b[{};{}H", y.max(0) + 1, x.min(screen.cols - 1) + 1);
        self.take(pen);
        let _ = write!(self.text, "\x1b({}\x1b7\x1b(B", charset.letter());
    }

    /// Modes, character sets and cursor.
    fn place(&mut self, terminal: &Emulator, screen: &Buffer) {
        let origin = terminal.modes.origin;
        if origin {
            self.text.push_str("\x1b[?6h");
        }
        // What a restored cursor brought is brought again; where it stands is said after that.
        let brought = terminal.charsets.is_brought() && screen.saved.charset == terminal.charsets.used;
        if brought {
            self.charsets(&terminal.charsets);
            self.text.push_str("\x1b8");
            self.pen = screen.saved.pen;
        }
        let from = if origin { screen.top } else { 0 };
        let row = screen.y.saturating_sub(from) + 1;
        let line = &screen.lines[screen.base() + screen.y];
        let behind = screen.x >= screen.cols;
        // The character before the cursor is printed again where the cursor is behind the last column, or a mark may come.
        let again = screen.x.checked_sub(1).filter(|_| behind || terminal.joint.is_some());
        let again =
            again.map(|at| if line.cells[at].glyph == Glyph::Tail { at.saturating_sub(1) } else { at });
        // A torn character is printed again with what tore it.
        let torn = again.and_then(|at| {
            let before = at.checked_sub(1).filter(|before| line.is_torn(*before));
            before.or((line.is_torn(at) && at + 1 == screen.x).then_some(at))
        });
        let ends =
            |at: &usize| torn.is_some() || at + usize::from(line.cells[*at].width().max(1)) == screen.x;
        let again = again.filter(ends);
        let written = |at: usize| line.cells[at].glyph != Glyph::Empty && line.cells[at].pen == terminal.pen;
        let drawn = match torn {
            Some(torn) => again.is_some() && line.cells[torn + 1].pen == terminal.pen,
            None => again.is_some_and(written),
        };
        let live = terminal.joint.is_some() && drawn && !terminal.modes.insert;
        let again = again.filter(|_| behind || live);
        let _ = write!(self.text, "\x1b[{row};{}H", again.and(torn).or(again).unwrap_or(screen.x) + 1);
        match (again.filter(|_| !live), torn) {
            (Some(_), Some(torn)) => {
                self.text.push_str("\x1b[?7l");
                self.tear(line, torn, Some(screen.x));
                self.text.push_str("\x1b[?7h");
            }
            (Some(at), None) => self.cell(&line.cells[at], at),
            (None, _) => (),
        }
        self.take(terminal.pen);
        if !brought {
            self.charsets(&terminal.charsets);
        }
        terminal.modes.write(&mut self.text);
        match (again.filter(|_| live), torn) {
            (Some(_), Some(torn)) => self.tear(line, torn, Some(screen.x)),
            (Some(at), None) => line.cells[at].write(&mut self.text),
            // A wide one that did not fit left nothing but this: a mark that comes next is joined as with it.
            (None, _) if terminal.joint == Some(2) && terminal.leaves_out_wide() => self.text.push(WIDE),
            (None, _) => (),
        }
    }

    fn charsets(&mut self, charsets: &Charsets) {
        for (set, letter) in charsets.sets.iter().zip(['(', ')', '*', '+']) {
            if *set != Charset::Ascii {
                let _ = write!(self.text, "\x1b{letter}{}", set.letter());
            }
        }
        self.text.push_str(["", "\x0e", "\x1bn", "\x1bo"][charsets.level]);
    }
}
