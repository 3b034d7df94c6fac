//! From limits to the kernel's files, for both versions. Pure.

use super::Controller;
use super::limits::{Bound, Limits, RateKind};

/// A file of a group and what is written to it.
type Write = (&'static str, String);

/// What one limit means in each version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Docker's name of it.
    pub(super) limit: &'static str,
    /// Whose file it is.
    pub(super) controller: Controller,
    /// Version 1; in this order.
    pub(super) v1: Vec<Write>,
    /// Version 2; of several, the first file that is there.
    pub(super) v2: Vec<Write>,
}

/// All that `limits` asks for.
pub(super) fn settings(limits: &Limits) -> Vec<Setting> {
    let mut all = Vec::new();
    let mut add = |limit, controller, v1, v2| all.push(Setting { limit, controller, v1, v2 });
    if let Some(bytes) = limits.memory {
        let value = || bytes.to_string();
        add(
            "memory",
            Controller::Memory,
            vec![("memory.limit_in_bytes", value())],
            vec![("memory.max", value())],
        );
    }
    if let Some(bytes) = limits.memory {
        // Version 2 charges them to the memory; in version 1 they are of a pool that all containers share.
        let quarter = (bytes / 4).to_string();
        let v1 = vec![("memory.kmem.tcp.limit_in_bytes", quarter)];
        add("memory of connections", Controller::Memory, v1, Vec::new());
    }
    if let Some(swap) = limits.swap {
        let alone = match swap {
            Bound::Unlimited => "max".to_owned(),
            Bound::At(total) => total.saturating_sub(limits.memory.unwrap_or(0)).to_string(),
        };
        let v1 = vec![("memory.memsw.limit_in_bytes", swap.or("-1"))];
        add("memory-swap", Controller::Memory, v1, vec![("memory.swap.max", alone)]);
    }
    if let Some(bytes) = limits.reservation {
        let value = || bytes.to_string();
        let v1 = vec![("memory.soft_limit_in_bytes", value())];
        add("memory-reservation", Controller::Memory, v1, vec![("memory.low", value())]);
    }
    if let Some((quota, period)) = limits.cpu {
        let v1 = vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.or("-1"))];
        add("cpus", Controller::Cpu, v1, vec![("cpu.max", format!("{} {period}", quota.or("max")))]);
    }
    if let Some(shares) = limits.shares {
        let v1 = vec![("cpu.shares", shares.to_string())];
        add("cpu-shares", Controller::Cpu, v1, vec![("cpu.weight", weight_of_shares(shares).to_string())]);
    }
    for (limit, file, list) in
        [("cpuset-cpus", "cpuset.cpus", &limits.cpus), ("cpuset-mems", "cpuset.mems", &limits.mems)]
    {
        if let Some(list) = list {
            add(limit, Controller::Cpuset, vec![(file, list.clone())], vec![(file, list.clone())]);
        }
    }
    if let Some(most) = limits.pids {
        let value = || vec![("pids.max", most.or("max"))];
        add("pids-limit", Controller::Pids, value(), value());
    }
    if let Some(weight) = limits.weight {
        let bfq = weight.to_string();
        let general = (1 + (u64::from(weight) - 10) * 9999 / 990).to_string();
        let v2 = vec![("io.bfq.weight", bfq.clone()), ("io.weight", general)];
        add("blkio-weight", Controller::Io, vec![("blkio.weight", bfq)], v2);
    }
    for rate in &limits.rates {
        let (limit, v1, key) = match rate.kind {
            RateKind::ReadBytes => ("device-read-bps", "blkio.throttle.read_bps_device", "rbps"),
            RateKind::WriteBytes => ("device-write-bps", "blkio.throttle.write_bps_device", "wbps"),
            RateKind::Reads => ("device-read-iops", "blkio.throttle.read_iops_device", "riops"),
            RateKind::Writes => ("device-write-iops", "blkio.throttle.write_iops_device", "wiops"),
        };
        let ((major, minor), rate) = (rate.device, rate.rate);
        let v2 = vec![("io.max", format!("{major}:{minor} {key}={rate}"))];
        add(limit, Controller::Io, vec![(v1, format!("{major}:{minor} {rate}"))], v2);
    }
    all
}

impl Bound {
    fn or(self, unlimited: &str) -> String {
        match self {
            Self::Unlimited => unlimited.to_owned(),
            Self::At(n) => n.to_string(),
        }
    }
}

/// Shares 2..=262144 to weight 1..=10000, linearly, as runc and crun do.
fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.saturating_sub(2) * 9999) / 262_142
}
