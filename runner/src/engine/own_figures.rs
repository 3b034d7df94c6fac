//! A session's own `/proc/meminfo` and the like ([`crate::container::views`]), mounted when it starts.

use super::Engine;
use super::model::HostConfig;
use crate::container::cgroup::Machine;
use crate::container::spec::{self, Init, MountSource};
use crate::container::views::Views;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::PoisonError;

/// Gives a session as many processors as its limit is worth, rounded up, so that `nproc` and what asks in its way (a runtime that
/// starts a thread each) see no more than there is to be had. Sessions take turns by their slots. What was asked for by number stays.
pub(super) fn settle_processors(host: &mut HostConfig, init: Init, slot: u32) {
    let resources = &mut host.resources;
    if init != Init::Only || resources.nano_cpus <= 0 || !resources.cpuset_cpus.is_empty() {
        return;
    }
    let all: Vec<u32> = Machine::read().cpus.into_iter().collect();
    let worth = u64::try_from(resources.nano_cpus).unwrap_or(0).div_ceil(1_000_000_000);
    let wanted = usize::try_from(worth).unwrap_or(usize::MAX);
    if wanted < all.len() {
        let first = usize::try_from(slot).unwrap_or(0).wrapping_mul(wanted);
        let chosen: Vec<String> = (0..wanted).map(|n| all[(first + n) % all.len()].to_string()).collect();
        resources.cpuset_cpus = chosen.join(",");
    }
}

impl Engine {
    /// Adds the files to the description of a session, and to the descriptors that are sent along. Without them a session
    /// sees the host's, and that is all: it is said in the log, and `sandlot doctor` knows why.
    pub(super) fn own_figures(&self, description: &mut spec::Container, sent: &mut Vec<OwnedFd>) {
        if description.init != Init::Only {
            return;
        }
        match self.views_of(&description.id) {
            Ok(files) => {
                for (mount, target) in files {
                    let source = MountSource::Detached(sent.len());
                    description.mounts.push(spec::Mount { source, target, readonly: true });
                    sent.push(mount);
                }
            }
            Err(e) => tracing::warn!("sessions see the host's memory and processors in /proc: {e}"),
        }
    }

    /// The files of a container; a server that has ended is replaced.
    fn views_of(&self, id: &str) -> io::Result<Vec<(OwnedFd, String)>> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if !views.as_mut().is_some_and(Views::alive) {
            *views = Some(Views::open(&self.parent)?);
        }
        views.as_ref().map_or_else(|| Ok(Vec::new()), |views| views.of(id))
    }
}
