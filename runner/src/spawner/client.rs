//! The engine's end of the spawner's wire.
//!
//! One thread reads the socket, for descriptors arrive only by `recvmsg`; callers wait on channels.

use super::message::{self, Answer, Key, Program, Reply, Request, Streams};
use crate::container::checkpoint::restore::Restoration;
use crate::container::spec::{Container, IdRange, Process, Profile};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

pub use super::message::{Event, ExitStatus, Failure, INIT, ProcessState, Stream};

/// How many events may wait for the engine; more than there are processes on a machine.
const EVENTS: usize = 65_536;

/// Why a request to the spawner failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No spawner, or none any more.
    #[error("cannot reach the spawner: {0}")]
    Io(#[from] io::Error),
    /// The spawner is of another version.
    #[error("the spawner speaks version {theirs} of the wire, this engine {}", message::VERSION)]
    Version {
        /// The spawner's version.
        theirs: u32,
    },
    /// What was asked could not be done.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// A reply that does not fit the request.
    #[error("the spawner answered {0}, which does not fit")]
    Unexpected(String),
}

/// A connection to the spawner; clones share it.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    socket: UnixStream,
    state: Mutex<State>,
}

/// `closed` is set when the reader has ended; nobody would answer a request made after that.
#[derive(Debug, Default)]
struct State {
    next: u64,
    closed: bool,
    waiting: HashMap<u64, oneshot::Sender<(Reply, Vec<OwnedFd>)>>,
}

/// The descriptors that a container is made of.
#[derive(Debug)]
pub struct StartFds {
    /// The detached mount of its root (see [`crate::container::rootfs::assemble`]).
    pub root: OwnedFd,
    /// The detached small tmpfs for `/dev` (see [`crate::container::rootfs::volatile`]).
    pub volatile: OwnedFd,
    /// Detached mounts that the specification's mounts point to.
    pub mounts: Vec<OwnedFd>,
}

/// A process that runs.
#[derive(Debug)]
pub struct Started {
    /// The host's pid.
    pub pid: i32,
    /// The outer ends of its standard streams.
    pub stdio: StdioFds,
}

/// The outer ends of a process's standard streams; the spawner keeps duplicates.
#[derive(Debug)]
pub enum StdioFds {
    /// The pty's master.
    Terminal(OwnedFd),
    /// Pipes.
    Pipes {
        /// To its standard input.
        stdin: Option<OwnedFd>,
        /// From its standard output.
        stdout: OwnedFd,
        /// From its standard error.
        stderr: OwnedFd,
    },
    /// None.
    Null,
}

impl Client {
    /// Connects to a spawner's socket; what happens to processes comes out of the receiver.
    ///
    /// # Errors
    /// [`Error::Io`] if none listens there, [`Error::Version`] if it is of another version.
    pub async fn connect(socket: &Path) -> Result<(Self, mpsc::Receiver<Event>), Error> {
        let socket = UnixStream::connect(socket)?;
        let shared = Arc::new(Shared { socket, state: Mutex::default() });
        let (events, receiver) = mpsc::channel(EVENTS);
        let reader = Arc::clone(&shared);
        std::thread::Builder::new().name("spawner-wire".into()).spawn(move || reader.receive(&events))?;
        let client = Self(shared);
        match client.ask(Request::Hello(message::VERSION), &[]).await?.0 {
            Reply::Hello(message::VERSION) => Ok((client, receiver)),
            Reply::Hello(theirs) => Err(Error::Version { theirs }),
            other => Err(unexpected(&other)),
        }
    }

    /// Every process that the spawner keeps, ended ones that were not forgotten included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn processes(&self) -> Result<Vec<ProcessState>, Error> {
        match self.ask(Request::Processes, &[]).await?.0 {
            Reply::Processes(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    /// A user namespace with this mapping and no process in it, for idmapped mounts.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn userns(&self, range: IdRange) -> Result<OwnedFd, Error> {
        let (reply, descriptors) = self.ask(Request::Userns(range), &[]).await?;
        match (reply, descriptors.into_iter().next()) {
            (Reply::Done, Some(fd)) => Ok(fd),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Clones a container with all its namespaces; it waits for [`Client::start`]. Writing `0` to each of `cgroups` moves the
    /// writer in.
    ///
    /// # Errors
    /// See [`Error`]; what fails inside the container is told by [`Client::start`].
    pub async fn begin(
        &self,
        container: &str,
        range: IdRange,
        profile: Profile,
        cgroups: &[OwnedFd],
    ) -> Result<(), Error> {
        let request = Request::Begin { container: container.to_owned(), range, profile };
        let all: Vec<BorrowedFd<'_>> = cgroups.iter().map(AsFd::as_fd).collect();
        done(self.ask(request, &all).await?.0)
    }

    /// Ends a container that was begun and is not to be started.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is none, or if it was started. See [`Error`].
    pub async fn abandon(&self, container: &str) -> Result<(), Error> {
        done(self.ask(Request::Abandon(container.to_owned()), &[]).await?.0)
    }

    /// Tells a container that was begun what it is. Returns when its first process has been executed, when its init is up, or,
    /// with a routed network, when it waits for [`Client::proceed`].
    ///
    /// # Errors
    /// [`Error::Refused`] names the step that failed; nothing of the container is left then. See [`Error`].
    pub async fn start(&self, spec: &Container, fds: StartFds) -> Result<Started, Error> {
        let request = Request::Start(Box::new(spec.clone()));
        let mut all = vec![fds.root.as_fd(), fds.volatile.as_fd()];
        all.extend(fds.mounts.iter().map(AsFd::as_fd));
        started(self.ask(request, &all).await?)
    }

    /// Has CRIU put a container on its feet in the groups of `cgroups`; its processes are stopped then, and its streams come with
    /// [`Client::proceed`].
    ///
    /// # Errors
    /// [`Error::Refused`] names the step that failed, or the code that CRIU ended with: its log says more. See [`Error`].
    pub async fn restore(
        &self,
        spec: &Container,
        restoration: Restoration,
        fds: StartFds,
        cgroups: &[OwnedFd],
    ) -> Result<Started, Error> {
        let mut all = vec![fds.root.as_fd(), fds.volatile.as_fd()];
        all.extend(fds.mounts.iter().chain(cgroups).map(AsFd::as_fd));
        started(self.ask(Request::Restore(Box::new((spec.clone(), restoration))), &all).await?)
    }

    /// Lets a container with a routed network run its first process; answers the streams of one that was restored.
    ///
    /// # Errors
    /// As [`Client::start`].
    pub async fn proceed(&self, container: &str) -> Result<Started, Error> {
        started(self.ask(Request::Proceed(container.to_owned()), &[]).await?)
    }

    /// Runs a process in a container; returns when it has been executed.
    ///
    /// # Errors
    /// [`Error::Refused`] names the step that failed. See [`Error`].
    pub async fn exec(
        &self,
        container: &str,
        process: &str,
        spec: &Process,
        cgroups: Vec<OwnedFd>,
    ) -> Result<Started, Error> {
        self.exec_program(container, process, spec, (cgroups, None)).await
    }

    /// The same, with a program that the engine brings along (an executable file, open for nothing but that): nothing of the
    /// container's has a part in what is executed.
    ///
    /// # Errors
    /// As [`Client::exec`].
    pub async fn exec_program(
        &self,
        container: &str,
        process: &str,
        spec: &Process,
        (cgroups, brought): (Vec<OwnedFd>, Option<BorrowedFd<'_>>),
    ) -> Result<Started, Error> {
        let request = Request::Exec {
            container: container.to_owned(),
            process: process.to_owned(),
            spec: Box::new(spec.clone()),
            program: if brought.is_some() { Program::Brought } else { Program::Inside },
        };
        let all: Vec<BorrowedFd<'_>> = cgroups.iter().map(AsFd::as_fd).chain(brought).collect();
        started(self.ask(request, &all).await?)
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such process, or it has ended. See [`Error`].
    pub async fn signal(&self, container: &str, process: &str, signal: i32) -> Result<(), Error> {
        done(self.ask(Request::Signal(key(container, process), signal), &[]).await?.0)
    }

    /// Fresh duplicates of a process's streams, also of one that has ended.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such process or its streams were closed. See [`Error`].
    pub async fn take(&self, container: &str, process: &str) -> Result<StdioFds, Error> {
        Ok(started(self.ask(Request::Take(key(container, process)), &[]).await?)?.stdio)
    }

    /// Drops the spawner's own duplicates: standard input's, so that its end is seen inside, or all: a terminal's hang-up.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such process. See [`Error`].
    pub async fn close(&self, container: &str, process: &str, stream: Stream) -> Result<(), Error> {
        done(self.ask(Request::Close(key(container, process), stream), &[]).await?.0)
    }

    /// Drops the record of a process that has ended.
    ///
    /// # Errors
    /// [`Error::Refused`] if it runs or there is none. See [`Error`].
    pub async fn forget(&self, container: &str, process: &str) -> Result<(), Error> {
        done(self.ask(Request::Forget(key(container, process)), &[]).await?.0)
    }

    async fn ask(
        &self,
        request: Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Reply, Vec<OwnedFd>), Error> {
        let gone = || io::Error::new(io::ErrorKind::ConnectionAborted, "the spawner closed the connection");
        let answer = {
            let (sender, receiver) = oneshot::channel();
            let mut state = self.0.lock();
            if state.closed {
                return Err(gone().into());
            }
            state.next += 1;
            let number = state.next;
            state.waiting.insert(number, sender);
            message::write(&self.0.socket, &(number, request), descriptors)?;
            receiver
        };
        match answer.await {
            Ok((Reply::Failed(failure), _)) => Err(failure.into()),
            Ok(answer) => Ok(answer),
            Err(_) => Err(gone().into()),
        }
    }
}

impl Drop for Client {
    /// The reader holds one share; with the last client gone, it is told to end.
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) <= 2 {
            self.0.socket.shutdown(std::net::Shutdown::Both).unwrap_or_default();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, events: &mpsc::Sender<Event>) {
        while let Ok(Some((answer, descriptors))) = message::read(&self.socket) {
            match answer {
                Answer::Reply(number, reply) => {
                    if let Some(waiting) = self.lock().waiting.remove(&number) {
                        // A caller that no longer waits loses its answer: it asked for that.
                        drop(waiting.send((reply, descriptors)));
                    }
                }
                Answer::Event(event) => {
                    if events.blocking_send(event).is_err() {
                        break;
                    }
                }
            }
        }
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
    }
}

fn key(container: &str, process: &str) -> Key {
    Key { container: container.to_owned(), process: process.to_owned() }
}

fn done(reply: Reply) -> Result<(), Error> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(unexpected(&other)),
    }
}

fn started((reply, descriptors): (Reply, Vec<OwnedFd>)) -> Result<Started, Error> {
    let Reply::Started { pid, streams } = reply else { return Err(unexpected(&reply)) };
    let mut descriptors = descriptors.into_iter();
    let mut next = || {
        descriptors.next().ok_or_else(|| Error::Unexpected("fewer descriptors than it announced".to_owned()))
    };
    let stdio = match streams {
        Streams::Terminal => StdioFds::Terminal(next()?),
        Streams::Pipes { stdin: true } => {
            StdioFds::Pipes { stdin: Some(next()?), stdout: next()?, stderr: next()? }
        }
        Streams::Pipes { stdin: false } => StdioFds::Pipes { stdin: None, stdout: next()?, stderr: next()? },
        Streams::None => StdioFds::Null,
    };
    Ok(Started { pid, stdio })
}

fn unexpected(reply: &Reply) -> Error {
    Error::Unexpected(format!("{reply:?}"))
}
