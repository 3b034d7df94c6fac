//! gzip (RFC 1952) as something that can be read: members one after the other, each checked against its checksum and length.
//!
//! The inflating is `fdeflate`'s: safe code, and a good quarter faster than zlib's. It speaks zlib's frame only, so it gets
//! two bytes of that in place of gzip's header, and takes the first four bytes behind the stream for a checksum that it is
//! told to ignore. It may have read up to three more; gzip's own checksum tells where the member ended.

use fdeflate::Decompressor;
use std::io::{self, BufRead, ErrorKind, Read};

/// How far back a stream may refer (RFC 1951).
const HISTORY: usize = 32 << 10;
/// Bytes that are inflated before somebody reads them.
const AHEAD: usize = 256 << 10;
/// zlib's header (RFC 1950): deflate, a window of 32 KiB, no dictionary.
const ZLIB: [u8; 2] = [0x78, 0x01];
/// The longest name or comment of a member.
const MAX_TEXT: usize = 64 << 10;
const TRAILER: usize = 8;

/// Inflates what it reads.
pub(super) struct Gzip<R> {
    inner: R,
    /// Bytes that came behind a member and were read with it, latest first.
    behind: Vec<u8>,
    /// What inflates the member under way.
    member: Option<Box<Decompressor>>,
    members: u64,
    /// Inflated bytes, with some that were read already before them.
    window: Vec<u8>,
    begin: usize,
    end: usize,
    checksum: crc32fast::Hasher,
    length: u32,
    /// The last bytes that were taken of the member.
    last: [u8; TRAILER],
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            behind: Vec::new(),
            member: None,
            members: 0,
            window: vec![0; HISTORY + AHEAD],
            begin: 0,
            end: 0,
            checksum: crc32fast::Hasher::new(),
            length: 0,
            last: [0; TRAILER],
        }
    }

    /// The next byte that is not inflated, if there is one.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        if let Some(byte) = self.behind.pop() {
            return Ok(Some(byte));
        }
        let byte = self.inner.fill_buf()?.first().copied();
        if byte.is_some() {
            self.inner.consume(1);
        }
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut all = [0; N];
        for one in &mut all {
            *one = self.byte()?.ok_or_else(short)?;
        }
        Ok(all)
    }

    /// Reads a member's header; false at the end of all.
    fn header(&mut self) -> io::Result<bool> {
        let Some(first) = self.byte()? else { return Ok(false) };
        let [second, method, flags, ..] = self.bytes::<9>()?;
        if [first, second, method] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
            return Err(damaged("invalid gzip header"));
        }
        if flags & 0x04 != 0 {
            let length = u16::from_le_bytes(self.bytes()?);
            for _ in 0..length {
                self.bytes::<1>()?;
            }
        }
        for text in [0x08, 0x10] {
            let mut left = if flags & text == 0 { 0 } else { MAX_TEXT };
            while left > 0 && self.bytes()? != [0] {
                left -= 1;
                if left == 0 {
                    return Err(damaged("the gzip header does not end"));
                }
            }
        }
        if flags & 0x02 != 0 {
            self.bytes::<2>()?;
        }
        let mut member = Box::new(Decompressor::new());
        member.ignore_adler32();
        member.read(&ZLIB, &mut self.window, 0, false).map_err(corrupt)?;
        (self.begin, self.end) = (0, 0);
        (self.checksum, self.length) = (crc32fast::Hasher::new(), 0);
        self.member = Some(member);
        self.members += 1;
        Ok(true)
    }

    /// Inflates some more; nothing comes of it at the end of a member, and then of all.
    fn inflate(&mut self) -> io::Result<()> {
        let Some(member) = &mut self.member else { return Ok(()) };
        if self.end > self.window.len() - AHEAD / 2 {
            self.window.copy_within(self.end - HISTORY..self.end, 0);
            self.end = HISTORY;
        }
        self.begin = self.end;
        let input = self.inner.fill_buf()?;
        let (taken, made) = member.read(input, &mut self.window, self.end, false).map_err(corrupt)?;
        if input.is_empty() && made == 0 && !member.is_done() {
            return Err(short());
        }
        remember(&mut self.last, &input[..taken]);
        self.inner.consume(taken);
        self.end += made;
        let piece = &self.window[self.begin..self.end];
        self.checksum.update(piece);
        self.length = self.length.wrapping_add(u32::try_from(made).unwrap_or_default());
        if member.is_done() {
            self.member = None;
            self.trailer()?;
        }
        Ok(())
    }

    /// Compares the member with its trailer, of which four to seven bytes were read before.
    fn trailer(&mut self) -> io::Result<()> {
        let mut expected = [0; TRAILER];
        expected[..4].copy_from_slice(&self.checksum.clone().finalize().to_le_bytes());
        expected[4..].copy_from_slice(&self.length.to_le_bytes());
        let mut all = self.last.to_vec();
        while all.len() < TRAILER + 4 {
            match self.byte()? {
                Some(byte) => all.push(byte),
                None => break,
            }
        }
        // It begins four bytes before the end of what was taken, or up to three earlier.
        let place = (1..=TRAILER - 4).rev().find(|begin| all[*begin..].starts_with(&expected));
        let Some(place) = place else {
            return Err(if all.len() < TRAILER + 4 { short() } else { damaged("corrupt gzip stream") });
        };
        self.behind.extend(all[place + TRAILER..].iter().rev());
        Ok(())
    }
}

impl<R: BufRead> BufRead for Gzip<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.begin == self.end {
            if self.member.is_none() && !self.header()? {
                break;
            }
            self.inflate()?;
        }
        Ok(&self.window[self.begin..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.begin = self.end.min(self.begin + amount);
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.fill_buf()?;
        let n = piece.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

/// Keeps the last bytes of all that passed.
fn remember(last: &mut [u8; TRAILER], taken: &[u8]) {
    let fresh = &taken[taken.len().saturating_sub(TRAILER)..];
    last.rotate_left(fresh.len());
    last[TRAILER - fresh.len()..].copy_from_slice(fresh);
}

fn short() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the gzip stream ends too early")
}

fn damaged(words: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, words)
}

fn corrupt(e: fdeflate::DecompressionError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("corrupt gzip stream: {e:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::{BufReader, Write};

    fn packed(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::new(level));
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// Reads it in pieces of such a size.
    fn unpacked(packed: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Gzip::new(BufReader::with_capacity(piece, packed)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Text that compresses, with runs, repetitions far back, and noise.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let n = (state >> 20) as usize % 300;
            match state >> 30 {
                0 => bytes.extend(std::iter::repeat_n(state.to_le_bytes()[1], n)),
                1 if bytes.len() > 33_000 => {
                    bytes.extend_from_within(bytes.len() - 32_768..bytes.len() - 32_768 + n)
                }
                2 => bytes.extend(state.to_be_bytes()),
                _ => bytes.extend(b"The quick brown fox ".iter().cycle().take(n)),
            }
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn what_was_packed_comes_out_in_pieces_of_every_size() {
        let bytes = sample(3 << 20);
        for level in [0, 1, 6, 9] {
            for piece in [1, 7, 8, 9, 4096, 1 << 20] {
                assert!(unpacked(&packed(&bytes, level), piece).unwrap() == bytes, "{level} {piece}");
            }
        }
        assert_eq!(unpacked(&packed(b"", 6), 3).unwrap(), b"");
        assert_eq!(unpacked(b"", 3).unwrap(), b"");
    }

    #[test]
    fn members_follow_each_other_and_headers_may_say_more() {
        let mut all = Vec::new();
        let mut expected = Vec::new();
        for n in 0..40 {
            let bytes = sample(n * 997);
            let builder = GzBuilder::new().filename("name").comment("words").extra(vec![1; n]);
            let mut packer = builder.write(&mut all, Compression::fast());
            packer.write_all(&bytes).unwrap();
            packer.finish().unwrap();
            expected.extend(bytes);
        }
        for piece in [1, 5, 4096] {
            assert!(unpacked(&all, piece).unwrap() == expected, "{piece}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error() {
        let bytes = sample(100_000);
        let good = packed(&bytes, 6);
        for end in [1, 9, 11, good.len() / 2, good.len() - 9, good.len() - 8, good.len() - 4, good.len() - 1]
        {
            assert_eq!(unpacked(&good[..end], 100).unwrap_err().kind(), ErrorKind::UnexpectedEof, "{end}");
        }
        for place in [0, 1, 2, good.len() - 1, good.len() - 5, good.len() - 8] {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert!(unpacked(&bad, 100).is_err(), "{place}");
        }
        let mut more = good;
        more.extend(b"something else");
        assert!(unpacked(&more, 100).unwrap_err().to_string().contains("invalid gzip header"));
    }

    proptest! {
        /// Whatever comes: the same answer as zlib's, or an error of both.
        #[test]
        fn damage_is_judged_as_zlib_judges_it(place in 0usize..20_000, bits in 1u8.., piece in 1usize..3000) {
            let mut bad = packed(&sample(60_000), 6);
            let place = place % bad.len();
            bad[place] ^= bits;
            let mut theirs = Vec::new();
            let fine = flate2::read::MultiGzDecoder::new(&bad[..]).read_to_end(&mut theirs).is_ok();
            let ours = unpacked(&bad, piece);
            prop_assert_eq!(ours.is_ok(), fine, "{:?}", ours.map(|o| o.len()));
        }

        #[test]
        fn noise_is_no_gzip(mut noise in proptest::collection::vec(any::<u8>(), 18..3000)) {
            noise[..10].copy_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
            let mut theirs = Vec::new();
            let fine = flate2::read::MultiGzDecoder::new(&noise[..]).read_to_end(&mut theirs).is_ok();
            prop_assert_eq!(unpacked(&noise, 64).is_ok(), fine);
        }
    }
}
