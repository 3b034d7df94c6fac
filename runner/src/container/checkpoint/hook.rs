//! What CRIU calls between the steps of a restore: this program, by another name. It makes the walls that CRIU does not know of: the
//! limits of the container's user namespace and the settings of its network, and it brings the loopback device up before sockets are
//! bound to it.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sandlot_sys::clone::{namespace, setns};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

/// The name by which this program is called.
pub const NAME: &str = "sandlot-restored";
/// The file beside it: a setting each line, its path below `/proc/sys` and its value.
pub const SETTINGS: &str = "settings";

/// Whether a program of that name is meant.
#[must_use]
pub fn is(program: &str) -> bool {
    Path::new(program).file_name().is_some_and(|name| name == NAME)
}

/// Does what belongs to the step that CRIU is at.
#[must_use]
pub fn run(program: &str) -> ExitCode {
    match step(Path::new(program)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{NAME}: {e}");
            ExitCode::FAILURE
        }
    }
}

fn step(program: &Path) -> io::Result<()> {
    let (kind, names) = match std::env::var("CRTOOLS_SCRIPT_ACTION").as_deref() {
        Ok("setup-namespaces") => (namespace::NETWORK, "net/"),
        // Later, for CRIU makes mounts that are in a namespace of their own.
        Ok("post-restore") => (namespace::USER, "user/"),
        _ => return Ok(()),
    };
    let pid = std::env::var("CRTOOLS_INIT_PID").ok().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("no first process was named"))?;
    let settings = std::fs::read_to_string(program.with_file_name(SETTINGS))?;
    // The host's, by descriptor; whose settings these are is decided by the namespaces of who looks.
    let all = openat(CWD, "/proc/sys", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let first = pidfd_open(pid, PidfdFlags::empty())?;
    setns(first.as_fd(), kind)?;
    if kind == namespace::NETWORK {
        crate::container::setup::loopback_up()?;
    }
    for (path, value) in settings.lines().filter_map(|line| line.split_once('=')) {
        if path.starts_with(names) {
            set(&all, path, value)
                .map_err(|e| io::Error::other(format!("setting {path} to {value}: {e}")))?;
        }
    }
    Ok(())
}

fn set(all: &OwnedFd, path: &str, value: &str) -> io::Result<()> {
    let plain = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(all, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), plain)?;
    Ok(rustix::io::write(&file, value.as_bytes()).map(drop)?)
}
