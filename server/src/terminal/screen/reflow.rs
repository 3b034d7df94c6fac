//! Another size: lines that were wrapped are wrapped anew, as xterm.js does on the normal screen; the line with the cursor
//! stays as it is, for its program draws it again.

use super::buffer::{Buffer, tab_stops};
use super::line::{Cell, Glyph, Line};
use super::pen::Pen;

/// Gives a screen another size. With `reflow`, what does not fit a line goes on in the next.
pub(super) fn resize(screen: &mut Buffer, cols: usize, rows: usize, reflow: Reflow) {
    resize_rows(screen, rows);
    if cols != screen.cols {
        if reflow == Reflow::Yes {
            rewrap(screen, cols);
        }
        for line in &mut screen.lines {
            fit(line, cols);
        }
    }
    screen.cols = cols;
    screen.tabs = tab_stops(cols);
    (screen.top, screen.bottom) = (0, rows - 1);
    (screen.x, screen.y) = (screen.x.min(cols - 1), screen.y.min(rows - 1));
    let last = isize::try_from(rows - 1).unwrap_or(isize::MAX);
    (screen.saved.x, screen.saved.y) = (screen.saved.x.min(cols - 1), screen.saved.y.min(last));
}

/// Whether lines are wrapped anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reflow {
    Yes,
    No,
}

/// More rows come from above, if there is something and the cursor is on the last line; fewer push upwards what has
/// no room above the cursor.
fn resize_rows(screen: &mut Buffer, rows: usize) {
    while screen.rows < rows {
        screen.rows += 1;
        if screen.lines.len() >= screen.rows
            && screen.lines.len() <= screen.lines.len() - screen.rows + 1 + screen.y + 1
        {
            screen.y += 1;
        } else {
            screen.lines.push_back(Line::blank(screen.cols, Pen::default()));
        }
    }
    while screen.rows > rows {
        if screen.y + 1 < screen.rows {
            screen.lines.pop_back();
        } else {
            screen.y = screen.y.saturating_sub(1);
        }
        screen.rows -= 1;
    }
    trim(screen);
}

fn rewrap(screen: &mut Buffer, cols: usize) {
    let cursor = screen.base() + screen.y;
    let mut old: Vec<Line> = screen.lines.drain(..).collect();
    let mut at = 0;
    let mut moved = cursor;
    while at < old.len() {
        let end = (at + 1..old.len()).find(|next| !old[*next].wrapped).unwrap_or(old.len());
        let group = &mut old[at..end];
        if (at..end).contains(&cursor) {
            moved = screen.lines.len() + cursor - at;
            screen.lines.extend(group.iter().cloned());
        } else {
            screen.lines.extend(wrap(group, cols));
        }
        at = end;
    }
    // The cursor keeps its row where it can.
    let base = moved.saturating_sub(screen.y);
    let length = screen.lines.len().max(screen.rows);
    let wanted = (base + screen.rows).max(moved + 1);
    while screen.lines.len() < wanted.max(length) {
        screen.lines.push_back(Line::blank(cols, Pen::default()));
    }
    while screen.lines.len() > wanted
        && screen.lines.back().is_some_and(|line| line.used() == 0 && !line.wrapped)
    {
        screen.lines.pop_back();
    }
    screen.y = (moved + screen.rows).saturating_sub(screen.lines.len()).min(screen.rows - 1);
    trim(screen);
}

/// The lines of a group in another width.
fn wrap(group: &[Line], cols: usize) -> Vec<Line> {
    let last = group.len() - 1;
    let mut cells: Vec<Cell> = Vec::new();
    for (n, line) in group.iter().enumerate() {
        let mut used = if n == last { line.used() } else { line.cells.len() };
        let leads = group.get(n + 1).is_some_and(|next| next.cells[0].width() == 2);
        if leads && used > 0 && line.cells[used - 1].glyph == Glyph::Empty {
            used -= 1;
        }
        cells.extend_from_slice(&line.cells[..used]);
    }
    let mut lines = vec![Line { cells: Vec::new(), wrapped: group[0].wrapped }];
    let mut cells = cells.into_iter().peekable();
    while let Some(cell) = cells.next() {
        let tail = cells.next_if(|next| next.glyph == Glyph::Tail);
        let width = 1 + usize::from(tail.is_some());
        if lines.last().is_none_or(|line| line.cells.len() + width > cols) {
            lines.push(Line { cells: Vec::new(), wrapped: true });
        }
        if let Some(line) = lines.last_mut() {
            line.cells.push(cell);
            line.cells.extend(tail);
        }
    }
    lines.iter_mut().for_each(|line| fit(line, cols));
    lines
}

fn fit(line: &mut Line, cols: usize) {
    line.cells.resize(cols, Cell::default());
    if line.cells[cols - 1].width() == 2 {
        line.cells[cols - 1] = Cell::default();
    }
}

fn trim(screen: &mut Buffer) {
    while screen.lines.len() > screen.rows + screen.history {
        screen.lines.pop_front();
        screen.dropped += 1;
    }
}
