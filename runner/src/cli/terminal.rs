//! The terminal that the command was typed in: raw mode, its size, the keys that detach. Knows no engine.

use super::error::Error;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::IsTerminal;

/// Raw mode; gone with it.
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// Makes standard input raw, if it is a terminal.
    pub(super) fn enter() -> Result<Option<Self>, Error> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let failed = |e: rustix::io::Errno| Error::io("the terminal's raw mode")(e.into());
        let before = tcgetattr(&stdin).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing is left to do where even this fails: the terminal is gone.
        tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before).unwrap_or_default();
    }
}

/// What is typed is not shown; until this is gone.
pub(super) struct Hidden {
    _before: Option<Raw>,
}

impl Hidden {
    /// Hides what is typed on standard input, if it is a terminal.
    pub(super) fn enter() -> Result<Self, Error> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self { _before: None });
        }
        let failed = |e: rustix::io::Errno| Error::io("hiding what is typed")(e.into());
        let before = tcgetattr(&stdin).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &hidden).map_err(failed)?;
        Ok(Self { _before: Some(Raw { before }) })
    }
}

/// Columns and rows of the terminal, if there is one.
pub(super) fn size() -> Option<(u16, u16)> {
    let of = |size: rustix::termios::Winsize| (size.ws_col > 0).then_some((size.ws_col, size.ws_row));
    tcgetwinsize(std::io::stdout()).or_else(|_| tcgetwinsize(std::io::stdin())).ok().and_then(of)
}

/// The keys that detach, by default.
pub(super) const DETACH: &str = "ctrl-p,ctrl-q";

/// Looks for the keys that detach in what is typed.
#[derive(Debug, Clone)]
pub(super) struct Detach {
    keys: Vec<u8>,
    seen: usize,
}

/// What a piece of typing is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Goes to the process; it may be empty, while it is open whether the keys continue.
    Input(Vec<u8>),
    /// The keys were typed; what was typed before them goes to the process.
    Detach(Vec<u8>),
}

impl Detach {
    /// Keys as Docker writes them: `ctrl-p,ctrl-q`, single characters.
    ///
    /// # Errors
    /// What is no key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let key = |word: &str| match word.as_bytes() {
            [byte] => Ok(*byte),
            [
                b'c',
                b't',
                b'r',
                b'l',
                b'-',
                byte @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_'),
            ] => Ok(byte & 0x1f),
            _ => Err(format!("{word:?} is no key: write one character, or ctrl- and a letter")),
        };
        Ok(Self { keys: text.split(',').map(key).collect::<Result<_, _>>()?, seen: 0 })
    }

    /// Takes what was typed.
    pub(super) fn type_in(&mut self, bytes: &[u8]) -> Typed {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys[self.seen] == *byte {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    self.seen = 0;
                    return Typed::Detach(out);
                }
                continue;
            }
            out.extend_from_slice(&self.keys[..self.seen]);
            self.seen = usize::from(self.keys[0] == *byte);
            if self.seen == 0 {
                out.push(*byte);
            } else if self.keys.len() == 1 {
                self.seen = 0;
                return Typed::Detach(out);
            }
        }
        Typed::Input(out)
    }
}

#[cfg(test)]
mod tests {
    use super::{DETACH, Detach, Typed};

    #[test]
    fn keys_detach_also_in_pieces() {
        let mut keys = Detach::parse(DETACH).unwrap();
        assert_eq!(keys.type_in(b"ls\x10"), Typed::Input(b"ls".to_vec()));
        assert_eq!(keys.type_in(b"a\x10\x10"), Typed::Input(b"\x10a\x10".to_vec()));
        assert_eq!(keys.type_in(b"\x11rest"), Typed::Detach(Vec::new()));
    }

    #[test]
    fn what_is_no_key() {
        for bad in ["", "ctrl-", "ctrl-1", "ab", "a,,b"] {
            assert!(Detach::parse(bad).is_err(), "{bad}");
        }
    }
}
