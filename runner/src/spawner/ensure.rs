//! Starting a spawner where none listens.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a new spawner may take until it listens; it takes a millisecond or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`ensure`] found or did.
#[derive(Debug)]
pub enum Ensured {
    /// One listens already.
    Found,
    /// Started; it outlives this process unless it is ended.
    Started(Child),
}

/// Makes sure that a spawner listens on `socket`: starts this very program as one if none does, in a session of its
/// own and with an empty environment.
///
/// # Errors
/// What starting it answers, or `TimedOut`.
pub fn ensure(socket: &Path) -> io::Result<Ensured> {
    ensure_by(Path::new("/proc/self/exe"), socket)
}

/// As [`ensure`], with the `sandlot` program at `program`.
///
/// # Errors
/// What starting it answers, or `TimedOut`.
pub fn ensure_by(program: &Path, socket: &Path) -> io::Result<Ensured> {
    if UnixStream::connect(socket).is_ok() {
        return Ok(Ensured::Found);
    }
    let mut child = Command::new(program)
        .arg0("sandlot")
        .args(["spawner", "--socket"])
        .arg(socket)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    loop {
        if UnixStream::connect(socket).is_ok() {
            return Ok(Ensured::Started(child));
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("the spawner ended at once ({status})")));
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
