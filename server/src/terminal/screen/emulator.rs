//! A terminal as xterm.js is one: what each function does to the two screens.
//!
//! The page's emulator is the measure: where it differs from other terminals, so does this one
//! (`tests/browser/replay.test.mjs` compares the two). Knows no escape sequences: [`super::perform`] reads them.

use super::buffer::{Buffer, Saved};
use super::charsets::Charsets;
use super::line::{Cell, Glyph, Line};
use super::modes::{Modes, On};
use super::pen::Pen;
use super::widths;
use sandlot_wire::Size;

/// Which screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Normal,
    Alternate,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Emulator {
    pub(super) normal: Buffer,
    pub(super) alternate: Buffer,
    pub(super) shown: Shown,
    pub(super) pen: Pen,
    pub(super) charsets: Charsets,
    pub(super) modes: Modes,
    /// The width of the character that was printed just now, with which a mark would combine.
    pub(super) joint: Option<u8>,
    /// Whether an escape sequence has ended.
    pub(super) ended: bool,
}

impl Emulator {
    pub(super) fn new(size: Size, history: usize) -> Self {
        let (cols, rows) = (usize::from(size.cols), usize::from(size.rows));
        Self {
            normal: Buffer::new(cols, rows, history),
            alternate: Buffer::new(cols, rows, 0),
            shown: Shown::Normal,
            pen: Pen::default(),
            charsets: Charsets::default(),
            modes: Modes::default(),
            joint: None,
            ended: false,
        }
    }

    /// The screen that is shown.
    pub(super) fn screen(&mut self) -> &mut Buffer {
        match self.shown {
            Shown::Normal => &mut self.normal,
            Shown::Alternate => &mut self.alternate,
        }
    }

    /// The lines that are shown.
    pub(super) fn visible_lines(&self) -> impl Iterator<Item = &Line> {
        let screen = if self.is_alternate() { &self.alternate } else { &self.normal };
        screen.lines.iter().skip(screen.base())
    }

    pub(super) fn erasing(&self) -> Pen {
        self.pen.erasing()
    }

    /// Puts a character at the cursor.
    pub(super) fn put(&mut self, c: char) {
        let c = self.charsets.used.translate(c);
        let width = widths::width(c);
        if let (0, Some(before @ 1..)) = (width, self.joint) {
            return self.combine(c, before);
        }
        if self.joint.is_none() {
            self.begin_run();
        }
        self.joint = (width > 0).then_some(width);
        let (pen, erasing, wide) = (self.pen, self.erasing(), usize::from(width));
        let (wraps, inserts) = (!self.modes.nowrap, self.modes.insert);
        let screen = self.screen();
        let x = screen.x;
        if x + wide > screen.cols {
            if wraps {
                screen.line().cells[x..].fill(Cell::blank(pen));
                screen.x = 0;
                wrap(screen, erasing);
            } else {
                screen.x = screen.cols - 1;
                if wide == 2 {
                    let x = screen.x;
                    return screen.line().heal(x, pen);
                }
            }
        }
        let x = screen.x;
        if x >= screen.cols {
            // A mark that combines with nothing, behind the last column.
            return;
        }
        if inserts {
            screen.line().insert(x, wide, pen);
        }
        // A mark that combines with nothing takes a column of no width.
        let end = x + wide.max(1);
        let line = screen.line();
        line.cells[x] = Cell { glyph: Glyph::One(c, width), pen };
        if wide == 2 && end <= line.cells.len() {
            line.cells[x + 1] = Cell { glyph: Glyph::Tail, pen };
        }
        line.heal(end, pen);
        screen.x = end;
    }

    /// Whether a wide character would be left out and nothing else happen: there is no room, and the line does not wrap.
    pub(super) fn leaves_out_wide(&self) -> bool {
        let screen = if self.is_alternate() { &self.alternate } else { &self.normal };
        let line = &screen.lines[screen.base() + screen.y];
        let full = screen.x > 0 && screen.x + 1 == screen.cols && self.modes.nowrap && !self.modes.insert;
        full && line.cells[screen.x - 1].width() == 1 && line.cells[screen.x].glyph != Glyph::Tail
    }

    /// Characters follow: a wide one whose second half the first of them takes is blanked. xterm.js looks once for all that
    /// come in a row, which shows where a wide one did not fit a line that does not wrap.
    fn begin_run(&mut self) {
        let pen = self.pen;
        let screen = self.screen();
        let x = screen.x;
        if x > 0 && screen.line().cells[x - 1].width() == 2 {
            screen.line().cells[x - 1] = Cell::blank(pen);
        }
    }

    fn combine(&mut self, mark: char, before: u8) {
        self.joint = Some(before);
        let screen = self.screen();
        if let Some(at) = screen.x.checked_sub(1) {
            let line = screen.line();
            let at = if line.cells[at].width() == 0 { at.saturating_sub(1) } else { at };
            line.cells[at].join(mark, before);
        }
    }

    /// Puts the last character so many times more.
    pub(super) fn repeat(&mut self, count: usize) {
        let Some(width) = self.joint else { return };
        let screen = self.screen();
        // One short sequence must not cost 65,535 characters.
        let count = count.min(screen.cols);
        let Some(at) = screen.x.checked_sub(usize::from(width)) else { return };
        let mut text = String::new();
        let cell = &screen.line().cells[at];
        if cell.glyph != Glyph::Empty {
            cell.write(&mut text);
        }
        let text = text.repeat(count);
        // Nothing that is put often is nothing: it takes no second half away.
        if !text.is_empty() {
            self.begin_run();
            text.chars().for_each(|c| self.put(c));
        }
    }

    pub(super) fn line_feed(&mut self) {
        let (erasing, newline) = (self.erasing(), self.modes.newline);
        let screen = self.screen();
        if newline {
            screen.x = 0;
        }
        if screen.y == screen.bottom {
            screen.scroll(erasing);
        } else if screen.y + 1 < screen.rows {
            screen.y += 1;
            screen.line().wrapped = false;
        }
        if screen.x >= screen.cols {
            screen.x -= 1;
        }
    }

    /// Down by a line, scrolling at the region's end.
    pub(super) fn index(&mut self) {
        self.restrict(Edge::Last);
        let erasing = self.erasing();
        let screen = self.screen();
        if screen.y == screen.bottom {
            screen.scroll(erasing);
        } else if screen.y + 1 < screen.rows {
            screen.y += 1;
        }
        self.restrict(Edge::Last);
    }

    pub(super) fn reverse_index(&mut self) {
        self.restrict(Edge::Last);
        let erasing = self.erasing();
        let screen = self.screen();
        if screen.y == screen.top {
            screen.shift(screen.bottom, screen.top, erasing);
        } else {
            screen.y = screen.y.saturating_sub(1);
            self.restrict(Edge::Last);
        }
    }

    pub(super) fn backspace(&mut self) {
        let reverses = self.modes.reverses();
        self.restrict(if reverses { Edge::Behind } else { Edge::Last });
        let screen = self.screen();
        if screen.x > 0 {
            screen.x -= 1;
        } else if reverses && screen.y > screen.top && screen.y <= screen.bottom && screen.line().wrapped {
            screen.line().wrapped = false;
            screen.y -= 1;
            screen.x = screen.cols - 1;
            let tail = screen.line().cells.last().is_some_and(|cell| cell.glyph == Glyph::Tail);
            if screen.x > 0 && tail {
                screen.x -= 1;
            }
        }
        self.restrict(Edge::Last);
    }

    /// Brings the cursor into the screen, and into the region where rows are counted from it.
    pub(super) fn restrict(&mut self, edge: Edge) {
        let origin = self.modes.origin;
        let screen = self.screen();
        let last = if edge == Edge::Behind { screen.cols } else { screen.cols - 1 };
        screen.x = screen.x.min(last);
        screen.y =
            if origin { screen.y.clamp(screen.top, screen.bottom) } else { screen.y.min(screen.rows - 1) };
    }

    /// Places the cursor; rows are counted from the region where that is asked for.
    pub(super) fn place(&mut self, x: usize, y: usize) {
        let from = if self.modes.origin { self.screen().top } else { 0 };
        let screen = self.screen();
        (screen.x, screen.y) = (x, from + y);
        self.restrict(Edge::Last);
    }

    /// Moves the cursor; up and down it stops at the region's edges if it is within them.
    pub(super) fn step(&mut self, x: isize, y: isize) {
        self.restrict(Edge::Last);
        let origin = self.modes.origin;
        let screen = self.screen();
        let (up, down) = (screen.y.checked_sub(screen.top), screen.bottom.checked_sub(screen.y));
        let most = |room: Option<usize>| room.unwrap_or(usize::MAX);
        let rows = match y {
            ..0 => -isize::try_from(y.unsigned_abs().min(most(up))).unwrap_or(0),
            _ => isize::try_from(y.unsigned_abs().min(most(down))).unwrap_or(0),
        };
        // Where rows are counted from the region, xterm.js counts a relative step from it too.
        let from = if origin { screen.top } else { 0 };
        (screen.x, screen.y) =
            (screen.x.saturating_add_signed(x), (screen.y + from).saturating_add_signed(rows));
        self.restrict(Edge::Last);
    }

    pub(super) fn save(&mut self) {
        let (pen, charset) = (self.pen, self.charsets.used);
        let screen = self.screen();
        screen.saved = Saved { x: screen.x, y: screen.y.try_into().unwrap_or(isize::MAX), pen, charset };
    }

    pub(super) fn restore(&mut self) {
        let screen = self.screen();
        let saved = screen.saved;
        (screen.x, screen.y) = (saved.x, saved.y.max(0).unsigned_abs());
        (self.pen, self.charsets.used) = (saved.pen, saved.charset);
        self.restrict(Edge::Last);
    }

    /// Shows the other screen; the cursor stays where it is.
    pub(super) fn show(&mut self, shown: Shown) {
        if shown == self.shown {
            return;
        }
        let erasing = self.erasing();
        let (x, y) = (self.screen().x, self.screen().y);
        self.shown = shown;
        match shown {
            Shown::Alternate => self.alternate.clear(erasing),
            Shown::Normal => self.alternate.clear(Pen::default()),
        }
        let screen = self.screen();
        (screen.x, screen.y) = (x, y);
    }

    pub(super) fn set_region(&mut self, top: usize, bottom: usize) {
        let screen = self.screen();
        let bottom = if bottom == 0 || bottom > screen.rows { screen.rows } else { bottom };
        if bottom > top {
            (screen.top, screen.bottom) = (top - 1, bottom - 1);
            self.place(0, 0);
        }
    }

    pub(super) fn private_mode(&mut self, mode: u16, on: On) {
        self.modes.private(mode, on);
        match (mode, on) {
            (2, On::Yes) => self.charsets.sets = Default::default(),
            (6, _) => self.place(0, 0),
            (1048, On::Yes) => self.save(),
            (1048, On::No) => self.restore(),
            (47 | 1047, On::Yes) => self.show(Shown::Alternate),
            (47 | 1047, On::No) => self.show(Shown::Normal),
            (1049, On::Yes) => {
                self.save();
                self.show(Shown::Alternate);
            }
            (1049, On::No) => {
                self.show(Shown::Normal);
                self.restore();
            }
            _ => (),
        }
    }

    pub(super) fn soft_reset(&mut self) {
        self.modes.soften();
        (self.pen, self.charsets) = (Pen::default(), Charsets::default());
        let screen = self.screen();
        (screen.top, screen.bottom, screen.saved) = (0, screen.rows - 1, Saved::default());
    }

    pub(super) fn hard_reset(&mut self) {
        let (cols, rows, history) = (self.normal.cols, self.normal.rows, self.normal.history);
        (self.normal, self.alternate) = (Buffer::new(cols, rows, history), Buffer::new(cols, rows, 0));
        (self.shown, self.pen, self.charsets) = (Shown::Normal, Pen::default(), Charsets::default());
        self.modes.reset();
    }

    /// Fills the screen with E.
    pub(super) fn align(&mut self) {
        let pen = self.pen;
        self.place(0, 0);
        let screen = self.screen();
        let y = screen.y;
        for y in y..screen.rows {
            let line = screen.row(y);
            line.cells.fill(Cell { glyph: Glyph::One('E', 1), pen });
            line.wrapped = false;
        }
        self.place(0, 0);
    }
}

/// Goes to the next line, which continues this one.
fn wrap(screen: &mut Buffer, erasing: Pen) {
    if screen.y == screen.bottom {
        screen.scroll(erasing).wrapped = true;
    } else {
        screen.y = (screen.y + 1).min(screen.rows - 1);
        screen.line().wrapped = true;
    }
}

/// How far to the right the cursor may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// On the last column.
    Last,
    /// Behind it, where the next character wraps.
    Behind,
}
