//! What the terminal itself answers to programs' questions while nobody's page is there to do it.
//!
//! While somebody drives, their page answers, and no other's: see [`super::viewers`]. Without anybody a program that asks
//! where the cursor is (fish, vim, a shell that resizes) would wait in vain. Only what every terminal answers is answered:
//! its kind, that it works, where the cursor is. Everything else (settings, colours, the clipboard, capabilities by
//! `DCS`) stays unanswered, which programs take for a plain terminal. Knows no pty.

/// The most answers to what was printed at once: a program that asks without end is answered slowly.
const MOST: usize = 16;

/// The longest question, in bytes.
const LONGEST: usize = 8;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// `CSI c`: what kind of terminal.
    Kind,
    /// `CSI > c`: which program.
    Program,
    /// `CSI 5 n`: does it work.
    Health,
    /// `CSI 6 n`: where is the cursor.
    Cursor,
}

impl Question {
    /// The answer of xterm.js, which the page uses; `cursor` is the column and the row, from 0.
    pub(super) fn answer(self, cursor: (usize, usize)) -> String {
        match self {
            Self::Kind => "\x1b[?1;2c".to_owned(),
            Self::Program => "\x1b[>0;276;0c".to_owned(),
            Self::Health => "\x1b[0n".to_owned(),
            Self::Cursor => format!("\x1b[{};{}R", cursor.1 + 1, cursor.0 + 1),
        }
    }
}

const QUESTIONS: [(&[u8], Question); 6] = [
    (b"\x1b[c", Question::Kind),
    (b"\x1b[0c", Question::Kind),
    (b"\x1b[>c", Question::Program),
    (b"\x1b[>0c", Question::Program),
    (b"\x1b[5n", Question::Health),
    (b"\x1b[6n", Question::Cursor),
];

/// The questions in what was printed, each with where it ends; `before` are the last bytes of what was printed earlier,
/// of which a question may have been the beginning.
pub(super) fn asked(before: &[u8], bytes: &[u8]) -> Vec<(usize, Question)> {
    let kept = before.len().min(LONGEST);
    let all = [&before[before.len() - kept..], bytes].concat();
    let found = memchr::memchr_iter(b'\x1b', &all).filter_map(|at| {
        let (question, kind) = QUESTIONS.iter().find(|(question, _)| all[at..].starts_with(question))?;
        // What ended before was answered before.
        Some((((at + question.len()).checked_sub(kept)).filter(|end| *end > 0)?, *kind))
    });
    found.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_found_wherever_what_was_printed_is_cut() {
        let printed = b"text\x1b[6nmore\x1b[c\x1b[>0c\x1b[5n\x1b[0m\x1bP+q544e\x1b\\\x1b]52;c;?\x07";
        let whole: Vec<Question> = asked(b"", printed).into_iter().map(|(_, question)| question).collect();
        assert_eq!(whole, [Question::Cursor, Question::Kind, Question::Program, Question::Health]);
        for cut in 0..=printed.len() {
            let (first, second) = printed.split_at(cut);
            let found = [asked(b"", first), asked(first, second)].concat();
            assert_eq!(
                found.into_iter().map(|(_, question)| question).collect::<Vec<_>>(),
                whole,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn who_asks_without_end_is_not_answered_without_end() {
        assert_eq!(asked(b"", &b"\x1b[6n".repeat(10_000)).len(), MOST);
    }

    #[test]
    fn the_cursor_is_counted_from_one() {
        assert_eq!(Question::Cursor.answer((0, 4)), "\x1b[5;1R");
    }
}
