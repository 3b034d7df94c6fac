//! The one thing that every network namespace needs: its loopback device up (netdevice(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `IFF_UP | IFF_RUNNING`
const UP_AND_RUNNING: libc::c_short = 0x41;

/// Brings the loopback device of the network namespace up that `socket` (any internet socket) was made in.
///
/// # Errors
/// What the `SIOCSIFFLAGS` ioctl answers.
pub fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `ifreq` consists of integers and arrays of them, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = UP_AND_RUNNING;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which lives until the call returns.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
