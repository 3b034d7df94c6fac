//! A session's own clock: a time namespace in which the machine seems to have started when the session did, so that `uptime`, and
//! the ages that `ps` and `top` compute from it, are the session's. The time of day is the host's.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::time::{ClockId, clock_gettime};
use sandlot_sys::clone::{Alone, namespace, setns, unshare};
use std::io;
use std::os::fd::AsFd;

/// What the clock shows at first, in seconds: the first process is a little older than its clock, and must have begun after zero.
const HEAD_START: i64 = 1;

/// Enters a new time namespace that begins now; for the first process of a container, before anybody else is in it: for a moment it
/// is dumpable, as who is not may not write to its own `/proc/self` in an inner user namespace.
///
/// # Errors
/// `EINVAL` from a kernel without time namespaces.
pub fn begin(alone: Alone) -> io::Result<()> {
    unshare(alone, namespace::TIME)?;
    let since = clock_gettime(ClockId::Boottime).tv_sec - HEAD_START;
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let offsets = open("/proc/self/timens_offsets", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let offsets = offsets?;
    rustix::io::write(&offsets, format!("boottime -{} 0\n", since.max(0)).as_bytes())?;
    let own = open("/proc/self/ns/time_for_children", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    setns(own.as_fd(), namespace::TIME)
}
