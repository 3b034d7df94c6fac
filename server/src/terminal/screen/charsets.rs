//! Which characters the letters of ASCII stand for, of the sets that programs still choose.

/// A set of characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Charset {
    /// As they are.
    #[default]
    Ascii,
    /// Lines and corners.
    Lines,
    /// The pound sign for the number sign.
    British,
}

/// What the letters from ` to ~ stand for among lines.
const LINES: [char; 31] = [
    '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├',
    '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
];

impl Charset {
    /// The set that a sequence names by this letter.
    pub(super) fn named(letter: u8) -> Self {
        match letter {
            b'0' => Self::Lines,
            b'A' => Self::British,
            _ => Self::Ascii,
        }
    }

    /// The letter that names it.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Ascii => 'B',
            Self::Lines => '0',
            Self::British => 'A',
        }
    }

    pub(super) fn translate(self, c: char) -> char {
        match (self, c) {
            (Self::Lines, '`'..='~') => LINES[usize::from(c as u8 - b'`')],
            (Self::British, '#') => '£',
            _ => c,
        }
    }
}

/// The four sets that are at hand, and the one in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charsets {
    pub(super) sets: [Charset; 4],
    pub(super) level: usize,
    /// Usually that of the level; a restored cursor brings its own.
    pub(super) used: Charset,
}

impl Charsets {
    pub(super) fn choose(&mut self, level: usize) {
        (self.level, self.used) = (level, self.sets[level]);
    }

    /// Whether a restored cursor brought another set than the level's.
    pub(super) fn is_brought(&self) -> bool {
        self.used != self.sets[self.level]
    }

    pub(super) fn load(&mut self, level: usize, set: Charset) {
        self.sets[level] = set;
        if self.level == level {
            self.used = set;
        }
    }
}
