//! `sandlot supervise`: starts spawner, engine and web server, and starts each again when it dies; nothing else.
//!
//! For a laptop. Where systemd is, three units do this better.

use clap::Parser;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

/// Start everything on this machine, and start again what dies.
#[derive(Debug, Parser)]
#[command(name = "sandlot supervise", version)]
pub struct Arguments {
    /// Where everything is kept
    #[arg(long, env = "SANDLOT_STATE", default_value = "/var/lib/sandlot", value_name = "DIR")]
    state: PathBuf,
    /// Where sockets are kept
    #[arg(long, env = "SANDLOT_RUN", default_value = "/run/sandlot", value_name = "DIR")]
    run: PathBuf,
    /// More arguments for the web server
    #[arg(last = true)]
    server: Vec<String>,
}

/// A program that dies sooner than this after its start is not started again at once.
const SETTLED: Duration = Duration::from_secs(1);
/// How long each may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs until it is told to stop.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match supervise(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("sandlot: supervise: {e}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(arguments: &Arguments) -> io::Result<()> {
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD] {
        wanted.add(signal);
    }
    wanted.thread_block()?;
    let mut commands = commands(arguments)?;
    let mut running = Vec::new();
    let sockets = [Some(arguments.run.join("spawner.sock")), Some(arguments.run.join("server.sock")), None];
    for (command, socket) in commands.iter_mut().zip(sockets) {
        running.push((spawn(command, &wanted)?, Instant::now()));
        if let Some(socket) = socket {
            await_socket(&socket);
        }
    }
    loop {
        match wanted.wait()? {
            Signal::SIGCHLD => again(&mut commands, &mut running, &wanted)?,
            _ => return end(running),
        }
    }
}

/// Starts a program with the signals unblocked that we wait for: a child inherits the mask.
fn spawn(command: &mut Command, wanted: &SigSet) -> io::Result<Child> {
    wanted.thread_unblock()?;
    let child = command.spawn();
    wanted.thread_block()?;
    child
}

/// The three, in the order of their starts.
fn commands(arguments: &Arguments) -> io::Result<Vec<Command>> {
    use std::os::unix::process::CommandExt;
    let own = std::env::current_exe()?;
    let mut spawner = Command::new(&own);
    spawner.args(["spawner", "--socket"]).arg(arguments.run.join("spawner.sock")).env_clear();
    let mut engine = Command::new(&own);
    engine
        .args(["engine", "--on-stop", "end", "--state"])
        .arg(&arguments.state)
        .arg("--run")
        .arg(&arguments.run);
    let mut server = Command::new(own.with_file_name("sandlot-server"));
    server.arg("--engine").arg(arguments.run.join("server.sock"));
    server.arg("--state").arg(arguments.state.join("server")).args(&arguments.server);
    let mut all = vec![spawner, engine, server];
    for command in &mut all {
        // Ctrl-C is for us: we end them in the right order.
        command.process_group(0);
    }
    Ok(all)
}

/// Waits until somebody listens: the next program would start one of its own. One that never does says so itself.
fn await_socket(socket: &Path) {
    let begun = Instant::now();
    while UnixStream::connect(socket).is_err() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts those again that have died.
fn again(commands: &mut [Command], running: &mut [(Child, Instant)], wanted: &SigSet) -> io::Result<()> {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(pid) = status.pid().filter(|_| !matches!(status, WaitStatus::StillAlive)) else {
            return Ok(());
        };
        let place = running.iter().position(|(child, _)| pid_of(child) == pid);
        let Some(place) = place else { continue };
        let name = commands[place].get_program().to_string_lossy().into_owned();
        eprintln!("sandlot: {name} ended ({status:?}); starting it again");
        if running[place].1.elapsed() < SETTLED {
            std::thread::sleep(SETTLED);
        }
        running[place] = (spawn(&mut commands[place], wanted)?, Instant::now());
    }
    Ok(())
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Ends them in the other order: the engine ends the containers while the spawner still listens.
fn end(running: Vec<(Child, Instant)>) -> io::Result<()> {
    for (mut child, _) in running.into_iter().rev() {
        // One that has ended by itself needs no signal.
        kill(pid_of(&child), Signal::SIGTERM).unwrap_or_default();
        let asked = Instant::now();
        while child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}
