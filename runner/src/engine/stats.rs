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

    /// The processes of a container, in the columns of `ps -ef`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run.
    pub fn top(&self, key: &str) -> Result<Vec<[String; 8]>, Error> {
        let container = self.find(key)?;
        let pids = container
            .with_group(crate::container::cgroup::Group::pids)?
            .map_err(std::io::Error::other)
            .doing(|| "reading the control group".into())?;
        let base = container.slot.range().base;
        // One that has just ended is left out.
        Ok(pids.into_iter().filter_map(|pid| process(pid, base)).collect())
    }
}

fn process(pid: i32, base: u32) -> Option<[String; 8]> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let uid: u32 =
        status.lines().find_map(|l| l.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()?;
    let inside = uid
        .checked_sub(base)
        .map_or_else(|| uid.to_string(), |u| if u == 0 { "root".into() } else { u.to_string() });
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<_> =
        line.split(|b| *b == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy).collect();
    let command = if words.is_empty() { format!("[{name}]") } else { words.join(" ") };
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let seconds = ticks / 100;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let since = std::fs::metadata(format!("/proc/{pid}")).ok()?.modified().ok()?;
    let since = jiff::Timestamp::try_from(since).ok()?.strftime("%H:%M").to_string();
    let tty = if *fields.get(4)? == "0" { "?" } else { "pts" };
    Some([
        inside,
        pid.to_string(),
        (*fields.get(1)?).to_owned(),
        "0".into(),
        since,
        tty.into(),
        time,
        command,
    ])
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
