//! What engine and spawner say to each other: one enum each way, and how they are framed.
//!
//! A frame is a length (`u32`, little endian) and a postcard encoding; descriptors travel with the frame's length.
//! Every request carries a number that its one reply repeats; events carry none.

use crate::container::checkpoint::restore::Restoration;
use crate::container::spec::{Container, IdRange, Process, Profile};

pub use crate::container::failure::Failure;
use sandlot_sys::scm;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The version of this wire; both ends must have the same.
pub const VERSION: u32 = 4;

/// The name of a container's first process among its processes.
pub const INIT: &str = "init";

/// The longest frame: an environment and a command line of the kernel's own limit (2 MiB), and room.
const FRAME: usize = 4 << 20;

/// From the engine to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Always the first: the engine's [`VERSION`].
    Hello(u32),
    /// Every process that is kept.
    Processes,
    /// A user namespace with this mapping.
    Userns(IdRange),
    /// Clone a container that waits for what it is to be. Descriptors: the groups to join.
    Begin {
        /// Its id.
        container: String,
        /// The ids that are mapped into it.
        range: IdRange,
        /// What it may do.
        profile: Profile,
    },
    /// Tell a container that was begun what it is. Descriptors: root, volatile, then the mounts.
    Start(Box<Container>),
    /// Put a container on its feet that CRIU wrote down; its processes are stopped then, and it waits for [`Request::Proceed`].
    /// Descriptors: root, volatile, the mounts, then the groups to join.
    Restore(Box<(Container, Restoration)>),
    /// End a container that was begun and not started.
    Abandon(String),
    /// Let a container with a routed network run its first process; of one that was restored, take the streams.
    Proceed(String),
    /// Run a process in a container. Descriptors: the groups to join, then the program if it comes along.
    Exec {
        /// The container's id.
        container: String,
        /// The process's name in it.
        process: String,
        /// What to run.
        spec: Box<Process>,
        /// Where its program is.
        program: Program,
    },
    /// Send a signal.
    Signal(Key, i32),
    /// Duplicates of a process's standard streams.
    Take(Key),
    /// Drop the spawner's own descriptor of a stream.
    Close(Key, Stream),
    /// Drop the record of an ended process.
    Forget(Key),
}

/// Where the program of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// In the container, by its name.
    Inside,
    /// The engine's own: the last descriptor.
    Brought,
}

/// Names a process: the container's id, and the process's name in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The container's id.
    pub container: String,
    /// [`INIT`], or the name that the engine gave an execution.
    pub process: String,
}

/// A standard stream of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// The pipe to its standard input.
    Stdin,
    /// Everything: its terminal, or all its pipes.
    All,
}

/// From the spawner to the engine.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Hello`]: the spawner's version.
    Hello(u32),
    /// To [`Request::Processes`].
    Processes(Vec<ProcessState>),
    /// Done; with the descriptors asked for.
    Done,
    /// A process runs. Descriptors: as `streams` says.
    Started {
        /// The host's pid.
        pid: i32,
        /// Which descriptors came along.
        streams: Streams,
    },
    /// Not done, because.
    Failed(Failure),
}

/// Which descriptors come with a reply, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Streams {
    /// One: the pty's master.
    Terminal,
    /// Standard input (if `stdin`), output and error.
    Pipes {
        /// Whether standard input is among them.
        stdin: bool,
    },
    /// None.
    None,
}

/// What happens without being asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// A process ended.
    Exited {
        /// The container's id.
        container: String,
        /// The process's name in it.
        process: String,
        /// How.
        status: ExitStatus,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The code that a shell would give: 128 plus the signal for a process that was killed.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A process that the spawner keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessState {
    /// The container's id.
    pub container: String,
    /// The process's name in it.
    pub process: String,
    /// The host's pid.
    pub pid: i32,
    /// How it ended, if it did.
    pub status: Option<ExitStatus>,
}

/// A frame from the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The reply to the request of this number.
    Reply(u64, Reply),
    /// An event.
    Event(Event),
}

/// Writes one frame with its descriptors.
///
/// # Errors
/// What the socket answers; `InvalidInput` for a frame that is too long.
pub fn write(
    mut socket: &UnixStream,
    frame: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = postcard::to_stdvec(frame).map_err(io::Error::other)?;
    if body.len() > FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a description longer than 4 MiB"));
    }
    let mut bytes = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    bytes.extend(body);
    let sent = scm::send(socket.as_fd(), &bytes, descriptors)?;
    socket.write_all(&bytes[sent..])
}

/// Reads one frame with its descriptors; `None` at the end of the stream.
///
/// # Errors
/// What the socket answers; `InvalidData` for what is no frame.
pub fn read<T: DeserializeOwned>(mut socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut head = [0; 4];
    let (n, descriptors) = scm::receive(socket.as_fd(), &mut head)?;
    if n == 0 {
        return Ok(None);
    }
    socket.read_exact(&mut head[n..])?;
    let len = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if len > FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame longer than 4 MiB"));
    }
    let mut body = vec![0; len];
    socket.read_exact(&mut body)?;
    let frame = postcard::from_bytes(&body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(Some((frame, descriptors)))
}
