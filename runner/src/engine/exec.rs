//! Executions: further processes in a running container, as `docker exec` asks for them.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::streams::Streams;
use super::validate;
use crate::container::cgroup::Group;
use crate::container::spec::Stdio;
use crate::spawner::client::{ExitStatus, INIT, Stream};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::os::fd::AsFd;
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
    /// Not Docker's: a program of the engine's own, which is run in the place of one of the container's.
    #[serde(skip)]
    pub program: Option<Program>,
}

/// A program that the engine brings along: an executable file.
#[derive(Debug, Clone)]
pub struct Program(pub Arc<std::os::fd::OwnedFd>);

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

impl Exec {
    /// Its exit code, once it has ended.
    pub async fn code(&self) -> i32 {
        let mut state = self.state.subscribe();
        loop {
            if let ExecState::Ended(code) = *state.borrow_and_update() {
                return code;
            }
            // The sender is our own: it cannot be gone.
            state.changed().await.unwrap_or_default();
        }
    }
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
            return Err(Error::invalid("No exec command specified"));
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
        let exec = Arc::new(exec);
        all.insert(id.clone(), Arc::clone(&exec));
        drop(all);
        self.exec_event("exec_create", &container, &exec, &[]);
        Ok(id)
    }

    /// An execution by its id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn exec(&self, id: &str) -> Result<Arc<Exec>, Error> {
        let known = self.execs.lock().get(id).cloned();
        // Those of a container that is gone are gone with it.
        known
            .filter(|exec| self.by_id(&exec.container).is_some())
            .ok_or_else(|| Error::not_found("exec instance", id))
    }

    /// The ids of a container's executions that have not ended.
    #[must_use]
    pub fn execs_of(&self, container: &str) -> Vec<String> {
        let lives = |e: &&Arc<Exec>| !matches!(*e.state.borrow(), ExecState::Ended(_));
        let all = self.execs.lock();
        all.values().filter(|e| e.container == container).filter(lives).map(|e| e.id.clone()).collect()
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
            return Err(Error::Conflict(format!("Error: Exec command {id} has already run")));
        }
        let record = container.record();
        let checked = validate::check(&record.config, &record.host, &self.settings)?;
        let stdio = if exec.request.tty {
            Stdio::Terminal { cols, rows }
        } else {
            Stdio::Pipes { stdin: exec.request.attach_stdin }
        };
        let mut process = super::launch::process(&record, &checked, exec.request.cmd.clone(), stdio)?;
        let given = exec.request.env.clone().unwrap_or_default();
        let name = |variable: &String| variable.split('=').next().unwrap_or_default().to_owned();
        process.env.retain(|old| !given.iter().any(|new| name(new) == name(old)));
        process.env.extend(given);
        // One that has ended since is said nothing of.
        self.linked(&record).unwrap_or_default().tell(&mut process.env);
        if let Some(user) = exec.request.user.clone().filter(|u| !u.is_empty()) {
            process.user = user;
        }
        if let Some(cwd) = exec.request.working_dir.clone().filter(|c| !c.is_empty()) {
            process.cwd = cwd;
        }
        let join = self.join(&container)?;
        // Before it is there, as Docker says it: its end may come at any moment after.
        self.exec_event("exec_start", &container, &exec, &[]);
        let started = {
            let brought = exec.request.program.as_ref().map(|program| program.0.as_fd());
            self.spawner.exec_program(&container.id, id, &process, (join, brought)).await.map_err(Error::from)
        };
        if let Err(Error::Start(failure)) = &started {
            // What is no fault of the command's is one of an execution all the same.
            exec.state.send_replace(ExecState::Ended(failure.exit_code.max(126)));
        }
        let started = started?;
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
            if let Some(container) = self.by_id(container) {
                let code = status.code().to_string();
                self.exec_event("exec_die", &container, &exec, &[("exitCode", &code)]);
            }
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

    /// Something happened to an execution.
    pub(super) fn exec_event(&self, action: &str, container: &Container, exec: &Exec, more: &[(&str, &str)]) {
        let mut words = vec![("execID", exec.id.as_str())];
        words.extend(more);
        let action = match action {
            "exec_create" | "exec_start" => format!("{action}: {}", exec.request.cmd.join(" ")),
            other => other.to_owned(),
        };
        self.events.container_with(&action, container, &words);
    }

    /// Whoever took part in an execution has left it.
    pub fn exec_left(&self, exec: &Exec) {
        if let Some(container) = self.by_id(&exec.container) {
            self.exec_event("exec_detach", &container, exec, &[]);
        }
    }

    /// Ends an execution that still runs, with all that it started.
    pub(super) async fn end_exec(&self, container: &Container, exec: &Exec) {
        let ExecState::Running(leader) = *exec.state.borrow() else { return };
        // Each execution is a session of its own: what it started is found by that. A failure means that it is over.
        for pid in container.with_group(Group::pids).ok().and_then(Result::ok).unwrap_or_default() {
            if pid != leader && session(pid) == Some(leader) {
                end(pid, leader);
            }
        }
        self.spawner.signal(&container.id, &exec.id, 9).await.unwrap_or_default();
    }

    /// Forgets an execution that nobody will ask for.
    pub(super) fn forget_exec(&self, id: &str) {
        self.execs.lock().remove(id);
    }

    /// The groups that a new process of a container joins.
    pub(super) fn join(&self, container: &Container) -> Result<Vec<std::os::fd::OwnedFd>, Error> {
        container
            .with_group(Group::join)?
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

/// The session of a process, by the host's numbers.
fn session(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

/// Kills a process if it is (still) of that session: its number cannot become another's while the descriptor is held.
fn end(pid: i32, leader: i32) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(number) = Pid::from_raw(pid) else { return };
    let Ok(held) = pidfd_open(number, PidfdFlags::empty()) else { return };
    if session(pid) == Some(leader) {
        pidfd_send_signal(&held, Signal::KILL).unwrap_or_default();
    }
}

/// Executions need a running, unfrozen container.
pub(super) fn running(container: &Container) -> Result<(), Error> {
    use super::record::State;
    match container.state() {
        State::Running { .. } => Ok(()),
        State::Paused { .. } => Err(Error::Conflict(format!(
            "Container {} is paused, unpause the container before exec",
            container.name()
        ))),
        State::Restarting(_) => Err(container.restarting()),
        _ => Err(container.not_running()),
    }
}
