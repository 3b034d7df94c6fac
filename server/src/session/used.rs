//! What a session has used, in all: for its page while it lives, and for its summary when it is over.

use super::bounds::size;
use sandlot_wire::Meter;
use serde::{Deserialize, Serialize};

/// Totals. Stored as JSON, so that a later version may count more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// Processor time, in nanoseconds.
    pub cpu_ns: u64,
    /// The most memory at once, in bytes.
    pub memory_peak: u64,
    /// The most bytes on its disk at once.
    pub disk_peak: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
    /// Bytes received from networks.
    pub received_bytes: u64,
    /// Bytes sent to networks.
    pub sent_bytes: u64,
    /// Seconds from its first prompt to its end, or until now.
    pub wall_seconds: u64,
}

impl Used {
    /// With a later reading of the same container; no number becomes smaller.
    #[must_use]
    pub fn with(self, meter: &Meter) -> Self {
        Self {
            cpu_ns: self.cpu_ns.max(meter.cpu_ns),
            memory_peak: self.memory_peak.max(meter.memory_peak.unwrap_or(0)).max(meter.memory),
            disk_peak: self.disk_peak.max(meter.disk_used),
            read_bytes: self.read_bytes.max(meter.read_bytes),
            written_bytes: self.written_bytes.max(meter.written_bytes),
            received_bytes: self.received_bytes.max(meter.received_bytes),
            sent_bytes: self.sent_bytes.max(meter.sent_bytes),
            ..self
        }
    }

    /// With what an earlier container of the same session had used.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_add(earlier.cpu_ns),
            memory_peak: self.memory_peak.max(earlier.memory_peak),
            disk_peak: self.disk_peak.max(earlier.disk_peak),
            read_bytes: self.read_bytes.saturating_add(earlier.read_bytes),
            written_bytes: self.written_bytes.saturating_add(earlier.written_bytes),
            received_bytes: self.received_bytes.saturating_add(earlier.received_bytes),
            sent_bytes: self.sent_bytes.saturating_add(earlier.sent_bytes),
            ..self
        }
    }

    /// One sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let cpu = self.cpu_ns / 100_000_000;
        format!(
            "it lasted {}, used {}.{} s of processor time, and {} of memory at most",
            lasting(self.wall_seconds),
            cpu / 10,
            cpu % 10,
            size(self.memory_peak)
        )
    }
}

/// `45 s`, `12 min`, `1 h 5 min`.
fn lasting(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_never_shrink_and_containers_add_up() {
        let first =
            Meter { cpu_ns: 1_500_000_000, memory: 1 << 20, memory_peak: Some(3 << 20), ..Meter::default() };
        let used = Used::default().with(&first).with(&Meter::default());
        assert_eq!((used.cpu_ns, used.memory_peak), (1_500_000_000, 3 << 20));
        let both = Used::default().with(&Meter { cpu_ns: 5, memory: 9, ..Meter::default() }).after(used);
        assert_eq!((both.cpu_ns, both.memory_peak), (1_500_000_005, 3 << 20));
        let whole = Used { wall_seconds: 3900, ..used };
        assert_eq!(
            whole.words(),
            "it lasted 1 h 5 min, used 1.5 s of processor time, and 3 MiB of memory at most"
        );
        assert_eq!((lasting(59), lasting(61)), ("59 s".into(), "1 min".into()));
    }
}
