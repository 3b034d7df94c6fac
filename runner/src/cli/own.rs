//! An engine of the command's own, where none listens at the usual place: in this process, for as long as the command
//! takes. What it makes stays in the state; what runs ends with it.

use super::engine::Arguments;
use super::error::Error;
use crate::engine::Settings;
use crate::engine::settings::OnStop;
use crate::spawner;
use clap::Parser;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How often an engine that starts is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// An engine that runs in this process; dropping ends it, with its containers and its spawner.
pub(super) struct Own {
    socket: PathBuf,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Result<(), String>>>,
    spawner: PathBuf,
    /// No two commands run engines of their own on one state.
    _lock: File,
}

impl Own {
    /// Starts one, with the settings that `sandlot engine` would have.
    pub(super) fn start() -> Result<Self, Error> {
        let failed = |why: String| {
            Error::Invalid(format!(
                "no engine listens at /run/sandlot/engine.sock, and none can be run for this command alone: {why}"
            ))
        };
        let arguments = Arguments::try_parse_from(["sandlot engine"]).map_err(|e| failed(e.to_string()))?;
        let settings = arguments.settings().map_err(failed)?;
        let run = settings.state.join("own");
        let settings = Settings {
            socket: run.join("engine.sock"),
            spawner: run.join("spawner.sock"),
            server: None,
            on_stop: OnStop::End,
            disks_ready: 0,
            blanks: 0,
            run,
            ..settings
        };
        let (socket, spawner) = (settings.socket.clone(), settings.spawner.clone());
        let lock = lock(&settings).map_err(failed)?;
        // Before the first thread is made.
        spawner::ensure(&settings.spawner).map_err(|e| failed(format!("the spawner: {e}")))?;
        let (stop, stopped) = watch::channel(false);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime = runtime.map_err(|e| e.to_string())?;
            runtime.block_on(crate::api::run(settings, stopped)).map_err(|e| e.to_string())
        };
        let thread = std::thread::Builder::new().name("engine".into()).spawn(serve);
        let thread = thread.map_err(|e| failed(e.to_string()))?;
        let mut own = Self { socket, stop, thread: Some(thread), spawner, _lock: lock };
        while UnixStream::connect(&own.socket).is_err() {
            if own.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                return Err(failed(own.end().err().unwrap_or_else(|| "it ended at once".into())));
            }
            std::thread::sleep(LOOK);
        }
        Ok(own)
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    fn end(&mut self) -> Result<(), String> {
        self.stop.send_replace(true);
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(Err(why))) => Err(why),
            Some(Err(_)) => Err("it panicked".into()),
            Some(Ok(Ok(()))) | None => {
                // Nobody else has it: the state's lock was ours.
                end_spawner(&self.spawner).map_err(|e| format!("the spawner stays: {e}"))
            }
        }
    }
}

fn lock(settings: &Settings) -> Result<File, String> {
    std::fs::create_dir_all(&settings.run).map_err(|e| format!("{}: {e}", settings.run.display()))?;
    let path = settings.run.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| format!("{}: {e}", path.display()))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map(|()| file).map_err(|_| {
        format!(
            "the state {} is in use by another command that runs an engine for itself: wait for its end, or start `sandlot engine`",
            settings.state.display()
        )
    })
}

/// By the process that listens, for an earlier command may have started it.
fn end_spawner(socket: &Path) -> io::Result<()> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Ok(stream) = UnixStream::connect(socket) else { return Ok(()) };
    let peer = nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials)?;
    let pid = Pid::from_raw(peer.pid()).ok_or_else(|| io::Error::other("it has no number"))?;
    let held = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_send_signal(&held, Signal::KILL)?;
    std::fs::remove_file(socket)
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(why) = self.end()
        {
            eprintln!("sandlot: ending this command's own engine: {why}");
        }
    }
}
