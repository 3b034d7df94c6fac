//! What of a flood need not be emulated: lines that have scrolled out of sight and out of memory before its end.
//!
//! Only text and colours are passed over, for neither leaves a trace on a screen that so many lines have since filled.
//! Knows no screen; whoever uses it makes sure that the whole screen scrolls.

/// Where the last `lines` lines of the text at the beginning of `bytes` begin; 0 if there are not so many before
/// something else than text and colours comes.
pub(super) fn out_of_sight(bytes: &[u8], lines: usize) -> usize {
    let text = &bytes[..text_and_colours(bytes)];
    // Behind a carriage return, so that the column does not depend on what was passed over.
    let ends =
        memchr::memrchr_iter(b'\n', text).filter(|at| at.checked_sub(1).is_some_and(|at| text[at] == b'\r'));
    ends.map(|at| at + 1).nth(lines).unwrap_or(0)
}

/// The sequences of `bytes`, which are text and colours, that set a colour or another attribute.
pub(super) fn colours(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let sequence = |at: usize| {
        let length = bytes[at..].iter().position(|byte| *byte == b'm')?;
        std::str::from_utf8(&bytes[at..=at + length]).ok()
    };
    memchr::memchr_iter(b'\x1b', bytes).filter_map(sequence)
}

/// How long the text, with whole `CSI … m` sequences in it, at the beginning of `bytes` is.
fn text_and_colours(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let length = match byte {
            b'\x1b' => attribute(&bytes[at..]),
            b'\r' | b'\n' | b'\t' | b'\x07' | b'\x08' | 0x20..=0x7e => 1,
            // U+0080 to U+009F are control characters too.
            0xc2 => usize::from(bytes.get(at + 1).is_none_or(|next| !(0x80..=0x9f).contains(next))),
            0x80.. => 1,
            _ => 0,
        };
        if length == 0 {
            break;
        }
        at += length;
    }
    at
}

/// The length of the `CSI … m` that `bytes` begins with, or 0.
fn attribute(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else { return 0 };
    let parameters = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
    if rest.get(parameters) == Some(&b'm') { parameters + 3 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(out_of_sight(b"1\r\n2\r\n3\r\n4", 1), 6);
        assert_eq!(out_of_sight(b"1\r\n2\r\n3\r\n4", 2), 3);
        assert_eq!(out_of_sight(b"1\r\n2\r\n3\r\n4", 3), 0);
    }

    #[test]
    fn only_text_and_colours_are_passed_over() {
        for strange in
            ["\x1b[H", "\x1b[?1m", "\x1b[1", "\x1b]0;m", "\x0e", "\u{9b}m", "\x7f", "\x1b", "\x1b[1\n"]
        {
            let bytes = format!("{strange}1\r\n2\r\n3\r\n");
            assert_eq!(out_of_sight(bytes.as_bytes(), 1), 0, "{strange:?}");
        }
        let bytes = "\x1b[1;38:5:7mä°\r\n\x1b[mé\r\n3\r\n";
        let at = out_of_sight(bytes.as_bytes(), 1);
        assert_eq!(&bytes[at..], "3\r\n");
        assert_eq!(colours(&bytes.as_bytes()[..at]).collect::<Vec<_>>(), ["\x1b[1;38:5:7m", "\x1b[m"]);
    }

    #[test]
    fn lines_without_a_carriage_return_do_not_count() {
        assert_eq!(out_of_sight(b"1\n2\n3\n4\n", 1), 0);
    }
}
