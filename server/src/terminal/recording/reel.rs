//! The file of a recording: frames of zstd, each before it a skippable frame that says what is in it.
//!
//! ```text
//! | 184D2A5C, 24 | seq  at  raw  packed | zstd frame | 184D2A5C, 24 | … | zstd frame | …
//! ```
//! So `zstd -d` reads the file as it is, a part of it can be read without the rest, and after a crash the last whole
//! frame is found: what follows it is cut off. Each frame holds whole lines. Knows not what they say.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// The skippable frame's magic number.
const MAGIC: u32 = 0x184D_2A5C;
/// Bytes of its content, and of all of it.
const CONTENT: u32 = 24;
const HEAD: usize = 32;

/// The most bytes that a frame unpacks to: a file that claims more is none of ours.
pub(super) const RAW: usize = 4 * 1024 * 1024;

/// How hard zstd tries.
const LEVEL: i32 = 3;

/// A frame of a recording's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Where its packed bytes begin in the file.
    pub offset: u64,
    /// How many they are.
    pub packed: u32,
    /// Where its content begins in the recording.
    pub start: u64,
    /// How long that is.
    pub raw: u32,
    /// How many bytes the terminal had printed at its end.
    pub seq: u64,
    /// The time of its last event, in milliseconds since the beginning.
    pub at: u64,
}

impl Frame {
    /// Where the frame ends in the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.packed)
    }
}

/// The frame whose head is at `at`, if all of it is there.
pub(super) fn frame(file: &File, at: u64, start: u64, len: u64) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    if at + HEAD as u64 > len {
        return Ok(None);
    }
    file.read_exact_at(&mut head, at)?;
    let number =
        |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
    let long = |from: usize| u64::from(number(from)) | u64::from(number(from + 4)) << 32;
    let frame = Frame {
        offset: at + HEAD as u64,
        packed: number(28),
        start,
        raw: number(24),
        seq: long(8),
        at: long(16),
    };
    let ours = number(0) == MAGIC && number(4) == CONTENT && frame.raw as usize <= RAW && frame.packed > 0;
    Ok((ours && frame.end() <= len).then_some(frame))
}

/// The whole frames of a recording's file.
///
/// # Errors
/// When it cannot be read.
pub fn frames(file: &File) -> io::Result<Vec<Frame>> {
    let len = file.metadata()?.len();
    let (mut all, mut at, mut start) = (Vec::new(), 0, 0);
    while let Some(found) = frame(file, at, start, len)? {
        (at, start) = (found.end(), start + u64::from(found.raw));
        all.push(found);
    }
    Ok(all)
}

/// A frame's content.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub fn read(file: &File, frame: &Frame) -> io::Result<Vec<u8>> {
    let mut packed = vec![0; frame.packed as usize];
    file.read_exact_at(&mut packed, frame.offset)?;
    let raw = zstd::bulk::decompress(&packed, frame.raw as usize)?;
    if raw.len() == frame.raw as usize { Ok(raw) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A recording's file, to be added to.
#[derive(Debug)]
pub struct Reel {
    file: File,
    len: u64,
}

impl Reel {
    /// Opens or makes a file, readable by this user alone; what a crash left unfinished at its end is cut off. Its last
    /// frame, and its first.
    ///
    /// # Errors
    /// When it cannot be made, read or cut.
    pub fn open(path: &Path) -> io::Result<(Self, Option<(Frame, Frame)>)> {
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let all = frames(&file)?;
        let len = all.last().map_or(0, Frame::end);
        file.set_len(len)?;
        let ends = all.first().copied().zip(all.last().copied());
        Ok((Self { file, len }, ends))
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Bytes on disk.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a frame. One that does not fit the disk leaves nothing behind.
    ///
    /// # Errors
    /// When it cannot be packed or written.
    pub fn append(&mut self, packer: &mut Packer, raw: &[u8], (seq, at): (u64, u64)) -> io::Result<()> {
        let packed = packer.0.compress(raw)?;
        let number = |n: usize| u32::try_from(n).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let mut bytes = Vec::with_capacity(HEAD + packed.len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&CONTENT.to_le_bytes());
        bytes.extend_from_slice(&seq.to_le_bytes());
        bytes.extend_from_slice(&at.to_le_bytes());
        bytes.extend_from_slice(&number(raw.len())?.to_le_bytes());
        bytes.extend_from_slice(&number(packed.len())?.to_le_bytes());
        bytes.extend_from_slice(&packed);
        let written = self.file.write_all_at(&bytes, self.len).and_then(|()| (&self.file).flush());
        if let Err(error) = written {
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// What packs frames; one serves all reels.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self(zstd::bulk::Compressor::new(LEVEL)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_at_the_end_is_cut_off_and_the_rest_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s/t.cast.zst");
        let mut packer = Packer::new().unwrap();
        let (mut reel, found) = Reel::open(&path).unwrap();
        assert!(found.is_none() && reel.is_empty());
        reel.append(&mut packer, b"one\n", (3, 10)).unwrap();
        let first = reel.len();
        reel.append(&mut packer, b"two\n", (7, 20)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (reel, _) = Reel::open(&path).unwrap();
            let all = frames(reel.file()).unwrap();
            let expected = if cut == whole.len() { 2 } else { usize::from(cut as u64 >= first) };
            assert_eq!(all.len(), expected, "cut at {cut}");
            assert_eq!(reel.len(), all.last().map_or(0, Frame::end));
        }
        let (reel, ends) = Reel::open(&path).unwrap();
        let (_, last) = ends.unwrap();
        assert_eq!((last.seq, last.at, last.start, last.raw), (7, 20, 4, 4));
        assert_eq!(read(reel.file(), &last).unwrap(), b"two\n");
    }

    #[test]
    fn a_file_that_claims_too_much_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.cast.zst");
        let mut head = Vec::new();
        for number in [MAGIC, CONTENT, 0, 0, 0, 0, u32::MAX, 1] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head.push(0);
        std::fs::write(&path, &head).unwrap();
        assert!(frames(&File::open(&path).unwrap()).unwrap().is_empty());
    }
}
