//! What a student does in a course: begin a lab, have a step checked, answer a question, read on.
//!
//! Scripts are run by [`super::scripts`]; a session is made ready by [`super::prepare`].

use super::error::Error;
use super::model::{Check, Course, Lab, Part, Place, Step};
use super::progress::{READ, Standing};
use super::quiz::{Given, judge};
use super::shelf::{Entry, Shelf};
use super::values;
use crate::session::policy::Caller;
use crate::session::{Origin, Request, Sessions, View, now};
use crate::store::{Attempt, LabSessionRow, ProgressRow, Store, Verdict};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What students do; cheap to clone.
#[derive(Clone)]
pub struct Learning {
    pub(super) shelf: Shelf,
    pub(super) sessions: Sessions,
    pub(super) store: Store,
    busy: Arc<Mutex<HashSet<String>>>,
    /// What every session is of, whatever labs name.
    only: Option<String>,
}

/// The only script of a session that runs; over when this is dropped.
pub(super) struct Turn {
    session: String,
    busy: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.session);
    }
}

/// A lab as it is on the shelf.
#[derive(Debug, Clone)]
pub struct Found {
    entry: Arc<Entry>,
    place: usize,
}

impl Found {
    /// The course's folder.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The lab.
    ///
    /// # Errors
    /// [`Error::NoLab`]; one that was found has it.
    pub fn lab(&self) -> Result<&Lab, Error> {
        self.entry.course.as_ref().and_then(|course| course.labs().nth(self.place)).ok_or(Error::NoLab)
    }
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it passed.
    pub verdict: Verdict,
    /// The last lines that it printed, or why it could not be run.
    pub feedback: String,
}

/// Who has a check run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The student.
    Hand,
    /// The page, by itself: a failure is no try.
    Itself,
}

impl Learning {
    /// Courses of a shelf in sessions.
    #[must_use]
    pub fn new(shelf: Shelf, sessions: Sessions, store: Store) -> Self {
        Self { shelf, sessions, store, busy: Arc::default(), only: None }
    }

    /// The same with every session of one image, whatever labs name.
    #[must_use]
    pub fn of_image(self, image: &str) -> Self {
        Self { only: Some(image.to_owned()), ..self }
    }

    /// All courses' folders by name.
    pub async fn courses(&self) -> BTreeMap<String, Arc<Entry>> {
        let shelf = self.shelf.clone();
        // It reads files.
        tokio::task::spawn_blocking(move || shelf.all()).await.unwrap_or_default()
    }

    /// A course's folder.
    ///
    /// # Errors
    /// [`Error::NoCourse`].
    pub async fn course(&self, name: &str) -> Result<Arc<Entry>, Error> {
        self.courses().await.remove(name).ok_or(Error::NoCourse)
    }

    /// A lab.
    ///
    /// # Errors
    /// [`Error::NoCourse`], [`Error::NoLab`].
    pub async fn lab(&self, course: &str, lab: &str) -> Result<Found, Error> {
        let entry = self.course(course).await?;
        let found = entry.course.as_ref().ok_or(Error::NoCourse)?.labs().position(|one| one.name == lab);
        Ok(Found { place: found.ok_or(Error::NoLab)?, entry })
    }

    /// Asks for a session of a lab (`course/lab`), or of a course's slides (`course`). It is prepared on its own.
    ///
    /// # Errors
    /// [`Error`]: no such lab, no image, the sessions.
    pub async fn begin(&self, caller: &Caller, what: &str) -> Result<View, Error> {
        let (course, lab) = what.split_once('/').unwrap_or((what, ""));
        let place = match lab {
            "" => self.course(course).await?.course.as_ref().map(|course: &Course| course.place.clone()),
            lab => Some(self.lab(course, lab).await?.lab()?.place.clone()),
        };
        let place = place.ok_or(Error::NoCourse)?;
        let request = Request {
            image: self.image(&place)?,
            profile: place.profile,
            origin: Origin::Course,
            ..Request::default()
        };
        let view = self.sessions.create(caller, request).await?;
        let row = LabSessionRow {
            session: view.session.id.clone(),
            owner: view.session.owner.clone(),
            course: course.to_owned(),
            lab: lab.to_owned(),
            state: super::prepare::PREPARING.to_owned(),
            message: String::new(),
            created_at: now(),
        };
        self.store.save_lab_session(&row).await?;
        let (learning, caller) = (self.clone(), caller.clone());
        tokio::spawn(async move { learning.prepare_first(&caller, row).await });
        Ok(view)
    }

    fn image(&self, place: &Place) -> Result<Option<String>, Error> {
        if self.only.is_some() {
            return Ok(self.only.clone());
        }
        let policy = self.sessions.policy();
        let named = place.images.iter().find(|name| policy.image(name).is_some());
        match (named, place.images.is_empty()) {
            (Some(name), _) => Ok(Some(name.clone())),
            (None, true) => Ok(None),
            (None, false) => Err(Error::NoImage(place.images.join(", "))),
        }
    }

    /// The lab that a session of the caller's belongs to.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, of no lab.
    pub async fn of_session(&self, caller: &Caller, session: &str) -> Result<LabSessionRow, Error> {
        self.sessions.view(caller, session)?;
        self.store.lab_session(session).await?.ok_or(Error::NotOfALab)
    }

    /// The caller's session of a lab that is not over, latest first.
    ///
    /// # Errors
    /// The store.
    pub async fn running(&self, caller: &Caller, course: &str, lab: &str) -> Result<Option<String>, Error> {
        let rows = self.store.lab_sessions(caller.name(), course, lab).await?;
        let lives = |row: &LabSessionRow| {
            self.sessions.view(caller, &row.session).is_ok_and(|view| !view.session.state.is_ended())
        };
        Ok(rows.into_iter().find(lives).map(|row| row.session))
    }

    /// What somebody tried in a course.
    ///
    /// # Errors
    /// The store.
    pub async fn progress(&self, owner: &str, course: &str) -> Result<Vec<ProgressRow>, Error> {
        Ok(self.store.progress(owner, course).await?)
    }

    /// What everybody tried in a course.
    ///
    /// # Errors
    /// The store.
    pub async fn progress_of_all(&self, course: &str) -> Result<Vec<ProgressRow>, Error> {
        Ok(self.store.progress_of_all(course).await?)
    }

    /// Somebody's values of a lab's variables.
    ///
    /// # Errors
    /// The store, no randomness.
    pub async fn values(
        &self,
        owner: &str,
        course: &str,
        lab: &Lab,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut all = BTreeMap::new();
        for variable in &lab.variables {
            let proposed = values::draw(variable)?;
            let value = self.store.lab_value((owner, course, &lab.name), &variable.name, &proposed).await?;
            all.insert(variable.name.clone(), value);
        }
        Ok(all)
    }

    /// Has a step's check run, or a task's.
    ///
    /// # Errors
    /// [`Error`]: no such part, not ready, something comes before, one runs already.
    pub async fn check(
        &self,
        caller: &Caller,
        session: &str,
        (step, task): (&str, Option<&str>),
        by: By,
    ) -> Result<Outcome, Error> {
        let row = self.ready(caller, session).await?;
        let found = self.lab(&row.course, &row.lab).await?;
        let lab = found.lab()?;
        let (_, step) = lab.step(step).ok_or(Error::NoStep)?;
        let (part, check) = part_of(step, task)?;
        let rows = self.store.progress(&row.owner, &row.course).await?;
        if let Some(before) = Standing::of(&rows, &row.lab).waits_for(lab, step, part) {
            return Err(Error::Waits(before.to_owned()));
        }
        let turn = self.turn(session)?;
        let environment = self.environment(&row, lab).await?;
        let outcome = self.run_check(caller, session, check, &environment).await?;
        drop(turn);
        if outcome.verdict == Verdict::Passed || by == By::Hand {
            self.note(&row, step, part, outcome.verdict).await?;
        }
        if outcome.verdict == Verdict::Passed {
            self.mark(caller, session, &step.title).await;
        }
        Ok(outcome)
    }

    /// A passed step is a marker in the recording, where there is one.
    async fn mark(&self, caller: &Caller, session: &str, title: &str) {
        let Ok(view) = self.sessions.view(caller, session) else { return };
        for slot in view.session.terminals {
            let label: String = format!("passed: {title}").chars().take(200).collect();
            // Without a recording there is nothing to mark.
            let _ = self.sessions.mark(caller, session, &slot.id, &label).await;
        }
    }

    /// Judges an answer: the verdict, and what is to be said of the choices that were ticked.
    ///
    /// # Errors
    /// [`Error`]: no such question, the store.
    pub async fn answer(
        &self,
        caller: &Caller,
        (course, lab, step, question): (&str, &str, &str, &str),
        given: &Given,
    ) -> Result<(Verdict, Vec<String>), Error> {
        let found = self.lab(course, lab).await?;
        let (_, step) = found.lab()?.step(step).ok_or(Error::NoStep)?;
        let question = step.quiz.iter().find(|one| one.name == question).ok_or(Error::NoPart)?;
        let (verdict, said) = judge(question, given);
        let row = place(caller, course, lab);
        self.note(&row, step, Part::Question(&question.name), verdict).await?;
        Ok((verdict, said))
    }

    /// A step that has nothing to be passed was read.
    ///
    /// # Errors
    /// [`Error`]: no such step, one that has something to be passed, the store.
    pub async fn read(&self, caller: &Caller, course: &str, lab: &str, step: &str) -> Result<(), Error> {
        let found = self.lab(course, lab).await?;
        let (_, step) = found.lab()?.step(step).ok_or(Error::NoStep)?;
        if !step.parts().is_empty() {
            return Err(Error::NoPart);
        }
        let on = Attempt { owner: caller.name(), course, lab, step: &step.name, part: READ };
        Ok(self.store.note_try(on, Verdict::Passed, now()).await?)
    }

    pub(super) async fn note(
        &self,
        row: &LabSessionRow,
        step: &Step,
        part: Part<'_>,
        verdict: Verdict,
    ) -> Result<(), Error> {
        let part = part.to_string();
        let (owner, course, lab) = (row.owner.as_str(), row.course.as_str(), row.lab.as_str());
        let on = Attempt { owner, course, lab, step: &step.name, part: &part };
        Ok(self.store.note_try(on, verdict, now()).await?)
    }

    /// The right to run a script in a session.
    pub(super) fn turn(&self, session: &str) -> Result<Turn, Error> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(session.to_owned()) {
            return Err(Error::Busy);
        }
        Ok(Turn { session: session.to_owned(), busy: self.busy.clone() })
    }
}

fn place(caller: &Caller, course: &str, lab: &str) -> LabSessionRow {
    LabSessionRow {
        session: String::new(),
        owner: caller.name().to_owned(),
        course: course.to_owned(),
        lab: lab.to_owned(),
        state: String::new(),
        message: String::new(),
        created_at: 0,
    }
}

/// The check that is meant.
fn part_of<'s>(step: &'s Step, task: Option<&'s str>) -> Result<(Part<'s>, &'s Check), Error> {
    match task {
        None => Ok((Part::Check, step.check.as_ref().ok_or(Error::NoPart)?)),
        Some(name) => {
            let task = step.tasks.iter().find(|task| task.name == name).ok_or(Error::NoPart)?;
            Ok((Part::Task(&task.name), &task.check))
        }
    }
}
