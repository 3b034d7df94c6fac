//! What a container uses, at one moment.

use super::Engine;
use super::error::{Doing, Error};
use crate::container::cgroup::Stats;

/// A reading of everything at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// When.
    pub at: jiff::Timestamp,
    /// The control group's own figures.
    pub stats: Stats,
    /// The whole machine's processor time, in nanoseconds.
    pub machine: u64,
    /// Processors.
    pub processors: usize,
    /// Network devices, without loopback.
    pub networks: Vec<Network>,
}

/// A network device's counters.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of proc_pid_net(5)")]
pub struct Network {
    pub name: String,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
}

/// Nanoseconds of a clock tick (`USER_HZ` is 100 on every architecture that we run on).
const TICK: u64 = 10_000_000;

impl Engine {
    /// A reading.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run.
    pub fn stats(&self, key: &str) -> Result<Reading, Error> {
        let container = self.find(key)?;
        let stats = container
            .with_group(crate::container::cgroup::Group::stats)?
            .map_err(std::io::Error::other)
            .doing(|| "reading the control group".into())?;
        let pid = container.state().alive().map(|(pid, _)| pid);
        Ok(Reading {
            at: jiff::Timestamp::now(),
            stats,
            machine: machine_time(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            networks: pid.map(networks).unwrap_or_default(),
        })
    }
}

fn machine_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    fields.filter_map(|f| f.parse::<u64>().ok()).sum::<u64>() * TICK
}

/// All memory of the machine, in bytes: what a container without a limit has.
#[must_use]
pub fn machine_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

pub(super) fn networks(pid: i32) -> Vec<Network> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let device = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let numbers: Vec<u64> = rest.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let at = |n: usize| numbers.get(n).copied().unwrap_or(0);
        let name = name.trim().to_owned();
        Some(Network { name, rx_bytes: at(0), rx_packets: at(1), tx_bytes: at(8), tx_packets: at(9) })
    };
    text.lines().skip(2).filter_map(device).filter(|d| d.name != "lo").collect()
}
