//! What a layer costs while it is unpacked, on both sides of its decompression; stops what grows beyond bounds.
//!
//! It knows bytes only, neither archives nor files.

use super::Digest;
use super::digest::Hasher;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

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
    packed: Cell<u64>,
    /// While an entry's header is read: the bytes that it may still have.
    header: Cell<Option<u64>>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Rc<Self> {
        Rc::new(Self { limits, packed: Cell::new(0), header: Cell::new(None) })
    }

    /// An entry's header comes now, and is held in memory.
    pub(super) fn begin_header(&self) {
        self.header.set(Some(MAX_HEADER));
    }

    /// What comes now goes to where it belongs.
    pub(super) fn end_header(&self) {
        self.header.set(None);
    }

    /// Whether so many bytes may come out of what was read so far.
    pub(super) fn allows(&self, bytes: u64) -> Result<(), String> {
        let Limits { bytes: most, ratio, .. } = self.limits;
        if bytes > most {
            return Err(format!("more than {most} bytes unpacked"));
        }
        if bytes > HARMLESS && bytes / ratio > self.packed.get() {
            return Err(format!("more than {ratio} times its packed size"));
        }
        Ok(())
    }
}

/// Counts packed bytes.
pub(super) struct Tracked<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: Read> Tracked<R> {
    pub(super) fn new(inner: R, meter: Rc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.meter.packed.set(self.meter.packed.get() + n as u64);
        Ok(n)
    }
}

/// Hashes what passes, and stops what grows beyond bounds.
pub(super) struct Bounded<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
    meter: Rc<Meter>,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(inner: R, meter: Rc<Meter>) -> Self {
        Self { inner, hasher: Hasher::default(), bytes: 0, meter }
    }

    /// The digest of all that passed.
    pub(super) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        self.meter.allows(self.bytes).map_err(io::Error::other)?;
        if let Some(left) = self.meter.header.get() {
            let long =
                || io::Error::other(format!("the header of an entry is longer than {MAX_HEADER} bytes"));
            // The buffer above reads ahead: its size is the error of this count, and never to the entry's harm.
            self.meter.header.set(Some(left.checked_sub(n as u64).ok_or_else(long)?));
        }
        Ok(n)
    }
}
