//! Events as lines of an asciicast, version 3: a header, then `[seconds since the last event, kind, text]`.
//!
//! Text is what the page would show: bytes that are no character are left out, as the page's decoder does. Output that
//! came within a moment is one event. Knows no file.

use sandlot_wire::Size;
use serde_json::json;

/// Output that comes within so many milliseconds of an event's beginning belongs to it.
const MOMENT: u64 = 8;

/// The longest text of an event, in bytes.
const LONGEST: usize = 64 * 1024;

/// The longest label of a marker, in characters.
const LABEL: usize = 200;

/// Lines being written.
#[derive(Debug, Default)]
pub(super) struct Cast {
    lines: Vec<u8>,
    /// The time of the last line's event, in milliseconds.
    last: u64,
    /// Output that may still grow, and when it began.
    open: Option<(u64, String)>,
    /// The first bytes of a character that is not complete yet.
    partial: Vec<u8>,
}

impl Cast {
    /// A new recording's: its header is the first line.
    pub(super) fn new(size: Size, started: u64, title: &str) -> Self {
        let header = json!({
            "version": 3,
            "term": {"cols": size.cols, "rows": size.rows, "type": "xterm-256color"},
            "timestamp": started / 1000,
            "title": title,
        });
        Self { lines: format!("{header}\n").into_bytes(), ..Self::default() }
    }

    /// One that goes on, whose last event was then.
    pub(super) fn resumed(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.open.is_none()
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.open.as_ref().map_or(0, |(_, text)| text.len())
    }

    /// What the terminal printed.
    pub(super) fn output(&mut self, at: u64, bytes: &[u8]) {
        let joined;
        let mut bytes = bytes;
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            bytes = &joined;
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(at, chunk.valid());
            let invalid = chunk.invalid();
            let incomplete = || std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && incomplete() {
                self.partial = invalid.to_vec();
            }
        }
    }

    fn text(&mut self, at: u64, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let room = match &self.open {
                Some((began, open)) if at.saturating_sub(*began) <= MOMENT => {
                    LONGEST.saturating_sub(open.len())
                }
                _ => 0,
            };
            // A character has four bytes at most.
            if room < 4 {
                self.close();
                self.open = Some((at, String::new()));
                continue;
            }
            let fits = (0..=room.min(rest.len())).rev().find(|at| rest.is_char_boundary(*at));
            let (now, later) = rest.split_at(fits.unwrap_or(0));
            if let Some((_, open)) = &mut self.open {
                open.push_str(now);
            }
            rest = later;
        }
    }

    /// Another event.
    fn event(&mut self, at: u64, kind: &str, text: &str) {
        self.close();
        self.line(at, kind, text);
    }

    fn line(&mut self, at: u64, kind: &str, text: &str) {
        let after = at.saturating_sub(self.last);
        self.last = self.last.max(at);
        self.lines
            .extend_from_slice(format!("[{}.{:03}, \"{kind}\", ", after / 1000, after % 1000).as_bytes());
        // Writing a string to memory does not fail.
        let _ = serde_json::to_writer(&mut self.lines, text);
        self.lines.extend_from_slice(b"]\n");
    }

    pub(super) fn resize(&mut self, at: u64, size: Size) {
        self.event(at, "r", &format!("{}x{}", size.cols, size.rows));
    }

    pub(super) fn input(&mut self, at: u64, bytes: &[u8]) {
        self.event(at, "i", &String::from_utf8_lossy(bytes));
    }

    pub(super) fn marker(&mut self, at: u64, label: &str) {
        let label: String = label.chars().filter(|c| !c.is_control()).take(LABEL).collect();
        self.event(at, "m", &label);
    }

    pub(super) fn exit(&mut self, at: u64, code: i32) {
        self.event(at, "x", &code.to_string());
    }

    fn close(&mut self) {
        if let Some((at, text)) = self.open.take().filter(|(_, text)| !text.is_empty()) {
            self.line(at, "o", &text);
        }
    }

    /// The lines so far, and the time of the last event.
    pub(super) fn take(&mut self) -> (Vec<u8>, u64) {
        self.close();
        (std::mem::take(&mut self.lines), self.last)
    }
}

/// An event, read again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Milliseconds since the one before.
    pub(super) after: u64,
    /// What kind: `o`, `r`, ….
    pub(super) kind: String,
    /// Its text.
    pub(super) text: String,
}

/// Reads a line; `None`: it is no event.
pub(super) fn event(line: &[u8]) -> Option<Event> {
    let (after, kind, text): (f64, String, String) = serde_json::from_slice(line).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of a recording, which were whole when written"
    )]
    let after = (after * 1000.0).round() as u64;
    Some(Event { after, kind, text })
}

/// The header's size and the second (Unix time) in which the recording began.
pub(super) fn header(line: &[u8]) -> Option<(Size, u64)> {
    let header: serde_json::Value = serde_json::from_slice(line).ok()?;
    let number = |value: &serde_json::Value| value.as_u64();
    let side = |name: &str| u16::try_from(number(&header["term"][name])?).ok();
    Some((Size { cols: side("cols")?, rows: side("rows")? }, number(&header["timestamp"])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cast: &mut Cast) -> String {
        String::from_utf8(cast.take().0).unwrap()
    }

    #[test]
    fn events_are_lines_with_the_time_since_the_one_before() {
        let mut cast = Cast::new(Size { cols: 80, rows: 24 }, 1_700_000_000_123, "a \"title\"");
        cast.output(1000, b"hel");
        cast.output(1005, b"lo \"you\"\r\n");
        cast.resize(1500, Size { cols: 100, rows: 30 });
        cast.output(2750, b"\x1b[1m\xff!");
        cast.marker(2751, "step\n2");
        cast.exit(3000, 0);
        let text = written(&mut cast);
        let (header_line, events) = text.split_once('\n').unwrap();
        assert_eq!(header(header_line.as_bytes()), Some((Size { cols: 80, rows: 24 }, 1_700_000_000)));
        let expected = [
            r#"[1.000, "o", "hello \"you\"\r\n"]"#,
            r#"[0.500, "r", "100x30"]"#,
            r#"[1.250, "o", "\u001b[1m!"]"#,
            r#"[0.001, "m", "step2"]"#,
            r#"[0.249, "x", "0"]"#,
        ];
        assert_eq!(events.lines().collect::<Vec<_>>(), expected);
        assert_eq!(event(expected[2].as_bytes()).unwrap().after, 1250);
    }

    #[test]
    fn a_character_that_comes_in_parts_is_one_and_a_clock_never_goes_back() {
        let mut cast = Cast::resumed(5000);
        let bytes = "漢".as_bytes();
        cast.output(6000, &bytes[..1]);
        cast.output(7000, &bytes[1..2]);
        assert!(cast.is_empty());
        cast.output(4000, &bytes[2..]);
        assert_eq!(written(&mut cast), "[0.000, \"o\", \"漢\"]\n");
    }

    #[test]
    fn long_output_is_cut_into_events_and_nothing_is_lost() {
        let mut cast = Cast::resumed(0);
        let text = "é漢x".repeat(50_000);
        cast.output(1, text.as_bytes());
        let lines = written(&mut cast);
        assert!(lines.lines().all(|line| line.len() < LONGEST + 100));
        let all: String = lines.lines().map(|line| event(line.as_bytes()).unwrap().text).collect();
        assert!(all == text);
    }
}
