//! A container's limits: what was asked for, in Docker's terms, becomes valid once, here.
//!
//! Touches the system only to learn what the machine has ([`Machine::read`]) and which device a path is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The least memory that a container starts in.
const LEAST_MEMORY: i64 = 6 << 20;
/// The kernel's default period, in microseconds.
const PERIOD: u64 = 100_000;

/// Limits as they are asked for, in the terms of Docker's `HostConfig`; zero or empty is *not said*.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Bytes.
    pub memory: i64,
    /// Bytes of memory and swap together; -1: no limit.
    pub memory_swap: i64,
    /// Bytes that are left when memory is short.
    pub memory_reservation: i64,
    /// Thousand-millionths of a processor (`--cpus`).
    pub nano_cpus: i64,
    /// Microseconds of processor time in each period; -1: no limit.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// Relative weight, 1024 is usual.
    pub cpu_shares: i64,
    /// A list of processors, `0-2,4`.
    pub cpuset_cpus: String,
    /// A list of memory nodes.
    pub cpuset_mems: String,
    /// Processes and threads; -1: no limit.
    pub pids: i64,
    /// Relative weight of block i/o.
    pub blkio_weight: u16,
    /// Bytes a second read from a device.
    pub read_bps: Vec<DeviceRate>,
    /// Bytes a second written to a device.
    pub write_bps: Vec<DeviceRate>,
    /// Reads a second.
    pub read_iops: Vec<DeviceRate>,
    /// Writes a second.
    pub write_iops: Vec<DeviceRate>,
}

/// A rate of a block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRate {
    /// The device's path on the host.
    pub path: PathBuf,
    /// Bytes or operations a second.
    pub rate: u64,
}

/// Limits that are in range; nobody checks them again. `None` is *as it was*.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    pub(super) memory: Option<u64>,
    /// Memory and swap together.
    pub(super) swap: Option<Bound>,
    pub(super) reservation: Option<u64>,
    /// Quota and period, microseconds.
    pub(super) cpu: Option<(Bound, u64)>,
    pub(super) shares: Option<u64>,
    pub(super) cpus: Option<String>,
    pub(super) mems: Option<String>,
    pub(super) pids: Option<Bound>,
    pub(super) weight: Option<u16>,
    pub(super) rates: Vec<Rate>,
}

/// A number, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Unlimited,
    At(u64),
}

/// A checked [`DeviceRate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) kind: RateKind,
    pub(super) device: (u32, u32),
    pub(super) rate: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RateKind {
    ReadBytes,
    WriteBytes,
    Reads,
    Writes,
}

/// What the machine has, to check against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Numbers of the processors that run.
    pub cpus: BTreeSet<u32>,
    /// Numbers of the memory nodes that are there.
    pub nodes: BTreeSet<u32>,
}

impl Machine {
    /// Reads it from `/sys/devices/system`.
    #[must_use]
    pub fn read() -> Self {
        let list = |path: &str| {
            let text = std::fs::read_to_string(Path::new("/sys/devices/system").join(path));
            text.ok().and_then(|t| numbers(t.trim())).filter(|s| !s.is_empty())
        };
        let zero = || BTreeSet::from([0]);
        Self {
            cpus: list("cpu/online").unwrap_or_else(zero),
            nodes: list("node/online").unwrap_or_else(zero),
        }
    }

    /// The same; nothing is read, and nothing is in it, where `wanted` names nothing that is compared with it.
    #[must_use]
    pub fn for_limits(wanted: &Wanted) -> Self {
        let Wanted { nano_cpus: 0, cpuset_cpus, cpuset_mems, .. } = wanted else { return Self::read() };
        match cpuset_cpus.is_empty() && cpuset_mems.is_empty() {
            true => Self { cpus: BTreeSet::new(), nodes: BTreeSet::new() },
            false => Self::read(),
        }
    }
}

/// Why limits are refused, in Docker's words where it has any.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum Invalid {
    #[error("Minimum memory limit allowed is 6MB")]
    Memory,
    #[error("Minimum memory reservation allowed is 6MB")]
    Reservation,
    #[error("Minimum memory limit can not be less than memory reservation limit, see usage")]
    ReservationAboveMemory,
    #[error("You should always set the Memory limit when using Memoryswap limit, see usage")]
    SwapWithoutMemory,
    #[error("Minimum memoryswap limit should be larger than memory limit, see usage")]
    SwapBelowMemory,
    #[error("Range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available")]
    Cpus(usize),
    #[error("Conflicting options: Nano CPUs and CPU {0} cannot both be set")]
    CpusTwice(&'static str),
    #[error("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")]
    Period,
    #[error("CPU cfs quota can not be less than 1ms (i.e. 1000)")]
    Quota,
    #[error("invalid CPU shares ({0}): the range is from 2 to 262144")]
    Shares(i64),
    #[error("Invalid value {value} for cpuset {what}: it is a list like 0-2,4")]
    List { what: &'static str, value: String },
    #[error("Requested {what} are not available - requested {requested}, available: {available}")]
    Absent { what: &'static str, requested: String, available: String },
    #[error("invalid pids limit ({0}): it is a number of processes, or -1 for no limit")]
    Pids(i64),
    #[error("range of blkio weight is from 10 to 1000")]
    Weight,
    #[error("the rate of {} must be at least 1 a second", .0.display())]
    Rate(PathBuf),
    #[error("{} is not a block device of this host", .0.display())]
    Device(PathBuf),
}

impl Limits {
    /// Checks `wanted` against Docker's rules and the machine.
    ///
    /// # Errors
    /// The first limit that is out of range, with the range.
    pub fn new(wanted: &Wanted, machine: &Machine) -> Result<Self, Invalid> {
        let (memory, swap, reservation) = memory(wanted)?;
        let mut rates = Vec::new();
        for (kind, list) in [
            (RateKind::ReadBytes, &wanted.read_bps),
            (RateKind::WriteBytes, &wanted.write_bps),
            (RateKind::Reads, &wanted.read_iops),
            (RateKind::Writes, &wanted.write_iops),
        ] {
            for rate in list {
                rates.push(Rate { kind, device: device(rate)?, rate: rate.rate });
            }
        }
        Ok(Self {
            memory,
            swap,
            reservation,
            cpu: cpu(wanted, machine.cpus.len())?,
            shares: match wanted.cpu_shares {
                0 => None,
                n @ 2..=262_144 => Some(n.unsigned_abs()),
                n => return Err(Invalid::Shares(n)),
            },
            cpus: list("CPUs", &wanted.cpuset_cpus, &machine.cpus)?,
            mems: list("memory nodes", &wanted.cpuset_mems, &machine.nodes)?,
            pids: match wanted.pids {
                0 => None,
                -1 => Some(Bound::Unlimited),
                n if n > 0 => Some(Bound::At(n.unsigned_abs())),
                n => return Err(Invalid::Pids(n)),
            },
            weight: match wanted.blkio_weight {
                0 => None,
                n @ 10..=1000 => Some(n),
                _ => return Err(Invalid::Weight),
            },
            rates,
        })
    }
}

type MemoryLimits = (Option<u64>, Option<Bound>, Option<u64>);

fn memory(wanted: &Wanted) -> Result<MemoryLimits, Invalid> {
    let memory = wanted.memory;
    if memory != 0 && memory < LEAST_MEMORY {
        return Err(Invalid::Memory);
    }
    let swap = match wanted.memory_swap {
        // As Docker does: as much swap again.
        0 if memory > 0 => Some(Bound::At(memory.unsigned_abs().saturating_mul(2))),
        0 => None,
        -1 => Some(Bound::Unlimited),
        _ if memory == 0 => return Err(Invalid::SwapWithoutMemory),
        total if total < memory => return Err(Invalid::SwapBelowMemory),
        total => Some(Bound::At(total.unsigned_abs())),
    };
    let reservation = wanted.memory_reservation;
    if reservation != 0 && reservation < LEAST_MEMORY {
        return Err(Invalid::Reservation);
    }
    if memory > 0 && reservation > memory {
        return Err(Invalid::ReservationAboveMemory);
    }
    let some = |n: i64| (n > 0).then(|| n.unsigned_abs());
    Ok((some(memory), swap, some(reservation)))
}

fn cpu(wanted: &Wanted, count: usize) -> Result<Option<(Bound, u64)>, Invalid> {
    if wanted.cpu_period != 0 && !(1000..=1_000_000).contains(&wanted.cpu_period) {
        return Err(Invalid::Period);
    }
    if wanted.nano_cpus != 0 {
        if wanted.cpu_period != 0 {
            return Err(Invalid::CpusTwice("Period"));
        }
        if wanted.cpu_quota != 0 {
            return Err(Invalid::CpusTwice("Quota"));
        }
        let most = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1_000_000_000);
        let nano = u64::try_from(wanted.nano_cpus).map_err(|_| Invalid::Cpus(count))?;
        if nano < 10_000_000 || nano > most {
            return Err(Invalid::Cpus(count));
        }
        return Ok(Some((Bound::At(nano / (1_000_000_000 / PERIOD)), PERIOD)));
    }
    let period = if wanted.cpu_period == 0 { PERIOD } else { wanted.cpu_period.unsigned_abs() };
    match wanted.cpu_quota {
        0 if wanted.cpu_period == 0 => Ok(None),
        0 | -1 => Ok(Some((Bound::Unlimited, period))),
        quota if quota < 1000 => Err(Invalid::Quota),
        quota => Ok(Some((Bound::At(quota.unsigned_abs()), period))),
    }
}

fn list(what: &'static str, text: &str, there: &BTreeSet<u32>) -> Result<Option<String>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = numbers(text).ok_or_else(|| Invalid::List { what, value: text.to_owned() })?;
    if !wanted.is_subset(there) {
        let available = ranges(there);
        return Err(Invalid::Absent { what, requested: text.to_owned(), available });
    }
    Ok(Some(text.to_owned()))
}

/// Numbers as a list (cpuset(7), "List format"): `0-3,7`.
fn ranges(numbers: &BTreeSet<u32>) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for n in numbers {
        match parts.last_mut().filter(|(_, last)| last + 1 == *n) {
            Some(part) => part.1 = *n,
            None => parts.push((*n, *n)),
        }
    }
    let part = |(from, to): &(u32, u32)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

/// The numbers of a list (cpuset(7), "List format"); `None` for what is none, or names one beyond 8,191.
pub(super) fn numbers(text: &str) -> Option<BTreeSet<u32>> {
    const HIGHEST: u32 = 8191;
    let number = |s: &str| s.parse::<u32>().ok().filter(|n| *n <= HIGHEST && !s.starts_with('+'));
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

fn device(rate: &DeviceRate) -> Result<(u32, u32), Invalid> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    if rate.rate == 0 {
        return Err(Invalid::Rate(rate.path.clone()));
    }
    let data = std::fs::metadata(&rate.path).ok().filter(|m| m.file_type().is_block_device());
    let number = data.ok_or_else(|| Invalid::Device(rate.path.clone()))?.rdev();
    Ok((rustix::fs::major(number), rustix::fs::minor(number)))
}
