//! What the spawner's children tell it, and how they end.

use super::child::{self, Sign};
use super::message::{Answer, Event, ExitStatus, Failure, Key, Reply, Streams};
use super::record::{Outer, Phase, Record};
use super::serve::{PIDFD, Spawner};
use rustix::event::epoll;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
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
        if let Err(e) = Self::look_after(&self.epoll, number, record) {
            self.failed(key, Failure::setup("looking after the child", &e));
        }
    }

    /// Hears of a new child's end from now on. It goes on meanwhile.
    fn look_after(epoll: &OwnedFd, number: u64, record: &mut Record) -> io::Result<()> {
        let pid = rustix::process::Pid::from_raw(record.pid).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        epoll::add(epoll, &pidfd, epoll::EventData::new_u64(number << 2 | PIDFD), epoll::EventFlags::IN)?;
        record.pidfd = Some(pidfd);
        if let Some(adjustment) = record.oom_score_adj.take() {
            // A child that has ended by now needs none.
            let path = format!("/proc/{}/oom_score_adj", record.pid);
            std::fs::write(path, adjustment.to_string()).or_else(child::unless_gone)?;
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

    pub(super) fn ended(&mut self, number: u64) {
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
