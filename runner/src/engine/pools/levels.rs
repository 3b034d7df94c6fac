//! How full a pool is, as the kernel tells.

use super::{Level, Pool};
use crate::container::network;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::os::fd::AsFd;
use std::path::Path;

/// File locks that all containers and the host may have: the kernel has no number, and charges 192 bytes each to nobody.
const LOCKS: u64 = 65_536;
/// The kernel's own number where it cannot be read.
const NEIGHBOURS: u64 = 1024;

/// What does not change while the engine runs: how large the tables of neighbours are. They are one for all network namespaces, and told of
/// in the first one.
#[derive(Debug)]
pub(super) struct Levels {
    arp: u64,
    discovery: u64,
}

impl Levels {
    /// Reads the sizes.
    pub(super) fn open() -> Self {
        let size = |family| first_network(&format!("/proc/sys/net/{family}/neigh/default/gc_thresh3"));
        Self { arp: size("ipv4").unwrap_or(NEIGHBOURS), discovery: size("ipv6").unwrap_or(NEIGHBOURS) }
    }

    /// One pool's; none where the kernel tells nothing.
    pub(super) fn of(&self, pool: Pool) -> Option<Level> {
        let level = |taken: Option<u64>, size: u64| taken.map(|taken| Level { taken, size });
        match pool {
            Pool::Terminals => {
                let read = |name: &str| number(&format!("/proc/sys/kernel/pty/{name}"));
                // What is kept for the host's own is no container's.
                level(read("nr"), read("max")?.saturating_sub(read("reserve")?))
            }
            Pool::Arp => level(entries("arp_cache"), self.arp),
            Pool::Discovery => level(entries("ndisc_cache"), self.discovery),
            // Other objects of that length may be among them: it is looked closer at before anybody is ended.
            Pool::Locks => level(number("/sys/kernel/slab/file_lock_cache/objects"), LOCKS),
        }
    }
}

/// The first word of a file that is a decimal number.
fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// The same in the network namespace of the host's first process.
fn first_network(path: &str) -> Option<u64> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let first = openat(CWD, "/proc/1", flags, Mode::empty()).ok()?;
    let netns = network::namespace(first.as_fd()).ok()?;
    network::within(netns.as_fd(), || Ok(number(path))).ok()?
}

/// Entries of a table of neighbours, in hexadecimal digits below their title.
fn entries(table: &str) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc/1/net/stat").join(table)).ok()?;
    parse(&text)
}

fn parse(text: &str) -> Option<u64> {
    u64::from_str_radix(text.lines().nth(1)?.split_whitespace().next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let text = "entries  allocs   destroys\n00000402 00000d42 00000ba3\n00000402 00000c4a 00000de7\n";
        assert_eq!(parse(text), Some(1026));
        assert_eq!((parse(""), parse("entries\n")), (None, None));
        let levels = Levels::open();
        let terminals = levels.of(Pool::Terminals).unwrap();
        assert!(terminals.size > 0 && terminals.taken < 1 << 20, "{terminals:?}");
    }
}
