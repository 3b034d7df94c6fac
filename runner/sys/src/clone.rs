//! `clone3(2)` and its relatives, for a process that has one thread.
//!
//! The child of a fork may run ordinary code only if no other thread held a lock when it was made: [`Alone`] is the
//! proof of that, and every function here wants it.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// The proof that this process had one thread when it was asked; who holds it starts none.
#[derive(Debug, Clone, Copy)]
pub struct Alone(());

impl Alone {
    /// Counts the threads of this process.
    ///
    /// # Errors
    /// `Other` if there is more than one; what reading `/proc/self/task` answers.
    pub fn prove() -> io::Result<Self> {
        if std::fs::read_dir("/proc/self/task")?.count() == 1 {
            Ok(Self(()))
        } else {
            Err(io::Error::other("this process has more than one thread"))
        }
    }
}

/// Which of the two processes the caller now is.
#[derive(Debug)]
pub enum Fork {
    /// The one that asked.
    Parent {
        /// The child's pid in the namespace of the parent.
        pid: i32,
        /// A descriptor of the child (`pidfd_open(2)`).
        pidfd: OwnedFd,
    },
    /// The new one.
    Child,
}

/// Namespace flags of `clone(2)`.
pub mod namespace {
    /// All seven that a container gets.
    pub const ALL: u64 = USER | PID | UTS | MOUNT | NETWORK | IPC | CGROUP;
    /// `CLONE_NEWUSER`
    pub const USER: u64 = 0x1000_0000;
    /// `CLONE_NEWPID`
    pub const PID: u64 = 0x2000_0000;
    /// `CLONE_NEWUTS`
    pub const UTS: u64 = 0x0400_0000;
    /// `CLONE_NEWNS`
    pub const MOUNT: u64 = 0x0002_0000;
    /// `CLONE_NEWNET`
    pub const NETWORK: u64 = 0x4000_0000;
    /// `CLONE_NEWIPC`
    pub const IPC: u64 = 0x0800_0000;
    /// `CLONE_NEWCGROUP`
    pub const CGROUP: u64 = 0x0200_0000;
    /// `CLONE_NEWTIME`; a session has one, other containers the host's
    pub const TIME: u64 = 0x80;
}

/// Whose child the new process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The caller's.
    Caller,
    /// The caller's own parent's (`CLONE_PARENT`).
    CallersParent,
}

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;

/// `clone3(2)` with copied memory: a child in new namespaces, whose end is told by SIGCHLD.
///
/// # Errors
/// What `clone3(2)` answers.
pub fn clone3(_alone: Alone, namespaces: u64, parent: Parent) -> io::Result<Fork> {
    let mut pidfd: libc::c_int = -1;
    // CLONE_PARENT takes the caller's own exit signal; naming another is an error.
    let (flags, exit_signal) = match parent {
        Parent::Caller => (CLONE_PIDFD, libc::SIGCHLD),
        Parent::CallersParent => (CLONE_PIDFD | CLONE_PARENT, 0),
    };
    let mut arguments: libc::clone_args = zeroed();
    arguments.flags = flags | namespaces;
    arguments.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    arguments.exit_signal = u64::try_from(exit_signal).unwrap_or(0);
    // SAFETY: without CLONE_VM the child has its own copy of this memory, and `Alone` proves that no other thread of
    // ours held a lock at this moment; the arguments outlive the call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, std::mem::size_of::<libc::clone_args>())
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => {
            // SAFETY: the kernel stored a fresh descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Fork::Parent { pid: i32::try_from(pid).unwrap_or(0), pidfd })
        }
    }
}

fn zeroed() -> libc::clone_args {
    // SAFETY: `clone_args` is a structure of integers, for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

/// `unshare(2)`.
///
/// # Errors
/// What `unshare(2)` answers.
pub fn unshare(_alone: Alone, namespaces: u64) -> io::Result<()> {
    let flags = i32::try_from(namespaces).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: only namespace flags are passed, which change no memory of this process.
    if unsafe { libc::unshare(flags) } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `setns(2)` with a pidfd: moves the calling thread into those namespaces of that process.
///
/// # Errors
/// What `setns(2)` answers.
pub fn setns(target: BorrowedFd<'_>, namespaces: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let flags = i32::try_from(namespaces).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: setns touches no memory of this process.
    if unsafe { libc::setns(target.as_raw_fd(), flags) } == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Ends the process at once: no destructor, no buffer of the parent's is flushed twice.
pub fn exit(code: i32) -> ! {
    // SAFETY: `_exit` never returns and runs no code of ours.
    unsafe { libc::_exit(code) }
}
