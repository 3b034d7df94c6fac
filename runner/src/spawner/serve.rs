//! The spawner's loop: one thread, one epoll, no state but the records.
//!
//! Whoever may connect is root on this host anyway (checked by `SO_PEERCRED`); what comes over the wire is data of our
//! own engine, read in full at once.

use super::message::{self, Answer, Failure, Key, Reply, Request};
use super::record::Record;
use super::requests::Outcome;
use rustix::event::{Timespec, epoll};
use sandlot_sys::clone::Alone;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// The most connections: an engine, and command lines that brought their own.
const CONNECTIONS: usize = 64;

/// How often it is tried to reap what a debugger keeps.
const HELD: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How long a peer may take to send the rest of a frame, or to make room for one: a stopped one does not stop the spawner.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves `socket` until the process is ended.
///
/// # Errors
/// What making the socket answers: `AddrInUse` if another spawner listens there.
pub fn serve(socket: &Path) -> io::Result<()> {
    let alone = Alone::prove()?;
    // Refused to the leader of a process group: systemd's service is one, in a session of its own already.
    rustix::process::setsid().map(drop).unwrap_or_default();
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    sandlot_sys::process::forget_arguments()?;
    rustix::thread::set_name(c"sandlot-spawner")?;
    ignore_interrupts()?;
    let listener = listen(socket)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut spawner = Spawner {
        alone,
        epoll,
        next: 0,
        connections: HashMap::new(),
        keys: HashMap::new(),
        records: HashMap::new(),
        reaping: HashMap::new(),
        held: Vec::new(),
    };
    spawner.watch(listener.as_fd(), LISTENER)?;
    spawner.run(&listener)
}

/// Ctrl-C at the terminal of whoever started us is not meant for us; a vanished engine is seen by its socket.
fn ignore_interrupts() -> io::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        set.add(signal);
    }
    Ok(set.thread_block()?)
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(socket).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another spawner listens there"));
    }
    if let Some(dir) = socket.parent() {
        std::fs::create_dir_all(dir)?;
    }
    match std::fs::remove_file(socket) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(socket);
    rustix::process::umask(old);
    listener
}

const LISTENER: u64 = 0;
/// What a token names stands in its two lowest bits.
const CONNECTION: u64 = 1;
pub(super) const SYNC: u64 = 2;
pub(super) const PIDFD: u64 = 3;

pub(super) struct Spawner {
    pub(super) alone: Alone,
    pub(super) epoll: OwnedFd,
    pub(super) next: u64,
    pub(super) connections: HashMap<u64, UnixStream>,
    /// Which process the number in a token means.
    pub(super) keys: HashMap<u64, Key>,
    pub(super) records: HashMap<Key, (u64, Record)>,
    /// Children that nobody asks for any more, until they have ended; by a number of their own.
    pub(super) reaping: HashMap<u64, Reaping>,
    /// Numbers of those that are dead and cannot be reaped yet: see [`Spawner::hold`].
    pub(super) held: Vec<u64>,
}

/// A helper, one that became CRIU, or a child that failed. It is in a container's groups, which may be frozen or get hardly any
/// processor time, so its end is never waited for: all other containers would wait as well.
pub(super) struct Reaping {
    pub(super) pidfd: OwnedFd,
    pub(super) after: After,
}

/// What is done when one of those has ended.
pub(super) enum After {
    /// Nothing.
    Nothing,
    /// Somebody is told: a connection, the number of its request, and why.
    Tell((u64, u64), Failure),
    /// It was the helper of this number: what it made and did not tell of is looked for.
    Helper(u64),
    /// It was CRIU: the container is on its feet now, or not.
    Restored(Key),
}

impl Spawner {
    pub(super) fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    fn run(&mut self, listener: &UnixListener) -> io::Result<()> {
        let mut ready = Vec::with_capacity(64);
        loop {
            ready.clear();
            let patience = if self.held.is_empty() { None } else { Some(&HELD) };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), patience) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            for number in std::mem::take(&mut self.held) {
                self.ended(number);
            }
            for event in &ready {
                let (kind, number) = (event.data.u64() & 3, event.data.u64() >> 2);
                match kind {
                    LISTENER => self.accept(listener),
                    CONNECTION => self.request(number),
                    SYNC => self.signs(number),
                    PIDFD => self.ended(number),
                    _ => {}
                }
            }
        }
    }

    fn accept(&mut self, listener: &UnixListener) {
        let Ok((stream, _)) = listener.accept() else { return };
        let us = rustix::process::geteuid();
        let trusted = rustix::net::sockopt::socket_peercred(&stream)
            .is_ok_and(|peer| peer.uid == us || peer.uid == rustix::process::Uid::ROOT);
        if !trusted || self.connections.len() >= CONNECTIONS {
            return;
        }
        let bounded =
            stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        self.next += 1;
        if bounded.and_then(|()| self.watch(stream.as_fd(), self.next << 2 | CONNECTION)).is_ok() {
            self.connections.insert(self.next, stream);
        }
    }

    fn request(&mut self, connection: u64) {
        let Some(stream) = self.connections.get(&connection) else { return };
        match message::read::<(u64, Request)>(stream) {
            Ok(Some(((number, request), descriptors))) => {
                let outcome = self.carry_out(request, descriptors, (connection, number));
                match outcome {
                    Ok(Outcome::Later) => {}
                    Ok(Outcome::Now(reply, fds)) => self.answer((connection, number), reply, &fds),
                    Err(failure) => self.answer((connection, number), Reply::Failed(failure), &[]),
                }
            }
            // The end of the stream, or nonsense: nothing more can be understood on it.
            Ok(None) | Err(_) => drop(self.connections.remove(&connection)),
        }
    }

    fn answer(&mut self, (connection, number): (u64, u64), reply: Reply, descriptors: &[OwnedFd]) {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        self.send(connection, &Answer::Reply(number, reply), &borrowed);
    }

    pub(super) fn send(&self, connection: u64, answer: &Answer, descriptors: &[BorrowedFd<'_>]) {
        if let Some(stream) = self.connections.get(&connection)
            && message::write(stream, answer, descriptors).is_err()
        {
            // Half a frame may have gone out. That it is over is noticed, by both, when the socket is read.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}
