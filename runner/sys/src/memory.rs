//! Memory that was freed is given back to the kernel (`malloc_trim(3)`): by itself GNU's allocator keeps what many sessions at once
//! needed for ever.

use std::io;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How many pages more than after the last time are worth the work.
const WORTH: u64 = 512;

/// Starts a thread that gives memory back now and then; it ends with the process.
///
/// # Errors
/// When there can be no more threads.
pub fn keep_trimmed() -> io::Result<()> {
    let keep = || {
        let mut after = 0;
        loop {
            std::thread::sleep(EVERY);
            if own_pages().is_some_and(|pages| pages > after + WORTH) {
                trim();
                after = own_pages().unwrap_or(after);
            }
        }
    };
    std::thread::Builder::new().name("memory".into()).stack_size(64 << 10).spawn(keep).map(drop)
}

/// Pages in memory that are of no file (proc_pid_statm(5): resident without shared).
fn own_pages() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut fields = text.split(' ').skip(1).map_while(|field| field.parse::<u64>().ok());
    fields.next()?.checked_sub(fields.next()?)
}

/// Gives back what the allocator holds and nobody uses; takes a millisecond for some ten megabytes. Does nothing where the C
/// library is another than GNU's.
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

    #[test]
    fn what_was_freed_below_what_is_held_is_given_back() {
        // Small ones, which the allocator takes from its heap, with one at the top that keeps it from shrinking.
        let mut all: Vec<Box<[u8; 4000]>> = (0..8192).map(|_| Box::new([1; 4000])).collect();
        let full = own_pages().unwrap();
        let top = all.pop();
        drop(all);
        trim();
        let left = own_pages().unwrap();
        assert!(left + 4096 < full, "{full} pages, {left} after all but one were freed");
        drop(top);
    }
}
