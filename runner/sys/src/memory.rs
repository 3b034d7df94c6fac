//! Memory that was freed is given back to the kernel (`malloc_trim(3)`): by itself GNU's allocator keeps what many sessions at once
//! needed for ever. Does nothing where the C library is another.

use std::io;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How many bytes that were freed are worth the work.
const WORTH: usize = 1 << 20;

/// Starts a thread that gives memory back now and then; it ends with the process.
///
/// # Errors
/// When there can be no more threads.
pub fn keep_trimmed() -> io::Result<()> {
    let keep = || {
        // What is free and was given back counts as free all the same.
        let mut given = 0;
        loop {
            std::thread::sleep(EVERY);
            given = given.min(free());
            if free() > given + WORTH {
                trim();
                given = free();
            }
        }
    };
    std::thread::Builder::new().name("memory".into()).stack_size(64 << 10).spawn(keep).map(drop)
}

/// Bytes that the allocator holds and nobody uses.
#[cfg(target_env = "gnu")]
fn free() -> usize {
    // SAFETY: mallinfo2 takes the allocator's own locks and answers by value.
    unsafe { libc::mallinfo2() }.fordblks
}

#[cfg(not(target_env = "gnu"))]
fn free() -> usize {
    0
}

/// Gives back what the allocator holds and nobody uses; takes a millisecond for some ten megabytes.
fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages in memory that are of no file (proc_pid_statm(5): resident without shared).
    fn own_pages() -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let fields: Vec<u64> = text.split_whitespace().map(|field| field.parse().unwrap()).collect();
        fields[1] - fields[2]
    }

    #[test]
    fn what_was_freed_below_what_is_held_is_given_back() {
        // Small ones, which the allocator takes from its heap, with one at the top that keeps it from shrinking.
        let mut all: Vec<Box<[u8; 4000]>> = (0..8192).map(|_| Box::new([1; 4000])).collect();
        let (full, used) = (own_pages(), free());
        let top = all.pop();
        drop(all);
        assert!(free() > used + WORTH, "{} bytes are free, {used} were", free());
        trim();
        let left = own_pages();
        assert!(left + 4096 < full, "{full} pages, {left} after all but one were freed");
        drop(top);
    }
}
