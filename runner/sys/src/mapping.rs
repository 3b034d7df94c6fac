//! A shared mapping of a file that data is read straight into: what is in it survives the death of the reader.
//!
//! Hands out copies, never references: another process may hold the same file mapped.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping of the first bytes of a file, readable and writable, shared (`MAP_SHARED`).
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is plain memory owned by this value; every write through it takes `&self` on raw pointers whose
// bounds are checked, and no reference into it is ever handed out.
unsafe impl Send for Mapping {}
// SAFETY: as above; words shared between processes are accessed atomically, byte ranges by the holder of a lock.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of the file; the file must be at least that long, for a later access beyond its end
    /// is a SIGBUS.
    ///
    /// # Errors
    /// What `mmap(2)` or `fstat(2)` answers, and `InvalidInput` if the file is shorter than `len`.
    pub fn shared(file: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let have = rustix::fs::fstat(file)?.st_size;
        if len == 0 || u64::try_from(have).unwrap_or(0) < len as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is shorter than the mapping"));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice aliases no Rust object.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, len })
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the mapping has no bytes; it never has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `read(2)` from `source` into the bytes `offset..offset + len`.
    ///
    /// # Errors
    /// What `read(2)` answers; `InvalidInput` if the range leaves the mapping.
    pub fn read_from(&self, source: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<usize> {
        let target = self.range(offset, len)?;
        // SAFETY: `range` proved that `len` bytes from `target` on lie inside the mapping, which lives as long as self.
        let n = unsafe { libc::read(source.as_raw_fd(), target.cast::<c_void>(), len) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Copies the bytes `offset..offset + to.len()` out.
    ///
    /// # Errors
    /// `InvalidInput` if the range leaves the mapping.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) -> io::Result<()> {
        let from = self.range(offset, to.len())?;
        // SAFETY: both ranges are `to.len()` bytes long, and `to` is a Rust slice that cannot lie in our mapping.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies `from` to `offset`.
    ///
    /// # Errors
    /// `InvalidInput` if the range leaves the mapping.
    pub fn copy_in(&self, offset: usize, from: &[u8]) -> io::Result<()> {
        let to = self.range(offset, from.len())?;
        // SAFETY: as in `copy_out`, in the other direction.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        Ok(())
    }

    /// Loads the word at `offset` (a multiple of 8), with acquire ordering.
    ///
    /// # Errors
    /// `InvalidInput` if the word leaves the mapping or is not aligned.
    pub fn load(&self, offset: usize) -> io::Result<u64> {
        Ok(self.word(offset)?.load(Ordering::Acquire))
    }

    /// Stores the word at `offset` (a multiple of 8), with release ordering: what was written before is seen before.
    ///
    /// # Errors
    /// `InvalidInput` if the word leaves the mapping or is not aligned.
    pub fn store(&self, offset: usize, value: u64) -> io::Result<()> {
        self.word(offset)?.store(value, Ordering::Release);
        Ok(())
    }

    fn word(&self, offset: usize) -> io::Result<&AtomicU64> {
        let at = self.range(offset, 8)?;
        if !offset.is_multiple_of(8) {
            return Err(outside());
        }
        // SAFETY: the mapping starts on a page boundary and `offset` is a multiple of 8, so the word is aligned; it lies
        // inside the mapping and lives as long as self.
        Ok(unsafe { AtomicU64::from_ptr(at.cast()) })
    }

    fn range(&self, offset: usize, len: usize) -> io::Result<*mut u8> {
        match offset.checked_add(len) {
            // SAFETY: `offset` is at most `self.len`, so the pointer stays within or one past the mapping.
            Some(end) if end <= self.len => Ok(unsafe { self.start.as_ptr().add(offset) }),
            _ => Err(outside()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` are those of our own mapping, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a range outside the mapping")
}
