//! A lab's session is made ready: its files, its set-up; later a step's set-up, its solution, the way back to its start.

use super::error::Error;
use super::folder::Folder;
use super::learning::Learning;
use super::load_things::ASSET;
use super::model::{Asset, Lab, Step};
use crate::session::files::{Condition, FilePath};
use crate::session::permit::Use;
use crate::session::policy::Caller;
use crate::session::state::State;
use crate::store::LabSessionRow;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// The session is being prepared.
pub const PREPARING: &str = "preparing";
/// The student may begin.
pub const READY: &str = "ready";
/// It could not be prepared; the message tells why.
pub const FAILED: &str = "failed";

/// How long a session may wait in the queue and still be prepared.
const QUEUED: Duration = Duration::from_secs(3600);

impl Learning {
    /// Waits until a session is up, and prepares it.
    pub(super) async fn prepare_first(&self, caller: &Caller, row: LabSessionRow) {
        let until = tokio::time::Instant::now() + QUEUED;
        loop {
            let Ok(view) = self.sessions.settled(caller, &row.session, QUEUED).await else { return };
            match view.session.state {
                State::Ended(_) => return,
                state if state.is_up() => break,
                _ if tokio::time::Instant::now() > until => return,
                // Queued: a change of any session may be ours.
                _ => {
                    let _ = tokio::time::timeout(QUEUED, self.sessions.changes().changed()).await;
                }
            }
        }
        self.prepare(caller, row).await;
    }

    /// Prepares a session, and stores how that went.
    async fn prepare(&self, caller: &Caller, row: LabSessionRow) {
        let (state, message) = match self.set_up(caller, &row).await {
            Ok(()) => (READY, String::new()),
            Err(error) => {
                tracing::warn!(session = row.session, course = row.course, lab = row.lab, %error, "a lab is not ready");
                (FAILED, error.to_string())
            }
        };
        let row = LabSessionRow { state: state.to_owned(), message, ..row };
        if let Err(error) = self.store.save_lab_session(&row).await {
            tracing::warn!(session = row.session, %error, "a lab's state was not stored");
        }
    }

    async fn set_up(&self, caller: &Caller, row: &LabSessionRow) -> Result<(), Error> {
        if row.lab.is_empty() {
            return Ok(());
        }
        let turn = self.turn(&row.session)?;
        let found = self.lab(&row.course, &row.lab).await?;
        let lab = found.lab()?;
        let environment = self.environment(row, lab).await?;
        self.put_files(caller, &row.session, (&found.entry().folder, &lab.assets)).await?;
        if let Some(script) = &lab.setup {
            self.run(caller, &row.session, "the lab's set-up", (script, &environment)).await?;
        }
        if let Some(script) = lab.steps.first().and_then(|step| step.setup.as_ref()) {
            self.run(caller, &row.session, "the step's set-up", (script, &environment)).await?;
        }
        drop(turn);
        Ok(())
    }

    async fn put_files(
        &self,
        caller: &Caller,
        session: &str,
        (folder, assets): (&std::path::Path, &[Asset]),
    ) -> Result<(), Error> {
        if assets.is_empty() {
            return Ok(());
        }
        let failed = |path: &str, words: String| Error::File { path: path.to_owned(), words };
        let mut parents = String::from("set -e\n");
        let mut modes = String::new();
        for asset in assets {
            let parent = asset.to.rsplit_once('/').map_or("/", |(parent, _)| parent);
            let _ = writeln!(parents, "mkdir -p -- {}", quoted(if parent.is_empty() { "/" } else { parent }));
            if let Some(mode) = asset.mode {
                let _ = writeln!(modes, "chmod {mode:o} -- {}", quoted(&asset.to));
            }
        }
        let none = BTreeMap::new();
        self.run(caller, session, "making folders for the lab's files", (&parents, &none)).await?;
        let (files, container) = self.sessions.files(caller, session, Use::Look)?;
        for asset in assets {
            let (path, from) = (folder.to_owned(), asset.from.clone());
            let read = tokio::task::spawn_blocking(move || Folder::open(&path)?.bytes(&from, ASSET)).await;
            let bytes = read.map_err(|error| failed(&asset.from, error.to_string()))?;
            let bytes = bytes.map_err(|error| failed(&asset.from, error.to_string()))?;
            let body = futures_util::stream::once(async move { Ok(bytes::Bytes::from(bytes)) }).boxed();
            let to = FilePath::decoded(&asset.to.replace('%', "%25"));
            let put = files.write(&container, &to, body, Condition::None).await;
            put.map_err(|error| failed(&asset.to, error.to_string()))?;
        }
        if !modes.is_empty() {
            self.run(caller, session, "setting the modes of the lab's files", (&modes, &none)).await?;
        }
        Ok(())
    }

    /// A session of a lab that the student may use.
    pub(super) async fn ready(&self, caller: &Caller, session: &str) -> Result<LabSessionRow, Error> {
        let row = self.of_session(caller, session).await?;
        match row.state.as_str() {
            READY => Ok(row),
            FAILED => Err(Error::NotReady(row.message)),
            _ => Err(Error::NotReady("it is still being prepared".to_owned())),
        }
    }

    /// Solves a step for the student.
    ///
    /// # Errors
    /// [`Error`]: no solution, one that fails, not ready.
    pub async fn solve(&self, caller: &Caller, session: &str, step: &str) -> Result<(), Error> {
        let row = self.ready(caller, session).await?;
        let found = self.lab(&row.course, &row.lab).await?;
        let lab = found.lab()?;
        let (_, step) = lab.step(step).ok_or(Error::NoStep)?;
        let turn = self.turn(session)?;
        let environment = self.environment(&row, lab).await?;
        let solved = self.solve_step(caller, session, step, &environment).await;
        drop(turn);
        solved
    }

    async fn solve_step(
        &self,
        caller: &Caller,
        session: &str,
        step: &Step,
        environment: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        for script in solutions(step)? {
            let what = format!("the solution of {:?}", step.title);
            self.run(caller, session, &what, (script, environment)).await?;
        }
        Ok(())
    }

    /// Gives the session a fresh machine that is as a student finds it at the start of a step who did all before.
    ///
    /// # Errors
    /// [`Error`]: a step before without solution, a script that fails, the sessions.
    pub async fn back(&self, caller: &Caller, session: &str, step: &str) -> Result<(), Error> {
        let row = self.of_session(caller, session).await?;
        let found = self.lab(&row.course, &row.lab).await?;
        let lab = found.lab()?;
        let (place, _) = lab.step(step).ok_or(Error::NoStep)?;
        for before in &lab.steps[..place] {
            solutions(before)?;
        }
        self.sessions.reset(caller, session).await?;
        let preparing = LabSessionRow { state: PREPARING.to_owned(), message: String::new(), ..row.clone() };
        self.store.save_lab_session(&preparing).await?;
        let replayed = self.replay(caller, &preparing, lab, place).await;
        let (state, message) = match &replayed {
            Ok(()) => (READY, String::new()),
            Err(error) => (FAILED, error.to_string()),
        };
        self.store.save_lab_session(&LabSessionRow { state: state.to_owned(), message, ..row }).await?;
        replayed
    }

    async fn replay(
        &self,
        caller: &Caller,
        row: &LabSessionRow,
        lab: &Lab,
        place: usize,
    ) -> Result<(), Error> {
        self.set_up(caller, row).await?;
        let turn = self.turn(&row.session)?;
        let environment = self.environment(row, lab).await?;
        for (n, step) in lab.steps[..=place].iter().enumerate() {
            // The first one's set-up was the lab's.
            if let Some(script) = step.setup.as_ref().filter(|_| n > 0) {
                self.run(caller, &row.session, "the step's set-up", (script, &environment)).await?;
            }
            if n < place {
                self.solve_step(caller, &row.session, step, &environment).await?;
            }
        }
        drop(turn);
        Ok(())
    }

    /// A step was opened for the first time in this session: its set-up is run.
    ///
    /// # Errors
    /// [`Error`]: no such step, not ready, a script that fails.
    pub async fn open(&self, caller: &Caller, session: &str, step: &str) -> Result<(), Error> {
        let row = self.ready(caller, session).await?;
        let found = self.lab(&row.course, &row.lab).await?;
        let lab = found.lab()?;
        let (place, step) = lab.step(step).ok_or(Error::NoStep)?;
        let Some(script) = step.setup.as_ref().filter(|_| place > 0) else { return Ok(()) };
        let turn = self.turn(session)?;
        let environment = self.environment(&row, lab).await?;
        let done = self.run(caller, session, "the step's set-up", (script, &environment)).await;
        drop(turn);
        done
    }
}

/// A step's solutions: its tasks' in order, then its own.
fn solutions(step: &Step) -> Result<Vec<&str>, Error> {
    let mut all = Vec::new();
    for task in &step.tasks {
        let solve = task.solve.as_deref();
        all.push(solve.ok_or_else(|| Error::NoSolution(task.name.clone()))?);
    }
    match (&step.check, &step.solve) {
        (_, Some(solve)) => all.push(solve),
        (Some(_), None) => return Err(Error::NoSolution(step.title.clone())),
        (None, None) => {}
    }
    Ok(all)
}

/// A text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
