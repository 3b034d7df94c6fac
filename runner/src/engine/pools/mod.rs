//! Pools that the kernel has once for everybody, and bounds for nobody: a container of the nested profile can take pseudo-terminals
//! by its own mounts, neighbours' addresses by its own interfaces, and every container can take file locks.
//!
//! How full they are is looked at once a second, which is a few small files to read. When one is half full, who holds most of it is
//! looked for, and ended if that is more than a quarter of the whole: it is told why, and the others go on.

mod holdings;
mod levels;

use super::Engine;
use super::container::Container;
use levels::Levels;
use rustix::process::Signal;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often is looked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long nobody is looked for after nobody was found: others than containers take from these pools, too.
const REST: u32 = 10;

/// One that a container could drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    Terminals,
    /// IPv4 neighbours.
    Arp,
    /// IPv6 neighbours.
    Discovery,
    Locks,
}

impl Pool {
    const ALL: [Self; 4] = [Self::Terminals, Self::Arp, Self::Discovery, Self::Locks];

    fn name(self) -> &'static str {
        match self {
            Self::Terminals => "pseudo-terminals",
            Self::Arp => "IPv4 neighbours",
            Self::Discovery => "IPv6 neighbours",
            Self::Locks => "file locks",
        }
    }
}

/// How much of a pool is taken, of how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    taken: u64,
    size: u64,
}

impl Level {
    fn scarce(self) -> bool {
        self.taken >= self.size / 2
    }

    /// More than one container may hold when it is scarce.
    fn too_much(self, held: u64) -> bool {
        held > self.size / 4
    }
}

impl Engine {
    /// Looks after the pools for as long as the engine runs.
    pub(super) async fn mind_pools(self) {
        let Ok(levels) = tokio::task::spawn_blocking(Levels::open).await else { return };
        let mut rests = [0; Pool::ALL.len()];
        loop {
            tokio::time::sleep(PAUSE).await;
            for (pool, rest) in Pool::ALL.into_iter().zip(&mut rests) {
                let level = levels.of(pool).filter(|level| level.scarce());
                match level {
                    _ if *rest > 0 => *rest -= 1,
                    Some(level) if !self.relieve(pool, level).await => *rest = REST,
                    _ => {}
                }
            }
        }
    }

    /// Ends whoever holds most of a pool, if that is too much; whether there was one.
    async fn relieve(&self, pool: Pool, level: Level) -> bool {
        let mut most: Option<(u64, Arc<Container>)> = None;
        for container in self.containers() {
            let held = self.held(pool, &container).await;
            if most.as_ref().is_none_or(|(most, _)| held > *most) {
                most = Some((held, container));
            }
        }
        let Some((held, container)) = most.filter(|(held, _)| level.too_much(*held)) else { return false };
        let words = format!(
            "ended by the engine: it held {held} {} of the {} that all containers and the host share",
            pool.name(),
            level.size
        );
        tracing::warn!(container = container.id, "{words}");
        *container.reason.lock().unwrap_or_else(PoisonError::into_inner) = words;
        if let Err(e) = self.kill(&container.id, Signal::KILL.as_raw()).await {
            tracing::warn!(container = container.id, "ending it: {e}");
        }
        true
    }

    /// What a container holds of a pool; nothing if it does not run.
    async fn held(&self, pool: Pool, container: &Arc<Container>) -> u64 {
        let Ok(Ok(pids)) = container.with_group(crate::container::cgroup::Group::pids) else { return 0 };
        let base = container.slot.range().base;
        tokio::task::spawn_blocking(move || holdings::of(pool, &pids, base)).await.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_quarter_of_what_is_half_taken_holds_too_much() {
        let level = |taken| Level { taken, size: 3072 };
        assert!(!level(1535).scarce() && level(1536).scarce() && level(9000).scarce());
        assert!(!level(1536).too_much(768) && level(1536).too_much(769));
    }
}
