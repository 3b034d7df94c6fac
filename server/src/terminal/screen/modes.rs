//! What a terminal was told that is not on its screen: modes, mouse, cursor shape, title.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The private modes (`CSI ? n h`) that a soft reset resets: application cursor keys, reverse wrap-around, focus,
/// bracketed paste.
const SOFT: [u16; 4] = [1, 45, 1004, 2004];

/// Those that are kept beside them: a blinking cursor. Synchronized output is left out on purpose: it would freeze a
/// screen that is replayed half-way.
const KEPT: [u16; 5] = [1, 12, 45, 1004, 2004];

/// The protocols of the mouse: one at a time; resetting any ends it.
const MOUSE: [u16; 4] = [9, 1000, 1002, 1003];

/// How its places are encoded.
const ENCODINGS: [u16; 2] = [1006, 1016];

/// The longest title, in characters; the rest is cut.
const TITLE: usize = 256;

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Modes {
    set: BTreeSet<u16>,
    mouse: Option<u16>,
    encoding: Option<u16>,
    title: Option<String>,
    cursor: Option<u16>,
    keypad: bool,
    hidden: bool,
    /// Characters push others to the right.
    pub(super) insert: bool,
    /// A line feed returns the carriage.
    pub(super) newline: bool,
    /// Rows are counted from the scrolling region.
    pub(super) origin: bool,
    /// The cursor stays at the line's end.
    pub(super) nowrap: bool,
}

impl Modes {
    /// Sets or resets a private mode.
    pub(super) fn private(&mut self, mode: u16, on: On) {
        let on = on == On::Yes;
        match mode {
            6 => self.origin = on,
            7 => self.nowrap = !on,
            25 => self.hidden = !on,
            66 => self.keypad = on,
            mode if MOUSE.contains(&mode) => self.mouse = on.then_some(mode),
            mode if ENCODINGS.contains(&mode) => self.encoding = on.then_some(mode),
            mode if KEPT.contains(&mode) => {
                self.set.remove(&mode);
                self.set.extend(on.then_some(mode));
            }
            _ => (),
        }
    }

    /// Whether the cursor may leave a line to the left.
    pub(super) fn reverses(&self) -> bool {
        self.set.contains(&45)
    }

    pub(super) fn set_title(&mut self, title: &str) {
        self.title = Some(title.chars().filter(|c| !c.is_control()).take(TITLE).collect());
    }

    pub(super) fn set_cursor(&mut self, shape: u16) {
        self.cursor = Some(shape).filter(|shape| (1..=6).contains(shape));
    }

    pub(super) fn set_keypad(&mut self, on: On) {
        self.keypad = on == On::Yes;
    }

    /// `CSI ! p`.
    pub(super) fn soften(&mut self) {
        self.set.retain(|mode| !SOFT.contains(mode));
        (self.hidden, self.keypad, self.insert, self.origin, self.nowrap) =
            (false, false, false, false, false);
    }

    /// `ESC c`: what xterm.js has among its options stays, and the title.
    pub(super) fn reset(&mut self) {
        self.set.retain(|mode| *mode == 12);
        let (set, title) = (std::mem::take(&mut self.set), self.title.take());
        *self = Self { set, title, newline: self.newline, ..Self::default() };
    }

    /// The sequences that bring a fresh terminal to this state; none of them moves the cursor.
    pub(super) fn write(&self, out: &mut String) {
        for mode in self.set.iter().chain(&self.mouse).chain(&self.encoding) {
            let _ = write!(out, "\x1b[?{mode}h");
        }
        if let Some(shape) = self.cursor {
            let _ = write!(out, "\x1b[{shape} q");
        }
        let switches = [
            (self.hidden, "\x1b[?25l"),
            (self.keypad, "\x1b="),
            (self.insert, "\x1b[4h"),
            (self.newline, "\x1b[20h"),
            (self.nowrap, "\x1b[?7l"),
        ];
        switches.iter().filter(|(on, _)| *on).for_each(|(_, sequence)| out.push_str(sequence));
        if let Some(title) = &self.title {
            let _ = write!(out, "\x1b]2;{title}\x07");
        }
    }
}

/// Whether a mode is set or reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// `h`.
    Yes,
    /// `l`.
    No,
}
