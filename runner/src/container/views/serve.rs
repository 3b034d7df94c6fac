//! The process that serves the files: it reads the groups' public files, and nothing that a container wrote.
//!
//! It is nobody's user, the nicest process there is, and asks the groups at most ten times a second for each container,
//! however often a container asks. It ends when nothing of its filesystem is mounted any more.

use super::FILES;
use super::figures::{self, Moment};
use crate::container::cgroup::{Group, Hierarchy, Stats};
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen, Request, Session, SessionACL,
};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How old figures may be.
const FRESH: Duration = Duration::from_millis(100);
/// How long the kernel may believe names and attributes: for ever, they do not change.
const TTL: Duration = Duration::from_secs(3600);
/// What a file says of its size, for who copies by it (`sendfile(2)`): more than there is to read.
const SIZE: u64 = 64 * 1024;
/// How many numbers of files a container has: its directory's, then its files'.
const STRIDE: u64 = 8;

/// Serves the filesystem whose kernel's end is this process's standard input, for containers whose groups lie below `parent`, until nothing of it is mounted.
///
/// # Errors
/// That no control groups are there, or what the kernel's end answers.
pub fn serve(parent: &str) -> io::Result<()> {
    let device = io::stdin().as_fd().try_clone_to_owned()?;
    // Who asks without end must not take processor time from others; where it cannot be had, it goes without.
    rustix::process::nice(19).map(drop).unwrap_or_default();
    let groups = Hierarchy::detect().map_err(io::Error::other)?;
    let files = Files { groups, parent: parent.to_owned(), state: Mutex::default() };
    Session::from_fd(files, device, SessionACL::All, Config::default())?.run()
}

struct Files {
    groups: Hierarchy,
    parent: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the number of the directory.
    containers: HashMap<u64, Container>,
    numbers: HashMap<String, u64>,
    last: u64,
}

struct Container {
    id: String,
    group: Group,
    began: Instant,
    /// How often the kernel has looked its directory and its files up and not forgotten them.
    known: u64,
    seen: Instant,
    moment: Moment,
}

impl Container {
    /// Its figures, at most [`FRESH`] old.
    fn look(&mut self) -> &Moment {
        let now = Instant::now();
        let passed = now - self.seen;
        if passed < FRESH && self.moment.processors > 0 {
            return &self.moment;
        }
        let stats = self.group.stats().unwrap_or_else(|_| Stats::default());
        let before = self.moment.stats.cpu.total;
        if self.moment.processors > 0 {
            let used = Duration::from_nanos(stats.cpu.total.saturating_sub(before));
            let used = used.as_secs_f64() / passed.as_secs_f64();
            self.moment.load = figures::decayed(self.moment.load, used, passed);
        }
        self.moment.processors = processors(&self.group);
        self.moment.host_memory = host_memory();
        (self.moment.stats, self.moment.age, self.seen) = (stats, now - self.began, now);
        &self.moment
    }
}

/// How many of the host's processors the limits are worth, rounded up.
fn processors(group: &Group) -> usize {
    let host = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let quota = group.processors().and_then(|n| usize::try_from(n).ok());
    quota.map_or(host, |n| n.clamp(1, host))
}

fn host_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|n| n.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

impl Files {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a container's directory.
    fn directory(&self, name: &OsStr) -> Option<u64> {
        let id = name.to_str()?;
        let mut state = self.state();
        if let Some(number) = state.numbers.get(id).copied() {
            state.containers.get_mut(&number)?.known += 1;
            return Some(number);
        }
        let group = self.groups.open(&self.parent, id).ok()?;
        let number = state.last + STRIDE;
        state.last = number;
        let (began, moment) = (Instant::now(), Moment::default());
        let new = Container { id: id.to_owned(), group, began, known: 1, seen: began, moment };
        state.containers.insert(number, new);
        state.numbers.insert(id.to_owned(), number);
        Some(number)
    }

    fn text(&self, ino: u64) -> Option<String> {
        let mut state = self.state();
        let container = state.containers.get_mut(&(ino - ino % STRIDE))?;
        let file = FILES.get(usize::try_from(ino % STRIDE).ok()?.checked_sub(1)?)?;
        let moment = container.look();
        Some(match *file {
            "meminfo" => figures::meminfo(moment),
            "stat" => figures::stat(moment, booted(moment.age)),
            "loadavg" => figures::loadavg(moment),
            "cpuinfo" => {
                figures::cpuinfo(moment, &std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
            }
            _ => figures::swaps(),
        })
    }
}

/// When a container of this age began, in seconds since 1970: what its time namespace has for the start of the machine.
fn booted(age: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(age).as_secs()
}

fn attributes(ino: u64) -> FileAttr {
    let directory = ino < STRIDE || ino.is_multiple_of(STRIDE);
    let (kind, perm) = if directory { (FileType::Directory, 0o555) } else { (FileType::RegularFile, 0o444) };
    FileAttr {
        ino: INodeNo(ino),
        size: if directory { 0 } else { SIZE },
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = if parent == INodeNo::ROOT {
            self.directory(name)
        } else {
            let n = FILES.iter().position(|file| OsStr::new(file) == name);
            let mut state = self.state();
            n.and_then(|n| {
                state.containers.get_mut(&parent.0)?.known += 1;
                Some(parent.0 + 1 + u64::try_from(n).ok()?)
            })
        };
        match number {
            Some(number) => reply.entry(&TTL, &attributes(number), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn forget(&self, _: &Request, ino: INodeNo, times: u64) {
        let mut state = self.state();
        let number = ino.0 - ino.0 % STRIDE;
        let Some(container) = state.containers.get_mut(&number) else { return };
        container.known = container.known.saturating_sub(times);
        if container.known == 0 {
            let id = state.containers.remove(&number).map(|c| c.id).unwrap_or_default();
            state.numbers.remove(&id);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &attributes(ino.0));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // What is read is made when it is read: there is nothing to keep, and no size that is known before.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(text) = self.text(ino.0) else { return reply.error(Errno::ENOENT) };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
        let to = from.saturating_add(usize::try_from(size).unwrap_or(0)).min(text.len());
        reply.data(&text.as_bytes()[from..to]);
    }
}
