//! Directories followed: what changes in them is told soon after, many changes as one.
//!
//! The kernel's queue and its counts are per session: the thread that makes them has the container's own user id. So a
//! session that changes files without end makes itself told "anything", and nobody else.

use super::{Error, UNFINISHED, encode, told};
use crate::engine::Engine;
use crate::engine::error::{Doing, Error as EngineError};
use crate::image::place::open_inside;
use rustix::fs::OFlags;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use rustix::thread::set_thread_res_uid;
use sandlot_wire::files::{Change, DIRECTORIES};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many streams of changes a container has at once.
const STREAMS: usize = 16;
/// How long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// The most names that a change tells; more are "anything".
const NAMES: usize = 64;
/// Bytes of events that the kernel gives at once.
const BUFFER: usize = 16 << 10;
/// The most events that are looked at before others have their turn.
const EVENTS: usize = 4096;

/// What is told: content, permissions, names, and the end of the directory itself.
const TOLD: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// The places for streams of changes of a container.
#[derive(Debug, Clone)]
pub struct Watches(Arc<Semaphore>);

impl Default for Watches {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS)))
    }
}

/// Directories that are followed.
#[derive(Debug)]
pub struct Watch {
    queue: AsyncFd<OwnedFd>,
    /// By watch descriptor; links may make several paths one directory.
    directories: HashMap<i32, Vec<String>>,
    ready: VecDeque<Change>,
    _place: OwnedSemaphorePermit,
}

/// What came since the last time: names by directory; no names: anything.
type Gathered = BTreeMap<String, BTreeSet<String>>;

impl Engine {
    /// Follows directories; the first changes are one of each, also of those that are not there.
    ///
    /// # Errors
    /// [`Error::TooMany`], [`Error::Engine`].
    pub async fn follow_files(&self, key: &str, directories: Vec<PathBuf>) -> Result<Watch, Error> {
        let container = self.find(key)?;
        if container.state().alive().is_none() {
            return Err(container.not_running().into());
        }
        if directories.len() > DIRECTORIES {
            return Err(Error::TooMany);
        }
        let place = container.watches.0.clone().try_acquire_owned().map_err(|_| Error::TooMany)?;
        let work = move |root: BorrowedFd<'_>, base| Ok(follow(root, base, &directories));
        let (queue, directories, ready) = self.with_root(container, work).await??;
        #[expect(deprecated, reason = "its successor is unsafe for types that may lie; an OwnedFd is true")]
        let queue =
            AsyncFd::with_interest(queue, Interest::READABLE).doing(|| "following directories".into())?;
        Ok(Watch { queue, directories, ready, _place: place })
    }
}

type Followed = (OwnedFd, HashMap<i32, Vec<String>>, VecDeque<Change>);

fn follow(root: BorrowedFd<'_>, base: u32, directories: &[PathBuf]) -> Result<Followed, Error> {
    let user = rustix::thread::Uid::from_raw(base);
    // Of this thread alone, which ends with its work.
    set_thread_res_uid(user, user, user).doing(|| "taking on the container's user id".into())?;
    let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|e| match e {
        Errno::MFILE => Error::TooMany,
        e => EngineError::Io { what: "following directories".into(), source: e.into() }.into(),
    })?;
    let (mut followed, mut first) = (HashMap::<i32, Vec<String>>::new(), VecDeque::new());
    for path in directories {
        let shown = encode(path.as_os_str());
        first.push_back(Change { directory: shown.clone(), names: Vec::new() });
        let Ok(found) = open_inside(root, path, OFlags::PATH | OFlags::DIRECTORY) else { continue };
        match inotify::add_watch(&queue, format!("/proc/self/fd/{}", found.as_raw_fd()), TOLD) {
            Ok(number) => followed.entry(number).or_default().push(shown),
            Err(Errno::NOSPC) => return Err(Error::TooMany),
            Err(e) => return Err(told(path)(e)),
        }
    }
    Ok((queue, followed, first))
}

impl Watch {
    /// The next change; `None` once the container's files are gone.
    ///
    /// # Errors
    /// What the system answers.
    pub async fn next(&mut self) -> std::io::Result<Option<Change>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(Some(change));
            }
            if self.directories.is_empty() {
                return Ok(None);
            }
            let mut readable = self.queue.readable().await?;
            tokio::time::sleep(GATHER).await;
            let mut gathered = Gathered::new();
            if read(self.queue.get_ref(), &mut self.directories, &mut gathered)? == Left::Nothing {
                readable.clear_ready();
            }
            let told = gathered.into_iter().map(|(directory, names)| {
                let names = if names.len() > NAMES { BTreeSet::new() } else { names };
                Change { directory, names: names.into_iter().collect() }
            });
            self.ready.extend(told);
        }
    }
}

/// What is left in the kernel's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

/// Reads what the kernel has, but no more than [`EVENTS`] of it.
fn read(
    queue: &OwnedFd,
    directories: &mut HashMap<i32, Vec<String>>,
    gathered: &mut Gathered,
) -> std::io::Result<Left> {
    let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
    let mut reader = Reader::new(queue, &mut buffer);
    let mut anything = BTreeSet::new();
    let mut left = Left::Something;
    for _ in 0..EVENTS {
        let event = match reader.next() {
            Ok(event) => event,
            Err(Errno::WOULDBLOCK) => {
                left = Left::Nothing;
                break;
            }
            Err(Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        };
        if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            anything.extend(directories.values().flatten().cloned());
            continue;
        }
        let Some(paths) = directories.get(&event.wd()) else { continue };
        let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
        match name.filter(|name| !name.is_empty()) {
            Some(name) if name.as_bytes().starts_with(UNFINISHED) => {}
            Some(name) => {
                for path in paths {
                    let names = gathered.entry(path.clone()).or_default();
                    // One more than is told says that there were too many.
                    if names.len() <= NAMES {
                        names.insert(encode(name));
                    }
                }
            }
            None => anything.extend(paths.iter().cloned()),
        }
        if event.events().contains(ReadFlags::IGNORED) {
            directories.remove(&event.wd());
        }
    }
    gathered.extend(anything.into_iter().map(|path| (path, BTreeSet::new())));
    Ok(left)
}
