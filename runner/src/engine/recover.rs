//! What an engine does first: takes up what is there, and removes what a crash left.

use super::container::Container;
use super::error::{Doing, Error};
use super::record::{Exit, Record, State};
use super::{Engine, create};
use crate::spawner::client::{INIT, ProcessState};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

impl Engine {
    pub(super) async fn recover(&self) -> Result<(), Error> {
        let kept: HashMap<String, ProcessState> = self
            .spawner
            .processes()
            .await?
            .into_iter()
            .filter(|p| p.process == INIT)
            .map(|p| (p.container.clone(), p))
            .collect();
        for entry in entries(&self.settings.state.join("containers"))? {
            match self.adopt(&entry) {
                Some(container) => {
                    self.lock().insert(container.id.clone(), container);
                }
                None => {
                    crate::image::remove::tree(&entry).doing(|| format!("removing {}", entry.display()))?
                }
            }
        }
        for container in self.containers() {
            self.take_up(&container, kept.get(&container.id)).await?;
        }
        self.sweep_volumes();
        self.sweep(&kept).await
    }

    /// The container of a directory; `None` for what is none: half made, or half removed.
    fn adopt(&self, dir: &Path) -> Option<Arc<Container>> {
        let record = Record::load(dir).inspect_err(|e| tracing::warn!("{e}: removed")).ok()?;
        if dir != create::directory(&self.settings, &record.id) {
            return None;
        }
        let slot = self.slots.claim(record.slot)?;
        Some(Arc::new(Container::new(dir.to_owned(), record, slot)))
    }

    /// Goes on with a container that runs; marks one as ended that does not.
    async fn take_up(&self, container: &Arc<Container>, kept: Option<&ProcessState>) -> Result<(), Error> {
        let state = container.state();
        // Of one that was only begun it is swept.
        if state.alive().is_some()
            && let Ok(group) = self.groups.open(&self.parent, &container.id)
        {
            *container.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
        }
        match (state.alive(), kept) {
            (Some(_), Some(process)) => {
                match self.spawner.take(&container.id, INIT).await {
                    Ok(stdio) => self.read_output(container, stdio).await?,
                    Err(e) => tracing::warn!(container = container.id, "its output is lost: {e}"),
                }
                self.plug_again(container).await;
                thaw(container)?;
                self.mind_health(container);
                if let Some(status) = process.status {
                    tokio::spawn(self.clone().ended(Arc::clone(container), status));
                }
            }
            (Some((_, since)), None) => {
                self.release_group(container);
                // Nobody was there to see how it ended: 255, as Docker says.
                let exit = Exit {
                    code: 255,
                    error: String::new(),
                    oom_killed: false,
                    started: Some(since),
                    at: jiff::Timestamp::now(),
                };
                container.change(|record| {
                    record.state = State::Exited(exit);
                    record.unplugged();
                })?;
                self.restart_or_discard(container)?;
            }
            (None, _) => self.restart_or_discard(container)?,
        }
        Ok(())
    }

    /// Removes what belongs to no container of ours.
    async fn sweep(&self, kept: &HashMap<String, ProcessState>) -> Result<(), Error> {
        for (id, process) in kept {
            if self.by_id(id).is_none_or(|c| c.state().alive().is_none()) {
                if self.spawner.abandon(id).await.is_err() {
                    self.spawner.signal(id, INIT, 9).await.unwrap_or_default();
                }
                if process.status.is_some() {
                    self.spawner.forget(id, INIT).await.unwrap_or_default();
                }
            }
        }
        let alive = |id: &str| self.by_id(id).is_some_and(|c| c.state().alive().is_some());
        match self.groups.sweep(&self.parent, &alive) {
            Ok(0) => {}
            Ok(n) => tracing::info!("removed {n} control groups of containers that are gone"),
            Err(e) => tracing::warn!("control groups stay: {e}"),
        }
        let volumes = self.volume_disks();
        match self.disks.sweep(&|id| self.by_id(id).is_some() || volumes.contains(id)) {
            Ok(0) => {}
            Ok(n) => tracing::info!("removed {n} disks of containers and volumes that are gone"),
            Err(e) => tracing::warn!("disks stay: {e}"),
        }
        for rings in entries(&self.settings.run.join("rings"))? {
            let id = rings.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if !alive(&id) {
                std::fs::remove_dir_all(&rings).doing(|| format!("removing {}", rings.display()))?;
            }
        }
        Ok(())
    }
}

/// Lets a container go on that only an engine that died kept still: for a commit, or a checkpoint.
fn thaw(container: &Container) -> Result<(), Error> {
    let held = container.record().held;
    let running = match container.state() {
        State::Running { .. } => None,
        State::Paused { pid, since } if held => Some(State::Running { pid, since }),
        _ => return Ok(()),
    };
    let thawed = container.with_group(|group| if group.frozen()? { group.thaw() } else { Ok(()) });
    if let Ok(Err(e)) = thawed {
        tracing::warn!(container = container.id, "not thawed: {e}");
    }
    match running {
        Some(state) => container.change(|record| (record.state, record.held) = (state, false)),
        None => Ok(()),
    }
}

fn entries(dir: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let doing = || format!("reading {}", dir.display());
    std::fs::read_dir(dir).doing(doing)?.map(|e| e.map(|e| e.path()).doing(doing)).collect()
}
