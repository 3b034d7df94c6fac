//! Escape sequences, as vte's parser hands them over, become functions of the emulator.

use super::charsets::Charset;
use super::editing::{Direction, Edit, Span};
use super::emulator::{Edge, Emulator, Shown};
use super::modes::On;
use vte::{Params, Perform};

impl Perform for Emulator {
    fn print(&mut self, c: char) {
        self.ended = true;
        // A byte order mark is passed over by the page's decoder.
        if c != '\u{feff}' {
            self.put(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        self.joint = None;
        match byte {
            0x08 => self.backspace(),
            0x09 => self.tabs(Direction::Up, 1),
            0x0a..=0x0c => self.line_feed(),
            0x0d => self.screen().x = 0,
            0x0e => self.charsets.choose(1),
            0x0f => self.charsets.choose(0),
            _ => (),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        self.ended = true;
        let before = self.joint.take();
        if ignore {
            return;
        }
        let numbers: Vec<u16> = params.iter().map(|param| param[0]).collect();
        match (intermediates, action) {
            ([], 'b') => {
                self.joint = before;
                self.repeat(one(&numbers, 0));
                self.joint = None;
            }
            ([], 'm') => self.pen.set(params),
            ([], _) => self.control(action, &numbers),
            ([b'?'], 'h') => numbers.iter().for_each(|mode| self.private_mode(*mode, On::Yes)),
            ([b'?'], 'l') => numbers.iter().for_each(|mode| self.private_mode(*mode, On::No)),
            ([b'?'], 'J' | 'K') => self.control(action, &numbers),
            ([b'!'], 'p') => self.soft_reset(),
            ([b' '], 'q') => self.modes.set_cursor(numbers.first().copied().unwrap_or(0)),
            _ => (),
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        self.ended = true;
        self.joint = None;
        match (intermediates, byte) {
            ([], b'7') => self.save(),
            ([], b'8') => self.restore(),
            ([], b'D') => self.index(),
            ([], b'E') => {
                self.screen().x = 0;
                self.index();
            }
            ([], b'H') => self.set_tab(),
            ([], b'M') => self.reverse_index(),
            ([], b'=') => self.modes.set_keypad(On::Yes),
            ([], b'>') => self.modes.set_keypad(On::No),
            ([], b'c') => self.hard_reset(),
            ([], b'n' | b'}') => self.charsets.choose(2),
            ([], b'o' | b'|') => self.charsets.choose(3),
            ([], b'~') => self.charsets.choose(1),
            ([b'#'], b'8') => self.align(),
            ([b'%'], b'@' | b'G') => {
                self.charsets.choose(0);
                self.charsets.load(0, Charset::Ascii);
            }
            ([set @ (b'(' | b')' | b'*' | b'+' | b'-' | b'.')], letter) => {
                let level = match set {
                    b'(' => 0,
                    b')' | b'-' => 1,
                    b'*' | b'.' => 2,
                    _ => 3,
                };
                self.charsets.load(level, Charset::named(letter));
            }
            _ => (),
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell: bool) {
        self.ended = true;
        self.joint = None;
        if let [b"0" | b"2", title @ ..] = params {
            self.modes.set_title(&String::from_utf8_lossy(&title.join(&b';')));
        }
    }

    fn hook(&mut self, _: &Params, _: &[u8], _: bool, _: char) {
        self.joint = None;
    }

    fn unhook(&mut self) {
        self.ended = true;
    }
}

impl Emulator {
    /// `CSI` with a letter and numbers.
    fn control(&mut self, action: char, numbers: &[u16]) {
        let n = one(numbers, 0);
        let steps = isize::try_from(n).unwrap_or(isize::MAX);
        let y = self.screen().y;
        match action {
            '@' => self.edit(Edit::Insert, n),
            'A' => self.step(0, -steps),
            'B' => self.step(0, steps),
            'C' | 'a' => self.step(steps, 0),
            'D' => self.step(-steps, 0),
            'E' | 'F' => {
                self.step(0, if action == 'E' { steps } else { -steps });
                self.screen().x = 0;
            }
            'G' | '`' => self.place(n - 1, y),
            'H' | 'f' => self.place(one(numbers, 1) - 1, n - 1),
            'I' => self.tabs(Direction::Up, n),
            'J' => match numbers.first() {
                Some(3) => self.screen().forget(),
                other => span(other).into_iter().for_each(|span| self.erase_screen(span)),
            },
            'K' => span(numbers.first()).into_iter().for_each(|span| self.erase_line(span)),
            'L' => self.edit_lines(Edit::Insert, n),
            'M' => self.edit_lines(Edit::Delete, n),
            'P' => self.edit(Edit::Delete, n),
            'S' => self.scroll(Direction::Up, n),
            'T' => self.scroll(Direction::Down, n),
            'X' => self.edit(Edit::Erase, n),
            'Z' => self.tabs(Direction::Down, n),
            'd' => {
                let x = self.screen().x;
                self.place(x, n - 1);
            }
            'e' => self.drop_by(n),
            'g' => self.clear_tabs(numbers.first().copied().unwrap_or(0)),
            'h' | 'l' => {
                for mode in numbers {
                    match mode {
                        4 => self.modes.insert = action == 'h',
                        20 => self.modes.newline = action == 'h',
                        _ => (),
                    }
                }
            }
            'r' => self.set_region(n, numbers.get(1).copied().unwrap_or(0).into()),
            's' => self.save(),
            'u' => self.restore(),
            _ => (),
        }
    }

    /// Down, without a stop at the region's end.
    fn drop_by(&mut self, n: usize) {
        self.restrict(Edge::Last);
        let from = if self.modes.origin { self.screen().top } else { 0 };
        let screen = self.screen();
        screen.y = (screen.y + from).saturating_add(n);
        self.restrict(Edge::Last);
    }

    fn tabs(&mut self, direction: Direction, count: usize) {
        let screen = self.screen();
        if screen.x >= screen.cols {
            return;
        }
        for _ in 0..count.min(screen.cols) {
            screen.x = match direction {
                Direction::Up => screen.next_tab(),
                Direction::Down => screen.previous_tab(),
            };
        }
    }

    fn set_tab(&mut self) {
        let screen = self.screen();
        let x = screen.x;
        if let Some(stop) = screen.tabs.get_mut(x) {
            *stop = true;
        }
    }

    fn clear_tabs(&mut self, which: u16) {
        let screen = self.screen();
        let x = screen.x;
        match which {
            0 => screen.tabs.get_mut(x).into_iter().for_each(|stop| *stop = false),
            3 => screen.tabs.fill(false),
            _ => (),
        }
    }

    /// Whether the alternate screen is shown.
    pub(super) fn is_alternate(&self) -> bool {
        self.shown == Shown::Alternate
    }
}

/// A number of a sequence; absent or 0: 1.
fn one(numbers: &[u16], at: usize) -> usize {
    usize::from(numbers.get(at).copied().unwrap_or(1).max(1))
}

fn span(number: Option<&u16>) -> Option<Span> {
    match number.copied().unwrap_or(0) {
        0 => Some(Span::After),
        1 => Some(Span::Before),
        2 => Some(Span::All),
        _ => None,
    }
}
