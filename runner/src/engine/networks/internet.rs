//! The way `internet` of an engine's containers: loaded when the first one takes it, and unloaded by an engine that ends when
//! none runs, also when an earlier one loaded it.

use super::resolvers;
use crate::container::network::internet::{Error, Internet, Settings};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module.
#[derive(Debug)]
pub(super) struct Loading {
    loaded: Mutex<Option<Arc<Internet>>>,
    /// Stands for a loaded firewall, also when the engine that loaded it is gone.
    mark: PathBuf,
}

impl Loading {
    /// Nothing yet; `mark` is gone after a restart of the machine.
    pub(super) fn new(mark: PathBuf) -> Self {
        Self { loaded: Mutex::default(), mark }
    }
}

impl super::Networks {
    /// The loaded firewall; loading takes a moment, so this is for a thread that may wait.
    ///
    /// # Errors
    /// What loading answers.
    pub(in crate::engine) fn internet(&self, pool: Ipv4Addr) -> Result<Arc<Internet>, Error> {
        let mut loaded = self.internet.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(internet) = &*loaded {
            return Ok(Arc::clone(internet));
        }
        let mark = &self.internet.mark;
        std::fs::write(mark, &self.settings.tag).map_err(Error::Mark)?;
        let settings = Settings { tag: self.settings.tag.clone(), pool, resolvers: resolvers() };
        let started = Internet::start(&settings)?;
        Ok(Arc::clone(loaded.insert(Arc::new(started))))
    }

    /// Takes a container's way back; its network namespace has taken the inner end along.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(in crate::engine) fn no_internet(&self, slot: u32) -> Result<(), Error> {
        let loaded = self.internet.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        loaded.map_or(Ok(()), |internet| internet.disconnect(slot))
    }

    /// Unloads the firewall; for an engine that ends when no container runs.
    pub(in crate::engine) fn close_internet(&self, pool: Ipv4Addr) {
        if !self.internet.mark.exists() {
            return;
        }
        let gone = self.internet(pool).and_then(|internet| {
            *self.internet.loaded.lock().unwrap_or_else(PoisonError::into_inner) = None;
            internet.stop()
        });
        match gone {
            Ok(()) => std::fs::remove_file(&self.internet.mark).unwrap_or_default(),
            Err(e) => tracing::warn!("the firewall of the network internet stays: {e}"),
        }
    }
}
