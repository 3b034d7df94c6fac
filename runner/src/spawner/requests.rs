//! What the spawner does for each request of an engine.

use super::child::{self, GO, Kind, Making};
use super::message::{self, Failure, INIT, Key, ProcessState, Program, Reply, Request};
use super::order::Order;
use super::record::{Phase, Record};
use super::serve::{After, SYNC, Spawner};
use crate::container::setup::Materials;
use crate::container::spec::Container;
use rustix::process::{Signal, pidfd_send_signal};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The most processes that are kept.
const PROCESSES: usize = 16_384;

/// The outcome of a request that is answered at once; `Later` ones are answered when the process runs.
pub(super) enum Outcome {
    Now(Reply, Vec<OwnedFd>),
    Later,
}
impl Spawner {
    pub(super) fn carry_out(
        &mut self,
        request: Request,
        mut fds: Vec<OwnedFd>,
        asked: (u64, u64),
    ) -> Result<Outcome, Failure> {
        match request {
            Request::Hello(_) => Ok(Outcome::Now(Reply::Hello(message::VERSION), Vec::new())),
            Request::Processes => Ok(Outcome::Now(Reply::Processes(self.states()), Vec::new())),
            Request::Userns(range) => {
                let fd = child::userns(self.alone, range).map_err(|e| Failure::setup("mapping ids", &e))?;
                Ok(Outcome::Now(Reply::Done, vec![fd]))
            }
            Request::Begin { container, range, profile } => {
                let key = Key { container, process: INIT.to_owned() };
                let kind = Kind::Container(range, profile);
                let record = Record { begun: Some(asked), ..Record::new(range) };
                // One that broke is forgotten; any other keeps its name.
                self.whole(&key).unwrap_or_default();
                self.make(key, (kind, fds), record)?;
                Ok(Outcome::Later)
            }
            Request::Start(spec) => self.start(*spec, fds, asked),
            Request::Restore(what) => self.restore(*what, fds, asked),
            Request::Abandon(container) => self.abandon(&Key { container, process: INIT.to_owned() }),
            Request::Exec { container, process, spec, program } => {
                let init = self.record(&Key { container: container.clone(), process: INIT.to_owned() })?;
                let (Some(pidfd), Phase::Running) = (&init.pidfd, &init.phase) else {
                    return Err(Failure::setup("exec", &format!("container {container} is not running")));
                };
                let failed = |e: io::Error| Failure::setup("exec", &e);
                let pidfd = pidfd.try_clone().map_err(failed)?;
                let mut record = Record::new(init.range);
                let pipes = record.serve(Some(&spec)).map_err(failed)?;
                record.asked = Some(asked);
                let brought = match program {
                    Program::Inside => None,
                    Program::Brought => {
                        Some(fds.pop().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?)
                    }
                };
                let kind = Kind::Execution(spec, pipes, pidfd, brought);
                self.make(Key { container, process }, (kind, fds), record)?;
                Ok(Outcome::Later)
            }
            Request::Proceed(container) => {
                let key = Key { container, process: INIT.to_owned() };
                self.whole(&key)?;
                let record = self.record(&key)?;
                if record.phase == Phase::Waiting && record.sync.is_none() {
                    record.phase = Phase::Running;
                    return self.take(&key);
                }
                let (Phase::Waiting, Some(sync)) = (&record.phase, &record.sync) else {
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

    pub(super) fn record(&mut self, key: &Key) -> Result<&mut Record, Failure> {
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

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some((number, _)) = self.records.remove(key) {
            self.keys.remove(&number);
        }
    }

    fn signal(&mut self, key: &Key, signal: i32) -> Result<Outcome, Failure> {
        let failed = |message: &str| Failure::setup("sending a signal", &message);
        // One that is broken has ended, and nobody asks for it any more.
        self.whole(key)?;
        let record = self.record(key)?;
        match (&record.pidfd, &record.phase) {
            (Some(pidfd), phase) if !matches!(phase, Phase::Ended(_)) => {
                sandlot_sys::process::send_signal(pidfd.as_fd(), signal)
                    .map_err(|e| failed(&e.to_string()))?;
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

    /// Tells a container that was begun what it is; the answer comes when it runs.
    fn start(&mut self, spec: Container, fds: Vec<OwnedFd>, asked: (u64, u64)) -> Result<Outcome, Failure> {
        let failed = |e: io::Error| Failure::setup("starting", &e);
        let key = Key { container: spec.id.clone(), process: INIT.to_owned() };
        self.whole(&key)?;
        let record = self.record(&key)?;
        let mut fds = fds.into_iter();
        let (Phase::Begun, Some(root), Some(volatile)) = (&record.phase, fds.next(), fds.next()) else {
            return Err(Failure::setup("starting", &"it was started already, or descriptors are missing"));
        };
        let pipes = record.serve(spec.process.as_ref()).map_err(failed)?;
        record.adjust().map_err(failed)?;
        record.phase = Phase::Cloned;
        record.asked = Some(asked);
        let materials = Materials { root, volatile, mounts: fds.collect() };
        let sent = match &record.sync {
            Some(sync) => Order { spec, pipes, materials }.send(sync.as_fd()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        if let Err(e) = sent {
            self.failed(&key, failed(e));
        }
        Ok(Outcome::Later)
    }

    /// Ends a container that was begun and never started.
    fn abandon(&mut self, key: &Key) -> Result<Outcome, Failure> {
        if self.whole(key).is_ok() {
            let record = self.record(key)?;
            if record.phase != Phase::Begun {
                return Err(Failure::setup("abandoning", &"the container was started"));
            }
            let pidfd = record.pidfd.take();
            self.remove(key);
            if let Some(pidfd) = pidfd {
                // One that is ending already needs no signal.
                pidfd_send_signal(&pidfd, Signal::KILL).unwrap_or_default();
                self.reap(pidfd, After::Nothing);
            }
        }
        Ok(Outcome::Now(Reply::Done, Vec::new()))
    }

    /// Takes in what a process has said; one that is broken is forgotten, and answers why it is.
    fn whole(&mut self, key: &Key) -> Result<(), Failure> {
        if let Some((number, _)) = self.records.get(key) {
            self.signs(*number);
        }
        match &self.record(key)?.phase {
            Phase::Broken(failure) => {
                let failure = failure.clone();
                self.remove(key);
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// Clones; the child tells the rest.
    pub(super) fn make(
        &mut self,
        key: Key,
        (kind, cgroups): (Kind, Vec<OwnedFd>),
        mut record: Record,
    ) -> Result<(), Failure> {
        if self.records.contains_key(&key) || self.records.len() >= PROCESSES {
            return Err(Failure::setup("starting", &"a process of that name is there, or too many are"));
        }
        let failed = |e: io::Error| Failure::setup("cloning", &e);
        let (ours, sync) = sync_pair().map_err(failed)?;
        self.next += 1;
        let number = self.next;
        self.watch(ours.as_fd(), number << 2 | SYNC).map_err(failed)?;
        let after = match &kind {
            Kind::Restoration(..) => After::Restored(key.clone()),
            _ => After::Helper(number),
        };
        let helper = child::make(self.alone, Making { sync, cgroups, kind, number }).map_err(failed)?;
        record.sync = Some(ours);
        self.keys.insert(number, key.clone());
        self.records.insert(key, (number, record));
        self.reap(helper, after);
        Ok(())
    }
}

/// A wire to a child that keeps messages apart; our end does not block.
fn sync_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}
