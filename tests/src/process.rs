//! Processes that a test started: their end by pid, also if the test is killed; their words when something goes wrong.

use crate::reaper::Care;
use crate::wait::{LOOK, PATIENCE};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

/// A process with its log; killed and reaped when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
    _care: Care,
}

impl Running {
    /// Starts `command` with both outputs appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        match Care::process(child.id()) {
            Ok(care) => Ok(Self { child, log: log.to_owned(), _care: care }),
            Err(error) => {
                let _already_gone = child.kill();
                child.wait()?;
                Err(error)
            }
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// `kill -9`, and the wait for its end.
    ///
    /// # Errors
    /// When it cannot be reaped.
    pub fn kill(&mut self) -> Result<()> {
        let _already_gone = self.child.kill();
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the wait for its end; a kill when it does not come within [`PATIENCE`].
    ///
    /// # Errors
    /// When it cannot be signalled or reaped.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a pid")?;
        kill_process(pid, Signal::TERM)?;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        self.child.kill()?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.kill();
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or does not succeed; the message carries what it printed.
pub fn run(command: &mut Command) -> Result<Output> {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{name}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}
