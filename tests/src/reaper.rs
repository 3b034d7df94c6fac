//! What ends and removes things when the process that made them is killed: a process of its own, which hears of its maker's end
//! by the end of a pipe.
//!
//! One a process, started with the first thing that is put in its care. What ends in the usual way is taken out of its care.

use anyhow::{Context, Result};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The pipe; `None` until something is put in its care.
static REAPER: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Something that ends with this process, whatever becomes of it.
#[derive(Debug)]
pub struct Care(String);

impl Care {
    /// A process: it is killed.
    ///
    /// # Errors
    /// When the reaper was not built or cannot be started.
    pub fn process(pid: u32) -> Result<Self> {
        Self::of(format!("process {pid}"))
    }

    /// A folder whose name is part of the names of mounts and control groups: all of them are removed, with what runs in them.
    ///
    /// # Errors
    /// When the reaper was not built or cannot be started.
    pub fn folder(path: &Path) -> Result<Self> {
        Self::of(format!("folder {}", path.display()))
    }

    fn of(what: String) -> Result<Self> {
        tell(&format!("+{what}\n"))?;
        Ok(Self(what))
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        let _nobody_hears = tell(&format!("-{}\n", self.0));
    }
}

fn tell(line: &str) -> Result<()> {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if reaper.is_none() {
        let program: PathBuf = crate::program("sandlot-reaper")?;
        // Not of our group: whoever kills all of that is to leave it alone.
        let mut command = Command::new(program);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        *reaper = command.spawn().context("starting the reaper")?.stdin;
    }
    reaper.as_mut().context("the reaper's pipe")?.write_all(line.as_bytes()).context("the reaper")
}

/// Takes away the mounts and control groups of a test that failed; what an engine did not give back in one that passed is a fault.
pub fn after_failure(dir: &Path) {
    if !std::thread::panicking() {
        return;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = format!("{}/", dir.display());
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4)).filter(|at| at.starts_with(&below));
    for place in places.collect::<Vec<_>>().into_iter().rev() {
        let _already_gone = Command::new("umount").args(["-l", place]).status();
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let named = format!("/sys/fs/cgroup/*/{name}*");
    let arguments = ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &named, "-exec", "rmdir", "{}", "+"];
    let _already_gone = Command::new("find").args(arguments).status();
}
