//! The ring file of a terminal: what it printed, kept across the death of whoever reads it.
//!
//! ```text
//! | header | half 0: snapshot, raw | half 1: snapshot, raw |
//! ```
//! A half is a snapshot (bytes that bring an empty terminal to the screen as it was when the half began) and the raw
//! bytes printed since. They are read from the pty *straight into* the mapping: there is no moment at which a byte was
//! taken from the pty and is only in a process that may be killed. Where the raw bytes end is found by the last byte
//! that is not zero, so trailing NULs, which no terminal shows, are not counted after a crash.
//!
//! One reader at a time: it holds the lock of the file. Knows no terminal emulator.

use sandlot_sys::mapping::Mapping;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Raw bytes in a half before it is full: a flood writes a snapshot for each. Pages that no byte was written to cost
/// nothing.
pub const RAW: usize = 1024 * 1024;
/// The longest snapshot.
pub const SNAPSHOT: usize = 512 * 1024;

const MAGIC: u64 = 0x3230_676e_6972_6c73;
const HEADER: usize = 4096;
const HALF: usize = SNAPSHOT + RAW;
const LEN: usize = HEADER + 2 * HALF;

const AT_MAGIC: usize = 0;
const AT_CURRENT: usize = 8;
const AT_HALVES: usize = 64;

/// Why a ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another reader holds its lock.
    #[error("another process reads this terminal")]
    Busy,
    /// The file is no ring.
    #[error("the file is no terminal ring of this version")]
    Foreign,
    /// A snapshot longer than [`SNAPSHOT`].
    #[error("a snapshot of {0} bytes is longer than a ring holds")]
    TooLong(usize),
    /// The system refused.
    #[error("cannot use the terminal's ring: {0}")]
    Io(#[from] io::Error),
}

/// A terminal's ring, held by its one reader.
#[derive(Debug)]
pub struct Ring {
    mapping: Mapping,
    file: OwnedFd,
    half: usize,
    filled: usize,
}

/// What a ring held when its last reader ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// How many bytes the terminal had printed in all, up to the end of `bytes`.
    pub seq: u64,
    /// Bytes that bring an empty terminal to where `bytes` begins.
    pub snapshot: Vec<u8>,
    /// The raw bytes since.
    pub bytes: Vec<u8>,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Bytes; 0: the terminal is closed.
    pub n: usize,
    /// Whether the half is full: the next call must be [`Ring::flip`].
    pub full: bool,
}

impl Ring {
    /// Makes an empty ring file, readable and writable by its owner alone; the descriptor is handed to readers.
    ///
    /// # Errors
    /// What making, sizing or mapping the file answers; `AlreadyExists` if it is there.
    pub fn create(path: &Path) -> Result<File, Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.set_len(LEN as u64)?;
        Mapping::shared(file.as_fd(), HEADER)?.store(AT_MAGIC, MAGIC)?;
        Ok(file)
    }

    /// Takes up a ring: its lock, and the place where its last reader stopped. `file` must be an open file description
    /// of its own, for the lock belongs to that.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Foreign`], or what the system answers.
    pub fn attach(file: OwnedFd) -> Result<Self, Error> {
        use rustix::fs::{FlockOperation, flock};
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy),
            other => other.map_err(io::Error::from)?,
        }
        if u64::try_from(rustix::fs::fstat(&file).map_err(io::Error::from)?.st_size).unwrap_or(0) < LEN as u64
        {
            return Err(Error::Foreign);
        }
        let mapping = Mapping::shared(file.as_fd(), LEN)?;
        let half = usize::try_from(mapping.load(AT_CURRENT)?).unwrap_or(usize::MAX);
        if mapping.load(AT_MAGIC)? != MAGIC || half > 1 {
            return Err(Error::Foreign);
        }
        let mut ring = Self { mapping, file, half, filled: 0 };
        ring.filled = ring.tail()?;
        Ok(ring)
    }

    /// What the ring holds: see [`Recovered`].
    ///
    /// # Errors
    /// [`Error::Foreign`] if the header contradicts itself.
    pub fn recover(&self) -> Result<Recovered, Error> {
        let len = usize::try_from(self.mapping.load(half_word(self.half, 1))?).unwrap_or(usize::MAX);
        if len > SNAPSHOT {
            return Err(Error::Foreign);
        }
        let mut snapshot = vec![0; len];
        self.mapping.copy_out(snapshot_at(self.half), &mut snapshot)?;
        Ok(Recovered { seq: self.seq()?, snapshot, bytes: self.since_snapshot()? })
    }

    /// How many raw bytes there are since the last snapshot.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The raw bytes since the last snapshot.
    ///
    /// # Errors
    /// None in practice: the range is the ring's own.
    pub fn since_snapshot(&self) -> Result<Vec<u8>, Error> {
        self.last(self.filled)
    }

    /// The last `n` raw bytes (fewer, if fewer came since the last snapshot).
    ///
    /// # Errors
    /// None in practice: the range is the ring's own.
    pub fn last(&self, n: usize) -> Result<Vec<u8>, Error> {
        let n = n.min(self.filled);
        let mut bytes = vec![0; n];
        self.mapping.copy_out(raw_at(self.half) + self.filled - n, &mut bytes)?;
        Ok(bytes)
    }

    /// How many bytes the terminal has printed in all.
    ///
    /// # Errors
    /// None in practice: the header is mapped.
    pub fn seq(&self) -> Result<u64, Error> {
        Ok(self.mapping.load(half_word(self.half, 0))? + self.filled as u64)
    }

    /// Whether the half is full: [`Ring::flip`] must come before the next read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.filled == RAW
    }

    /// One `read(2)` of the pty's master, of at most `max` bytes, straight into the ring.
    ///
    /// # Errors
    /// What `read(2)` answers: `EAGAIN` of a non-blocking master, `EIO` when no process has the terminal open.
    pub fn read_from(&mut self, master: BorrowedFd<'_>, max: usize) -> io::Result<Read> {
        let room = (RAW - self.filled).min(max);
        if room == 0 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the ring's half is full: flip it"));
        }
        let n = self.mapping.read_from(master, raw_at(self.half) + self.filled, room)?;
        self.filled += n;
        Ok(Read { n, full: self.is_full() })
    }

    /// Begins the other half with `snapshot`: bytes that bring an empty terminal to the present screen.
    ///
    /// # Errors
    /// [`Error::TooLong`], or what punching the old bytes out of the file answers.
    pub fn flip(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        use rustix::fs::{FallocateFlags, fallocate};
        if snapshot.len() > SNAPSHOT {
            return Err(Error::TooLong(snapshot.len()));
        }
        let (seq, next) = (self.seq()?, 1 - self.half);
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let at = snapshot_at(next) as u64;
        fallocate(&self.file, punch, at, HALF as u64).map_err(io::Error::from)?;
        self.mapping.copy_in(snapshot_at(next), snapshot)?;
        self.mapping.store(half_word(next, 0), seq)?;
        self.mapping.store(half_word(next, 1), snapshot.len() as u64)?;
        self.mapping.store(AT_CURRENT, next as u64)?;
        let at = snapshot_at(self.half) as u64;
        (self.half, self.filled) = (next, 0);
        // The old half is garbage now; giving its pages back keeps an idle terminal small.
        Ok(fallocate(&self.file, punch, at, HALF as u64).map_err(io::Error::from)?)
    }

    /// Where the raw bytes end. Only pages that were written are looked at: reading a hole would allocate it.
    fn tail(&self) -> io::Result<usize> {
        let (start, end) = (raw_at(self.half), raw_at(self.half) + RAW);
        let mut block = [0; 4096];
        for (from, to) in self.written(start, end)?.into_iter().rev() {
            let mut to = to;
            while to > from {
                let len = block.len().min(to - from);
                self.mapping.copy_out(to - len, &mut block[..len])?;
                if let Some(last) = block[..len].iter().rposition(|b| *b != 0) {
                    return Ok(to - len + last + 1 - start);
                }
                to -= len;
            }
        }
        Ok(0)
    }

    /// The parts of `start..end` of the file that are no holes.
    fn written(&self, start: usize, end: usize) -> io::Result<Vec<(usize, usize)>> {
        use rustix::fs::{SeekFrom, seek};
        let mut parts = Vec::new();
        let mut at = start;
        while at < end {
            let from = match seek(&self.file, SeekFrom::Data(at as u64)) {
                Err(rustix::io::Errno::NXIO) => break,
                other => usize::try_from(other?).unwrap_or(end),
            };
            if from >= end {
                break;
            }
            let to = usize::try_from(seek(&self.file, SeekFrom::Hole(from as u64))?).unwrap_or(end).min(end);
            parts.push((from, to));
            at = to;
        }
        Ok(parts)
    }
}

/// The offset of a half's n-th word in the header: 0 is the sequence at which it begins, 1 its snapshot's length.
fn half_word(half: usize, n: usize) -> usize {
    AT_HALVES + half * 64 + n * 8
}

fn snapshot_at(half: usize) -> usize {
    HEADER + half * HALF
}

fn raw_at(half: usize) -> usize {
    snapshot_at(half) + SNAPSHOT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn ring(dir: &tempfile::TempDir) -> (std::path::PathBuf, Ring) {
        let path = dir.path().join("ring");
        (path.clone(), Ring::attach(Ring::create(&path).unwrap().into()).unwrap())
    }

    fn reopen(path: &Path) -> Result<Ring, Error> {
        Ring::attach(File::options().read(true).write(true).open(path).unwrap().into())
    }

    fn print(ring: &mut Ring, bytes: &[u8]) {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(bytes).unwrap();
        assert_eq!(ring.read_from(reader.as_fd(), 1 << 20).unwrap().n, bytes.len());
    }

    #[test]
    fn what_was_read_is_there_for_the_next_reader() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut ring) = ring(&dir);
        print(&mut ring, b"one ");
        print(&mut ring, b"two");
        drop(ring);
        let ring = reopen(&path).unwrap();
        assert_eq!(
            ring.recover().unwrap(),
            Recovered { seq: 7, snapshot: vec![], bytes: b"one two".to_vec() }
        );
        assert_eq!(ring.last(3).unwrap(), b"two");
    }

    #[test]
    fn two_readers_cannot_steal_from_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let (path, ring) = ring(&dir);
        assert!(matches!(reopen(&path), Err(Error::Busy)));
        drop(ring);
        assert!(reopen(&path).is_ok());
    }

    #[test]
    fn a_full_half_is_followed_by_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut ring) = ring(&dir);
        for round in 0..3u8 {
            let mut left = RAW;
            while left > 0 {
                let n = left.min(4096);
                print(&mut ring, &vec![b'a' + round; n]);
                left -= n;
            }
            assert!(ring.is_full());
            assert!(ring.read_from(io::pipe().unwrap().0.as_fd(), 10).is_err());
            ring.flip(format!("screen {round}").as_bytes()).unwrap();
            print(&mut ring, b"more");
            let got = reopen_after(ring, &path);
            assert_eq!(got.0.snapshot, format!("screen {round}").as_bytes());
            assert_eq!(got.0.bytes, b"more");
            ring = got.1;
            ring.flip(b"").unwrap();
        }
        assert_eq!(ring.seq().unwrap(), 3 * (RAW as u64 + 4));
        assert!(matches!(ring.flip(&vec![b'x'; SNAPSHOT + 1]), Err(Error::TooLong(_))));
    }

    fn reopen_after(ring: Ring, path: &Path) -> (Recovered, Ring) {
        drop(ring);
        let ring = reopen(path).unwrap();
        (ring.recover().unwrap(), ring)
    }

    #[test]
    fn another_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no ring");
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(reopen(&path), Err(Error::Foreign)));
    }
}
