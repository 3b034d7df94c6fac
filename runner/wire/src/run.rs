//! `POST {PREFIX}/run`: a container from its creation to its end in one call, for who wants nothing but its output and its code.
//!
//! The body and the parameters are those of Docker's `POST /containers/create`; neither a terminal nor an input can be asked
//! for. It does what Docker's clients do by four calls (create, attach, wait, start). Once the command runs the answer is 200
//! with frames as Docker multiplexes output (stream, three zeros, length, bytes), and one of the stream [`ENDED`] last. Each
//! answer, also one that refuses, names the container that was made in [`HEADER_CONTAINER`].

use crate::PREFIX;

/// The path of the call.
#[must_use]
pub fn path() -> String {
    format!("{PREFIX}/run")
}

/// The response header that names the container.
pub const HEADER_CONTAINER: &str = "sandlot-container";

/// Bytes of a frame's head.
pub const HEAD: usize = 8;

/// The stream of the last frame: the exit code, four bytes, big-endian. With Docker it is that of standard input, which no
/// answer has.
pub const ENDED: u8 = 0;

/// The last frame.
#[must_use]
pub fn ended(code: i32) -> [u8; HEAD + 4] {
    let code = code.to_be_bytes();
    [ENDED, 0, 0, 0, 0, 0, 0, 4, code[0], code[1], code[2], code[3]]
}

/// The stream of a frame and the length of what follows, by its head.
#[must_use]
pub fn head(bytes: [u8; HEAD]) -> (u8, usize) {
    let [stream, _, _, _, a, b, c, d] = bytes;
    (stream, usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX))
}
