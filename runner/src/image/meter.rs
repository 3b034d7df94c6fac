//! What a layer costs while it is unpacked, on both sides of its decompression; stops what grows beyond bounds.
//!
//! It knows bytes only, neither archives nor files.

use super::Digest;
use super::digest::Hasher;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a layer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes unpacked.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
    /// How many times larger than packed, beyond the first 64 MiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 30, entries: 2_000_000, ratio: 200 }
    }
}

/// Below this size the ratio does not matter: a small layer of zeroes is no bomb.
const HARMLESS: u64 = 64 << 20;
/// The most bytes of one entry's header, with long names and attributes: they are held in memory.
const MAX_HEADER: u64 = 1 << 20;
/// What both sides of the decompression must know.
pub(super) struct Meter {
    limits: Limits,
    /// Packed bytes so far.
    packed: AtomicU64,
    /// While an entry's header is read: the bytes that it may still have; [`NO_HEADER`] while none is.
    header: AtomicU64,
}

const NO_HEADER: u64 = u64::MAX;

impl Meter {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, packed: AtomicU64::new(0), header: AtomicU64::new(NO_HEADER) })
    }

    /// An entry's header comes now, and is held in memory.
    pub(super) fn begin_header(&self) {
        self.header.store(MAX_HEADER, Ordering::Relaxed);
    }

    /// What comes now goes to where it belongs.
    pub(super) fn end_header(&self) {
        self.header.store(NO_HEADER, Ordering::Relaxed);
    }

    /// Whether so many bytes may come out of what was read so far.
    pub(super) fn allows(&self, bytes: u64) -> Result<(), String> {
        let Limits { bytes: most, ratio, .. } = self.limits;
        if bytes > most {
            return Err(format!("more than {most} bytes unpacked"));
        }
        if bytes > HARMLESS && bytes / ratio > self.packed.load(Ordering::Relaxed) {
            return Err(format!("more than {ratio} times its packed size"));
        }
        Ok(())
    }
}

/// Counts packed bytes.
pub(super) struct Tracked<R> {
    inner: R,
    meter: Arc<Meter>,
}

impl<R: Read> Tracked<R> {
    pub(super) fn new(inner: R, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.meter.packed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Hashes what passes, and stops what grows beyond bounds.
pub(super) struct Bounded<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
    /// Bytes of the inner buffer that were hashed and not read yet.
    hashed: usize,
    meter: Arc<Meter>,
}

impl<R: BufRead> Bounded<R> {
    pub(super) fn new(inner: R, meter: Arc<Meter>) -> Self {
        Self { inner, hasher: Hasher::default(), bytes: 0, hashed: 0, meter }
    }

    /// The digest of all that passed.
    pub(super) fn finish(self) -> Digest {
        self.hasher.finish()
    }

    /// Takes what comes next in.
    fn next(&mut self) -> io::Result<()> {
        let piece = self.inner.fill_buf()?;
        self.hasher.update(piece);
        self.hashed = piece.len();
        self.bytes += piece.len() as u64;
        self.meter.allows(self.bytes).map_err(io::Error::other)
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.hashed == 0 {
            self.next()?;
        }
        let mut piece = self.inner.fill_buf()?;
        let n = piece.read(buffer)?;
        self.inner.consume(n);
        self.hashed -= n;
        let left = self.meter.header.load(Ordering::Relaxed);
        if left != NO_HEADER {
            let long =
                || io::Error::other(format!("the header of an entry is longer than {MAX_HEADER} bytes"));
            let left = left.checked_sub(n as u64).ok_or_else(long)?;
            self.meter.header.store(left, Ordering::Relaxed);
        }
        Ok(n)
    }
}
