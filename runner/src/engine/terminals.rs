//! Terminals of a session: processes with a pty whose master is handed to the web server, with a ring.
//!
//! The spawner is their only record, so a new engine knows all of them.

use super::Engine;
use super::error::{Doing, Error};
use super::exec::running;
use super::validate;
use crate::container::spec::Stdio;
use crate::spawner::client::{Event, ProcessState, StdioFds, Stream};
use sandlot_wire::ring::Ring;
use sandlot_wire::{OpenTerminal, Terminal};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use tokio::sync::broadcast::error::RecvError;

/// The most terminals of a session.
const TERMINALS: usize = 16;
/// What the names of their processes begin with.
const PREFIX: &str = "t-";

/// What is handed over: the pty's master, and the ring.
#[derive(Debug)]
pub struct Handover {
    /// The terminal's id.
    pub id: String,
    /// The pty's master.
    pub master: OwnedFd,
    /// The ring file, opened for this hand-over alone: its lock belongs to who gets it.
    pub ring: OwnedFd,
}

impl Engine {
    /// Opens a terminal in a running container.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run or has too many, [`Error::Start`].
    pub async fn open_terminal(&self, key: &str, request: OpenTerminal) -> Result<Handover, Error> {
        let container = self.find(key)?;
        running(&container)?;
        if self.terminals(&container.id).await?.iter().filter(|t| t.exit_code.is_none()).count() >= TERMINALS
        {
            return Err(Error::Conflict(format!("a session has at most {TERMINALS} terminals: close one")));
        }
        let record = container.record();
        let checked = validate::check(&record.config, &record.host, &self.settings)?;
        let size = request.size.clamped();
        let stdio = Stdio::Terminal { cols: size.cols, rows: size.rows };
        let mut process = super::launch::process(&record, &checked, request.cmd, stdio)?;
        process.env.extend(request.env);
        process.user = request.user.unwrap_or(process.user);
        process.cwd = request.cwd.unwrap_or(process.cwd);
        let id = self.terminal_id(&container.id, request.id).await?;
        let path = self.ring(&container.id, &id);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).doing(|| format!("making {}", dir.display()))?;
        }
        let ring = Ring::create(&path)
            .map_err(std::io::Error::other)
            .doing(|| "making the terminal's ring".into())?;
        let join = self.join(&container)?;
        match self.spawner.exec(&container.id, &id, &process, join).await {
            Ok(started) => Ok(Handover { id, master: terminal(started.stdio)?, ring: ring.into() }),
            Err(e) => {
                std::fs::remove_file(path).unwrap_or_default();
                Err(e.into())
            }
        }
    }

    /// The id of a new terminal: the one that is wanted, if it is one and no other here has it.
    async fn terminal_id(&self, container: &str, wanted: Option<String>) -> Result<String, Error> {
        let Some(id) = wanted else {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(std::io::Error::other).doing(|| "drawing an id".into())?;
            return Ok(format!("{PREFIX}{}", hex::encode(bytes)));
        };
        let digits = id.strip_prefix(PREFIX).unwrap_or_default();
        if digits.len() != 16 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::Invalid(format!("{id:?} is no id of a terminal")));
        }
        if self.terminals(container).await?.iter().any(|terminal| terminal.id == id) {
            return Err(Error::Conflict(format!("there is a terminal {id} already")));
        }
        Ok(id)
    }

    /// Hands a terminal over again.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none of that name.
    pub async fn take_terminal(&self, key: &str, id: &str) -> Result<Handover, Error> {
        let container = self.find(key)?.id.clone();
        self.terminal(&container, id).await?;
        let stdio = self.spawner.take(&container, id).await?;
        let path = self.ring(&container, id);
        let ring = std::fs::File::options().read(true).write(true).open(&path);
        let ring = ring.doing(|| format!("opening {}", path.display()))?;
        Ok(Handover { id: id.to_owned(), master: terminal(stdio)?, ring: ring.into() })
    }

    /// The terminals of a container.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the container.
    pub async fn terminals(&self, key: &str) -> Result<Vec<Terminal>, Error> {
        let container = self.find(key)?.id.clone();
        let all = self.spawner.processes().await?;
        let mine = all.iter().filter(|p| p.container == container && p.process.starts_with(PREFIX));
        Ok(mine.map(describe).collect())
    }

    /// One terminal.
    async fn terminal(&self, container: &str, id: &str) -> Result<Terminal, Error> {
        let mut all = self.terminals(container).await?.into_iter();
        all.find(|t| t.id == id).ok_or_else(|| Error::not_found("terminal", id))
    }

    /// Returns when a terminal's process has ended.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn wait_terminal(&self, key: &str, id: &str) -> Result<Terminal, Error> {
        let container = self.find(key)?.id.clone();
        let mut ends = self.ends.subscribe();
        loop {
            let now = self.terminal(&container, id).await?;
            if now.exit_code.is_some() {
                return Ok(now);
            }
            loop {
                match ends.recv().await {
                    Ok(Event::Exited { container: c, process, status })
                        if c == container && process == id =>
                    {
                        return Ok(Terminal { exit_code: Some(status.code()), ..now });
                    }
                    Ok(Event::Exited { container: c, .. }) if c == container => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Err(Error::not_found("terminal", id)),
                }
            }
        }
    }

    /// Closes a terminal: its processes get a hang-up once nobody else holds the master.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn close_terminal(&self, key: &str, id: &str) -> Result<(), Error> {
        let container = self.find(key)?.id.clone();
        let now = self.terminal(&container, id).await?;
        self.spawner.close(&container, id, Stream::All).await?;
        if now.exit_code.is_some() {
            self.spawner.forget(&container, id).await?;
        } else {
            // Whoever was handed the master may hold it still: the shell is told all the same.
            self.spawner.signal(&container, id, 1).await.unwrap_or_default();
        }
        std::fs::remove_file(self.ring(&container, id)).doing(|| "removing the terminal's ring".into())
    }

    fn ring(&self, container: &str, id: &str) -> PathBuf {
        self.settings.run.join("rings").join(container).join(id)
    }
}

fn terminal(stdio: StdioFds) -> Result<OwnedFd, Error> {
    match stdio {
        StdioFds::Terminal(master) => Ok(master),
        _ => Err(Error::Conflict("the terminal is closed".into())),
    }
}

fn describe(state: &ProcessState) -> Terminal {
    Terminal { id: state.process.clone(), pid: state.pid, exit_code: state.status.map(|s| s.code()) }
}
