//! What is done with a container between its creation and its removal.

use super::container::{Container, Seen};
use super::create::Force;
use super::error::Error;
use super::model::{Resources, RestartPolicy, Throttle};
use super::record::{Record, State};
use super::restore::Origin;
use super::stop::Stop;
use super::{Engine, restart};
use std::sync::{Arc, PoisonError};

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// That it does not run (any more).
    NotRunning,
    /// The next end of its first process.
    NextExit,
    /// That it is gone.
    Removed,
}

impl Engine {
    /// Starts a container.
    ///
    /// # Errors
    /// [`Error::Unchanged`] if it runs, [`Error::Start`] if its first process cannot.
    pub async fn start(&self, key: &str) -> Result<(), Error> {
        self.start_by(&self.find(key)?, &Origin::Nothing).await
    }

    /// Starts a container from nothing or from a checkpoint.
    pub(super) async fn start_by(&self, container: &Arc<Container>, from: &Origin) -> Result<(), Error> {
        let _busy = container.busy.lock().await;
        match container.state() {
            State::Paused { .. } => {
                return Err(Error::Conflict("cannot start a paused container, try unpause instead".into()));
            }
            State::Running { .. } | State::Restarting(_) => return Err(Error::Unchanged),
            State::Created | State::Exited(_) => {}
        }
        *container.pause.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if container.record().stopped_by_hand || container.record().restarts > 0 {
            container.change(|record| (record.stopped_by_hand, record.restarts) = (false, 0))?;
        }
        let started = self.launch(container, from).await;
        if started.is_err() && container.record().host.auto_remove {
            self.discard(container)?;
        }
        started
    }

    /// Freezes every process of a container.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run, or is frozen.
    pub async fn pause(&self, key: &str) -> Result<(), Error> {
        self.freeze(key, Freeze::Pause).await
    }

    /// Thaws a container.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not frozen.
    pub async fn unpause(&self, key: &str) -> Result<(), Error> {
        self.freeze(key, Freeze::Unpause).await
    }

    /// Freezes a container for a moment: an engine that starts thaws it.
    ///
    /// # Errors
    /// As [`Engine::pause`].
    pub(super) async fn hold(&self, key: &str) -> Result<(), Error> {
        self.freeze(key, Freeze::Hold).await
    }

    async fn freeze(&self, key: &str, what: Freeze) -> Result<(), Error> {
        let container = self.find(key)?;
        let _busy = container.busy.lock().await;
        let next = match (container.state(), what) {
            (State::Running { pid, since }, Freeze::Pause | Freeze::Hold) => State::Paused { pid, since },
            (State::Paused { pid, since }, Freeze::Unpause) => State::Running { pid, since },
            (State::Paused { .. }, Freeze::Pause | Freeze::Hold) => {
                return Err(Error::Conflict(format!("Container {} is already paused", container.id)));
            }
            (State::Restarting(_), _) => return Err(container.restarting()),
            (_, Freeze::Unpause) => {
                return Err(Error::Conflict(format!("Container {} is not paused", container.id)));
            }
            _ => return Err(container.not_running()),
        };
        container
            .with_group(|group| match what {
                Freeze::Pause | Freeze::Hold => group.freeze(),
                Freeze::Unpause => group.thaw(),
            })?
            .map_err(|e| Error::Conflict(e.to_string()))?;
        container.change(|record| {
            record.state = next;
            record.held = what == Freeze::Hold;
        })?;
        self.events.container(if what == Freeze::Unpause { "unpause" } else { "pause" }, &container);
        if what == Freeze::Unpause {
            self.mind_health(&container);
        }
        Ok(())
    }

    /// Waits for what `wait` says; answers the exit code. Registered before this returns its future's first pending.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn wait(&self, key: &str, wait: Wait) -> Result<impl Future<Output = i32> + Send + use<>, Error> {
        let container = self.find(key)?;
        let mut watch = container.watch();
        // A change of the record alone is told too: only another state is news.
        let first = watch.borrow().clone();
        let ended = |seen: &Seen| match seen {
            Seen::Removed(code) => Some(*code),
            Seen::State(State::Exited(exit)) => Some(exit.code),
            Seen::State(_) => None,
        };
        Ok(async move {
            let _alive = container;
            let mut code = 0;
            loop {
                let seen = watch.borrow_and_update().clone();
                code = ended(&seen).unwrap_or(code);
                let enough = match (wait, &seen) {
                    (_, Seen::Removed(_)) => true,
                    (Wait::Removed, _) => false,
                    // Between its end and the next start it counts as running, as Docker has it.
                    (_, Seen::State(State::Restarting(_))) => false,
                    (Wait::NotRunning, Seen::State(state)) => state.alive().is_none(),
                    (Wait::NextExit, Seen::State(state)) => seen != first && state.alive().is_none(),
                };
                if enough {
                    return code;
                }
                if watch.changed().await.is_err() {
                    return code;
                }
            }
        })
    }

    /// Changes limits and the restart policy; what is not given stays.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a limit out of range; then nothing is changed.
    pub async fn update(
        &self,
        key: &str,
        wanted: Resources,
        restart: Option<RestartPolicy>,
    ) -> Result<(), Error> {
        let container = self.find(key)?;
        let _busy = container.busy.lock().await;
        let restart = restart.filter(|p| !p.name.is_empty());
        if let Some(policy) = &restart {
            restart::policy(policy)?;
            if container.record().host.auto_remove && restart::restarts_at_all(policy) {
                return Err(Error::Conflict(
                    "Restart policy cannot be updated because AutoRemove is enabled for the container".into(),
                ));
            }
        }
        let merged = merged(&container.record().host.resources, wanted);
        let limits = super::launch::limits(&merged)?;
        if container.state().alive().is_some() {
            container
                .with_group(|group| group.update(&limits))?
                .map_err(|e| Error::Invalid(e.to_string()))?;
        }
        container.change(|record| {
            record.host.resources = merged;
            if let Some(policy) = restart {
                record.host.restart_policy = policy;
            }
        })?;
        self.events.container("update", &container);
        Ok(())
    }

    /// Ends every running container, and removes those that nobody would start again: sessions, and `--rm` ones.
    pub async fn end(&self) {
        let end = |container: Arc<Container>| async move {
            let record = container.record();
            let done = if record.session().is_some() || record.host.auto_remove {
                self.remove(&container.id, Force::Yes).await
            } else {
                self.stop(&container.id, Stop::default()).await
            };
            if let Err(e) = done {
                tracing::debug!("ending: {e}");
            }
            container.wait_until_dead().await;
        };
        futures_util::future::join_all(self.containers().into_iter().map(end)).await;
    }

    /// Gives back what an engine that stops holds for containers to come, and, where none runs any more, what they shared.
    pub async fn close(&self) {
        self.abandon_blanks().await;
        for container in self.containers() {
            self.abandon(&container).await;
        }
        let engine = self.clone();
        let closing = tokio::task::spawn_blocking(move || {
            if let Err(e) = engine.disks.drain() {
                tracing::warn!("ready disks stay: {e}");
            }
            if engine.containers().iter().any(|c| c.state().alive().is_some()) {
                return;
            }
            engine.close_volumes();
            engine.networks.close_internet(engine.settings.internet_pool);
            engine.networks.close();
            // Groups of those that have just ended are removed in the background.
            if let Err(e) = engine.groups.sweep(&engine.parent, &|_| false) {
                tracing::warn!("control groups stay: {e}");
            }
            engine.groups.leave(&engine.parent);
        });
        closing.await.unwrap_or_default();
    }

    /// Removes every container that does not run and that `chosen` names: their ids, and the bytes that they had written.
    pub async fn prune(&self, chosen: impl Fn(&Record) -> bool) -> (Vec<String>, u64) {
        let (mut gone, mut bytes) = (Vec::new(), 0);
        for container in self.containers() {
            let record = container.record();
            if record.state.alive().is_some() || !chosen(&record) {
                continue;
            }
            let written = self.written(&container).await;
            if self.remove(&container.id, Force::No).await.is_ok() {
                gone.push(container.id.clone());
                bytes += written;
            }
        }
        (gone, bytes)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freeze {
    Pause,
    Hold,
    Unpause,
}

/// The old limits, with the new ones where something was said.
fn merged(old: &Resources, new: Resources) -> Resources {
    let number = |new: i64, old: i64| if new == 0 { old } else { new };
    let text = |new: String, old: &String| if new.is_empty() { old.clone() } else { new };
    let list = |new: Vec<Throttle>, old: &Vec<Throttle>| if new.is_empty() { old.clone() } else { new };
    Resources {
        memory: number(new.memory, old.memory),
        memory_swap: number(new.memory_swap, old.memory_swap),
        memory_reservation: number(new.memory_reservation, old.memory_reservation),
        nano_cpus: number(new.nano_cpus, old.nano_cpus),
        cpu_shares: number(new.cpu_shares, old.cpu_shares),
        cpu_quota: number(new.cpu_quota, old.cpu_quota),
        cpu_period: number(new.cpu_period, old.cpu_period),
        cpuset_cpus: text(new.cpuset_cpus, &old.cpuset_cpus),
        cpuset_mems: text(new.cpuset_mems, &old.cpuset_mems),
        pids_limit: new.pids_limit.filter(|p| *p != 0).or(old.pids_limit),
        blkio_weight: if new.blkio_weight == 0 { old.blkio_weight } else { new.blkio_weight },
        blkio_device_read_bps: list(new.blkio_device_read_bps, &old.blkio_device_read_bps),
        blkio_device_write_bps: list(new.blkio_device_write_bps, &old.blkio_device_write_bps),
        blkio_device_read_iops: list(new.blkio_device_read_iops, &old.blkio_device_read_iops),
        blkio_device_write_iops: list(new.blkio_device_write_iops, &old.blkio_device_write_iops),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let old = Resources { memory: 1, cpu_shares: 2, cpuset_cpus: "0".into(), ..Resources::default() };
        let new = Resources { memory: 5, ..Resources::default() };
        assert_eq!(merged(&old, new), Resources { memory: 5, ..old });
    }
}
