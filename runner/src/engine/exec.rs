//! Executions: further processes in a running container, as `docker exec` asks for them.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::streams::Streams;
use super::validate;
use crate::container::spec::Stdio;
use crate::spawner::client::{ExitStatus, INIT, Stream};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The most executions that are remembered; those of removed containers go first.
const EXECUTIONS: usize = 4096;

/// What is to be run, in the words of the Docker Engine API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct Request {
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    pub tty: bool,
    pub cmd: Vec<String>,
    pub env: Option<Vec<String>>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub privileged: bool,
    pub detach_keys: Option<String>,
}

/// One execution.
#[derive(Debug)]
pub struct Exec {
    /// Its id.
    pub id: String,
    /// The container's.
    pub container: String,
    /// What is run.
    pub request: Request,
    /// What it is in.
    pub state: watch::Sender<ExecState>,
    /// Where to tell its terminal the size.
    input: tokio::sync::Mutex<Option<Arc<super::streams::Input>>>,
}

/// What an execution is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecState {
    /// Not started.
    Created,
    /// It runs; the host's pid.
    Running(i32),
    /// It has ended, with this code.
    Ended(i32),
}

/// The executions of an engine.
#[derive(Debug, Default)]
pub struct Execs(Mutex<HashMap<String, Arc<Exec>>>);

impl Execs {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Exec>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The streams of an execution that was started: where to write, and what to read.
#[derive(Debug)]
pub struct Attached {
    /// Standard input, or the terminal.
    pub input: Option<Arc<super::streams::Input>>,
    /// Output.
    pub readers: Vec<super::streams::Reader>,
}

impl Engine {
    /// Remembers what is to be run.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the container does not run, [`Error::Invalid`] for a request that cannot be.
    pub fn exec_create(&self, key: &str, request: Request) -> Result<String, Error> {
        let container = self.find(key)?;
        running(&container)?;
        if request.cmd.is_empty() {
            return Err(Error::invalid("no exec command specified"));
        }
        if request.privileged {
            return Err(Error::invalid(
                "exec --privileged is never done by Sandlot: no process gets rights on the host",
            ));
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other).doing(|| "drawing an id".into())?;
        let id = hex::encode(bytes);
        let exec = Exec {
            id: id.clone(),
            container: container.id.clone(),
            request,
            state: watch::Sender::new(ExecState::Created),
            input: tokio::sync::Mutex::default(),
        };
        let mut all = self.execs.lock();
        if all.len() >= EXECUTIONS {
            all.retain(|_, e| !matches!(*e.state.borrow(), ExecState::Ended(_)));
        }
        if all.len() >= EXECUTIONS {
            return Err(Error::Conflict(format!("there are {EXECUTIONS} executions that have not ended")));
        }
        all.insert(id.clone(), Arc::new(exec));
        Ok(id)
    }

    /// An execution by its id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn exec(&self, id: &str) -> Result<Arc<Exec>, Error> {
        self.execs.lock().get(id).cloned().ok_or_else(|| Error::not_found("exec instance", id))
    }

    /// The ids of a container's executions.
    #[must_use]
    pub fn execs_of(&self, container: &str) -> Vec<String> {
        self.execs.lock().values().filter(|e| e.container == container).map(|e| e.id.clone()).collect()
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it was started already or the container does not run; [`Error::Start`].
    pub async fn exec_start(&self, id: &str, cols: u16, rows: u16) -> Result<Attached, Error> {
        let exec = self.exec(id)?;
        let container = self.find(&exec.container)?;
        running(&container)?;
        if *exec.state.borrow() != ExecState::Created {
            return Err(Error::Conflict(format!("exec {id} has already been started")));
        }
        let record = container.record();
        let checked = validate::check(&record.config, &record.host, &self.settings)?;
        let stdio = if exec.request.tty {
            Stdio::Terminal { cols, rows }
        } else {
            Stdio::Pipes { stdin: exec.request.attach_stdin }
        };
        let mut process = super::launch::process(&record, &checked, exec.request.cmd.clone(), stdio)?;
        process.env.extend(exec.request.env.clone().unwrap_or_default());
        if let Some(user) = exec.request.user.clone().filter(|u| !u.is_empty()) {
            process.user = user;
        }
        if let Some(cwd) = exec.request.working_dir.clone().filter(|c| !c.is_empty()) {
            process.cwd = cwd;
        }
        let join = self.join(&container)?;
        let started = self.spawner.exec(&container.id, id, &process, join).await?;
        exec.state.send_if_modified(|state| {
            let fresh = *state == ExecState::Created;
            if fresh {
                *state = ExecState::Running(started.pid);
            }
            fresh
        });
        // One that has ended already may also be forgotten already.
        self.spawner.close(&container.id, id, Stream::All).await.unwrap_or_default();
        let streams = Streams::new(started.stdio).doing(|| "reading the output".into())?;
        let input = streams.input.map(Arc::new);
        if exec.request.tty {
            exec.input.lock().await.clone_from(&input);
        }
        Ok(Attached { input, readers: streams.readers })
    }

    /// Tells an execution's terminal its size.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it has none.
    pub async fn exec_resize(&self, id: &str, cols: u16, rows: u16) -> Result<(), Error> {
        let exec = self.exec(id)?;
        let input = exec.input.lock().await.clone();
        let none = || Error::Conflict(format!("exec {id} has no terminal"));
        input.ok_or_else(none)?.resize(cols, rows).doing(|| "resizing".into())
    }

    /// An execution (or a terminal) has ended.
    pub(super) fn exec_ended(&self, container: &str, process: &str, status: ExitStatus) {
        if let Ok(exec) = self.exec(process) {
            exec.state.send_replace(ExecState::Ended(status.code()));
            let (spawner, container, process) =
                (self.spawner.clone(), container.to_owned(), process.to_owned());
            tokio::spawn(async move {
                exec.input.lock().await.take();
                // Forgotten already if the container ended at the same time.
                spawner.forget(&container, &process).await.unwrap_or_default();
            });
        }
    }

    /// The groups that a new process of a container joins.
    pub(super) fn join(&self, container: &Container) -> Result<Vec<std::os::fd::OwnedFd>, Error> {
        container
            .with_group(crate::container::cgroup::Group::join)?
            .map_err(std::io::Error::other)
            .doing(|| "joining the control group".into())
    }

    /// Forgets all processes of a container that has ended.
    pub(super) async fn forget_processes(&self, container: &str) {
        for state in self.spawner.processes().await.unwrap_or_default() {
            if state.container == container && state.process != INIT && state.status.is_some() {
                self.spawner.forget(container, &state.process).await.unwrap_or_default();
            }
        }
    }
}

/// Executions need a running, unfrozen container.
pub(super) fn running(container: &Container) -> Result<(), Error> {
    use super::record::State;
    match container.state() {
        State::Running { .. } => Ok(()),
        State::Paused { .. } => Err(Error::Conflict(format!(
            "Container {} is paused, unpause the container before exec",
            container.id
        ))),
        _ => Err(container.not_running()),
    }
}
