//! What the spawner keeps of each process: its pid, its end, and the outer ends of its standard streams.
//!
//! ```text
//! Making ──Cloned──▶ Cloned ──EOF or Up──▶ Running ──▶ Ended ──forget──▶ (gone)
//!    │                 │  ╲─AwaitsNetwork─▶ Waiting ─proceed─▶ Cloned
//!    └──Failed─────────┴──▶ (gone)
//! ```

use super::message::{ExitStatus, Stream, Streams};
use crate::container::spec::IdRange;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

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
    /// Who waits for it to run: a connection and the number of its request.
    pub(super) asked: Option<(u64, u64)>,
    /// `oom_score_adj`, still to be set.
    pub(super) oom_score_adj: Option<i32>,
}

/// See the diagram above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The helper is at work.
    Making,
    /// The child is setting itself up.
    Cloned,
    /// It waits for its network.
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
