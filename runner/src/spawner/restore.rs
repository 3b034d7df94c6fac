//! A container that is restored, as the spawner sees it: a child that becomes CRIU, and a sibling of that which is there when it has ended.

use super::child::Kind;
use super::message::{Failure, INIT, Key};
use super::record::{Phase, Record};
use super::requests::Outcome;
use super::serve::Spawner;
use crate::container::checkpoint::restore::{PID, Restoration};
use crate::container::setup::Materials;
use crate::container::spec::Container;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

impl Spawner {
    /// Has CRIU put a container on its feet; the answer comes when its processes are there, stopped.
    pub(super) fn restore(
        &mut self,
        (spec, restoration): (Container, Restoration),
        fds: Vec<OwnedFd>,
        asked: (u64, u64),
    ) -> Result<Outcome, Failure> {
        let key = Key { container: spec.id.clone(), process: INIT.to_owned() };
        let mut fds = fds.into_iter();
        let (Some(root), Some(volatile)) = (fds.next(), fds.next()) else {
            return Err(Failure::setup("restoring", &"descriptors are missing"));
        };
        let mounts = fds.by_ref().take(restoration.mounts).collect();
        let mut record = Record::new(spec.range);
        let pipes = record.serve(spec.process.as_ref()).map_err(|e| Failure::setup("restoring", &e))?;
        record.phase = Phase::Restoring(restoration.work.join(PID));
        record.asked = Some(asked);
        let kind =
            Kind::Restoration(Box::new((spec, restoration)), pipes, Materials { root, volatile, mounts });
        self.make(key, (kind, fds.collect()), record)?;
        Ok(Outcome::Later)
    }

    /// CRIU has ended, with this code if by itself.
    pub(super) fn restored(&mut self, key: &Key, code: Option<i32>) {
        let Some((number, _)) = self.records.get(key) else { return };
        let number = *number;
        // Why it was not even run comes first.
        self.signs(number);
        let Some((_, record)) = self.records.get_mut(key) else { return };
        let Phase::Restoring(pid) = &record.phase else { return };
        let found = match code {
            Some(0) => child(pid),
            Some(code) => Err(io::Error::other(format!("criu ended with {code}"))),
            None => Err(io::Error::other("criu was killed; its memory is charged to the container")),
        };
        match found {
            Ok(pid) => {
                record.pid = pid;
                record.sync = None;
                record.phase = Phase::Waiting;
                match Self::look_after(&self.epoll, number, record) {
                    Ok(()) => self.started(key),
                    Err(e) => self.failed(key, Failure::setup("looking after the child", &e)),
                }
            }
            Err(e) => self.failed(key, Failure::setup("restoring", &e)),
        }
    }
}

/// The child whose pid stands in the file at `path`: one of ours indeed.
fn child(path: &Path) -> io::Result<i32> {
    let text = std::fs::read_to_string(path)?;
    let number = text.trim().parse().map_err(io::Error::other)?;
    let pid = rustix::process::Pid::from_raw(number).ok_or(io::ErrorKind::InvalidData)?;
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::PidFd(pidfd.as_fd()), look)?;
    Ok(number)
}
