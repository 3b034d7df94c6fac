//! The spawner's children: how a container and a later process in one come to be, as seen from inside.
//!
//! ```text
//! spawner ──clone3──▶ helper: joins the groups (and namespaces) ──clone3 CLONE_PARENT──▶ child
//!                       │ Cloned{pid}, maps the ids, Go, ends                            │ waits for Go
//!                       ▼                                                                ▼ prelude, waits for its order
//!                                                                                        ▼ set-up, Terminal, …, exec
//! ```
//! The helper sits in the control groups already when it clones, so the child is in them from its first instruction:
//! what its namespaces cost is charged to it, and its cgroup namespace has the right root.

use super::order::{Order, Pipes};
use crate::container::become_process::{Streams, Workdir, become_process, open_terminal};
use crate::container::checkpoint::restore::{self, Restoration};
use crate::container::door::Door;
use crate::container::failure::Failure;
use crate::container::plan::{plan, prelude};
use crate::container::setup::{self, Made, Materials};
use crate::container::spec::{Container, Init, Process, Profile, Stdio};
use crate::container::{clock, init, spec::IdRange};
use rustix::process::{Gid, Uid};
use sandlot_sys::clone::{Alone, Fork, Parent, clone3, exit, namespace, setns};
use sandlot_sys::scm;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// From a child to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Sign {
    /// The helper made the child of this pid.
    Cloned(i32),
    /// The master of the child's terminal comes along.
    Terminal,
    /// Set up but for the network.
    AwaitsNetwork,
    /// Init is up, and no first process was asked for.
    Up,
    /// It does not run.
    Failed(Failure),
}

/// The one byte to a child that waits: from the helper when its ids are mapped, later from the spawner.
pub(super) const GO: &[u8] = b"g";

/// The longest message between child and spawner.
const SIGN: usize = 16 * 1024;

/// Sends a sign; a spawner that is gone needs none.
fn tell(sync: BorrowedFd<'_>, sign: &Sign, descriptors: &[BorrowedFd<'_>]) {
    if let Ok(bytes) = postcard::to_stdvec(sign) {
        scm::send(sync, &bytes, descriptors).map(drop).unwrap_or_default();
    }
}

/// Tells that it does not run, and why. What is told names what a stranger chose, of any length.
fn refuse(sync: BorrowedFd<'_>, failure: Failure) {
    tell(sync, &Sign::Failed(failure.shortened(SIGN / 4)), &[]);
}

/// Receives a sign; `None` at the end of the stream: the child has exec'd, or is dead.
pub(super) fn hear(sync: BorrowedFd<'_>) -> io::Result<Option<(Sign, Option<OwnedFd>)>> {
    let mut bytes = vec![0; SIGN];
    let (n, descriptors) = scm::receive(sync, &mut bytes)?;
    if n == 0 {
        return Ok(None);
    }
    let sign = postcard::from_bytes(&bytes[..n]).map_err(io::Error::other)?;
    Ok(Some((sign, descriptors.into_iter().next())))
}

/// What a new process is made of.
pub(super) struct Making {
    /// The child's end of the wire to the spawner.
    pub(super) sync: OwnedFd,
    /// Groups to join.
    pub(super) cgroups: Vec<OwnedFd>,
    /// What is made.
    pub(super) kind: Kind,
    /// The number of the record that it is made for: its processes are called by it until they are something else.
    pub(super) number: u64,
}

/// What the helper of that number is called, and its child until it becomes something else: at most 15 bytes.
pub(super) fn called(number: u64) -> String {
    format!("sandlot-{:x}", number & 0xfff_ffff)
}

/// What is made.
pub(super) enum Kind {
    /// A container with these ids, which is told later what it is.
    Container(IdRange, Profile),
    /// A process in the container whose first process this is a descriptor of.
    /// The last is its program, if the engine brought that along.
    Execution(Box<Process>, Pipes, OwnedFd, Option<OwnedFd>),
    /// A container that was written down: the helper itself becomes CRIU.
    Restoration(Box<(Container, Restoration)>, Pipes, Materials),
}

/// Clones the helper; in the spawner, answers a descriptor of it. The child tells the rest over the wire.
pub(super) fn make(alone: Alone, making: Making) -> io::Result<OwnedFd> {
    match clone3(alone, 0, Parent::Caller)? {
        Fork::Parent { pidfd, .. } => Ok(pidfd),
        Fork::Child => {
            // A panic must not unwind into the spawner's loop, of which this process holds a copy.
            drop(catch_unwind(AssertUnwindSafe(|| help(alone, making))));
            exit(125)
        }
    }
}

fn help(alone: Alone, making: Making) {
    let sync = making.sync.as_fd();
    let failed = |step: &str, e: io::Error| refuse(sync, Failure::setup(step, &e));
    if let Err(e) = name(making.number) {
        return failed("taking a name", e);
    }
    if let Err(e) = keep_only(&making) {
        return failed("closing descriptors", e);
    }
    for group in &making.cgroups {
        if let Err(e) = rustix::io::write(group, b"0") {
            return failed("joining the control groups", e.into());
        }
    }
    let namespaces = match &making.kind {
        Kind::Container(range, _) => {
            if let Err(e) = act_as(range.base) {
                return failed("becoming the namespaces' maker", e.into());
            }
            namespace::ALL
        }
        Kind::Execution(_, _, init, _) => {
            // A kernel without time namespaces refuses to hear of them.
            let entered = setns(init.as_fd(), namespace::ALL | namespace::TIME);
            if let Err(e) = entered.or_else(|_| setns(init.as_fd(), namespace::ALL)) {
                return failed("entering the container", e);
            }
            0
        }
        Kind::Restoration(what, pipes, materials) => {
            let (spec, restoration) = what.as_ref();
            let streams = match pipes {
                Some((input, output, error)) => [input.as_ref(), Some(output), Some(error)],
                None => [None; 3],
            };
            return refuse(sync, restore::become_criu(alone, (spec, restoration), streams, materials));
        }
    };
    let (wait, go) = match rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) {
        Ok(ends) => ends,
        Err(e) => return failed("making a pipe", e.into()),
    };
    match clone3(alone, namespaces, Parent::CallersParent) {
        Ok(Fork::Parent { pid, .. }) => {
            tell(sync, &Sign::Cloned(pid), &[]);
            if let Err(e) = release(pid, &making.kind, &go) {
                failed("mapping ids", e);
            }
            exit(0)
        }
        Ok(Fork::Child) => {
            drop(go);
            child(alone, making, wait)
        }
        Err(e) => failed("cloning", e),
    }
}

/// In the helper: maps a new container's ids, and lets the child go on. Without the word `go` it ends with the helper.
fn release(pid: i32, kind: &Kind, go: &OwnedFd) -> io::Result<()> {
    if let Kind::Container(range, _) = kind {
        act_as(0)?;
        map_ids(pid, *range)?;
    }
    Ok(rustix::io::write(go, GO).map(drop)?)
}

/// In the helper. The kernel counts what the processes of a user namespace take (queued signals, timers, message queues,
/// inotify, inner namespaces) against the user who made it as well: as root's, all containers' would be one pool, which one could
/// take. So it is made in the name of the container's own root. The real user stays root, who has no limit of processes.
fn act_as(user: u32) -> rustix::io::Result<()> {
    rustix::thread::set_thread_res_uid(None, Some(Uid::from_raw(user)), None)
}

/// Before it makes a child, which is called the same: should the helper be killed before it has told of the child, the spawner
/// finds that one by its name.
fn name(number: u64) -> io::Result<()> {
    let name = std::ffi::CString::new(called(number)).map_err(io::Error::other)?;
    Ok(rustix::thread::set_name(&name)?)
}

fn keep_only(making: &Making) -> io::Result<()> {
    let mut keep = vec![making.sync.as_fd()];
    keep.extend(making.cgroups.iter().map(AsFd::as_fd));
    match &making.kind {
        Kind::Container(..) => {}
        Kind::Execution(_, pipes, init, brought) => {
            keep.push(init.as_fd());
            keep.extend(brought.as_ref().map(AsFd::as_fd));
            keep.extend(inner(pipes).map(AsFd::as_fd));
        }
        Kind::Restoration(_, pipes, materials) => {
            let Materials { root, volatile, mounts } = materials;
            keep.extend([root, volatile].into_iter().chain(mounts).chain(inner(pipes)).map(AsFd::as_fd));
        }
    }
    sandlot_sys::process::close_except(&keep)
}

/// The inner ends of pipes.
fn inner(pipes: &Pipes) -> impl Iterator<Item = &OwnedFd> {
    pipes.iter().flat_map(|(input, output, error)| input.iter().chain([output, error]))
}

/// In the child: waits until its ids are mapped, and becomes what it is to be.
fn child(alone: Alone, making: Making, wait: OwnedFd) {
    let Making { sync, cgroups, kind, .. } = making;
    drop(cgroups);
    let done = await_word(&wait).map_err(|e| Failure::setup("waiting for the helper", &e));
    drop(wait);
    let failure = match (done.and_then(|()| become_root()), kind) {
        (Err(failure), _) => failure,
        (Ok(()), Kind::Container(_, profile)) => container(alone, &sync, profile),
        (Ok(()), Kind::Execution(spec, pipes, init, brought)) => {
            drop(init);
            run(&sync, pipes, (&spec, brought), Workdir::Expect)
        }
        (Ok(()), Kind::Restoration(..)) => Failure::setup("restoring", &"the helper does that"),
    };
    refuse(sync.as_fd(), failure);
}

fn await_word(wait: &OwnedFd) -> io::Result<()> {
    let mut byte = [0];
    match rustix::io::retry_on_intr(|| rustix::io::read(wait, &mut byte))? {
        1 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the helper is gone")),
    }
}

fn await_go(sync: BorrowedFd<'_>) -> io::Result<()> {
    let mut byte = [0];
    match scm::receive(sync, &mut byte)?.0 {
        1 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the spawner is gone")),
    }
}

/// Until now the child was nobody in its own user namespace.
fn become_root() -> Result<(), Failure> {
    let failed = |e| Failure::setup("becoming the container's root", &io::Error::from(e));
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    rustix::thread::set_thread_res_gid(root.1, root.1, root.1).map_err(failed)?;
    rustix::thread::set_thread_res_uid(root.0, root.0, root.0).map_err(failed)?;
    rustix::thread::set_thread_groups(&[]).map_err(failed)?;
    // Changing ids does this as well; it is said aloud because so much depends on it.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(failed)
}

/// What needs no description comes first, while the engine still assembles the rest.
fn container(alone: Alone, sync: &OwnedFd, profile: Profile) -> Failure {
    let mut made = Made::default();
    if let Err(failure) = setup::prepare(&prelude(profile), &mut made) {
        return failure;
    }
    let Order { spec, pipes, materials } = match Order::receive(sync.as_fd()) {
        Ok(Some(order)) => order,
        // It was abandoned, or the spawner is gone.
        Ok(None) => exit(0),
        Err(e) => return Failure::setup("waiting for the specification", &e),
    };
    if spec.init == Init::Only {
        // Where there are no time namespaces, it has the host's.
        clock::begin(alone).unwrap_or_default();
    }
    let mut await_network = || {
        tell(sync.as_fd(), &Sign::AwaitsNetwork, &[]);
        await_go(sync.as_fd())
    };
    if let Err(failure) = setup::run(&plan(&spec), &mut made, &materials, &mut await_network) {
        return failure;
    }
    drop((made, materials));
    let door = match spec.engine.map(Door::open).transpose() {
        Ok(door) => door,
        Err(e) => return Failure::setup("listening for the session's own engine", &e),
    };
    match (spec.init, spec.process) {
        (Init::Command, Some(process)) => run(sync, pipes, (&process, None), Workdir::Make),
        (Init::Reaper, Some(process)) => {
            let mut pipes = pipes;
            let mut first = || {
                let failure = run(sync, pipes.take(), (&process, None), Workdir::Make);
                refuse(sync.as_fd(), failure);
            };
            init::supervise(alone, Some(&mut first), door)
        }
        (Init::Only, _) => {
            tell(sync.as_fd(), &Sign::Up, &[]);
            init::supervise(alone, None, door)
        }
        (_, None) => Failure::setup("starting the first process", &"none was given"),
    }
}

fn run(
    sync: &OwnedFd,
    pipes: Pipes,
    (process, brought): (&Process, Option<OwnedFd>),
    workdir: Workdir,
) -> Failure {
    let streams = match (process.stdio, pipes) {
        (Stdio::Terminal { cols, rows }, _) => match open_terminal(cols, rows) {
            Ok((master, inner)) => {
                tell(sync.as_fd(), &Sign::Terminal, &[master.as_fd()]);
                Streams::Terminal(inner)
            }
            Err(e) => return Failure::setup("opening a terminal", &e),
        },
        (Stdio::Pipes { .. }, Some((input, output, error))) => Streams::Pipes(input, output, error),
        _ => Streams::Null,
    };
    become_process(process, streams, workdir, brought)
}

/// A user namespace with this mapping: that of a child which does nothing and is ended at once.
pub(super) fn userns(alone: Alone, range: IdRange) -> io::Result<OwnedFd> {
    match clone3(alone, namespace::USER, Parent::Caller)? {
        Fork::Child => loop {
            std::thread::park();
        },
        Fork::Parent { pid, pidfd } => {
            let opened =
                map_ids(pid, range).and_then(|()| std::fs::File::open(format!("/proc/{pid}/ns/user")));
            rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL)?;
            await_end(&pidfd)?;
            Ok(opened?.into())
        }
    }
}

/// Waits for the end of a child that is known to end at once.
pub(super) fn await_end(pidfd: &OwnedFd) -> io::Result<()> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    Ok(rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)).map(drop)?)
}

/// Forgives what a process that has ended answers.
pub(super) fn unless_gone(error: io::Error) -> io::Result<()> {
    let gone = [rustix::io::Errno::SRCH, rustix::io::Errno::NOENT].map(|errno| Some(errno.raw_os_error()));
    if gone.contains(&error.raw_os_error()) { Ok(()) } else { Err(error) }
}

/// Writes both maps of a child in a new user namespace.
fn map_ids(pid: i32, range: IdRange) -> io::Result<()> {
    let line = format!("0 {} {}", range.base, range.count);
    std::fs::write(format!("/proc/{pid}/uid_map"), &line)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), &line)
}
