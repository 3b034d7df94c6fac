//! A container's beginning (its record and directory) and its end (everything given back).

use super::container::Container;
use super::defaults::{inherit, merge};
use super::error::{Doing, Error};
use super::logging::{Logging, Named};
use super::model::{Config, HostConfig};
use super::networks::{self, request::EndpointRequest};
use super::record::{Record, State};
use super::validate;
use super::{Engine, Settings};
use crate::container::spec::IdRange;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// The most containers, running or not.
const CONTAINERS: usize = 8192;

/// The longest name.
const NAME: usize = 128;

/// What to do about a container that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// End it.
    Yes,
    /// Refuse.
    No,
}

/// What becomes of the volumes of a container that is removed, if nobody gave them a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volumes {
    /// They go.
    Removed,
    /// They stay.
    Kept,
}

impl Engine {
    /// Makes a container; nothing of it runs yet.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the image, [`Error::Conflict`] for a name that is taken, [`Error::Invalid`] for anything that cannot be.
    pub fn create(
        &self,
        name: Option<&str>,
        config: Config,
        host: HostConfig,
    ) -> Result<Arc<Container>, Error> {
        self.create_in(name, config, host, BTreeMap::new())
    }

    /// [`Engine::create`], with what is asked of networks.
    ///
    /// # Errors
    /// As there.
    pub fn create_in(
        &self,
        name: Option<&str>,
        config: Config,
        host: HostConfig,
        networks: BTreeMap<String, EndpointRequest>,
    ) -> Result<Arc<Container>, Error> {
        let image = self.images.resolve(&config.image);
        let image = image.map_err(|_| Error::not_found("image", crate::image::with_tag(&config.image)))?;
        let (mut config, mut host) = (config, host);
        merge(&mut config, &image.config);
        inherit(&mut config, self.images.beyond(&image))?;
        self.settings.default_network.settle(&mut host.network_mode);
        self.settle_links(&mut host)?;
        let checked = validate::check(&config, &host, &self.settings)?;
        let endpoints = networks::wanted(&config, &host, networks)?;
        let blank = self.blank(checked.profile);
        let id = blank.id().map_or_else(identifier, |id| Ok(id.to_owned()))?;
        if config.hostname.is_empty() {
            id[..12].clone_into(&mut config.hostname);
        }
        super::launch::limits(&host.resources)?;
        super::restart::check(&host)?;
        let mounts = self.settle_mounts(&config, &host)?;
        let name = match name {
            Some(name) => checked_name(name)?,
            None => super::names::name_of(&id),
        };
        let named = Named { id: &id, name: &name, config: &config };
        if host.log_config.kind.is_empty() {
            host.log_config.kind = "json-file".into();
        }
        let logging = Logging::of(&host.log_config, self.settings.log_limit, named)?;
        let (slot, ahead) = match blank.used() {
            Some(parts) => (parts.slot, Some(parts.ahead)),
            None => {
                let slot = self.slots.take();
                (slot.ok_or_else(|| Error::Conflict("all ranges of ids are in use".into()))?, None)
            }
        };
        super::own_figures::settle_processors(&mut host, checked.init, slot.number());
        let record = Record {
            id: id.clone(),
            name: name.clone(),
            created: jiff::Timestamp::now(),
            image: image.id.to_string(),
            config,
            host,
            mounts,
            logging,
            health: None,
            slot: slot.number(),
            endpoints,
            published: Vec::new(),
            checkpoints: BTreeMap::new(),
            state: State::Created,
            finished: None,
            restarts: 0,
            stopped_by_hand: false,
            held: false,
        };
        let dir = directory(&self.settings, &id);
        let container = Arc::new(Container::new(dir.clone(), record, slot));
        *container.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        if let Err(e) = self.place(&container, &name) {
            self.give_back(&container);
            return Err(e);
        }
        self.begin_ahead(&container, checked.profile);
        let made = make_directories(&dir, container.slot.range())
            .and_then(|()| self.make_volumes(&container.record().mounts))
            .and_then(|()| container.record().save(&dir));
        if let Err(e) = made {
            self.lock().remove(&id);
            self.give_back(&container);
            crate::image::remove::tree(&dir).unwrap_or_default();
            return Err(e);
        }
        self.events.container("create", &container);
        Ok(container)
    }

    /// Enters a new container among the others.
    fn place(&self, container: &Arc<Container>, name: &str) -> Result<(), Error> {
        let mut all = self.lock();
        if let Some(other) = all.values().find(|c| c.name() == name) {
            return Err(taken(name, &other.id));
        }
        if all.len() >= CONTAINERS {
            return Err(Error::Conflict(format!("there are {CONTAINERS} containers: remove some")));
        }
        all.insert(container.id.clone(), Arc::clone(container));
        Ok(())
    }

    /// Removes a container; its volumes stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it runs and `force` does not allow to end it.
    pub async fn remove(&self, key: &str, force: Force) -> Result<(), Error> {
        self.remove_with(key, force, Volumes::Kept).await
    }

    /// Removes a container, and perhaps its volumes that nobody gave a name.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it runs and `force` does not allow to end it.
    pub async fn remove_with(&self, key: &str, force: Force, volumes: Volumes) -> Result<(), Error> {
        let container = self.find(key)?;
        let restarting = matches!(container.state(), State::Restarting(_));
        if restarting && force == Force::No {
            return Err(Error::Conflict(format!(
                "cannot remove container \"/{}\": container is restarting: stop the container before removing or force remove",
                container.name()
            )));
        }
        self.give_up(&container)?;
        if container.state().alive().is_some() {
            if force == Force::No {
                return Err(Error::Conflict(format!(
                    "cannot remove container \"/{}\": container is {}: stop the container before removing or force remove",
                    container.name(),
                    container.state().word()
                )));
            }
            self.kill(&container.id, 9).await.or_else(|e| match e {
                Error::Conflict(_) => Ok(()),
                other => Err(other),
            })?;
            container.wait_until_dead().await;
        }
        let _busy = container.busy.lock().await;
        self.discard(&container)?;
        if volumes == Volumes::Removed {
            self.drop_anonymous_volumes(&container);
        }
        Ok(())
    }

    /// Forgets a container that does not run, and deletes what it wrote off the caller's path.
    pub(super) fn discard(&self, container: &Arc<Container>) -> Result<(), Error> {
        if self.lock().remove(&container.id).is_none() {
            return Ok(());
        }
        self.give_back(container);
        let grave = container.dir.with_extension("gone");
        let renamed =
            std::fs::rename(&container.dir, &grave).doing(|| format!("removing {}", container.dir.display()));
        std::fs::remove_dir_all(self.settings.run.join("rings").join(&container.id)).unwrap_or_default();
        container.removed();
        self.events.container("destroy", container);
        if container.record().host.auto_remove || container.record().session().is_some() {
            self.drop_anonymous_volumes(container);
        }
        let (engine, id) = (self.clone(), container.id.clone());
        let (mounts, group) = container.let_go();
        tokio::task::spawn_blocking(move || {
            // First of all: they may be of the disk.
            drop(mounts);
            group.into_iter().for_each(super::ahead::remove);
            if let Err(e) = engine.disks.release(&id) {
                tracing::warn!("a disk stays for now: {e}");
            }
            if let Err(e) = crate::image::remove::tree(&grave) {
                tracing::warn!(path = %grave.display(), "not removed: {e}; the next start tries again");
            }
        });
        renamed
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is taken, [`Error::Invalid`] if it is none.
    pub fn rename(&self, key: &str, name: &str) -> Result<(), Error> {
        let container = self.find(key)?;
        if name.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        let name = checked_name(name)?;
        if container.name() == name {
            return Err(Error::invalid("Renaming a container with the same name as its current name"));
        }
        if let Some(other) = self.lock().values().find(|c| c.name() == name) {
            return Err(taken(&name, &other.id));
        }
        let old = format!("/{}", container.name());
        container.change(|record| record.name = name)?;
        self.events.container_with("rename", &container, &[("oldName", &old)]);
        let record = container.record();
        if record.state.alive().is_some() {
            self.networks.enlist(&record, &record.endpoints);
        }
        Ok(())
    }
}

/// The directory of a container.
pub(super) fn directory(settings: &Settings, id: &str) -> std::path::PathBuf {
    settings.state.join("containers").join(id)
}

fn make_directories(dir: &Path, range: IdRange) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, chown};
    let doing = || format!("making {}", dir.display());
    std::fs::DirBuilder::new().mode(0o700).create(dir).doing(doing)?;
    for name in ["upper", "work"] {
        let path = dir.join(name);
        std::fs::DirBuilder::new().mode(0o755).create(&path).doing(doing)?;
        chown(&path, Some(range.base), Some(range.base)).doing(doing)?;
    }
    Ok(())
}

pub(super) fn identifier() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other).doing(|| "drawing an id".into())?;
    Ok(hex::encode(bytes))
}

fn taken(name: &str, by: &str) -> Error {
    Error::Conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{by}\". You have to remove (or rename) \
         that container to be able to reuse that name."
    ))
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.strip_prefix('/').unwrap_or(name);
    if name.len() > NAME {
        return Err(Error::invalid(format!("a container's name has at most {NAME} characters")));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = name.len() >= 2 && name.chars().all(plain);
    if good && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(name.to_owned());
    }
    Err(Error::invalid(format!(
        "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(checked_name("/web-1").unwrap(), "web-1");
        for bad in ["a", "", "-x", "a/b", "a b", "../..", &"x".repeat(200)] {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
    }
}
