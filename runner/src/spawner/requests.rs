//! What the spawner does for each request of an engine.

use super::child::{self, GO, Kind, Making};
use super::message::{self, Failure, INIT, Key, ProcessState, Reply, Request};
use super::record::{Outer, Phase, Record};
use super::serve::{SYNC, Spawner};
use crate::container::setup::Materials;
use crate::container::spec::{IdRange, Process, Stdio};
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
        let record = self.record(key)?;
        match (&record.pidfd, record.phase) {
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
        self.reap(helper, None);
        Ok(Outcome::Later)
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
