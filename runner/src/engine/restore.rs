//! A container that goes on where a checkpoint has it: its mounts, groups, networks and walls are made as for any start, and what CRIU puts
//! in between them is looked at before it runs.

use super::Engine;
use super::checkpoints::{self, Saved};
use super::container::Container;
use super::error::{Doing, Error};
use crate::container::cgroup::Group;
use crate::container::checkpoint::mounted::Held;
use crate::container::checkpoint::restore::{LOG, Restoration};
use crate::container::checkpoint::{self, verify};
use crate::container::spec;
use crate::spawner::client::{self, Failure, StartFds, Started};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long CRIU's processes may take to end when it has ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked.
const PAUSE: Duration = Duration::from_millis(2);

/// From what a container is started.
#[derive(Debug)]
pub(super) enum Origin {
    /// From nothing: its first process is executed.
    Nothing,
    /// From a checkpoint.
    Checkpoint(Box<Archive>),
}

impl Origin {
    /// Whether a checkpoint is restored.
    pub(super) fn restores(&self) -> bool {
        matches!(self, Self::Checkpoint(_))
    }
}

/// A checkpoint whose files are as they were written.
#[derive(Debug)]
pub(super) struct Archive {
    saved: Saved,
    criu: PathBuf,
    images: PathBuf,
}

impl Engine {
    /// Starts a container where a checkpoint of it has it.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`]; [`Error::Unsupported`] where this host cannot; [`Error::Checkpoint`] if its files are not those that
    /// were written. Otherwise as [`Engine::start`].
    pub async fn start_from(&self, key: &str, name: &str) -> Result<(), Error> {
        let container = self.find(key)?;
        let saved = checkpoints::saved(&container, name)?;
        let images = checkpoints::directory(&container.dir).join(name);
        let looked = images.clone();
        let looking = move || (checkpoint::possible(), checkpoints::digest(&looked));
        let doing = || format!("reading checkpoint {name}");
        let (criu, digest) =
            tokio::task::spawn_blocking(looking).await.map_err(std::io::Error::other).doing(doing)?;
        let criu = criu.map_err(|cannot| {
            Error::Unsupported(format!("this host can not restore a checkpoint, because {cannot}"))
        })?;
        if digest.doing(doing)?.to_string() != saved.digest {
            return Err(Error::Checkpoint(format!(
                "checkpoint {name} is refused: its files are not those that were written; remove it"
            )));
        }
        self.start_by(&container, &Origin::Checkpoint(Box::new(Archive { saved, criu, images }))).await
    }

    /// Control groups for a container that is restored; nothing was begun, or it is given back.
    pub(super) async fn group_alone(&self, container: &Container) -> Result<Vec<OwnedFd>, Error> {
        self.abandon(container).await;
        let (engine, id, limits) = (self.clone(), container.id.clone(), container.record().host.resources);
        let made = tokio::task::spawn_blocking(move || engine.make_group(&id, &limits, None)).await;
        let (group, join) =
            made.map_err(std::io::Error::other).doing(|| "making the control group".into())??;
        *container.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
        Ok(join)
    }

    /// Has CRIU make a container's processes, which are stopped then.
    pub(super) async fn restore(
        &self,
        container: &Container,
        archive: &Archive,
        description: &spec::Container,
        fds: StartFds,
        join: &[OwnedFd],
    ) -> Result<Started, Error> {
        let work = container.dir.join("restoring");
        let doing = || format!("making {}", work.display());
        if work.exists() {
            crate::image::remove::tree(&work).doing(doing)?;
        }
        std::fs::create_dir(&work).doing(doing)?;
        let Saved { named, streams, .. } = archive.saved.clone();
        let (criu, images, mounts) = (archive.criu.clone(), archive.images.clone(), fds.mounts.len());
        let restoration = Restoration { criu, images, work: work.clone(), mounts, named, streams };
        let restored = self.spawner.restore(description, restoration, fds, join).await;
        let restored = restored.map_err(|e| match e {
            client::Error::Refused(failure) if work.join(LOG).exists() => {
                let message = format!("{}: {}", failure.message, checkpoint::last_errors(&work.join(LOG)));
                client::Error::Refused(Failure { message, ..failure })
            }
            other => other,
        });
        crate::image::remove::tree(&work).doing(|| format!("removing {}", work.display()))?;
        Ok(restored?)
    }

    /// Looks at the walls of a restored container, takes its streams, and lets its processes go.
    pub(super) async fn let_go(
        &self,
        container: &Container,
        description: &spec::Container,
        (first, held): (i32, &[Held]),
    ) -> Result<Started, Error> {
        let refused = |e: &dyn ToString| Error::Start(Failure::setup("restoring", &e.to_string()));
        let begun = Instant::now();
        let pids = loop {
            let pids = container.with_group(Group::pids)?.map_err(|e| refused(&e))?;
            // Processes of CRIU's own, which were in the groups as well, may still be ending.
            let alone = verify::family(first).is_ok_and(|family| family == pids.iter().copied().collect());
            if alone || begun.elapsed() > PATIENCE {
                break pids;
            }
            tokio::time::sleep(PAUSE).await;
        };
        verify::check(description, first, &pids, held).map_err(|e| refused(&e))?;
        // Its streams are there before it can end.
        let started = self.spawner.proceed(&container.id).await?;
        for pid in pids.into_iter().filter_map(Pid::from_raw) {
            let sent =
                pidfd_open(pid, PidfdFlags::empty()).and_then(|fd| pidfd_send_signal(&fd, Signal::CONT));
            sent.doing(|| "letting a restored process go".into())?;
        }
        Ok(started)
    }
}
