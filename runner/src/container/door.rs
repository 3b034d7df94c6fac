//! The door of a session's own engine: the socket that its init listens on, and the engine that it runs when somebody knocks.
//!
//! ```text
//! shut (init looks at the socket) ──somebody connects──▶ open (the engine accepts) ──the engine ends──▶ shut
//! ```
//! Until then the engine costs nothing. Init accepts no connection and reads nothing of one: the engine has the socket as its
//! standard input, and who connected while there was none waits in the socket's queue.

use super::become_process::{Streams, Workdir, become_process};
use super::spec::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use sandlot_sys::clone::{Alone, Fork, Parent, clone3, exit};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where docker's clients look.
pub const SOCKET: &str = "/var/run/docker.sock";
/// Where ours does.
const OURS: &str = "/run/sandlot/engine.sock";
/// The group whose members may use it, where the image has one.
const GROUP: &str = "docker";
/// How soon after its start an engine that ended is started again: one that cannot run is not run in a circle.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
    engine: Process,
    /// The engine's pid.
    running: Option<i32>,
    started: Option<Instant>,
}

impl Door {
    /// Listens in the container that the caller is the root of, before anybody else runs in it.
    ///
    /// # Errors
    /// What making the socket answers.
    pub fn open(engine: Process) -> io::Result<Self> {
        for path in [SOCKET, OURS] {
            let directory = Path::new(path).parent().unwrap_or(Path::new("/"));
            std::fs::create_dir_all(directory)?;
            // An image may have been made of a session.
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let old = rustix::process::umask(Mode::from_raw_mode(0o117));
        let listener = UnixListener::bind(SOCKET);
        rustix::process::umask(old);
        let listener = listener?;
        if let Some(group) = group(&super::user::read("/etc/group")) {
            std::os::unix::fs::chown(SOCKET, None, Some(group))?;
        }
        std::os::unix::fs::symlink(SOCKET, OURS)?;
        Ok(Self { socket: listener.into(), engine, running: None, started: None })
    }

    /// The socket.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Waits until a signal can be read, and runs the engine whenever somebody knocks meanwhile.
    pub(super) fn await_signal(&mut self, alone: Alone, signals: BorrowedFd<'_>) {
        loop {
            let resting = self.resting();
            let patience = resting.and_then(|left| Timespec::try_from(left).ok());
            let mut both = vec![PollFd::from_borrowed_fd(signals, PollFlags::IN)];
            if self.running.is_none() && resting.is_none() {
                both.push(PollFd::new(&self.socket, PollFlags::IN));
            }
            let found = poll(&mut both, patience.as_ref());
            let (signal, knock) = (both[0].revents(), both.get(1).map(PollFd::revents));
            if found.is_err() || !signal.is_empty() {
                return;
            }
            if knock.is_some_and(|knock| !knock.is_empty()) {
                self.start(alone);
            }
        }
    }

    /// How much longer the socket is not looked at.
    fn resting(&self) -> Option<Duration> {
        PAUSE.checked_sub(self.started?.elapsed()).filter(|left| self.running.is_none() && !left.is_zero())
    }

    /// One that cannot be made now (too many processes, no memory) is made when that is over.
    fn start(&mut self, alone: Alone) {
        self.started = Some(Instant::now());
        match clone3(alone, 0, Parent::Caller) {
            Ok(Fork::Parent { pid, .. }) => self.running = Some(pid),
            Ok(Fork::Child) => {
                // Nobody hears why it cannot: who connected is told by a connection that is closed.
                self.run().map(drop).unwrap_or_default();
                exit(125)
            }
            Err(_) => {}
        }
    }

    /// In the child: becomes the engine.
    fn run(&self) -> io::Result<()> {
        let null = || rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let streams = Streams::Pipes(Some(self.socket.try_clone()?), null()?, null()?);
        Err(io::Error::other(become_process(&self.engine, streams, Workdir::Expect, None)))
    }

    /// Takes note of a child's end.
    pub(super) fn ended(&mut self, pid: i32) {
        if self.running == Some(pid) {
            self.running = None;
        }
    }
}

/// The number of the group [`GROUP`] (group(5)).
fn group(text: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.split(':').next() == Some(GROUP))?;
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn the_group_is_found_by_its_name() {
        assert_eq!(group("root:x:0:\ndocker:x:998:me\n"), Some(998));
        for none in ["", "dockers:x:1:\n", "docker:x:many:\n", "docker\n"] {
            assert_eq!(group(none), None, "{none}");
        }
    }
}
