//! What the processes of a container hold of a pool, as `/proc` tells. Nothing is opened that a container could have made into
//! something else: descriptors are looked at, never taken.

use super::Pool;
use crate::container::network;
use crate::engine::view;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// The most descriptors of a container that are looked at.
const DESCRIPTORS: usize = 200_000;
/// The longest `/proc/PID/fdinfo/FD` that is read: some ten thousand locks.
const INFO: u64 = 1 << 20;
/// `/dev/ptmx`
const MULTIPLEXER: (u32, u32) = (5, 2);
/// The inner ends of terminals: 136 to 143.
const TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;

/// How many of a pool these processes hold.
pub(super) fn of(pool: Pool, pids: &[i32], base: u32) -> u64 {
    let processes = pids.iter().filter_map(|pid| view::process(*pid, base).ok());
    match pool {
        Pool::Terminals => terminals(processes),
        Pool::Locks => locks(processes),
        Pool::Arp => neighbours(processes, network::neighbours::Family::Inet),
        Pool::Discovery => neighbours(processes, network::neighbours::Family::Inet6),
    }
}

/// Each is held by its outer end, its inner one, or both, by one process or by many.
fn terminals(processes: impl Iterator<Item = OwnedFd>) -> u64 {
    let mut seen = BTreeSet::new();
    let mut left = DESCRIPTORS;
    for process in processes {
        each(&process, &mut left, |fd| {
            let stat = statat(&process, format!("fd/{fd}"), AtFlags::empty()).ok()?;
            let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            let index = match number {
                MULTIPLEXER => {
                    let info = info(&process, fd)?;
                    info.lines().find_map(|line| line.strip_prefix("tty-index:")?.trim().parse().ok())?
                }
                (major, minor) if TERMINALS.contains(&major) => (major - TERMINALS.start()) << 8 | minor,
                _ => return None,
            };
            seen.insert((stat.st_dev, index));
            Some(())
        });
    }
    seen.len() as u64
}

fn locks(processes: impl Iterator<Item = OwnedFd>) -> u64 {
    let (mut all, mut left) = (0, DESCRIPTORS);
    for process in processes {
        each(&process, &mut left, |fd| {
            let info = info(&process, fd)?;
            all += info.lines().filter(|line| line.starts_with("lock:")).count() as u64;
            Some(())
        });
    }
    all
}

/// In every network namespace that one of the processes is in.
fn neighbours(processes: impl Iterator<Item = OwnedFd>, family: network::neighbours::Family) -> u64 {
    let mut seen = BTreeSet::new();
    let count = |process: OwnedFd| {
        let netns = network::namespace(process.as_fd()).ok()?;
        let new = seen.insert(rustix::fs::fstat(&netns).ok()?.st_ino);
        new.then(|| network::neighbours::count(netns.as_fd(), family).ok()).flatten()
    };
    processes.filter_map(count).sum()
}

/// Does something with the number of each descriptor of a process.
fn each(process: &OwnedFd, left: &mut usize, mut look: impl FnMut(&str) -> Option<()>) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = openat(process, "fd", flags, Mode::empty()) else { return };
    let Ok(entries) = rustix::fs::Dir::read_from(&directory) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name.starts_with('.') {
            continue;
        }
        if *left == 0 {
            return;
        }
        *left -= 1;
        // What is none of the kind, or is closed by now, is passed over.
        look(name).unwrap_or_default();
    }
}

fn info(process: &OwnedFd, fd: &str) -> Option<String> {
    let file =
        openat(process, format!("fdinfo/{fd}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    std::fs::File::from(file).take(INFO).read_to_string(&mut text).ok()?;
    Some(text)
}
