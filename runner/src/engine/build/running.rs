//! What running builds hold: caches that they use, and names by which they can be cancelled.

use crate::engine::Engine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{RwLock, watch};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Running {
    caches: Mutex<HashMap<String, Weak<RwLock<()>>>>,
    named: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl Running {
    /// Who uses a cache.
    pub(super) fn cache(&self, name: &str) -> Arc<RwLock<()>> {
        let mut all = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = all.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(RwLock::default());
        all.insert(name.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// A name by which a build can be cancelled; given up when dropped.
#[derive(Debug)]
pub struct Named {
    engine: Engine,
    id: Option<String>,
    asked: watch::Receiver<bool>,
}

impl Named {
    /// Returns when somebody has asked for the end of the build.
    pub async fn asked(&mut self) {
        // Nobody can ask where there is no name.
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.engine.builds.named.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }
}

impl Engine {
    /// Gives a build a name, if it has one.
    #[must_use]
    pub fn name_build(&self, id: Option<&str>) -> Named {
        let (sender, asked) = watch::channel(false);
        if let Some(id) = id {
            self.builds.named.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), sender);
        }
        Named { engine: self.clone(), id: id.map(ToOwned::to_owned), asked }
    }

    /// Asks for the end of the build of that name, if there is one.
    pub fn cancel_build(&self, id: &str) {
        if let Some(build) = self.builds.named.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            build.send_replace(true);
        }
    }
}
