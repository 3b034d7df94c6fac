//! One of a terminal's two screens: its lines, cursor, scrolling region and tab stops, as each has its own in xterm.js.

use super::charsets::Charset;
use super::line::Line;
use super::pen::Pen;
use std::collections::VecDeque;

/// Columns between tab stops.
const TAB: usize = 8;

/// What `ESC 7` keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) x: usize,
    /// The row; negative: it has scrolled out of the screen.
    pub(super) y: isize,
    pub(super) pen: Pen,
    pub(super) charset: Charset,
}

/// See the module. The last `rows` lines are the visible ones.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) lines: VecDeque<Line>,
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// The cursor's column; that behind the last one: the next character wraps.
    pub(super) x: usize,
    pub(super) y: usize,
    /// The first and the last line that scroll.
    pub(super) top: usize,
    pub(super) bottom: usize,
    pub(super) tabs: Vec<bool>,
    pub(super) saved: Saved,
    /// Lines above the visible ones that are kept.
    pub(super) history: usize,
    /// Lines that were kept above and are no longer.
    pub(super) dropped: u64,
}

impl Buffer {
    pub(super) fn new(cols: usize, rows: usize, history: usize) -> Self {
        let lines = (0..rows).map(|_| Line::blank(cols, Pen::default())).collect();
        let (tabs, saved) = (tab_stops(cols), Saved::default());
        Self { lines, rows, cols, x: 0, y: 0, top: 0, bottom: rows - 1, tabs, saved, history, dropped: 0 }
    }

    /// Empties it, as the alternate one is when it is left; the saved cursor stays.
    pub(super) fn clear(&mut self, pen: Pen) {
        let saved = self.saved;
        *self = Self { saved, ..Self::new(self.cols, self.rows, self.history) };
        self.lines = (0..self.rows).map(|_| Line::blank(self.cols, pen)).collect();
    }

    /// The number of the first visible line.
    pub(super) fn base(&self) -> usize {
        self.lines.len() - self.rows
    }

    /// A visible line.
    pub(super) fn row(&mut self, y: usize) -> &mut Line {
        let at = self.base() + y.min(self.rows - 1);
        &mut self.lines[at]
    }

    /// The line with the cursor.
    pub(super) fn line(&mut self) -> &mut Line {
        self.row(self.y)
    }

    /// Whether all visible lines scroll.
    pub(super) fn scrolls_whole(&self) -> bool {
        self.top == 0 && self.bottom == self.rows - 1
    }

    /// Moves the region up by a line; what leaves at the screen's top is kept.
    pub(super) fn scroll(&mut self, pen: Pen) -> &mut Line {
        let blank = Line::blank(self.cols, pen);
        let (first, last) = (self.base() + self.top, self.base() + self.bottom);
        if self.top == 0 {
            self.lines.insert(last + 1, blank);
            if self.lines.len() > self.rows + self.history {
                self.lines.pop_front();
                self.dropped += 1;
            }
            if self.history > 0 {
                self.saved.y -= 1;
            }
        } else {
            self.lines.remove(first);
            self.lines.insert(last, blank);
        }
        self.row(self.bottom)
    }

    /// Takes a visible line out at one place and puts a blank one in at another.
    pub(super) fn shift(&mut self, out: usize, into: usize, pen: Pen) {
        let base = self.base();
        self.lines.remove(base + out);
        self.lines.insert(base + into, Line::blank(self.cols, pen));
    }

    /// Whether the cursor is in the scrolling region.
    pub(super) fn is_inside(&self) -> bool {
        (self.top..=self.bottom).contains(&self.y)
    }

    /// Forgets what is above the visible lines.
    pub(super) fn forget(&mut self) {
        let base = self.base();
        self.lines.drain(..base);
        self.dropped += base as u64;
        // xterm.js counts the saved row from the first line of all.
        self.saved.y = self.saved.y.saturating_add_unsigned(base);
    }

    pub(super) fn next_tab(&self) -> usize {
        let stop = (self.x + 1..self.cols).find(|at| self.tabs[*at]);
        stop.unwrap_or(self.cols - 1)
    }

    pub(super) fn previous_tab(&self) -> usize {
        (0..self.x.min(self.cols)).rev().find(|at| self.tabs[*at]).unwrap_or(0)
    }

    /// Whether the tab stops are the usual ones.
    pub(super) fn has_usual_tabs(&self) -> bool {
        self.tabs == tab_stops(self.cols)
    }
}

/// The usual tab stops.
pub(super) fn tab_stops(cols: usize) -> Vec<bool> {
    (0..cols).map(|at| at % TAB == 0).collect()
}
