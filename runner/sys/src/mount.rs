//! `mount_setattr(2)`: what rustix's mount API lacks.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// Maps the ids of a detached mount (`open_tree(2)` with `OPEN_TREE_CLONE`) by a user namespace (`MOUNT_ATTR_IDMAP`). Within a
/// user namespace ([`crate::userns::within`]) the kernel maps none, and containers have the ids of who makes them.
///
/// # Errors
/// What `mount_setattr(2)` answers: `EINVAL` where the filesystem cannot be mapped.
pub fn idmap(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>) -> io::Result<()> {
    if crate::userns::within() {
        return Ok(());
    }
    let userns = u64::try_from(userns.as_raw_fd()).unwrap_or(u64::MAX);
    set(mount, MountAttr { set: MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, userns })
}

/// Makes a mount read-only.
///
/// # Errors
/// What `mount_setattr(2)` answers.
pub fn readonly(mount: BorrowedFd<'_>) -> io::Result<()> {
    set(mount, MountAttr { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, userns: 0 })
}

/// Lets programs of a mount be executed, setuid ones as such, though the mount that it was cloned of forbids it.
///
/// # Errors
/// What `mount_setattr(2)` answers.
pub fn executable(mount: BorrowedFd<'_>) -> io::Result<()> {
    set(mount, MountAttr { set: 0, clear: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, propagation: 0, userns: 0 })
}

fn set(mount: BorrowedFd<'_>, attributes: MountAttr) -> io::Result<()> {
    // SAFETY: the path is a NUL-terminated literal, and the structure has the layout and size that
    // mount_setattr(2) gives; the kernel only reads it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            std::mem::size_of::<MountAttr>(),
        )
    };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
