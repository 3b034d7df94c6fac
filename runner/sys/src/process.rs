//! Small things about the calling process that no crate offers safely.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `close_range(2)`: closes every descriptor but the standard streams and those in `keep`.
///
/// For a forked child, which owns copies of descriptors that its parent's values own and that are never dropped here.
///
/// # Errors
/// What `close_range(2)` answers.
pub fn close_except(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut numbers: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().filter(|n| *n >= 3) {
        if number > first {
            range(first, number - 1, 0)?;
        }
        first = first.max(number + 1);
    }
    range(first, u32::MAX, 0)
}

/// Marks every descriptor from `first` on close-on-exec.
///
/// # Errors
/// What `close_range(2)` answers.
pub fn cloexec_from(first: u32) -> io::Result<()> {
    range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: called where the process is about to exec or has given up its owners: descriptors are plain numbers to
    // the kernel, and a later use of a closed one is an EBADF, no memory error.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// `pidfd_send_signal(2)`, of the real-time signals, too.
///
/// # Errors
/// What it answers: `ESRCH` if the process has ended, `EINVAL` for what is no signal.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the kernel reads the numbers alone, for there is no siginfo.
    if unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) } == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Puts every signal back to its default action and unblocks all.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: setting the default action runs no code of ours; the two that cannot be set answer EINVAL.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before `sigprocmask` reads it.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Overwrites the argument strings of this process with zeroes, in place: a container's init that was forked from it
/// would show them in `/proc/1/cmdline`.
///
/// # Errors
/// What reading `/proc/self/stat` answers, or `InvalidData` if it cannot be understood.
pub fn forget_arguments() -> io::Result<()> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // proc_pid_stat(5): fields 48 and 49, counted behind the command's closing parenthesis (field 2).
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or_else(bad)?.1.split_whitespace().collect();
    let field = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<usize>().ok()).ok_or_else(bad);
    let (start, end) = (field(48)?, field(49)?);
    if start == 0 || end < start {
        return Err(bad());
    }
    // SAFETY: the kernel says that the argument strings lie at start..end; they are on our own writable stack, and the
    // caller has taken its arguments as owned strings before.
    unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
    Ok(())
}

/// `setrlimit(2)` by the kernel's number of the resource. Limits above the present hard one are lowered to it: raising
/// that takes a capability on the host.
///
/// # Errors
/// What `getrlimit(2)` or `setrlimit(2)` answers.
pub fn limit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let mut now = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one structure to `now`.
    if unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, 0, &raw mut now) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let wanted =
        libc::rlimit64 { rlim_cur: soft.min(hard).min(now.rlim_max), rlim_max: hard.min(now.rlim_max) };
    // SAFETY: the kernel reads one structure from `wanted`.
    if unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const wanted, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until one child has ended; `None` if there is no child (any more) that has.
///
/// # Errors
/// What `waitpid(2)` answers, beside `ECHILD`.
pub fn reap(wait: Wait) -> io::Result<Option<(i32, Ended)>> {
    let mut status = 0;
    let flags = match wait {
        Wait::Block => 0,
        Wait::Poll => libc::WNOHANG,
    };
    loop {
        // SAFETY: the kernel writes one integer to `status`.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        return match pid {
            0 => Ok(None),
            -1 => match io::Error::last_os_error() {
                e if e.raw_os_error() == Some(libc::EINTR) && wait == Wait::Block => continue,
                e if matches!(e.raw_os_error(), Some(libc::ECHILD | libc::EINTR)) => Ok(None),
                e => Err(e),
            },
            pid if libc::WIFSIGNALED(status) => Ok(Some((pid, Ended::Signal(libc::WTERMSIG(status))))),
            pid => Ok(Some((pid, Ended::Code(libc::WEXITSTATUS(status))))),
        };
    }
}

/// Whether to wait for a child's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until one ends.
    Block,
    /// Not at all.
    Poll,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}
