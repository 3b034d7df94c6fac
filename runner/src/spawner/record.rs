//! What the spawner keeps of each process: its pid, its end, and the outer ends of its standard streams.
//!
//! ```text
//! Making ──Cloned──▶ Begun ──start──▶ Cloned ──EOF or Up──▶ Running ──▶ Ended ──forget──▶ (gone)
//!    │                 │ ╲─Failed─▶ Broken ─start─▶ (gone)  ╲─AwaitsNetwork─▶ Waiting ─proceed─▶ Cloned
//!    └──Failed─────────┴─abandon──▶ (gone)
//! ```
//! A process in a container that runs is never begun: it is `Cloned` at once.

use super::message::{ExitStatus, Failure, Stream, Streams};
use super::order::Pipes;
use crate::container::spec::{IdRange, Process, Stdio};
use rustix::fs::{Gid, Uid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// A process, from the request for it until it is forgotten.
#[derive(Debug)]
pub(super) struct Record {
    /// The host's pid; 0 until it is cloned.
    pub(super) pid: i32,
    /// A descriptor of it.
    pub(super) pidfd: Option<OwnedFd>,
    /// The wire to it, until it runs.
    pub(super) sync: Option<OwnedFd>,
    /// The ids of its container.
    pub(super) range: IdRange,
    /// What it is in.
    pub(super) phase: Phase,
    /// Outer ends of its standard streams.
    pub(super) outer: Outer,
    /// Who waits for it to be begun, if it is only begun.
    pub(super) begun: Option<(u64, u64)>,
    /// Who waits for it to run: a connection and the number of its request.
    pub(super) asked: Option<(u64, u64)>,
    /// `oom_score_adj`, still to be set.
    pub(super) oom_score_adj: Option<i32>,
}

impl Record {
    /// One that is being made, of a container with these ids.
    pub(super) fn new(range: IdRange) -> Self {
        Self {
            pid: 0,
            pidfd: None,
            sync: None,
            range,
            phase: Phase::Making,
            outer: Outer::None,
            begun: None,
            asked: None,
            oom_score_adj: None,
        }
    }

    /// Prepares for `process`: keeps the outer ends of its pipes, answers the inner ones.
    ///
    /// # Errors
    /// What making pipes answers.
    pub(super) fn serve(&mut self, process: Option<&Process>) -> io::Result<Pipes> {
        self.oom_score_adj = process.and_then(|p| p.oom_score_adj);
        let Some(Stdio::Pipes { stdin }) = process.map(|p| p.stdio) else { return Ok(None) };
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (input, to_input) = if stdin { pipe().map(|(r, w)| (Some(r), Some(w)))? } else { (None, None) };
        let (from_output, output) = pipe()?;
        let (from_error, error) = pipe()?;
        // The inner ends are the container's: else its `/dev/stdout` could not be opened by name.
        let (uid, gid) = (Uid::from_raw(self.range.base), Gid::from_raw(self.range.base));
        for end in input.iter().chain([&output, &error]) {
            rustix::fs::fchown(end, Some(uid), Some(gid))?;
        }
        self.outer = Outer::Pipes(to_input, from_output, from_error);
        Ok(Some((input, output, error)))
    }

    /// Sets `oom_score_adj`, if it is still to be set.
    ///
    /// # Errors
    /// What writing answers; a process that has ended by now needs none.
    pub(super) fn adjust(&mut self) -> io::Result<()> {
        let Some(adjustment) = self.oom_score_adj.take() else { return Ok(()) };
        let path = format!("/proc/{}/oom_score_adj", self.pid);
        std::fs::write(path, adjustment.to_string()).or_else(super::child::unless_gone)
    }
}

/// See the diagram above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The helper is at work.
    Making,
    /// The child waits to be told what it is.
    Begun,
    /// It failed before it was told: why, for who starts it.
    Broken(Failure),
    /// The child is setting itself up.
    Cloned,
    /// CRIU is at work; where it writes the pid down.
    Restoring(PathBuf),
    /// It waits for its network, or, when it was restored, to be let go.
    Waiting,
    /// It runs.
    Running,
    /// It has ended.
    Ended(ExitStatus),
}

/// The outer ends of a process's standard streams.
#[derive(Debug)]
pub(super) enum Outer {
    /// A pty's master.
    Terminal(OwnedFd),
    /// Pipes.
    Pipes(Option<OwnedFd>, OwnedFd, OwnedFd),
    /// None, not yet, or closed.
    None,
}

impl Outer {
    /// What a reply says of them, and the descriptors that go with it.
    pub(super) fn describe(&self) -> (Streams, Vec<BorrowedFd<'_>>) {
        match self {
            Self::Terminal(master) => (Streams::Terminal, vec![master.as_fd()]),
            Self::Pipes(input, output, error) => {
                let mut all: Vec<_> = input.iter().map(AsFd::as_fd).collect();
                all.extend([output.as_fd(), error.as_fd()]);
                (Streams::Pipes { stdin: input.is_some() }, all)
            }
            Self::None => (Streams::None, Vec::new()),
        }
    }

    /// Drops descriptors of ours.
    pub(super) fn close(&mut self, stream: Stream) {
        match (stream, &mut *self) {
            (Stream::Stdin, Self::Pipes(input, ..)) => drop(input.take()),
            (Stream::Stdin, _) => {}
            (Stream::All, _) => *self = Self::None,
        }
    }
}
