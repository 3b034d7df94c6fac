//! What was sent over a socket and not read yet by the other end (`SIOCOUTQ`, unix(7), tcp(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How much of what was sent waits to be read; of a unix socket in bytes of the kernel's memory, 0 once all is read.
///
/// # Errors
/// What the ioctl answers.
pub fn unread(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut waiting: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ) writes one `int`, which lives until the call returns.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut waiting) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(waiting).unwrap_or(0))
}
