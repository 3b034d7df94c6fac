//! Talking to a running container: its first process's input, and its network from inside.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use crate::container::network;
use crate::spawner::client::{INIT, Stream};
use rustix::fs::{Mode, OFlags, openat};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Engine {
    /// Writes to the first process's standard input, or its terminal.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it has none.
    pub async fn write_stdin(&self, container: &Container, bytes: &[u8]) -> Result<(), Error> {
        match &*container.stdin.lock().await {
            Some(input) => input.write(bytes).await.doing(|| "writing the standard input".into()),
            None => Err(container.not_running()),
        }
    }

    /// Ends the first process's standard input.
    pub async fn close_stdin(&self, container: &Container) {
        *container.stdin.lock().await = None;
        // A container that has just ended has no input to end.
        self.spawner.close(&container.id, INIT, Stream::Stdin).await.unwrap_or_default();
    }

    /// Tells the first process's terminal its size.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it has none.
    pub async fn resize(&self, key: &str, cols: u16, rows: u16) -> Result<(), Error> {
        let container = self.find(key)?;
        match &*container.stdin.lock().await {
            Some(_) if !container.record().config.tty => Ok(()),
            Some(input) => input.resize(cols, rows).doing(|| "resizing".into()),
            // Without a terminal there is nothing that has a size.
            None if container.state().alive().is_some() => Ok(()),
            None => Err(container.not_running()),
        }
    }

    /// A TCP connection made inside a container's network namespace.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run; [`Error::Io`] if nothing listens there.
    pub async fn dial(&self, key: &str, port: u16) -> Result<OwnedFd, Error> {
        self.inside(key, move |netns| network::dial(netns, port)).await
    }

    /// A listening TCP socket inside a container's network namespace.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run; [`Error::Io`] if the port is taken.
    pub async fn listen(&self, key: &str, port: u16) -> Result<OwnedFd, Error> {
        self.inside(key, move |netns| network::listen(netns, port)).await
    }

    async fn inside(
        &self,
        key: &str,
        f: impl FnOnce(BorrowedFd<'_>) -> Result<OwnedFd, network::Error> + Send + 'static,
    ) -> Result<OwnedFd, Error> {
        let container = self.find(key)?;
        let (pid, _) = container.state().alive().ok_or_else(|| container.not_running())?;
        let base = container.slot.range().base;
        let work = move || {
            // Its number may be another process's by now, and that one's loopback the host's.
            let process = super::view::process(pid, base)?;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let netns = openat(&process, "ns/net", flags, Mode::empty());
            let netns = netns.doing(|| "entering the network".into())?;
            f(netns.as_fd()).map_err(std::io::Error::other).doing(|| "in the container's network".into())
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(std::io::Error::other)
            .doing(|| "entering the network".into())?
    }
}
