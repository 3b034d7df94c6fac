//! What a group uses and has used, read from its files: the same figures by either version.

use super::{Controller, Error, Group, SESSION, group};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices.
    pub block: Vec<Block>,
}

/// Processor time, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpu {
    /// All.
    pub total: u64,
    /// Of it in user mode.
    pub user: u64,
    /// Of it in the kernel.
    pub system: u64,
    /// By processor; empty with version 2.
    pub per_cpu: Vec<u64>,
    /// Enforcement periods that have passed.
    pub periods: u64,
    /// Of them those in which the group was stopped.
    pub throttled_periods: u64,
    /// How long it was stopped in all.
    pub throttled: u64,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// In use, with the page cache.
    pub usage: u64,
    /// The most that ever was; `None` where the kernel does not tell (version 2 before Linux 5.19).
    pub max_usage: Option<u64>,
    /// The limit; `None`: none.
    pub limit: Option<u64>,
    /// Page cache.
    pub cache: u64,
    /// Page cache that can be taken back at once; Docker shows usage without it.
    pub inactive_file: u64,
    /// Swapped out.
    pub swap: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
}

/// Processes and threads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pids {
    /// Now.
    pub current: u64,
    /// The limit; `None`: none.
    pub limit: Option<u64>,
    /// How often a process could not be made because of the limit.
    pub refused: u64,
}

/// What went to and from a block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Device number.
    pub major: u32,
    /// Device number.
    pub minor: u32,
    /// Bytes.
    pub read_bytes: u64,
    /// Bytes.
    pub written_bytes: u64,
    /// Operations.
    pub reads: u64,
    /// Operations.
    pub writes: u64,
}

pub(super) fn read(group: &Group) -> Result<Stats, Error> {
    Ok(Stats { cpu: cpu(group)?, memory: memory(group)?, pids: pids(group)?, block: block(group)? })
}

fn cpu(group: &Group) -> Result<Cpu, Error> {
    let mut cpu = Cpu::default();
    if let Some(directory) = group.v1(Controller::Cpuacct) {
        cpu.total = number(directory, "cpuacct.usage").unwrap_or(0);
        cpu.user = number(directory, "cpuacct.usage_user").unwrap_or(0);
        cpu.system = number(directory, "cpuacct.usage_sys").unwrap_or(0);
        let text = group::read(directory, "cpuacct.usage_percpu")?;
        cpu.per_cpu = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    }
    if let Some(directory) = group.v1(Controller::Cpu) {
        let stat = keyed(directory, "cpu.stat")?;
        (cpu.periods, cpu.throttled_periods) = (get(&stat, "nr_periods"), get(&stat, "nr_throttled"));
        cpu.throttled = get(&stat, "throttled_time");
    } else if let Some(directory) = group.v2(Controller::Cpu) {
        let stat = keyed(directory, "cpu.stat")?;
        let nanos = |key| get(&stat, key).saturating_mul(1000);
        (cpu.total, cpu.user, cpu.system) = (nanos("usage_usec"), nanos("user_usec"), nanos("system_usec"));
        (cpu.periods, cpu.throttled_periods) = (get(&stat, "nr_periods"), get(&stat, "nr_throttled"));
        cpu.throttled = nanos("throttled_usec");
    }
    Ok(cpu)
}

/// The quota over its period, rounded up; `None`: there is none (`-1`, or `max`).
pub(super) fn processors(group: &Group) -> Option<u64> {
    let worth = |quota: &str, period: &str| {
        let (quota, period) = (quota.trim().parse::<u64>().ok()?, period.trim().parse::<u64>().ok()?);
        (period > 0).then(|| quota.div_ceil(period))
    };
    if let Some(directory) = group.v1(Controller::Cpu) {
        let file = |name| group::read(directory, name).ok();
        worth(&file("cpu.cfs_quota_us")?, &file("cpu.cfs_period_us")?)
    } else {
        let text = group::read(group.v2(Controller::Cpu)?, "cpu.max").ok()?;
        let (quota, period) = text.split_once(' ')?;
        worth(quota, period)
    }
}

fn memory(group: &Group) -> Result<Memory, Error> {
    /// What version 1 shows for no limit: the highest multiple of a page.
    const NONE: u64 = 0x7fff_ffff_ffff_f000;
    let mut memory = Memory { oom_kills: oom_killed(group)?, ..Memory::default() };
    if let Some(directory) = group.v1(Controller::Memory) {
        let stat = keyed(directory, "memory.stat")?;
        memory.usage = number(directory, "memory.usage_in_bytes").unwrap_or(0);
        memory.max_usage = number(directory, "memory.max_usage_in_bytes");
        memory.limit = number(directory, "memory.limit_in_bytes").filter(|n| *n < NONE);
        memory.cache = get(&stat, "total_cache");
        memory.inactive_file = get(&stat, "total_inactive_file");
        memory.swap = get(&stat, "total_swap");
        // Where both limits are the same number, the one of memory and swap is hit first.
        let failures = ["memory.failcnt", "memory.memsw.failcnt"].map(|file| number(directory, file));
        memory.failures = failures.into_iter().flatten().sum();
    } else if let Some(directory) = group.v2(Controller::Memory) {
        let stat = keyed(directory, "memory.stat")?;
        let events = keyed(directory, "memory.events")?;
        memory.usage = number(directory, "memory.current").unwrap_or(0);
        memory.max_usage = number(directory, "memory.peak");
        memory.limit = number(directory, "memory.max");
        memory.cache = get(&stat, "file");
        memory.inactive_file = get(&stat, "inactive_file");
        memory.swap = number(directory, "memory.swap.current").unwrap_or(0);
        memory.failures = get(&events, "max");
    }
    Ok(memory)
}

/// Version 1 counts only where the process was, version 2 also for those above.
pub(super) fn oom_killed(group: &Group) -> Result<u64, Error> {
    if let Some(directory) = group.v1(Controller::Memory) {
        let session = directory.join(SESSION);
        let mut killed = get(&keyed(directory, "memory.oom_control")?, "oom_kill");
        if session.is_dir() {
            killed += get(&keyed(&session, "memory.oom_control")?, "oom_kill");
        }
        return Ok(killed);
    }
    let Some(directory) = group.v2(Controller::Memory) else { return Ok(0) };
    Ok(get(&keyed(directory, "memory.events")?, "oom_kill"))
}

fn pids(group: &Group) -> Result<Pids, Error> {
    let directory = group.v1(Controller::Pids).or_else(|| group.v2(Controller::Pids));
    let Some(directory) = directory else {
        let current = u64::try_from(group.pids()?.len()).unwrap_or(u64::MAX);
        return Ok(Pids { current, limit: None, refused: 0 });
    };
    // Older kernels count where the process was, newer ones where the limit is.
    let events = [directory.to_owned(), directory.join(SESSION)].map(|place| keyed(&place, "pids.events"));
    Ok(Pids {
        current: number(directory, "pids.current").unwrap_or(0),
        limit: number(directory, "pids.max"),
        refused: events.into_iter().flatten().map(|events| get(&events, "max")).sum(),
    })
}

fn block(group: &Group) -> Result<Vec<Block>, Error> {
    let mut devices: BTreeMap<(u32, u32), Block> = BTreeMap::new();
    if let Some(directory) = group.v1(Controller::Io) {
        for (file, bytes) in [
            ("blkio.throttle.io_service_bytes_recursive", true),
            ("blkio.throttle.io_serviced_recursive", false),
        ] {
            let Ok(text) = group::read(directory, file) else { continue };
            for (numbers, operation, value) in text.lines().filter_map(v1_line) {
                let device = device(&mut devices, numbers);
                let count = match (operation, bytes) {
                    ("Read", true) => &mut device.read_bytes,
                    ("Write", true) => &mut device.written_bytes,
                    ("Read", false) => &mut device.reads,
                    ("Write", false) => &mut device.writes,
                    _ => continue,
                };
                *count = value;
            }
        }
    } else if let Some(directory) = group.v2(Controller::Io) {
        for line in group::read(directory, "io.stat")?.lines() {
            let mut fields = line.split(' ');
            let Some(numbers) = fields.next().and_then(device_number) else { continue };
            let device = device(&mut devices, numbers);
            for (key, value) in fields.filter_map(|f| f.split_once('=')) {
                let value = value.parse().unwrap_or(0);
                match key {
                    "rbytes" => device.read_bytes = value,
                    "wbytes" => device.written_bytes = value,
                    "rios" => device.reads = value,
                    "wios" => device.writes = value,
                    _ => {}
                }
            }
        }
    }
    Ok(devices.into_values().collect())
}

fn device(devices: &mut BTreeMap<(u32, u32), Block>, (major, minor): (u32, u32)) -> &mut Block {
    devices.entry((major, minor)).or_insert(Block { major, minor, ..Block::default() })
}

/// `8:0 Read 4096`
fn v1_line(line: &str) -> Option<((u32, u32), &str, u64)> {
    let mut fields = line.split(' ');
    Some((device_number(fields.next()?)?, fields.next()?, fields.next()?.parse().ok()?))
}

fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A file of `key value` lines.
fn keyed(directory: &Path, file: &str) -> Result<BTreeMap<String, u64>, Error> {
    let text = group::read(directory, file)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter_map(|(key, value)| Some((key.to_owned(), value.trim().parse().ok()?))).collect())
}

fn get(stat: &BTreeMap<String, u64>, key: &str) -> u64 {
    stat.get(key).copied().unwrap_or(0)
}

/// A file of one number; `None` if it is not there, or says `max`.
fn number(directory: &Path, file: &str) -> Option<u64> {
    group::read(directory, file).ok()?.trim().parse().ok()
}
