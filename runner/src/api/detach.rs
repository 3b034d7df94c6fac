//! The keys by which a person leaves a terminal that goes on: `ctrl-p,ctrl-q`, or others.

use super::error::{Answer, Error};

/// Keys that are waited for in what is typed.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    wanted: Vec<u8>,
    /// How many of them were typed on end, and are held back.
    typed: usize,
}

impl Keys {
    /// `ctrl-a`, `@`, … with commas; Docker's usual ones if nothing is said.
    pub(super) fn parse(text: &str) -> Answer<Self> {
        let text = if text.is_empty() { "ctrl-p,ctrl-q" } else { text };
        let bad = || Error::bad(format!("Invalid detach keys ({text}) provided"));
        let key = |word: &str| match (word.strip_prefix("ctrl-").map(str::as_bytes), word.as_bytes()) {
            (Some([letter @ b'a'..=b'z']), _) => Ok(letter - b'a' + 1),
            (Some([sign @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]), _) => Ok(sign - b'@'),
            (None, [one]) if one.is_ascii() => Ok(*one),
            _ => Err(bad()),
        };
        let wanted = text.split(',').map(key).collect::<Answer<Vec<u8>>>()?;
        Ok(Self { wanted, typed: 0 })
    }

    /// What of `bytes` goes on to the process, and whether the keys were typed.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if *byte == self.wanted[self.typed] {
                self.typed += 1;
                if self.typed == self.wanted.len() {
                    self.typed = 0;
                    return (passed, true);
                }
                continue;
            }
            passed.extend_from_slice(&self.wanted[..self.typed]);
            self.typed = 0;
            if *byte == self.wanted[0] && self.wanted.len() > 1 {
                self.typed = 1;
            } else {
                passed.push(*byte);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_over_pieces_and_what_only_began_like_them_goes_on() {
        let mut keys = Keys::parse("").unwrap();
        assert_eq!(keys.pass(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.pass(b"c"), (b"\x10c".to_vec(), false));
        assert_eq!(keys.pass(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(keys.pass(b"\x11rest"), (Vec::new(), true));
        let mut one = Keys::parse("ctrl-@").unwrap();
        assert_eq!(one.pass(b"x\0"), (b"x".to_vec(), true));
        assert_eq!(Keys::parse("a,b").unwrap().pass(b"xab"), (b"x".to_vec(), true));
    }

    #[test]
    fn what_is_no_key_is_named() {
        for bad in ["ctrl-", "ctrl-ab", "shift-a", "ab", "a,,b"] {
            assert!(Keys::parse(bad).is_err(), "{bad}");
        }
    }
}
