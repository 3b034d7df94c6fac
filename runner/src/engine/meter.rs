//! What each session uses, and how often it came against a limit: all of them in one reading, for the web server.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use crate::container::cgroup::Group;
use sandlot_wire::Meter;
use std::sync::Arc;

impl Engine {
    /// A reading of every session that runs. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// If the reading was broken off.
    pub async fn meters(&self) -> Result<Vec<Meter>, Error> {
        let engine = self.clone();
        let read = move || {
            let all = engine.lock().values().cloned().collect::<Vec<_>>();
            let sessions = all.iter().filter(|container| container.record().session().is_some());
            sessions.filter_map(|container| engine.read_meter(container).ok()).collect()
        };
        let meters = tokio::task::spawn_blocking(read).await;
        meters.map_err(std::io::Error::other).doing(|| "reading what sessions use".into())
    }

    /// A reading of one session.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] if it does not run.
    pub async fn meter(&self, key: &str) -> Result<Meter, Error> {
        let (engine, container) = (self.clone(), self.find(key)?);
        let meter = tokio::task::spawn_blocking(move || engine.read_meter(&container)).await;
        meter.map_err(std::io::Error::other).doing(|| "reading what a session uses".into())?
    }

    fn read_meter(&self, container: &Arc<Container>) -> Result<Meter, Error> {
        let stats = container
            .with_group(Group::stats)?
            .map_err(std::io::Error::other)
            .doing(|| "reading the control group".into())?;
        let pid = container.state().alive().map(|(pid, _)| pid);
        let networks = pid.map(super::stats::networks).unwrap_or_default();
        let disk = self.disk_use(container).unwrap_or_default();
        Ok(Meter {
            container: container.id.clone(),
            session: container.record().session().unwrap_or_default().to_owned(),
            cpu_ns: stats.cpu.total,
            periods: stats.cpu.periods,
            throttled_periods: stats.cpu.throttled_periods,
            memory: stats.memory.usage.saturating_sub(stats.memory.inactive_file),
            memory_peak: stats.memory.max_usage,
            oom_kills: stats.memory.oom_kills,
            pids: stats.pids.current,
            pids_refused: stats.pids.refused,
            disk_used: disk.0,
            disk_left: disk.1,
            read_bytes: stats.block.iter().map(|device| device.read_bytes).sum(),
            written_bytes: stats.block.iter().map(|device| device.written_bytes).sum(),
            received_bytes: networks.iter().map(|device| device.rx_bytes).sum(),
            sent_bytes: networks.iter().map(|device| device.tx_bytes).sum(),
            unreachable: pid.map_or(0, unreachable),
        })
    }

    /// Bytes written to a disk of its own, and those that are left.
    fn disk_use(&self, container: &Container) -> Option<(u64, u64)> {
        container.record().host.storage_opt.get("size")?;
        let found = rustix::fs::statvfs(self.disks.open(&container.id).ok()?.upper()).ok()?;
        let used = found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(found.f_frsize);
        Some((used, found.f_bavail.saturating_mul(found.f_frsize)))
    }
}

/// How often a program of a network namespace was told that there is no way to where it wanted: by the routes, or by an
/// answer, for which a firewall's refusal comes, too (`proc_pid_net(5)`, RFC 1213).
fn unreachable(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/snmp")).unwrap_or_default();
    count(&text, "Ip:", "OutNoRoutes") + count(&text, "Icmp:", "InDestUnreachs")
}

/// A number out of a table in which a line of names stands above a line of values.
fn count(text: &str, table: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(table));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let found = names.split_whitespace().zip(values.split_whitespace()).find(|(one, _)| *one == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_below_its_name() {
        let text = "Ip: Forwarding OutDiscards OutNoRoutes\nIp: 1 0 7\nIcmp: InMsgs InDestUnreachs\nIcmp: 9 5\n\
                    IcmpMsg: InType3\nIcmpMsg: 5\n";
        assert_eq!((count(text, "Ip:", "OutNoRoutes"), count(text, "Icmp:", "InDestUnreachs")), (7, 5));
        assert_eq!((count(text, "Tcp:", "OutNoRoutes"), count("", "Ip:", "OutNoRoutes")), (0, 0));
        // Whatever runs this test has a network namespace of that form.
        assert!(std::fs::read_to_string("/proc/self/net/snmp").unwrap().contains("OutNoRoutes"));
    }
}
