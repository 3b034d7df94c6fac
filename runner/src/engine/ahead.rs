//! What of a container needs no more than its limits and its profile is made ahead of its start, while its creator still talks:
//! control groups, a child in all its namespaces that waits to be told what it is, and the tmpfs that will be its `/dev`.
//!
//! Whoever starts the container takes it over; what nobody starts for a while is given back, and is made again when it is started.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::model::Resources;
use crate::container::cgroup::Group;
use crate::container::rootfs;
use crate::container::spec::{IdRange, Profile};
use std::os::fd::OwnedFd;
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
    begun: JoinHandle<Result<Begun, Error>>,
    /// The limits that its group has.
    limits: Resources,
    /// `None` for a blank, and for one that is being started: they are counted elsewhere.
    _place: Option<OwnedSemaphorePermit>,
}

/// What there is of it.
#[derive(Debug)]
struct Begun {
    group: Group,
    /// Its `/dev`, but for the files.
    devices: OwnedFd,
}

impl Engine {
    /// Begins a container that was just created, in the background, unless it was made of a blank.
    pub(super) fn begin_ahead(&self, container: &Arc<Container>, profile: Profile) {
        {
            let mut ahead = container.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            if ahead.is_none() {
                let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
                *ahead = Some(Ahead { _place: Some(place), ..self.begin_now(container, profile) });
            }
        }
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
        ahead.unwrap_or_else(|| self.begin_now(container, profile))
    }

    fn begin_now(&self, container: &Container, profile: Profile) -> Ahead {
        let before = container.leaving.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (range, limits) = (container.slot.range(), container.record().host.resources);
        self.begin_after(before, &container.id, range, (limits, profile))
    }

    /// Makes the groups of a container with these limits, and its child, in the background.
    pub(super) fn begin(&self, id: &str, range: IdRange, limits: Resources, profile: Profile) -> Ahead {
        self.begin_after(None, id, range, (limits, profile))
    }

    /// The same, once `before` is done: the groups of an earlier start have the same names.
    fn begin_after(
        &self,
        before: Option<JoinHandle<()>>,
        id: &str,
        range: IdRange,
        (limits, profile): (Resources, Profile),
    ) -> Ahead {
        let (engine, id) = (self.clone(), id.to_owned());
        let wanted = limits.clone();
        let here = tokio::runtime::Handle::current();
        let begun = spawn_blocking(move || {
            if let Some(before) = before {
                // One that failed is told by the group that is still there.
                here.block_on(before).unwrap_or_default();
            }
            let delegate = (profile == Profile::Nested).then_some(range);
            let (group, join) = engine.make_group(&id, &wanted, delegate)?;
            // Asked first: the spawner clones meanwhile.
            let (cloned, devices) = here.block_on(async {
                tokio::join!(biased; engine.spawner.begin(&id, range, profile, &join), async { rootfs::devices(range.base) })
            });
            match (cloned, devices) {
                (Ok(()), Ok(devices)) => Ok(Begun { group, devices }),
                (Ok(()), Err(e)) => {
                    here.block_on(engine.spawner.abandon(&id)).unwrap_or_default();
                    remove(group);
                    Err(e.into())
                }
                (Err(e), _) => {
                    remove(group);
                    Err(e.into())
                }
            }
        });
        Ahead { begun, limits, _place: None }
    }

    /// Waits for what was begun; the container has its group then, with the limits that it has now, and this is its `/dev`. What
    /// failed, perhaps long ago, is tried once more.
    pub(super) async fn begun(
        &self,
        container: &Arc<Container>,
        profile: Profile,
        ahead: Ahead,
    ) -> Result<OwnedFd, Error> {
        let doing = || DOING.to_owned();
        let Begun { group, devices } = match ahead.begun.await.map_err(std::io::Error::other).doing(doing)? {
            Ok(begun) => begun,
            Err(_) => {
                let again = self.begin_now(container, profile).begun.await;
                again.map_err(std::io::Error::other).doing(doing)??
            }
        };
        let now = container.record().host.resources;
        let updated = if now == ahead.limits {
            Ok(())
        } else {
            super::launch::limits(&now)
                .and_then(|limits| group.update(&limits).map_err(|e| Error::invalid(e.to_string())))
        };
        *container.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
        updated.map(|()| devices)
    }

    /// Gives back, off the caller's path, what was begun of a container that goes.
    pub(super) fn give_back(&self, container: &Arc<Container>) {
        let (engine, container) = (self.clone(), Arc::clone(container));
        tokio::spawn(async move { engine.abandon(&container).await });
    }

    /// Gives back what was begun of a container that is not started.
    pub(super) async fn abandon(&self, container: &Container) {
        let ahead = container.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ahead) = ahead {
            self.abandon_one(&container.id, ahead).await;
        }
    }

    /// Gives back what was begun under that id.
    pub(super) async fn abandon_one(&self, id: &str, ahead: Ahead) {
        if let Ok(Ok(Begun { group, .. })) = ahead.begun.await {
            // What has died meanwhile is gone already.
            self.spawner.abandon(id).await.unwrap_or_default();
            spawn_blocking(|| remove(group)).await.unwrap_or_default();
        }
    }
}

/// Removes a group, with whatever still runs in it.
pub(super) fn remove(group: Group) {
    if let Err(e) = group.kill().and_then(|()| group.remove()) {
        tracing::warn!("a control group stays for now: {e}");
    }
}
