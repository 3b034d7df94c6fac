//! Loop devices (loop(4)): a file as a block device.

use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4c0a;
/// The device is freed when its last user is gone.
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Past the host's page cache, if the file's filesystem can.
const LO_FLAGS_DIRECT_IO: u32 = 16;
/// How often a device that somebody else took first is given up for another.
const TRIES: usize = 64;

/// `struct loop_info64`
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// Makes `file` (open for reading and writing) a block device; answers the device, open, and its path. The device is
/// freed by the kernel as soon as neither the descriptor nor a mount uses it.
///
/// # Errors
/// What `/dev/loop-control` or the device answer; `ENOENT` where the kernel has no loop devices.
pub fn attach(file: BorrowedFd<'_>) -> io::Result<(OwnedFd, String)> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let control = rustix::fs::open("/dev/loop-control", flags, Mode::empty())?;
    for _ in 0..TRIES {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument and answers a number.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        let path = format!("/dev/loop{number}");
        let device = rustix::fs::open(&path, flags, Mode::empty())?;
        // SAFETY: `Config` consists of integers and arrays of them, for which all zeroes is a value.
        let mut config: Config = unsafe { std::mem::zeroed() };
        config.fd = u32::try_from(file.as_raw_fd()).unwrap_or(u32::MAX);
        config.info.flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
        // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, whose layout `Config` has, and which outlives the call.
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) } == 0 {
            return Ok((device, path));
        }
        match io::Error::last_os_error() {
            taken if taken.raw_os_error() == Some(libc::EBUSY) => {}
            other => return Err(other),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// The device that `file` is attached to, open, and its path; `None` if there is none. Two devices of one file have caches of
/// their own, so a filesystem that is mounted by both is damaged.
///
/// # Errors
/// What opening the file's path or the device answers.
pub fn attached(file: &Path) -> io::Result<Option<(OwnedFd, String)>> {
    let file = file.canonicalize()?;
    let backs = |name: &str| {
        let text = std::fs::read(format!("/sys/block/{name}/loop/backing_file")).unwrap_or_default();
        text.strip_suffix(b"\n") == Some(file.as_os_str().as_bytes())
    };
    for entry in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with("loop") || !backs(&name) {
            continue;
        }
        let path = format!("/dev/{name}");
        match rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            // It may have been freed just now; while it is open it is not.
            Ok(device) if backs(&name) => return Ok(Some((device, path))),
            Ok(_) | Err(rustix::io::Errno::NXIO | rustix::io::Errno::BUSY) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(None)
}
