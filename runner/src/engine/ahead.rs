//! What of a container needs no more than its limits and its profile is made ahead of its start, while its creator still talks:
//! control groups, and a child in all its namespaces that waits to be told what it is.
//!
//! Whoever starts the container takes it over; what nobody starts for a while is given back, and is made again when it is started.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::model::Resources;
use crate::container::cgroup::Group;
use crate::container::spec::Profile;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

/// How many created containers may be begun; one more is begun when it is started.
pub(super) const PLACES: usize = 64;
/// How long after its creation a container stays begun.
const PATIENCE: Duration = Duration::from_secs(10);
/// What failed when a container could not be begun.
const DOING: &str = "beginning the container";

/// A container that is being begun, or was.
#[derive(Debug)]
pub(super) struct Ahead {
    group: JoinHandle<Result<Group, Error>>,
    /// The limits that its group has.
    limits: Resources,
    /// `None` for one that is being started: it is counted among those that run.
    place: Option<OwnedSemaphorePermit>,
}

impl Engine {
    /// Begins a container that was just created, in the background.
    pub(super) fn begin_ahead(&self, container: &Arc<Container>, profile: Profile) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let begun = Ahead { place: Some(place), ..self.begin(container, profile) };
        *container.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        let (engine, container) = (self.clone(), Arc::downgrade(container));
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            if let Some(container) = container.upgrade() {
                let _busy = container.busy.lock().await;
                engine.abandon(&container).await;
            }
        });
    }

    /// What was begun of a container, or is from now on.
    pub(super) fn beginning(&self, container: &Arc<Container>, profile: Profile) -> Ahead {
        let ahead = container.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        ahead.unwrap_or_else(|| self.begin(container, profile))
    }

    fn begin(&self, container: &Arc<Container>, profile: Profile) -> Ahead {
        let (engine, own) = (self.clone(), Arc::clone(container));
        let here = tokio::runtime::Handle::current();
        let limits = container.record().host.resources;
        let wanted = limits.clone();
        let group = spawn_blocking(move || {
            let range = own.slot.range();
            let delegate = (profile == Profile::Nested).then_some(range);
            let (group, join) = engine.make_group(&own.id, &wanted, delegate)?;
            match here.block_on(engine.spawner.begin(&own.id, range, profile, &join)) {
                Ok(()) => Ok(group),
                Err(e) => {
                    remove(group);
                    Err(e.into())
                }
            }
        });
        Ahead { group, limits, place: None }
    }

    /// Waits for what was begun; the container has its group then, with the limits that it has now. What failed ahead of time
    /// is tried once more.
    pub(super) async fn begun(
        &self,
        container: &Arc<Container>,
        profile: Profile,
        ahead: Ahead,
    ) -> Result<(), Error> {
        let doing = || DOING.to_owned();
        let early = ahead.place.is_some();
        let group = match ahead.group.await.map_err(std::io::Error::other).doing(doing)? {
            Err(_) if early => {
                self.begin(container, profile).group.await.map_err(std::io::Error::other).doing(doing)?
            }
            other => other,
        }?;
        let now = container.record().host.resources;
        let updated = if now == ahead.limits {
            Ok(())
        } else {
            super::launch::limits(&now)
                .and_then(|limits| group.update(&limits).map_err(|e| Error::invalid(e.to_string())))
        };
        *container.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
        updated
    }

    /// Gives back, off the caller's path, what was begun of a container that goes.
    pub(super) fn give_back(&self, container: &Arc<Container>) {
        let (engine, container) = (self.clone(), Arc::clone(container));
        tokio::spawn(async move { engine.abandon(&container).await });
    }

    /// Gives back what was begun of a container that is not started.
    pub(super) async fn abandon(&self, container: &Container) {
        let ahead = container.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ahead) = ahead else { return };
        if let Ok(Ok(group)) = ahead.group.await {
            // What has died meanwhile is gone already.
            self.spawner.abandon(&container.id).await.unwrap_or_default();
            spawn_blocking(|| remove(group)).await.unwrap_or_default();
        }
    }
}

fn remove(group: Group) {
    if let Err(e) = group.kill().and_then(|()| group.remove()) {
        tracing::warn!("a control group stays for now: {e}");
    }
}
