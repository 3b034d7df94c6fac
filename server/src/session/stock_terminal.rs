//! A terminal of a stock Docker engine: an `exec` with a TTY over a hijacked connection, made to look like a pty here.
//!
//! A pair of ptys of our own stands in between: what comes over the connection is written to its slave, raw, and what is
//! typed is read from it. Sizes go by a call of their own.

use super::calls::explain;
use super::engine::{Error, Handed};
use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::ResizeExecOptionsBuilder;
use futures_util::{Stream, StreamExt};
use nix::pty::openpty;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use sandlot_wire::ring::Ring;
use sandlot_wire::{OpenTerminal, Size};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};
use tokio::sync::watch;

/// Bytes of a terminal's name.
const NAME: usize = 8;

/// The variable by which a terminal's processes are found again.
const MARK: &str = "SANDLOT_TERMINAL";

/// The login shell of whoever it is, else sh.
const SHELL: &str = "u=$(id -un 2>/dev/null); s=$(sed -n \"s/^${u:-root}:.*://p\" /etc/passwd 2>/dev/null); \
    [ -x \"$s\" ] || s=/bin/sh; exec \"$s\" -l";

/// Hangs up every process that has the mark.
const HANG_UP: &str = "for p in /proc/[0-9]*; do case \"$(tr '\\0' '\\n' <\"$p/environ\" 2>/dev/null)\" in \
    *\"$0\"*) kill -HUP \"${p#/proc/}\" 2>/dev/null;; esac; done; :";

/// The most read or written at once.
const PIECE: usize = 64 * 1024;

/// A terminal that was opened.
pub(super) struct Opened {
    /// What the rest of the server needs.
    pub(super) handed: Handed,
    /// Docker's name of it.
    pub(super) exec: String,
}

type Output =
    Pin<Box<dyn Stream<Item = Result<bollard::container::LogOutput, bollard::errors::Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Opens a terminal in a running container.
pub(super) async fn open(docker: Docker, container: &str, request: &OpenTerminal) -> Result<Opened, Error> {
    let mut random = [0; NAME];
    getrandom::fill(&mut random).map_err(|error| Error::Protocol(error.to_string()))?;
    let id = hex::encode(random);
    let shell = || ["/bin/sh", "-c", SHELL].map(str::to_owned).into();
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(true),
        env: Some(request.env.iter().cloned().chain([format!("{MARK}={id}")]).collect()),
        cmd: Some(if request.cmd.is_empty() { shell() } else { request.cmd.clone() }),
        user: request.user.clone(),
        working_dir: request.cwd.clone(),
        ..CreateExecOptions::default()
    };
    let exec = docker.create_exec(container, options).await.map_err(explain)?.id;
    let start = StartExecOptions { detach: false, tty: true, output_capacity: Some(PIECE) };
    let StartExecResults::Attached { output, input } =
        docker.start_exec(&exec, Some(start)).await.map_err(explain)?
    else {
        return Err(Error::Protocol("no connection to the terminal".to_owned()));
    };
    let broken = |error: io::Error| Error::Protocol(format!("cannot make a terminal here: {error}"));
    let (master, slave) = pair().map_err(broken)?;
    let ring = ring(&id).map_err(broken)?;
    let (resized, sizes) = watch::channel(request.size);
    pump(slave, output, input).map_err(broken)?;
    tokio::spawn(pass_sizes(docker, exec.clone(), sizes));
    Ok(Opened { handed: Handed { id, master, ring, resized: Some(resized) }, exec })
}

/// Ends a terminal's processes as a closed line does.
pub(super) async fn hang_up(docker: &Docker, container: &str, terminal: &str) -> Result<(), Error> {
    let command = ["/bin/sh", "-c", HANG_UP].map(str::to_owned).into_iter();
    let cmd = command.chain([format!("{MARK}={terminal}")]).collect();
    let options = CreateExecOptions::<String> { cmd: Some(cmd), ..CreateExecOptions::default() };
    let exec = docker.create_exec(container, options).await.map_err(explain)?.id;
    let start = StartExecOptions { detach: true, ..StartExecOptions::default() };
    docker.start_exec(&exec, Some(start)).await.map(drop).map_err(explain)
}

/// A pty whose slave passes every byte as it is.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pty = openpty(None, None)?;
    let mut raw = tcgetattr(&pty.slave)?;
    raw.make_raw();
    tcsetattr(&pty.slave, OptionalActions::Now, &raw)?;
    rustix::io::ioctl_fionbio(&pty.slave, true)?;
    Ok((pty.master, pty.slave))
}

/// A ring that nobody else finds: its file has no name.
fn ring(id: &str) -> io::Result<OwnedFd> {
    let path = std::env::temp_dir().join(format!("sandlot-ring-{id}"));
    let file = Ring::create(&path).map_err(io::Error::other)?;
    std::fs::remove_file(path)?;
    Ok(file.into())
}

/// Carries bytes both ways, each in a task of its own: a program that prints more than is read can still be interrupted.
fn pump(slave: OwnedFd, mut output: Output, mut input: Input) -> io::Result<()> {
    let (other, slave) = (watched(slave.try_clone()?)?, watched(slave)?);
    let down = tokio::spawn(async move {
        let mut typed = vec![0; PIECE];
        loop {
            match other.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut typed)?)).await {
                Ok(0) | Err(_) => break,
                Ok(n) if input.write_all(&typed[..n]).await.is_err() || input.flush().await.is_err() => break,
                Ok(_) => (),
            }
        }
    });
    tokio::spawn(async move {
        'all: while let Some(Ok(printed)) = output.next().await {
            let bytes = printed.into_bytes();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                match slave.async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, rest)?)).await {
                    Ok(n) => rest = &rest[n..],
                    Err(_) => break 'all,
                }
            }
        }
        // Both ends of the slave must close for the master to hear of the end.
        down.abort();
    });
    Ok(())
}

#[expect(deprecated, reason = "its successor is unsafe for types that may lie; an OwnedFd is true")]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE | Interest::WRITABLE)
}

/// Tells Docker every size, the first included, until the terminal is gone.
async fn pass_sizes(docker: Docker, exec: String, mut sizes: watch::Receiver<Size>) {
    loop {
        let Size { cols, rows } = *sizes.borrow_and_update();
        let options = ResizeExecOptionsBuilder::default().h(rows.into()).w(cols.into()).build();
        if let Err(error) = docker.resize_exec(&exec, options).await {
            tracing::debug!(exec, %error, "the terminal could not be resized");
        }
        if sizes.changed().await.is_err() {
            return;
        }
    }
}
