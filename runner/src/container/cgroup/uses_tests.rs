//! What people mean by control groups beside limits: priority, accounting, control, and a page cache that stays whose it is.

use super::*;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

impl Sandbox {
    fn named(&self, id: &str, wanted: &Wanted) -> Group {
        let limits = Limits::new(wanted, &Machine::read()).unwrap();
        self.hierarchy.create(&self.parent, id, &limits, None).unwrap()
    }
}

/// User and kernel time may be counted in ticks of 10 ms.
const TICKS: u64 = 100_000_000;

/// A block device of a file of zeroes that takes no space; freed when dropped.
struct Disk {
    path: String,
    _device: OwnedFd,
    _file: tempfile::TempDir,
}

impl Disk {
    /// `None`, said aloud, where the kernel has no loop devices.
    fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let file =
            File::options().read(true).write(true).create_new(true).open(dir.path().join("disk")).unwrap();
        file.set_len(bytes).unwrap();
        match sandlot_sys::loopdev::attach(file.as_fd()) {
            Ok((device, path)) => Some(Self { path, _device: device, _file: dir }),
            Err(e) => {
                eprintln!("skipped: this kernel has no loop device to read from: {e}");
                None
            }
        }
    }

    /// Bytes that were read from the device, not from memory.
    fn read(&self) -> u64 {
        let name = self.path.trim_start_matches("/dev/");
        let stat = std::fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
        stat.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap() * 512
    }
}

#[test]
fn processor_time_goes_by_weight_and_place() {
    let sandbox = Sandbox::new("weight");
    let wanted = |cpu_shares| Wanted { cpu_shares, cpuset_cpus: "0".into(), ..Wanted::default() };
    let groups = [("light", 256), ("heavy", 2048)].map(|(id, shares)| sandbox.named(id, &wanted(shares)));
    let (place, _, _) = output(run(&groups[0], "grep Cpus_allowed_list /proc/self/status"));
    assert_eq!(place, "Cpus_allowed_list:\t0\n");
    let mut children = groups.each_ref().map(|group| run(group, "while :; do :; done"));
    let used = || groups.each_ref().map(|group| group.stats().unwrap().cpu.total);
    until("both run", || used().iter().all(|nanos| *nanos > 20_000_000));
    let before = used();
    until("the heavy one had a second more", || used()[1] > before[1] + 1_000_000_000);
    let after = used();
    let [light, heavy] = [0, 1].map(|n| after[n] - before[n]);
    // Eight to one is asked for.
    assert!(heavy > 3 * light, "{heavy} to {light}");
    groups.iter().for_each(|group| group.kill().unwrap());
    for child in &mut children {
        child.wait().unwrap();
    }
}

#[test]
fn what_is_counted_is_plausible_and_begins_anew() {
    let sandbox = Sandbox::new("counted");
    let group = sandbox.named("one", &Wanted::default());
    let script = "n=0; while [ $n -lt 20000 ]; do n=$((n + 1)); done; sleep 60 & sleep 60 & head -c 8000000 /dev/zero | tail -c 8000000 | sleep 60";
    let mut child = run(&group, script);
    until("all of it runs", || group.stats().unwrap().pids.current >= 5);
    until("its memory is counted", || group.stats().unwrap().memory.usage > 7_000_000);
    let stats = group.stats().unwrap();
    let cpu = &stats.cpu;
    assert!(cpu.total > 1_000_000 && cpu.user + cpu.system <= cpu.total + TICKS, "{cpu:?}");
    assert!(stats.memory.usage < 200 << 20, "{:?}", stats.memory);
    assert_eq!(u64::try_from(group.pids().unwrap().len()).unwrap(), stats.pids.current);
    group.kill().unwrap();
    child.wait().unwrap();
    group.remove().unwrap();
    // The restart of a group: the same name, and nothing of what was.
    let again = sandbox.named("one", &Wanted::default());
    let stats = again.stats().unwrap();
    assert!(
        stats.cpu.total < 1_000_000 && stats.memory.usage < 1 << 20 && stats.pids.current == 0,
        "{stats:?}"
    );
    assert_eq!(output(run(&again, "echo runs")).0, "runs\n");
}

#[test]
fn reading_is_throttled_and_counted_by_device() {
    const RATE: u64 = 1 << 20;
    let Some(disk) = Disk::new(3 * RATE) else { return };
    let sandbox = Sandbox::new("io");
    if !sandbox.hierarchy.has(Controller::Io) {
        eprintln!("skipped: this kernel offers no io controller");
        return;
    }
    let direct = format!("dd if={} of=/dev/null bs=256k iflag=direct 2>&1", disk.path);
    let timed = |group: &Group| {
        let begun = std::time::Instant::now();
        let (said, _, status) = output(run(group, &direct));
        assert!(status.success(), "{said}");
        begun.elapsed()
    };
    let rate = DeviceRate { path: disk.path.clone().into(), rate: RATE };
    let slow = sandbox.named("slow", &Wanted { read_bps: vec![rate], ..Wanted::default() });
    let free = timed(&sandbox.named("free", &Wanted::default()));
    let throttled = timed(&slow);
    assert!(throttled.as_millis() > 1500 && throttled > free, "{throttled:?}, without a limit {free:?}");
    let read: u64 = slow.stats().unwrap().block.iter().map(|b| b.read_bytes).sum();
    assert_eq!(read, 3 * RATE);
    if !sandbox.hierarchy.weighs_io() {
        eprintln!("skipped: this kernel has no scheduler that weighs block i/o (BFQ)");
        return;
    }
    let weighed = sandbox.named("weighed", &Wanted { blkio_weight: 200, ..Wanted::default() });
    assert_eq!(output(run(&weighed, "echo runs")).0, "runs\n");
}

/// How often a neighbour's pages are looked at: a machine that is itself short of memory takes pages from everybody, and one calm look
/// shows what the reader does. A reader that pushed them out would do so each time.
const LOOKS: usize = 8;

#[test]
fn who_reads_a_large_file_pushes_no_neighbours_pages_out() {
    const NEAR: u64 = 16 << 20;
    const FAR: u64 = 128 << 20;
    let (Some(near), Some(far)) = (Disk::new(NEAR), Disk::new(FAR)) else { return };
    let sandbox = Sandbox::new("cache");
    let limited = |memory| Wanted { memory, memory_swap: memory, ..Wanted::default() };
    let neighbour = sandbox.named("neighbour", &limited(64 << 20));
    let reader = sandbox.named("reader", &limited(16 << 20));
    let all_of = |disk: &Disk, group: &Group| {
        let (said, errors, status) =
            output(run(group, &format!("cat {} >/dev/null && echo done", disk.path)));
        assert!(said == "done\n" && status.success(), "{said} {errors}");
    };
    let mut seen = Vec::new();
    let calm = (0..LOOKS).any(|_| {
        all_of(&near, &neighbour);
        let (pages, read, passed) = (neighbour.stats().unwrap().memory.cache, near.read(), far.read());
        for _ in 0..2 {
            all_of(&far, &reader);
        }
        // All of it came by, twice, and none of it stayed beyond the reader's own limit.
        assert!(far.read() - passed >= 2 * (FAR - (16 << 20)), "{}", far.read() - passed);
        let stats = reader.stats().unwrap().memory;
        assert!(stats.cache <= 16 << 20 && stats.oom_kills == 0, "{stats:?}");
        let left = neighbour.stats().unwrap().memory.cache;
        all_of(&near, &neighbour);
        let again = near.read() - read;
        seen.push((pages, left, again));
        // A few pages' worth may not be counted yet.
        pages >= NEAR - (1 << 20) && left >= NEAR - (1 << 20) && again == 0
    });
    assert!(calm, "cache before and after, and what had to be read from the disk again: {seen:?}");
    // Without a limit the reader keeps all that it reads: whoever has memory left gives it up for that in the end.
    let mut kept = Vec::new();
    let keeps = (0..LOOKS).any(|n| {
        let (free, other) = (sandbox.named(&format!("free{n}"), &Wanted::default()), Disk::new(FAR).unwrap());
        all_of(&other, &free);
        kept.push(free.stats().unwrap().memory.cache);
        kept[n] >= FAR / 2
    });
    assert!(keeps, "{kept:?}");
}
