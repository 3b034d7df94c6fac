//! Writing a running container to a directory.

use super::{PATH, last_errors};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The name of the log in the directory of the images.
const LOG: &str = "dump.log";
/// The longest that a dump may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often is looked whether it is done.
const PAUSE: Duration = Duration::from_millis(5);
/// The largest file that somebody has open and that has no name any more; it is kept whole.
const GHOST: &str = "64M";

/// What is done with the container when it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It ends.
    End,
    /// It goes on.
    GoOn,
}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// CRIU could not be run.
    #[error("criu: {0}")]
    Run(#[from] io::Error),
    /// It says no.
    #[error("criu dump: {0}")]
    Refused(String),
}

/// Writes the processes below `pid` into the empty directory `images`. What comes from outside is left to who restores it: the
/// mounts of `named`, and the whole network.
///
/// # Errors
/// [`Error`]; the container goes on then.
pub fn dump(
    criu: &Path,
    pid: i32,
    images: &Path,
    named: &[(String, String)],
    after: After,
) -> Result<(), Error> {
    let mut command = Command::new(criu);
    command.args(["dump", "--tree", &pid.to_string(), "--log-file", LOG, "--manage-cgroups=ignore"]);
    command.args(["--empty-ns", "net", "--network-lock", "nftables", "--file-locks", "--ghost-limit", GHOST]);
    command.arg("--images-dir").arg(images);
    for (place, name) in named {
        command.arg("--external").arg(format!("mnt[{place}]:{name}"));
    }
    if after == After::GoOn {
        command.arg("--leave-running");
    }
    let (name, value) = PATH.split_once('=').unwrap_or((PATH, ""));
    command.env_clear().env(name, value).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        std::thread::sleep(PAUSE);
    };
    if status.success() { Ok(()) } else { Err(Error::Refused(last_errors(&images.join(LOG)))) }
}
