//! A network namespace of a test's own, with its loopback device up: what is made in it ends with it.

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;

/// See the module.
#[derive(Debug)]
pub struct Netns(OwnedFd);

impl Netns {
    /// A fresh one.
    ///
    /// # Errors
    /// When this is not root, or the package `iproute2` is missing.
    pub fn new() -> Result<Self> {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            crate::process::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
            let path = "/proc/thread-self/ns/net";
            Ok(Self(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?))
        });
        made.join().unwrap_or_else(|_| anyhow::bail!("the thread panicked"))
    }

    /// That of a process, of a container's for one.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/ns/net");
        Ok(Self(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A command that runs in it; the process is the program's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()));
        command.arg("--").arg(program);
        command
    }

    /// Runs `work` on a thread that is in it: sockets that are made there belong to it.
    ///
    /// # Errors
    /// What entering or `work` answers.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("entering the network namespace")?;
                work()
            });
            thread.join().unwrap_or_else(|_| anyhow::bail!("the thread panicked"))
        })
    }
}
