//! What the files say: pure functions of a group's figures, in the kernel's own form (proc(5)).

use crate::container::cgroup::{Memory, Stats};
use std::fmt::Write;
use std::time::Duration;

/// What is known of a container at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    /// What its group counts.
    pub(super) stats: Stats,
    /// How many processors its limits are worth, rounded up.
    pub(super) processors: usize,
    /// How long it has been looked at.
    pub(super) age: Duration,
    /// Means of the processors in use over 1, 5 and 15 minutes.
    pub(super) load: [f64; 3],
    /// The host's memory, in bytes.
    pub(super) host_memory: u64,
}

/// Clock ticks a second (`USER_HZ`), in nanoseconds each.
const TICK: u64 = 10_000_000;

/// `/proc/meminfo`: a total that is the limit; what is free is what may still be taken.
pub(super) fn meminfo(moment: &Moment) -> String {
    let Memory { usage, limit, cache, inactive_file, .. } = moment.stats.memory;
    let total = limit.map_or(moment.host_memory, |limit| limit.min(moment.host_memory));
    let usage = usage.min(total);
    let free = total - usage;
    let cache = cache.min(usage);
    let inactive = inactive_file.min(cache);
    let lines = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free + inactive),
        ("Buffers", 0),
        ("Cached", cache),
        ("SwapCached", 0),
        ("Active", usage - inactive),
        ("Inactive", inactive),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", usage - cache),
        ("Mapped", 0),
        ("Shmem", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
    ];
    lines.iter().fold(String::new(), |mut text, (name, bytes)| {
        let name = format!("{name}:");
        // Writing to a string does not fail.
        writeln!(text, "{name:<16}{:>8} kB", bytes / 1024).unwrap_or_default();
        text
    })
}

/// `/proc/loadavg`; of the last process's number nothing is told.
pub(super) fn loadavg(moment: &Moment) -> String {
    let [one, five, fifteen] = moment.load;
    let all = moment.stats.pids.current.max(1);
    format!("{one:.2} {five:.2} {fifteen:.2} 1/{all} 0\n")
}

/// `/proc/stat`: the group's processor time, dealt out evenly to its processors; the rest of its age was idle. `booted` is the
/// kernel's own line `btime`, as the reader's time namespace would have it.
pub(super) fn stat(moment: &Moment, booted: u64) -> String {
    let (user, system) = (moment.stats.cpu.user / TICK, moment.stats.cpu.system / TICK);
    let count = u64::try_from(moment.processors).unwrap_or(1).max(1);
    let age = u64::try_from(moment.age.as_nanos()).unwrap_or(u64::MAX) / TICK;
    let idle = age.saturating_mul(count).saturating_sub(user + system);
    let line =
        |name: &str, by: u64| format!("{name} {} 0 {} {} 0 0 0 0 0 0\n", user / by, system / by, idle / by);
    let mut text = line("cpu ", 1);
    for n in 0..count {
        text.push_str(&line(&format!("cpu{n}"), count));
    }
    let all = moment.stats.pids.current.max(1);
    text + &format!("intr 0\nctxt 0\nbtime {booted}\nprocesses {all}\nprocs_running 1\nprocs_blocked 0\n")
}

/// `/proc/cpuinfo`: as many of the host's processors as the limits are worth, numbered from 0.
pub(super) fn cpuinfo(moment: &Moment, host: &str) -> String {
    let blocks =
        host.split("\n\n").filter(|block| block.starts_with("processor")).take(moment.processors.max(1));
    blocks.enumerate().fold(String::new(), |mut text, (n, block)| {
        for line in block.lines() {
            if line.starts_with("processor") {
                writeln!(text, "processor\t: {n}").unwrap_or_default();
            } else {
                writeln!(text, "{line}").unwrap_or_default();
            }
        }
        text.push('\n');
        text
    })
}

/// `/proc/swaps`: none.
pub(super) fn swaps() -> String {
    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_owned()
}

/// The means after `passed` in which `used` processors were at work.
pub(super) fn decayed(load: [f64; 3], used: f64, passed: Duration) -> [f64; 3] {
    let mut new = load;
    for (mean, minutes) in new.iter_mut().zip([1.0, 5.0, 15.0]) {
        let kept = (-passed.as_secs_f64() / (60.0 * minutes)).exp();
        *mean = mean.mul_add(kept, used * (1.0 - kept));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        let mut moment = Moment { processors: 2, host_memory: 8 << 30, ..Moment::default() };
        moment.stats.memory = Memory {
            usage: 48 << 20,
            limit: Some(64 << 20),
            cache: 16 << 20,
            inactive_file: 8 << 20,
            ..Memory::default()
        };
        moment
    }

    fn of(text: &str, name: &str) -> u64 {
        let line = text.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn memory_is_the_limit_and_what_is_used_of_it() {
        let text = meminfo(&moment());
        for (name, mib) in [("MemTotal:", 64), ("MemFree:", 16), ("MemAvailable:", 24), ("Cached:", 16)] {
            assert_eq!(of(&text, name), mib * 1024, "{name}");
        }
        let mut none = moment();
        none.stats.memory.limit = None;
        assert_eq!(of(&meminfo(&none), "MemTotal:"), 8 << 20, "without a limit it is the host's");
    }

    #[test]
    fn usage_beyond_the_limit_underflows_nothing() {
        let mut moment = moment();
        moment.stats.memory.usage = 1 << 40;
        moment.stats.memory.cache = 1 << 41;
        assert_eq!(of(&meminfo(&moment), "MemFree:"), 0);
    }

    #[test]
    fn processor_time_is_dealt_out() {
        let mut moment = moment();
        moment.age = Duration::from_secs(10);
        (moment.stats.cpu.user, moment.stats.cpu.system) = (4_000_000_000, 2_000_000_000);
        let text = stat(&moment, 7);
        assert_eq!(text.lines().next(), Some("cpu  400 0 200 1400 0 0 0 0 0 0"));
        assert_eq!(text.lines().nth(1), Some("cpu0 200 0 100 700 0 0 0 0 0 0"));
        assert_eq!(text.lines().filter(|l| l.starts_with("cpu")).count(), 3);
        assert!(text.contains("\nbtime 7\n"));
    }

    #[test]
    fn processors_are_numbered_anew() {
        let host =
            "processor\t: 0\nmodel\t: a\n\nprocessor\t: 1\nmodel\t: b\n\nprocessor\t: 2\nmodel\t: c\n\n";
        let text = cpuinfo(&moment(), host);
        assert_eq!(text, "processor\t: 0\nmodel\t: a\n\nprocessor\t: 1\nmodel\t: b\n\n");
    }

    #[test]
    fn the_load_nears_what_is_used() {
        let [one, five, fifteen] = decayed([0.0; 3], 2.0, Duration::from_secs(60));
        assert!((1.2..1.3).contains(&one) && five < one && fifteen < five, "{one} {five} {fifteen}");
    }
}
