//! How containers are ended: asked first, then made to.

use super::container::Container;
use super::error::Error;
use super::record::State;
use super::{Engine, validate};
use crate::spawner::client::INIT;
use std::sync::Arc;
use std::time::Duration;

/// How long a container may take to stop where nothing else was said.
const PATIENCE: i64 = 10;
/// How long an end by signal 9 is waited for.
const LAST: Duration = Duration::from_secs(10);
const KILL: i32 = 9;
const TERM: i32 = 15;

/// How a container is to be stopped; what is not said is the container's own way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stop {
    /// Seconds before it is killed; negative: it never is.
    pub patience: Option<i64>,
    /// What it is asked with.
    pub signal: Option<i32>,
}

impl Engine {
    /// Asks a container to stop, and ends it if it does not in time.
    ///
    /// # Errors
    /// [`Error::Unchanged`] if it does not run.
    pub async fn stop(&self, key: &str, how: Stop) -> Result<(), Error> {
        let container = self.find(key)?;
        let record = container.record();
        if record.state.alive().is_none() && !matches!(record.state, State::Restarting(_)) {
            return Err(Error::Unchanged);
        }
        container.change(|record| record.stopped_by_hand = true)?;
        if self.give_up(&container)? {
            self.events.container("stop", &container);
            return Ok(());
        }
        let own = record.config.stop_signal.as_deref().map_or(Ok(TERM), validate::signal)?;
        let patience = how.patience.or(record.config.stop_timeout).unwrap_or(PATIENCE);
        self.signal(&container, how.signal.unwrap_or(own)).await;
        if matches!(container.state(), State::Paused { .. }) {
            // One that has just ended needs no thaw.
            self.unpause(key).await.unwrap_or_default();
        }
        let dead = container.wait_until_dead();
        match u64::try_from(patience) {
            Err(_) => dead.await,
            Ok(patience) => {
                if tokio::time::timeout(Duration::from_secs(patience), dead).await.is_err() {
                    self.signal(&container, KILL).await;
                    container.wait_until_dead().await;
                }
            }
        }
        // Whatever its end brings about is told first.
        drop(container.busy.lock().await);
        self.events.container("stop", &container);
        Ok(())
    }

    /// Sends a signal to the first process, and tells of it; one that has just ended needs none.
    async fn signal(&self, container: &Container, signal: i32) {
        self.events.container_with("kill", container, &[("signal", &signal.to_string())]);
        self.spawner.signal(&container.id, INIT, signal).await.unwrap_or_default();
    }

    /// Ends the pause before a restart for good; whether there was one.
    pub(super) fn give_up(&self, container: &Container) -> Result<bool, Error> {
        let State::Restarting(exit) = container.state() else { return Ok(false) };
        container.change(|record| {
            if matches!(record.state, State::Restarting(_)) {
                record.state = State::Exited(exit);
            }
        })?;
        Ok(container.state().alive().is_none())
    }

    /// Sends a signal to a container's first process.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run.
    pub async fn kill(&self, key: &str, signal: i32) -> Result<(), Error> {
        let container = self.find(key)?;
        let record = container.record();
        let not_running = || {
            let words = format!("cannot kill container: {key}: container {} is not running", container.id);
            Error::Conflict(words)
        };
        let stopping = record.config.stop_signal.as_deref().map_or(Ok(TERM), validate::signal)?;
        let ends = signal == KILL || signal == stopping;
        if let State::Restarting(_) = record.state {
            container.change(|record| record.stopped_by_hand |= ends)?;
            return if ends { self.give_up(&container).map(drop) } else { Ok(()) };
        }
        if record.state.alive().is_none() {
            return Err(not_running());
        }
        if ends {
            container.change(|record| record.stopped_by_hand = true)?;
        }
        // Told first: its end may be told at any moment after.
        self.events.container_with("kill", &container, &[("signal", &signal.to_string())]);
        self.spawner.signal(&container.id, INIT, signal).await.map_err(|_| not_running())?;
        if ends && matches!(record.state, State::Paused { .. }) {
            // It may have ended already: the first process does, frozen or not, by signal 9.
            self.unpause(key).await.unwrap_or_default();
        }
        if signal == KILL {
            // Whoever kills may count on its end; one that cannot end (in the kernel) is not waited for without end.
            tokio::time::timeout(LAST, container.wait_until_dead()).await.unwrap_or_default();
        }
        Ok(())
    }

    /// Stops and starts.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn restart(&self, key: &str, how: Stop) -> Result<(), Error> {
        let container = self.find(key)?;
        if container.record().host.auto_remove {
            // The end would remove it.
            return self.restart_kept(&container, how).await;
        }
        match self.stop(&container.id, how).await {
            Ok(()) | Err(Error::Unchanged) => self.start(&container.id).await?,
            Err(other) => return Err(other),
        }
        self.events.container("restart", &container);
        Ok(())
    }

    async fn restart_kept(&self, container: &Arc<Container>, how: Stop) -> Result<(), Error> {
        container.change(|record| record.host.auto_remove = false)?;
        let stopped = self.stop(&container.id, how).await;
        container.change(|record| record.host.auto_remove = true)?;
        match stopped {
            Ok(()) | Err(Error::Unchanged) => self.start(&container.id).await?,
            Err(other) => return Err(other),
        }
        self.events.container("restart", container);
        Ok(())
    }
}
