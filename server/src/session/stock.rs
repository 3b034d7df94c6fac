//! A stock Docker engine, for development: the same sessions with fewer promises.
//!
//! Terminals are `exec`s over a hijacked connection ([`super::stock_terminal`]): the engine passes no pty, so what they
//! printed is in this process alone, and ends with it.

use super::calls::{Calls, explain, labels, signed};
use super::engine::{Engine, Error, Found, Handed, Reply, Spec};
use super::stock_terminal;
use bollard::models::{ContainerCreateBody, HostConfig};
use sandlot_wire::{Kept, Meter, OpenTerminal, Terminal};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is not promised then.
const VOIDS: [&str; 9] = [
    "sessions have no user ids of their own: root inside is root of the engine's host",
    "containers cannot be made inside a session, also where the image says nested",
    "what a session writes to its disk has no limit",
    "a terminal's screen and its shell are lost when this server is started again",
    "system calls and capabilities are filtered as Docker does, not as docs/security.md says",
    "nobody is told when a session comes against one of its limits",
    "no work can be kept, and no session reset",
    "files of a session are seen in its terminal only",
    "a terminal that is closed ends its shell only where the image has sh and tr",
];

/// What keeps a session's container running until it is removed.
const IDLE: [&str; 3] = ["/bin/sh", "-c", "while :; do sleep 86400; done"];

/// Between two questions whether a terminal's process has ended.
const PAUSE: Duration = Duration::from_millis(300);

/// See the module.
#[derive(Debug)]
pub(super) struct StockEngine {
    calls: Calls,
    /// Of each terminal the `exec` that it is.
    execs: Mutex<HashMap<String, String>>,
}

impl StockEngine {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls, execs: Mutex::default() }
    }

    fn execs<T>(&self, act: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        act(&mut self.execs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn open(&self, container: &str, request: &OpenTerminal) -> Result<Handed, Error> {
        let opened = stock_terminal::open(self.calls.docker()?, container, request).await?;
        self.execs(|execs| execs.insert(opened.handed.id.clone(), opened.exec));
        Ok(opened.handed)
    }

    async fn close(&self, container: &str, terminal: &str) -> Result<(), Error> {
        if self.execs(|execs| execs.remove(terminal)).is_none() {
            return Ok(());
        }
        match stock_terminal::hang_up(&self.calls.docker()?, container, terminal).await {
            // The container is gone, or it is frozen: with it ends the shell.
            Err(Error::NotFound(_) | Error::Refused(_)) => Ok(()),
            other => other,
        }
    }

    async fn wait(&self, terminal: &str) -> Result<i32, Error> {
        let exec = self.execs(|execs| execs.get(terminal).cloned());
        let exec = exec.ok_or_else(|| Error::NotFound(format!("no terminal {terminal}")))?;
        loop {
            let state = self.calls.docker()?.inspect_exec(&exec).await.map_err(explain)?;
            if state.running != Some(true) {
                return Ok(state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Engine for StockEngine {
    fn create<'a>(&'a self, spec: &'a Spec) -> Reply<'a, String> {
        Box::pin(self.calls.create(body(spec)))
    }

    fn start<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.start(container))
    }

    fn remove<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.remove(container))
    }

    fn list(&self) -> Reply<'_, Vec<Found>> {
        Box::pin(self.calls.list())
    }

    fn image<'a>(&'a self, reference: &'a str) -> Reply<'a, String> {
        Box::pin(self.calls.image(reference))
    }

    fn meter<'a>(&'a self, container: &'a str) -> Reply<'a, Meter> {
        Box::pin(self.calls.meter(container))
    }

    fn pause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.pause(container))
    }

    fn unpause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.unpause(container))
    }

    fn open_terminal<'a>(&'a self, container: &'a str, request: &'a OpenTerminal) -> Reply<'a, Handed> {
        Box::pin(self.open(container, request))
    }

    fn take_terminal<'a>(&'a self, _: &'a str, terminal: &'a str) -> Reply<'a, Handed> {
        let gone = Error::NotFound(format!("a stock engine cannot hand the terminal {terminal} over again"));
        Box::pin(std::future::ready(Err(gone)))
    }

    fn terminals<'a>(&'a self, _: &'a str) -> Reply<'a, Vec<Terminal>> {
        // Those of an earlier process cannot be reached any more.
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn close_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, ()> {
        Box::pin(self.close(container, terminal))
    }

    fn wait_terminal<'a>(&'a self, _: &'a str, terminal: &'a str) -> Reply<'a, i32> {
        Box::pin(self.wait(terminal))
    }

    fn keep<'a>(&'a self, _: &'a str, _: &'a str, _: u64) -> Reply<'a, Kept> {
        let refused = Error::Refused("with a stock Docker engine no work is kept".to_owned());
        Box::pin(std::future::ready(Err(refused)))
    }

    fn forget_kept<'a>(&'a self, _: &'a str) -> Reply<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn ping(&self) -> Reply<'_, ()> {
        Box::pin(self.calls.ping())
    }

    fn voids(&self) -> &'static [&'static str] {
        &VOIDS
    }
}

fn body(spec: &Spec) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(spec.hostname.clone()),
        entrypoint: Some(IDLE.map(str::to_owned).into()),
        cmd: Some(Vec::new()),
        labels: Some(labels(spec)),
        host_config: Some(HostConfig {
            memory: Some(signed(spec.limits.memory)),
            memory_swap: Some(signed(spec.limits.memory)),
            nano_cpus: Some(signed(spec.limits.nano_cpus)),
            pids_limit: Some(signed(spec.limits.pids)),
            network_mode: Some("none".to_owned()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
