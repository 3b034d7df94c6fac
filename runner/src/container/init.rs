//! PID 1 of a session: reaps, forwards signals, starts the first process if there is one, and the session's own engine when
//! somebody asks for it.
//!
//! Plain Rust that was never exec'd, in a copy of the spawner's small memory; it is not dumpable, so nothing inside can
//! look at that memory.

use super::door::Door;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{PidfdFlags, pidfd_open};
use sandlot_sys::clone::{Alone, Fork, Parent, clone3, exit};
use sandlot_sys::process::{Ended, Wait, reap};
use std::io;
use std::os::fd::AsFd;

/// What init looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    /// The first process: init ends when it does, with its code.
    First(i32),
    /// Whoever comes: init ends when it is told to.
    Whoever,
}

/// Blocks all signals, so that none is lost before init looks, and starts the first process by `first`, which never
/// returns in the child. Never returns.
///
/// Behind `door` waits the session's own engine.
pub fn supervise(alone: Alone, first: Option<&mut dyn FnMut()>, mut door: Option<Door>) -> ! {
    let code = match start(alone, first, door.as_ref()) {
        Ok((signals, charge)) => watch(alone, &signals, charge, door.as_mut()),
        Err(_) => 125,
    };
    exit(code)
}

fn start(
    alone: Alone,
    first: Option<&mut dyn FnMut()>,
    door: Option<&Door>,
) -> io::Result<(SignalFd, Charge)> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // Those of the spawner are the host's.
    super::become_process::quiet()?;
    let all = SigSet::all();
    all.thread_block()?;
    rustix::thread::set_name(c"init")?;
    let charge = match first {
        None => Charge::Whoever,
        Some(run) => match clone3(alone, 0, Parent::Caller)? {
            Fork::Parent { pid, .. } => Charge::First(pid),
            Fork::Child => {
                run();
                exit(125);
            }
        },
    };
    // What set-up left open (descriptors of mounts, the wire to the spawner) is nothing that init needs.
    let kept: Vec<_> = door.iter().map(|door| door.as_fd()).collect();
    sandlot_sys::process::close_except(&kept)?;
    Ok((SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC)?, charge))
}

fn watch(alone: Alone, signals: &SignalFd, charge: Charge, mut door: Option<&mut Door>) -> i32 {
    loop {
        if let Some(door) = door.as_deref_mut() {
            door.await_signal(alone, signals.as_fd());
        }
        let Ok(Some(info)) = signals.read_signal() else { continue };
        let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
        match (signal, charge) {
            (Some(Signal::SIGCHLD), _) => {
                if let Some(code) = reap_all(charge, door.as_deref_mut()) {
                    return code;
                }
            }
            (Some(signal), Charge::First(pid)) => {
                // The process may have ended just now: then there is nobody to tell.
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap_or_default();
            }
            (Some(Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP | Signal::SIGPWR), Charge::Whoever) => {
                return 0;
            }
            (None, Charge::First(pid)) => {
                // A real-time signal has no name.
                let held = rustix::process::Pid::from_raw(pid)
                    .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                if let (Some(held), Ok(number)) = (held, i32::try_from(info.ssi_signo)) {
                    sandlot_sys::process::send_signal(held.as_fd(), number).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
}

/// Reaps whatever has ended; answers init's own exit code once its charge has.
fn reap_all(charge: Charge, mut door: Option<&mut Door>) -> Option<i32> {
    while let Ok(Some((pid, ended))) = reap(Wait::Poll) {
        if let Some(door) = door.as_deref_mut() {
            door.ended(pid);
        }
        if charge == Charge::First(pid) {
            return Some(match ended {
                Ended::Code(code) => code,
                Ended::Signal(signal) => 128 + signal,
            });
        }
    }
    None
}
