//! What the spawner's children tell it, and how they end.

use super::child::{self, Sign};
use super::message::{Answer, Event, ExitStatus, Failure, Key, Reply, Streams};
use super::record::{Outer, Phase, Record};
use super::serve::{After, PIDFD, Reaping, Spawner};
use rustix::event::epoll;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A look at whether a child has ended, that waits for nothing.
const ENDED: WaitIdOptions = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG);

impl Spawner {
    /// Everything that a child has said by now.
    pub(super) fn signs(&mut self, number: u64) {
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
                Ok(Some((Sign::Up | Sign::Terminal, _)) | None) | Err(_) => return self.said_all(&key),
            }
        }
    }

    /// It was executed, is up, or is dead (which its pidfd tells next).
    fn said_all(&mut self, key: &Key) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        if record.sync.take().is_none() {
            return;
        }
        if matches!(record.phase, Phase::Restoring(_)) {
            // It is CRIU now, whose end tells the rest.
            return;
        }
        if record.pid == 0 || record.phase == Phase::Begun {
            self.failed(key, Failure::setup("cloning", &"the child died"));
            return;
        }
        record.phase = Phase::Running;
        self.started(key);
    }

    fn cloned(&mut self, number: u64, key: &Key, pid: i32) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        record.pid = pid;
        record.phase = if record.begun.is_some() { Phase::Begun } else { Phase::Cloned };
        if let Err(e) = Self::look_after(&self.epoll, number, record) {
            self.failed(key, Failure::setup("looking after the child", &e));
        } else if let Some((connection, number)) = record.begun.take() {
            self.send(connection, &Answer::Reply(number, Reply::Done), &[]);
        }
    }

    /// Hears of a new child's end from now on. It goes on meanwhile.
    pub(super) fn look_after(epoll: &OwnedFd, number: u64, record: &mut Record) -> io::Result<()> {
        let pid = rustix::process::Pid::from_raw(record.pid).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        epoll::add(epoll, &pidfd, event(number << 2 | PIDFD), epoll::EventFlags::IN)?;
        record.pidfd = Some(pidfd);
        record.adjust()
    }

    pub(super) fn started(&mut self, key: &Key) {
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

    /// Ends what there is of a process that does not run, and says why: at once, or to who starts it.
    pub(super) fn failed(&mut self, key: &Key, failure: Failure) {
        let Some((_, record)) = self.records.get_mut(key) else { return };
        let (asked, pidfd) = (record.asked.take().or(record.begun.take()), record.pidfd.take());
        if let Some(pidfd) = &pidfd {
            // It ends by itself after telling; this is for one that cannot. What it held is free when it is told.
            pidfd_send_signal(pidfd, Signal::KILL).unwrap_or_default();
        }
        if asked.is_some() {
            self.remove(key);
        } else {
            record.sync = None;
            record.phase = Phase::Broken(failure.clone());
        }
        match pidfd {
            Some(pidfd) => {
                self.reap(pidfd, asked.map_or(After::Nothing, |asked| After::Tell(asked, failure)));
            }
            None => {
                if let Some(asked) = asked {
                    self.fail(asked, failure);
                }
            }
        }
    }

    fn fail(&self, (connection, number): (u64, u64), failure: Failure) {
        self.send(connection, &Answer::Reply(number, Reply::Failed(failure)), &[]);
    }

    /// Takes note of a child that is to be reaped when it ends.
    pub(super) fn reap(&mut self, pidfd: OwnedFd, after: After) {
        self.next += 1;
        let token = self.next << 2 | PIDFD;
        // It may be watched already, as the process that it was to be.
        let watched = match epoll::add(&self.epoll, &pidfd, event(token), epoll::EventFlags::IN) {
            Err(rustix::io::Errno::EXIST) => {
                epoll::modify(&self.epoll, &pidfd, event(token), epoll::EventFlags::IN)
            }
            other => other,
        };
        let number = self.next;
        self.reaping.insert(number, Reaping { pidfd, after });
        if watched.is_err() {
            self.reaped(number);
        }
    }

    /// Whether what has ended was one of those; who waited for it is told.
    fn reaped(&mut self, number: u64) -> bool {
        let Some(Reaping { pidfd, .. }) = self.reaping.get(&number) else { return false };
        let status = waitid(WaitId::PidFd(pidfd.as_fd()), ENDED);
        if matches!(status, Ok(None)) {
            self.hold(number);
            return true;
        }
        let status = status.ok().flatten();
        let killed = status.as_ref().is_some_and(|s| s.terminating_signal().is_some());
        let Some(Reaping { after, .. }) = self.reaping.remove(&number) else { return true };
        match after {
            After::Tell(asked, failure) => self.fail(asked, failure),
            After::Helper(number) if killed => self.strays(number),
            After::Restored(key) => self.restored(&key, status.and_then(|s| s.exit_status())),
            After::Helper(_) | After::Nothing => {}
        }
        true
    }

    /// Ends and reaps what a helper made and did not tell of, because it was killed in between (a container at its limit of
    /// memory has it so): nobody else knows of it, and it would stay as a zombie. No number is another's by now, for
    /// children of ours keep theirs until they are reaped.
    fn strays(&mut self, number: u64) {
        // What the helper said before its end comes first.
        self.signs(number);
        let name = child::called(number);
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()) {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if comm.trim_end() != name || self.records.values().any(|(_, record)| record.pid == pid) {
                continue;
            }
            let pidfd = rustix::process::Pid::from_raw(pid)
                .and_then(|pid| pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok());
            if let Some(pidfd) = pidfd {
                // It ends by itself, for nobody lets it go on; this is for one that is frozen.
                pidfd_send_signal(&pidfd, Signal::KILL).unwrap_or_default();
                self.reap(pidfd, After::Nothing);
            }
        }
    }

    /// It is dead, and cannot be reaped while another process of its container traces it (ptrace(2)) and does not let go: whoever
    /// waited for that would wait for ever, and all containers with it. Its end is told when it can be reaped.
    fn hold(&mut self, number: u64) {
        let reaping = self.reaping.get(&number).map(|r| &r.pidfd);
        let record = || self.keys.get(&number).and_then(|key| self.records.get(key)?.1.pidfd.as_ref());
        if let Some(pidfd) = reaping.or_else(record) {
            // It would be told of again and again.
            epoll::delete(&self.epoll, pidfd).unwrap_or_default();
        }
        self.held.push(number);
    }

    pub(super) fn ended(&mut self, number: u64) {
        if self.reaped(number) {
            return;
        }
        // What it said before its end comes first: a start is answered before the end is told.
        self.signs(number);
        let Some(key) = self.keys.get(&number).cloned() else { return };
        // The helper, which may live a little longer, has the wire still open.
        self.said_all(&key);
        let Some((_, record)) = self.records.get_mut(&key) else { return };
        let Some(pidfd) = &record.pidfd else { return };
        let status = match waitid(WaitId::PidFd(pidfd.as_fd()), ENDED) {
            Ok(None) => return self.hold(number),
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitStatus::Code(code),
                (None, Some(signal)) => ExitStatus::Signal(signal),
                (None, None) => ExitStatus::Code(255),
            },
            Err(_) => ExitStatus::Code(255),
        };
        record.pidfd = None;
        record.phase = Phase::Ended(status);
        let Key { container, process } = key;
        let event = Answer::Event(Event::Exited { container, process, status });
        for connection in self.connections.keys() {
            self.send(*connection, &event, &[]);
        }
    }
}

fn event(token: u64) -> epoll::EventData {
    epoll::EventData::new_u64(token)
}
