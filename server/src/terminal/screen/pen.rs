//! How a cell is drawn: colours and attributes, out of `CSI … m` and back into it.

use std::fmt::Write;
use vte::Params;

/// A colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Color {
    /// The terminal's own.
    #[default]
    Default,
    /// One of the first 16, by its own number: only those may be drawn brighter where the letters are bold.
    Named(u8),
    /// One of 256.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// The attributes that are there or not, each a bit and the numbers that set and reset it.
const FLAGS: [(u16, u16, u16); 8] =
    [(1, 1, 22), (2, 2, 22), (4, 3, 23), (8, 5, 25), (16, 7, 27), (32, 8, 28), (64, 9, 29), (128, 53, 55)];

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pen {
    flags: u16,
    /// The style of the underline, from 1 for a plain one; 0: none.
    underline: u8,
    foreground: Color,
    background: Color,
    line: Color,
}

impl Pen {
    /// The pen of cells that are erased: the background is kept.
    pub(super) fn erasing(self) -> Self {
        Self { background: self.background, ..Self::default() }
    }

    /// Takes `CSI … m` into account.
    pub(super) fn set(&mut self, params: &Params) {
        let all: Vec<&[u16]> = params.iter().collect();
        let mut at = 0;
        while let Some(param) = all.get(at) {
            at += 1;
            match param[0] {
                0 => *self = Self::default(),
                4 => {
                    self.underline = param.get(1).map_or(1, |style| u8::try_from(*style).unwrap_or(1).min(5))
                }
                21 => self.underline = 2,
                24 => self.underline = 0,
                n @ 30..=37 => self.foreground = named(n - 30),
                n @ 40..=47 => self.background = named(n - 40),
                n @ 90..=97 => self.foreground = named(n - 82),
                n @ 100..=107 => self.background = named(n - 92),
                39 => self.foreground = Color::Default,
                49 => self.background = Color::Default,
                59 => self.line = Color::Default,
                n @ (38 | 48 | 58) => {
                    let (color, used) = extended(param, &all[at..]);
                    at += used;
                    let target = match n {
                        38 => &mut self.foreground,
                        48 => &mut self.background,
                        _ => &mut self.line,
                    };
                    *target = color.unwrap_or(*target);
                }
                n => self.flag(n),
            }
        }
    }

    fn flag(&mut self, number: u16) {
        for (bit, set, reset) in FLAGS {
            if number == set {
                self.flags |= bit;
            } else if number == reset {
                self.flags &= !bit;
            }
        }
    }

    /// Writes the sequence that takes up this pen, whatever the pen before was.
    pub(super) fn write(self, out: &mut String) {
        out.push_str("\x1b[0");
        for (_, set, _) in FLAGS.iter().filter(|(bit, ..)| self.flags & bit != 0) {
            let _ = write!(out, ";{set}");
        }
        match self.underline {
            0 => (),
            1 => out.push_str(";4"),
            style => drop(write!(out, ";4:{style}")),
        }
        for (color, number) in [(self.foreground, 38), (self.background, 48), (self.line, 58)] {
            let _ = match color {
                Color::Default => Ok(()),
                Color::Named(n @ 0..=7) => write!(out, ";{}", number - 8 + u16::from(n)),
                Color::Named(n) => write!(out, ";{}", number + 44 + u16::from(n)),
                Color::Indexed(n) => write!(out, ";{number};5;{n}"),
                Color::Rgb(r, g, b) => write!(out, ";{number};2;{r};{g};{b}"),
            };
        }
        out.push('m');
    }
}

fn named(n: u16) -> Color {
    Color::Named(byte(n))
}

fn byte(n: u16) -> u8 {
    n.to_le_bytes()[0]
}

/// The colour of `38`, `48` or `58`, and how many parameters after that one belong to it.
fn extended(own: &[u16], rest: &[&[u16]]) -> (Option<Color>, usize) {
    let follow: Vec<u16> = rest.iter().map(|param| param[0]).take(4).collect();
    let part = |parts: &[u16], n: usize| byte(parts.get(n).copied().unwrap_or(0));
    match (own.get(1).copied(), follow.first().copied()) {
        (Some(5), _) => (Some(Color::Indexed(part(own, 2))), 0),
        // The third is the name of a colour space.
        (Some(2), _) => (Some(Color::Rgb(part(own, 3), part(own, 4), part(own, 5))), 0),
        (Some(_), _) => (None, 0),
        (None, Some(5)) => (Some(Color::Indexed(part(&follow, 1))), follow.len().min(2)),
        (None, Some(2)) => {
            (Some(Color::Rgb(part(&follow, 1), part(&follow, 2), part(&follow, 3))), follow.len())
        }
        (None, _) => (None, follow.len()),
    }
}
