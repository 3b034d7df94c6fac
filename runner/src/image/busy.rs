//! One layer is made once: whoever else wants it waits until it is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The things that are being made, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>);

/// The right to make one; dropping gives it on.
pub(super) struct Turn {
    name: String,
    busy: Busy,
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Busy {
    /// Waits for one's turn to make `name`; then see first whether it is there.
    pub(super) async fn turn(&self, name: &str) -> Turn {
        let lock = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.to_owned()).or_default())
        };
        let guard = Some(lock.lock_owned().await);
        Turn { name: name.to_owned(), busy: self.clone(), guard }
    }

    /// Whether somebody makes `name` now.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut all = self.busy.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own share, and no other: nobody waits.
        if all.get(&self.name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.name);
        }
    }
}
