//! A session's own figures in `/proc`: `meminfo`, `stat`, `loadavg`, `cpuinfo` and `swaps` tell of its limits, not of the host.
//!
//! One small filesystem (FUSE) has a directory for each container, and in it these files; a session gets them mounted over the
//! kernel's own. It is served by a process without privileges (`sandlot views`), which lives as long as anybody has a file of it
//! mounted: an engine that is killed takes nothing from the sessions that go on, and the next engine makes a filesystem of its own.
//! `uptime` is not among them: a session has a time namespace, by which the kernel itself counts from its start.

mod figures;
mod serve;

pub use serve::serve;

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The files, by their names in `/proc`.
pub const FILES: [&str; 5] = ["meminfo", "stat", "loadavg", "cpuinfo", "swaps"];

/// Who serves them: nobody.
const USER: u32 = 65_534;

/// The filesystem, attached nowhere.
#[derive(Debug)]
pub struct Views {
    mount: OwnedFd,
    server: Child,
}

impl Views {
    /// Makes it, and starts its server; the containers' groups lie below `parent`.
    ///
    /// # Errors
    /// Where there is no `/dev/fuse`, or no program to start.
    pub fn open(parent: &str) -> io::Result<Self> {
        let device = open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let number = device.as_raw_fd().to_string();
        let options = [
            ("source", "sandlot"),
            ("fd", number.as_str()),
            ("rootmode", "40555"),
            ("user_id", "0"),
            ("group_id", "0"),
        ];
        for (key, value) in options {
            fsconfig_set_string(context.as_fd(), key, value)?;
        }
        for flag in ["allow_other", "default_permissions"] {
            fsconfig_set_flag(context.as_fd(), flag)?;
        }
        fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        let mut server = Command::new("/proc/self/exe");
        server.arg0("sandlot").args(["views", parent]).env_clear().current_dir("/");
        server.stdin(Stdio::from(device)).stdout(Stdio::null()).stderr(Stdio::null());
        let server = server.uid(USER).gid(USER).process_group(0).spawn()?;
        Ok(Self { mount, server })
    }

    /// Whether its server still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.server.try_wait(), Ok(None))
    }

    /// The files of a container, each a detached mount, with the paths that they are to cover.
    ///
    /// # Errors
    /// `EINVAL` before Linux 6.15, which clones no mount that is attached nowhere; else that the server is gone.
    pub fn of(&self, id: &str) -> io::Result<Vec<(OwnedFd, String)>> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let file = |name: &str| {
            Ok((open_tree(&self.mount, format!("{id}/{name}"), flags)?, format!("/proc/{name}")))
        };
        FILES.into_iter().map(file).collect()
    }
}
