//! Disks on the machine that runs the tests, as root.

use super::*;
use rustix::mount::{UnmountFlags, unmount};
use std::fs::File;
use std::io::Write;

const OWNER: IdRange = IdRange { base: 7_100_000, count: 65_536 };
const SIZE: u64 = 16 << 20;

/// A state directory whose disks are released at the end, also if the test fails.
struct State {
    disks: Disks,
    directory: tempfile::TempDir,
}

impl State {
    fn new(ready: usize, overcommit_percent: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disks = Disks::new(directory.path(), Settings { size: SIZE, ready, overcommit_percent }).unwrap();
        Self { disks, directory }
    }

    fn mounts(&self) -> usize {
        let place = self.directory.path().to_str().unwrap();
        std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().filter(|l| l.contains(place)).count()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.disks.entries().unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    /// Loop devices whose file lies in this state.
    fn loops(&self) -> usize {
        let place = self.directory.path().to_str().unwrap();
        let files = std::fs::read_dir("/sys/block").unwrap().flatten();
        let files = files.filter_map(|e| std::fs::read_to_string(e.path().join("loop/backing_file")).ok());
        files.filter(|file| file.contains(place)).count()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.disks.pool.lock().unwrap_or_else(PoisonError::into_inner).ready.clear();
        self.disks.sweep(&|_| false).unwrap();
    }
}

#[test]
fn writing_past_the_size_is_enospc_and_nothing_is_left_behind() {
    use std::os::unix::fs::MetadataExt;
    let state = State::new(0, 100);
    let disk = state.disks.acquire("one", None, OWNER).unwrap();
    for path in [disk.upper(), disk.work()] {
        assert_eq!(path.metadata().unwrap().uid(), OWNER.base);
    }
    let mut file = File::create(disk.upper().join("big")).unwrap();
    let block = vec![7; 1 << 20];
    let error = (0..64).find_map(|_| file.write_all(&block).err()).unwrap();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    rustix::fs::syncfs(&file).unwrap();
    assert!(disk.image().metadata().unwrap().blocks() * 512 <= SIZE);
    assert_eq!((state.mounts(), state.loops()), (1, 1));
    drop(file);
    state.disks.release("one").unwrap();
    assert_eq!(state.mounts(), 0);
    let start = std::time::Instant::now();
    while state.loops() > 0 {
        assert!(start.elapsed().as_secs() < 10, "the loop device stays");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(state.names(), [format!("template-{SIZE}")]);
    state.disks.release("one").unwrap();
}

#[test]
fn ready_ones_are_used_first_and_once() {
    let state = State::new(2, 100);
    state.disks.refill().unwrap();
    assert_eq!((state.mounts(), state.names().len()), (2, 3));
    let disk = state.disks.acquire("one", Some(SIZE - 5), OWNER).unwrap();
    std::fs::write(disk.upper().join("mine"), "x").unwrap();
    assert_eq!(state.mounts(), 2, "no new one was made");
    let other = state.disks.acquire("two", None, OWNER).unwrap();
    assert!(!other.upper().join("mine").exists());
    assert!(state.disks.acquire("two", None, OWNER).is_err(), "a name is taken once");
    let large = state.disks.acquire("large", Some(SIZE * 2), OWNER).unwrap();
    let data = rustix::fs::statvfs(large.upper()).unwrap();
    assert!(data.f_blocks * data.f_frsize > SIZE);
    state.disks.refill().unwrap();
    assert_eq!(state.mounts(), 5);
}

#[test]
fn a_sweep_keeps_what_is_wanted_and_a_disk_is_found_again() {
    let state = State::new(1, 100);
    state.disks.refill().unwrap();
    let kept = state.disks.acquire("kept", None, OWNER).unwrap();
    state.disks.acquire("lost", None, OWNER).unwrap();
    std::fs::write(kept.upper().join("work"), "done").unwrap();
    // A later engine knows nothing of the pool, and the machine was started anew: the mount is gone.
    state.disks.pool.lock().unwrap().ready.clear();
    assert_eq!(state.disks.sweep(&|id| id == "kept").unwrap(), 1);
    unmount(kept.mount(), UnmountFlags::empty()).unwrap();
    let again = state.disks.open("kept").unwrap();
    assert_eq!(std::fs::read_to_string(again.upper().join("work")).unwrap(), "done");
    assert_eq!(state.mounts(), 1);
}

#[test]
fn sizes_names_and_promises_out_of_range_are_refused() {
    let state = State::new(0, 100);
    for size in [0, 1, SMALLEST - STEP, LARGEST + 1, u64::MAX] {
        assert!(matches!(state.disks.acquire("one", Some(size), OWNER), Err(Error::Size(s)) if s == size));
    }
    for name in ["", ".", "..", "a/b", "../x", "ready-1", "template-1", "-x", "a\n"] {
        assert!(matches!(state.disks.acquire(name, None, OWNER), Err(Error::Name(_))), "{name}");
    }
    let error = state.disks.acquire("one", Some(LARGEST), OWNER).unwrap_err();
    assert!(matches!(error, Error::Full { wanted: LARGEST, .. }), "{error}");
    let none = State::new(0, 0);
    assert!(matches!(none.disks.acquire("one", None, OWNER), Err(Error::Full { .. })));
    assert!(state.names().is_empty() && none.names().is_empty(), "nothing is left");
}

#[test]
fn one_that_outlives_containers_is_closed_and_opened_and_never_mounted_by_two_devices() {
    let state = State::new(0, 100);
    state.disks.create("volume-a", SIZE).unwrap();
    assert_eq!(state.mounts(), 0, "not before it is used");
    assert!(state.disks.create("volume-a", SIZE).is_err());
    let disk = state.disks.open("volume-a").unwrap();
    assert_eq!(disk.upper(), state.disks.content("volume-a").unwrap());
    std::fs::write(disk.upper().join("kept"), "x").unwrap();
    // A container has it in a mount namespace of its own, and whoever mounts for the engine sees nothing of that.
    let clone =
        rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let inside = rustix::mount::open_tree(rustix::fs::CWD, disk.upper(), clone).unwrap();
    state.disks.close("volume-a").unwrap();
    state.disks.close("volume-a").unwrap();
    assert_eq!((state.mounts(), state.loops()), (0, 1));
    let again = state.disks.open("volume-a").unwrap();
    assert_eq!((state.mounts(), state.loops()), (1, 1), "a second device has a cache of its own");
    let written = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    rustix::fs::openat(&inside, "seen", written, rustix::fs::Mode::RWXU).unwrap();
    assert!(again.upper().join("seen").exists() && again.upper().join("kept").exists());
    drop(inside);
    state.disks.release("volume-a").unwrap();
    assert_eq!(state.mounts(), 0);
}
