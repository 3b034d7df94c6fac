//! A line of cells, changed as xterm.js changes it: what happens to the halves of wide characters is its way.

use super::pen::Pen;

/// What stands in a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Glyph {
    /// Nothing.
    #[default]
    Empty,
    /// The second half of a wide character.
    Tail,
    /// A character of a width.
    One(char, u8),
    /// A character with what is combined with it, of a width.
    Many(Box<str>, u8),
}

/// The most bytes of one cell: marks beyond are not drawn by anybody.
const CLUSTER: usize = 64;

/// A cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) glyph: Glyph,
    pub(super) pen: Pen,
}

impl Cell {
    pub(super) fn blank(pen: Pen) -> Self {
        Self { glyph: Glyph::Empty, pen }
    }

    pub(super) fn width(&self) -> u8 {
        match &self.glyph {
            Glyph::Empty => 1,
            Glyph::Tail => 0,
            Glyph::One(_, width) | Glyph::Many(_, width) => *width,
        }
    }

    /// Adds a mark to what stands in the cell, which has this width then.
    pub(super) fn join(&mut self, mark: char, width: u8) {
        match &mut self.glyph {
            Glyph::Empty | Glyph::Tail => self.glyph = Glyph::One(mark, width),
            Glyph::One(c, _) => self.glyph = Glyph::Many(format!("{c}{mark}").into(), width),
            Glyph::Many(text, old) => {
                *old = width;
                if text.len() < CLUSTER {
                    *text = format!("{text}{mark}").into();
                }
            }
        }
    }

    /// Writes what stands in it.
    pub(super) fn write(&self, out: &mut String) {
        match &self.glyph {
            Glyph::Empty => out.push(' '),
            Glyph::Tail => (),
            Glyph::One(c, _) => out.push(*c),
            Glyph::Many(text, _) => out.push_str(text),
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) cells: Vec<Cell>,
    /// Whether it continues the line before.
    pub(super) wrapped: bool,
}

impl Line {
    pub(super) fn blank(cols: usize, pen: Pen) -> Self {
        Self { cells: vec![Cell::blank(pen); cols], wrapped: false }
    }

    fn is_head(&self, at: usize) -> bool {
        self.cells.get(at).is_some_and(|cell| cell.width() == 2)
    }

    /// Whether a wide character at `at` has lost its second half, as happens at the end of a line that does not wrap: the
    /// next wide one did not fit, and left the cursor there.
    pub(super) fn is_torn(&self, at: usize) -> bool {
        self.is_head(at) && self.cells.get(at + 1).is_some_and(|next| next.glyph != Glyph::Tail)
    }

    /// Whether a second half stands at `at` whose first is gone: inserting at it blanks the first half and moves it on.
    pub(super) fn is_lone(&self, at: usize) -> bool {
        self.cells[at].glyph == Glyph::Tail && !at.checked_sub(1).is_some_and(|before| self.is_head(before))
    }

    /// Blanks the character whose second half begins at `at`.
    fn cut(&mut self, at: usize, pen: Pen) {
        if at > 0 && self.is_head(at - 1) {
            self.cells[at - 1] = Cell::blank(pen);
        }
    }

    /// Blanks the cells from `start` up to `end`.
    pub(super) fn erase(&mut self, start: usize, end: usize, pen: Pen) {
        self.cut(start, pen);
        if end > 0 && end < self.cells.len() && self.is_head(end - 1) {
            self.cells[end] = Cell::blank(pen);
        }
        let end = end.min(self.cells.len());
        if start < end {
            self.cells[start..end].fill(Cell::blank(pen));
        }
    }

    /// Inserts blanks; what does not fit falls out at the right.
    pub(super) fn insert(&mut self, at: usize, count: usize, pen: Pen) {
        let cols = self.cells.len();
        let at = at % cols;
        self.cut(at, pen);
        let count = count.min(cols - at);
        self.cells[at..].rotate_right(count);
        self.cells[at..at + count].fill(Cell::blank(pen));
        if self.is_head(cols - 1) {
            self.cells[cols - 1] = Cell::blank(pen);
        }
    }

    /// Deletes cells; blanks come in from the right.
    pub(super) fn delete(&mut self, at: usize, count: usize, pen: Pen) {
        let cols = self.cells.len();
        let at = at % cols;
        let count = count.min(cols - at);
        self.cells[at..].rotate_left(count);
        self.cells[cols - count..].fill(Cell::blank(pen));
        self.cut(at, pen);
        self.heal(at, pen);
    }

    /// Blanks a second half that has lost its first.
    pub(super) fn heal(&mut self, at: usize, pen: Pen) {
        if self.cells.get(at).is_some_and(|cell| cell.glyph == Glyph::Tail) {
            self.cells[at] = Cell::blank(pen);
        }
    }

    /// How many cells there are up to the last that is not blank.
    pub(super) fn used(&self) -> usize {
        self.cells.iter().rposition(|cell| *cell != Cell::default()).map_or(0, |at| at + 1)
    }
}
