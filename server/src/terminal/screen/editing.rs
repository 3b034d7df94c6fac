//! What is erased, inserted, deleted and scrolled, as xterm.js does it.

use super::emulator::{Edge, Emulator};
use super::line::Line;
use super::pen::Pen;

/// Which part is meant, seen from the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    After,
    Before,
    All,
}

/// What is done to cells or lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Insert,
    Delete,
    Erase,
}

/// Where lines scroll to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

impl Emulator {
    /// Blanks from one place of the cursor's line to another.
    pub(super) fn erase_line(&mut self, span: Span) {
        self.restrict(Edge::Behind);
        let erasing = self.erasing();
        let screen = self.screen();
        let (x, cols) = (screen.x, screen.cols);
        let (start, end, whole) = match span {
            Span::After => (x, cols, x == 0),
            Span::Before => (0, x + 1, false),
            Span::All => (0, cols, true),
        };
        let line = screen.line();
        line.erase(start, end, erasing);
        line.wrapped &= !whole;
    }

    /// Blanks a part of the screen.
    pub(super) fn erase_screen(&mut self, span: Span) {
        self.restrict(Edge::Behind);
        let erasing = self.erasing();
        let screen = self.screen();
        let (x, y, rows) = (screen.x, screen.y, screen.rows);
        let lines = match span {
            Span::After => y + 1..rows,
            Span::Before => 0..y,
            Span::All => 0..rows,
        };
        match span {
            Span::After => self.erase_line(span),
            Span::Before => {
                self.erase_line(span);
                let screen = self.screen();
                screen.line().wrapped = false;
                if x + 1 >= screen.cols
                    && let Some(line) = screen.lines.get_mut(y + 1)
                {
                    line.wrapped = false;
                }
            }
            Span::All => (),
        }
        let screen = self.screen();
        for y in lines {
            *screen.row(y) = Line::blank(screen.cols, erasing);
        }
    }

    /// Changes cells from the cursor on.
    pub(super) fn edit(&mut self, edit: Edit, count: usize) {
        self.restrict(Edge::Last);
        let erasing = self.erasing();
        let screen = self.screen();
        let x = screen.x;
        let line = screen.line();
        match edit {
            Edit::Insert => line.insert(x, count, erasing),
            Edit::Delete => line.delete(x, count, erasing),
            Edit::Erase => line.erase(x, x.saturating_add(count), erasing),
        }
    }

    /// Inserts or deletes lines in the region, from the cursor on.
    pub(super) fn edit_lines(&mut self, edit: Edit, count: usize) {
        self.restrict(Edge::Last);
        let erasing = self.erasing();
        let screen = self.screen();
        if !screen.is_inside() {
            return;
        }
        for _ in 0..count.min(screen.rows) {
            match edit {
                Edit::Insert => screen.shift(screen.bottom, screen.y, erasing),
                _ => screen.shift(screen.y, screen.bottom, erasing),
            }
        }
        screen.x = 0;
    }

    /// Scrolls the region without moving the cursor.
    pub(super) fn scroll(&mut self, direction: Direction, count: usize) {
        let erasing = self.erasing();
        let screen = self.screen();
        for _ in 0..count.min(screen.rows) {
            match direction {
                Direction::Up => screen.shift(screen.top, screen.bottom, erasing),
                Direction::Down => screen.shift(screen.bottom, screen.top, Pen::default()),
            }
        }
    }
}
