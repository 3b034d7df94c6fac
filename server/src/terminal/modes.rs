//! What a terminal was told and the emulator does not keep: mouse reporting, bracketed paste, cursor shape, title.
//!
//! Fed with whole escape sequences; gives back the sequences that bring a fresh terminal to the same state. Knows no
//! screen.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The private modes (`CSI ? n h`) kept here: mouse protocols and encodings, focus, alternate scroll, blinking cursor,
/// bracketed paste, synchronized output left out on purpose (it would freeze a screen that is replayed half-way).
const KEPT: [u16; 13] = [9, 12, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 2004, 2031];

/// The longest title, in characters; the rest is cut.
const TITLE: usize = 256;

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Modes {
    set: BTreeSet<u16>,
    title: Option<String>,
    cursor: Option<u8>,
    keypad: Keypad,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Keypad {
    #[default]
    Numeric,
    Application,
}

impl Modes {
    /// Takes one whole escape sequence into account; what is not kept here is ignored.
    pub(super) fn take(&mut self, sequence: &str) {
        match sequence {
            "\x1bc" => *self = Self::default(),
            "\x1b=" => self.keypad = Keypad::Application,
            "\x1b>" => self.keypad = Keypad::Numeric,
            "\x1b[!p" => (self.keypad, self.cursor) = (Keypad::Numeric, None),
            _ => {
                if let Some(rest) = sequence.strip_prefix("\x1b[?") {
                    self.private(rest);
                } else if let Some(rest) = sequence.strip_prefix("\x1b]") {
                    self.command(rest);
                } else if let Some(shape) =
                    sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix(" q"))
                {
                    self.cursor = shape.parse().ok().filter(|shape| (1..=6).contains(shape));
                }
            }
        }
    }

    fn private(&mut self, rest: &str) {
        let Some((at, last)) = rest.char_indices().next_back() else { return };
        let numbers = &rest[..at];
        for number in numbers.split(';').filter_map(|n| n.parse().ok()).filter(|n| KEPT.contains(n)) {
            match last {
                'h' => self.set.insert(number),
                'l' => self.set.remove(&number),
                _ => return,
            };
        }
    }

    fn command(&mut self, rest: &str) {
        let text = rest.trim_end_matches("\x1b\\").trim_end_matches(['\x07', '\u{9c}']);
        if let Some(title) = text.strip_prefix("0;").or_else(|| text.strip_prefix("2;")) {
            self.title = Some(title.chars().filter(|c| !c.is_control()).take(TITLE).collect());
        }
    }

    /// The sequences that bring a fresh terminal to this state.
    pub(super) fn dump(&self) -> String {
        let mut out = String::new();
        for mode in &self.set {
            let _ = write!(out, "\x1b[?{mode}h");
        }
        if let Some(shape) = self.cursor {
            let _ = write!(out, "\x1b[{shape} q");
        }
        if self.keypad == Keypad::Application {
            out.push_str("\x1b=");
        }
        if let Some(title) = &self.title {
            let _ = write!(out, "\x1b]2;{title}\x07");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequences: &[&str]) -> Modes {
        let mut modes = Modes::default();
        sequences.iter().for_each(|sequence| modes.take(sequence));
        modes
    }

    #[test]
    fn what_is_dumped_brings_a_fresh_one_to_the_same_state() {
        let modes = after(&["\x1b[?1000;1006h", "\x1b[?2004h", "\x1b]0;a title\x1b\\", "\x1b[4 q", "\x1b="]);
        assert_eq!(modes.dump(), "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[4 q\x1b=\x1b]2;a title\x07");
    }

    #[test]
    fn resetting_forgets() {
        assert_eq!(after(&["\x1b[?1000h", "\x1b[?1000l"]), Modes::default());
        assert_eq!(after(&["\x1b[?1000h", "\x1b=", "\x1b]2;t\x07", "\x1bc"]), Modes::default());
    }

    #[test]
    fn strange_sequences_are_ignored() {
        assert_eq!(
            after(&["\x1b[?", "\x1b[?é", "\x1b[?99999999h", "\x1b]", "\x1b[99 q", ""]),
            Modes::default()
        );
    }
}
