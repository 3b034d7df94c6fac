//! The spawner's loop: one thread, one epoll, no state but the records.
//!
//! Whoever may connect is root on this host anyway (checked by `SO_PEERCRED`); what comes over the wire is data of our
//! own engine, read in full at once.

use super::child::{self, GO, Kind, Making, Sign};
use super::message::{
    self, Answer, Event, ExitStatus, Failure, INIT, Key, ProcessState, Reply, Request, Streams,
};
use super::record::{Outer, Phase, Record};
use crate::container::setup::Materials;
use crate::container::spec::{IdRange, Process, Stdio};
use rustix::event::epoll;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use sandlot_sys::clone::Alone;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// The most connections: an engine, and command lines that brought their own.
const CONNECTIONS: usize = 64;
/// The most processes that are kept.
const PROCESSES: usize = 16_384;

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
const SYNC: u64 = 2;
const PIDFD: u64 = 3;

/// Whether a child's user namespace has its maps already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Mapped,
    Unmapped,
}

struct Spawner {
    alone: Alone,
    epoll: OwnedFd,
    next: u64,
    connections: HashMap<u64, UnixStream>,
    /// Which process the number in a token means.
    keys: HashMap<u64, Key>,
    records: HashMap<Key, (u64, Record)>,
}

/// The outcome of a request that is answered at once; `Later` ones are answered when the process runs.
enum Outcome {
    Now(Reply, Vec<OwnedFd>),
    Later,
}

impl Spawner {
    fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    fn run(&mut self, listener: &UnixListener) -> io::Result<()> {
        let mut ready = Vec::with_capacity(64);
        loop {
            ready.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
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
        self.next += 1;
        if self.watch(stream.as_fd(), self.next << 2 | CONNECTION).is_ok() {
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

    fn send(&self, connection: u64, answer: &Answer, descriptors: &[BorrowedFd<'_>]) {
        if let Some(stream) = self.connections.get(&connection) {
            // A peer that is gone is noticed when its socket is read.
            message::write(stream, answer, descriptors).unwrap_or_default();
        }
    }

    fn carry_out(
        &mut self,
        request: Request,
        fds: Vec<OwnedFd>,
        asked: (u64, u64),
    ) -> Result<Outcome, Failure> {
        match request {
            Request::Hello(_) => Ok(Outcome::Now(Reply::Hello(message::VERSION), Vec::new())),
            Request::Processes => Ok(Outcome::Now(Reply::Processes(self.states()), Vec::new())),
            Request::Userns(range) => {
                let fd = child::userns(self.alone, range).map_err(|e| Failure::setup("mapping ids", &e))?;
                Ok(Outcome::Now(Reply::Done, vec![fd]))
            }
            Request::Start { spec, cgroups } => {
                let mut fds = fds.into_iter();
                let (Some(root), Some(volatile)) = (fds.next(), fds.next()) else {
                    return Err(Failure::setup("starting", &"descriptors are missing"));
                };
                let cgroups = fds.by_ref().take(cgroups).collect();
                let key = Key { container: spec.id.clone(), process: INIT.to_owned() };
                let process = spec.process.clone();
                let range = spec.range;
                let kind = Kind::Container(spec, Materials { root, volatile, mounts: fds.collect() });
                self.make(key, process.as_ref(), range, cgroups, kind, asked)
            }
            Request::Exec { container, process, spec } => {
                let init = self.record(&Key { container: container.clone(), process: INIT.to_owned() })?;
                let (Some(pidfd), Phase::Running) = (&init.pidfd, init.phase) else {
                    return Err(Failure::setup("exec", &format!("container {container} is not running")));
                };
                let range = init.range;
                let pidfd = pidfd.try_clone().map_err(|e| Failure::setup("exec", &e))?;
                let wanted = (*spec).clone();
                self.make(
                    Key { container, process },
                    Some(&wanted),
                    range,
                    fds,
                    Kind::Execution(spec, pidfd),
                    asked,
                )
            }
            Request::Proceed(container) => {
                let record = self.record(&Key { container, process: INIT.to_owned() })?;
                let (Phase::Waiting, Some(sync)) = (record.phase, &record.sync) else {
                    return Err(Failure::setup("proceeding", &"the container does not wait for its network"));
                };
                sandlot_sys::scm::send(sync.as_fd(), GO, &[])
                    .map_err(|e| Failure::setup("proceeding", &e))?;
                record.phase = Phase::Cloned;
                record.asked = Some(asked);
                Ok(Outcome::Later)
            }
            Request::Signal(key, signal) => self.signal(&key, signal),
            Request::Take(key) => self.take(&key),
            Request::Close(key, stream) => {
                self.record(&key)?.outer.close(stream);
                Ok(Outcome::Now(Reply::Done, Vec::new()))
            }
            Request::Forget(key) => match self.record(&key)?.phase {
                Phase::Ended(_) => {
                    self.remove(&key);
                    Ok(Outcome::Now(Reply::Done, Vec::new()))
                }
                _ => Err(Failure::setup("forgetting", &"the process has not ended")),
            },
        }
    }

    fn states(&self) -> Vec<ProcessState> {
        let known = self.records.iter().filter(|(_, (_, r))| r.pid != 0);
        known
            .map(|(key, (_, record))| ProcessState {
                container: key.container.clone(),
                process: key.process.clone(),
                pid: record.pid,
                status: match record.phase {
                    Phase::Ended(status) => Some(status),
                    _ => None,
                },
            })
            .collect()
    }

    fn record(&mut self, key: &Key) -> Result<&mut Record, Failure> {
        match self.records.get_mut(key) {
            Some((_, record)) => Ok(record),
            None => {
                let Key { container, process } = key;
                Err(Failure::setup(
                    "looking it up",
                    &format!("no process {process} in container {container}"),
                ))
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some((number, _)) = self.records.remove(key) {
            self.keys.remove(&number);
        }
    }

    fn signal(&mut self, key: &Key, signal: i32) -> Result<Outcome, Failure> {
        let failed = |message: &str| Failure::setup("sending a signal", &message);
        let record = self.record(key)?;
        let signal = Signal::from_named_raw(signal).ok_or_else(|| failed("there is no such signal"))?;
        match (&record.pidfd, record.phase) {
            (Some(pidfd), phase) if !matches!(phase, Phase::Ended(_)) => {
                pidfd_send_signal(pidfd, signal).map_err(|e| failed(&io::Error::from(e).to_string()))?;
                Ok(Outcome::Now(Reply::Done, Vec::new()))
            }
            _ => Err(failed("the process has ended")),
        }
    }

    fn take(&mut self, key: &Key) -> Result<Outcome, Failure> {
        let record = self.record(key)?;
        let pid = record.pid;
        let (streams, fds) = record.outer.describe();
        let copies = fds.into_iter().map(|fd| fd.try_clone_to_owned()).collect::<io::Result<_>>();
        let copies = copies.map_err(|e| Failure::setup("taking the streams", &e))?;
        Ok(Outcome::Now(Reply::Started { pid, streams }, copies))
    }

    fn make(
        &mut self,
        key: Key,
        process: Option<&Process>,
        range: IdRange,
        cgroups: Vec<OwnedFd>,
        kind: Kind,
        asked: (u64, u64),
    ) -> Result<Outcome, Failure> {
        if self.records.contains_key(&key) || self.records.len() >= PROCESSES {
            return Err(Failure::setup("starting", &"a process of that name is there, or too many are"));
        }
        let failed = |e: io::Error| Failure::setup("cloning", &e);
        let (pipes, outer) = pipes(process).map_err(failed)?;
        if let Some(pipes) = &pipes {
            give(pipes, range.base).map_err(failed)?;
        }
        let (ours, sync) = sync_pair().map_err(failed)?;
        self.next += 1;
        let number = self.next;
        self.watch(ours.as_fd(), number << 2 | SYNC).map_err(failed)?;
        let helper = child::make(self.alone, Making { sync, cgroups, pipes, kind }).map_err(failed)?;
        let record = Record {
            pid: 0,
            pidfd: None,
            sync: Some(ours),
            range,
            phase: Phase::Making,
            outer,
            asked: Some(asked),
            oom_score_adj: process.and_then(|p| p.oom_score_adj),
        };
        self.keys.insert(number, key.clone());
        self.records.insert(key, (number, record));
        // The helper's next word is its last; it ends within the millisecond.
        let pidfd = rustix::process::Pid::from_raw(helper)
            .map(|pid| pidfd_open(pid, rustix::process::PidfdFlags::empty()));
        if let Some(Ok(pidfd)) = pidfd {
            child::await_end(&pidfd).map_err(failed)?;
        }
        Ok(Outcome::Later)
    }

    /// Everything that a child has said by now.
    fn signs(&mut self, number: u64) {
        while let Some(key) = self.keys.get(&number).cloned() {
            let Some((_, record)) = self.records.get_mut(&key) else { return };
            let Some(sync) = &record.sync else { return };
            match child::hear(sync.as_fd()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Ok(Some((Sign::Cloned(pid), _))) => self.cloned(number, &key, pid),
                Ok(Some((Sign::Terminal, Some(master)))) => record.outer = Outer::Terminal(master),
                Ok(Some((Sign::AwaitsNetwork, _))) => {
                    record.phase = Phase::Waiting;
                    self.started(&key);
                }
                Ok(Some((Sign::Failed(failure), _))) => self.failed(&key, failure),
                // Executed, up, or dead (which its pidfd tells next).
                Ok(Some((Sign::Up | Sign::Terminal, _)) | None) | Err(_) => {
                    record.sync = None;
                    if record.pid == 0 {
                        self.failed(&key, Failure::setup("cloning", &"the helper died"));
                        return;
                    }
                    record.phase = Phase::Running;
                    self.started(&key);
                    return;
                }
            }
        }
    }

    fn cloned(&mut self, number: u64, key: &Key, pid: i32) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        record.pid = pid;
        record.phase = Phase::Cloned;
        let ids = if key.process == INIT { Ids::Unmapped } else { Ids::Mapped };
        if let Err(e) = Self::release(&self.epoll, number, record, ids) {
            self.failed(key, Failure::setup("mapping ids", &e));
        }
    }

    /// Maps a new child's ids and lets it go on.
    fn release(epoll: &OwnedFd, number: u64, record: &mut Record, ids: Ids) -> io::Result<()> {
        let pid = rustix::process::Pid::from_raw(record.pid).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        epoll::add(epoll, &pidfd, epoll::EventData::new_u64(number << 2 | PIDFD), epoll::EventFlags::IN)?;
        record.pidfd = Some(pidfd);
        if ids == Ids::Unmapped {
            child::map_ids(record.pid, record.range)?;
        }
        if let Some(adjustment) = record.oom_score_adj.take() {
            std::fs::write(format!("/proc/{}/oom_score_adj", record.pid), adjustment.to_string())?;
        }
        if let Some(sync) = &record.sync {
            sandlot_sys::scm::send(sync.as_fd(), GO, &[])?;
        }
        Ok(())
    }

    fn started(&mut self, key: &Key) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        let Some((connection, number)) = record.asked.take() else { return };
        let pid = record.pid;
        let Some((_, record)) = self.records.get(key) else { return };
        let (streams, fds) = match record.phase {
            Phase::Waiting => (Streams::None, Vec::new()),
            _ => record.outer.describe(),
        };
        self.send(connection, &Answer::Reply(number, Reply::Started { pid, streams }), &fds);
    }

    /// Ends what there is of a process that does not run, and says why.
    fn failed(&mut self, key: &Key, failure: Failure) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        let asked = record.asked.take();
        if let Some(pidfd) = &record.pidfd {
            // It ends by itself after telling; this is for one that cannot.
            pidfd_send_signal(pidfd, Signal::KILL).unwrap_or_default();
            child::await_end(pidfd).unwrap_or_default();
        }
        self.remove(key);
        if let Some((connection, number)) = asked {
            self.send(connection, &Answer::Reply(number, Reply::Failed(failure)), &[]);
        }
    }

    fn ended(&mut self, number: u64) {
        // What it said before its end comes first: a start is answered before the end is told.
        self.signs(number);
        let Some(key) = self.keys.get(&number).cloned() else { return };
        let Some((_, record)) = self.records.get_mut(&key) else { return };
        let Some(pidfd) = record.pidfd.take() else { return };
        let status = match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitStatus::Code(code),
                (None, Some(signal)) => ExitStatus::Signal(signal),
                (None, None) => ExitStatus::Code(255),
            },
            _ => ExitStatus::Code(255),
        };
        record.phase = Phase::Ended(status);
        let Key { container, process } = key;
        let event = Answer::Event(Event::Exited { container, process, status });
        for connection in self.connections.keys() {
            self.send(*connection, &event, &[]);
        }
    }
}

type Inner = Option<(Option<OwnedFd>, OwnedFd, OwnedFd)>;

/// The inner and the outer ends of the pipes that a process wants.
fn pipes(process: Option<&Process>) -> io::Result<(Inner, Outer)> {
    let Some(Stdio::Pipes { stdin }) = process.map(|p| p.stdio) else { return Ok((None, Outer::None)) };
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (input, to_input) = if stdin { pipe().map(|(r, w)| (Some(r), Some(w)))? } else { (None, None) };
    let (from_output, output) = pipe()?;
    let (from_error, error) = pipe()?;
    Ok((Some((input, output, error)), Outer::Pipes(to_input, from_output, from_error)))
}

/// Makes the inner ends the container's: else its `/dev/stdout` could not be opened by name.
fn give((input, output, error): &(Option<OwnedFd>, OwnedFd, OwnedFd), owner: u32) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(owner), rustix::fs::Gid::from_raw(owner));
    for end in input.iter().chain([output, error]) {
        rustix::fs::fchown(end, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// A wire to a child that keeps messages apart; our end does not block.
fn sync_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}
