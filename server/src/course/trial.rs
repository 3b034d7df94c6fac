//! `course test`: in a real session of each lab every check must fail before its solution was carried out, and pass afterwards.

use super::error::Error;
use super::learning::{By, Learning};
use super::markdown::escape;
use super::model::{Course, Lab, Part, Step};
use super::prepare::{FAILED, READY};
use crate::session::policy::Caller;
use crate::session::state::State;
use crate::store::{LabSessionRow, Verdict};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Who tests: what a student of any kind may do, and no limit of sessions.
const TESTER: Caller = Caller::Administrator;
/// How long a lab may take to be ready.
const PREPARED: Duration = Duration::from_secs(600);
/// Between a look at how far it is and the next.
const PAUSE: Duration = Duration::from_millis(50);

/// One thing that was tried.
#[derive(Debug, Clone)]
pub struct Case {
    /// The lab.
    pub lab: String,
    /// What was tried.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// Why it failed; none: it did not.
    pub fault: Option<String>,
}

impl Learning {
    /// Tries one lab of a course, and ends the session.
    pub async fn try_lab(&self, course: &Course, lab: &Lab, tell: &mut dyn FnMut(&Case)) -> Vec<Case> {
        let mut cases = Cases { lab: lab.name.clone(), all: Vec::new(), tell };
        let began = Instant::now();
        let begun = self.begin(&TESTER, &format!("{}/{}", course.name, lab.name)).await;
        let session = match begun {
            Ok(view) => view.session.id,
            Err(error) => {
                cases.add("session", began, Some(error.to_string()));
                return cases.all;
            }
        };
        let ready = self.await_ready(&session).await;
        let usable = ready.is_ok();
        cases.add("set-up", began, ready.as_ref().err().cloned());
        if let (true, Ok(row)) = (usable, ready) {
            for step in &lab.steps {
                self.try_step(&row, step, &mut cases).await;
            }
            if let Some(script) = &lab.cleanup {
                let began = Instant::now();
                let done = match self.environment(&row, lab).await {
                    Ok(environment) => {
                        self.run(&TESTER, &session, "the clean-up", (script, &environment)).await
                    }
                    Err(error) => Err(error),
                };
                cases.add("clean-up", began, done.err().map(|error| error.to_string()));
            }
        }
        if let Err(error) = self.sessions.close(&TESTER, &session).await {
            cases.add("end of the session", began, Some(error.to_string()));
        }
        cases.all
    }

    async fn await_ready(&self, session: &str) -> Result<LabSessionRow, String> {
        let until = Instant::now() + PREPARED;
        loop {
            let words = |error: Error| error.to_string();
            let row = self.of_session(&TESTER, session).await.map_err(words)?;
            let view = self.sessions.view(&TESTER, session).map_err(|error| error.to_string())?;
            match (row.state.as_str(), view.session.state) {
                (READY, _) => return Ok(row),
                (FAILED, _) => return Err(row.message),
                (_, State::Ended(end)) => return Err(end.message),
                _ if Instant::now() > until => return Err("it was not ready in time".to_owned()),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn try_step(&self, row: &LabSessionRow, step: &Step, cases: &mut Cases<'_>) {
        let session = row.session.as_str();
        if let Err(error) = self.open(&TESTER, session, &step.name).await {
            cases.add(&format!("{}: set-up", step.name), Instant::now(), Some(error.to_string()));
        }
        let own = step.check.iter().map(|_| None);
        let parts: Vec<Option<&str>> =
            own.chain(step.tasks.iter().map(|task| Some(task.name.as_str()))).collect();
        for task in &parts {
            self.wants(session, (step, *task), Verdict::Failed, cases).await;
        }
        if !parts.is_empty() {
            let began = Instant::now();
            let solved = self.solve(&TESTER, session, &step.name).await;
            let fault = solved.err().map(|error| error.to_string());
            cases.add(&format!("{}: solve", step.name), began, fault);
        }
        // Tasks first: the step's own check may want them passed.
        for task in parts.iter().rev() {
            self.wants(session, (step, *task), Verdict::Passed, cases).await;
        }
        // What is not tried here must not keep later steps from being so.
        for question in &step.quiz {
            let _ = self.note(row, step, Part::Question(&question.name), Verdict::Passed).await;
        }
        if step.parts().is_empty() {
            let _ = self.read(&TESTER, &row.course, &row.lab, &step.name).await;
        }
    }

    async fn wants(
        &self,
        session: &str,
        (step, task): (&Step, Option<&str>),
        wanted: Verdict,
        cases: &mut Cases<'_>,
    ) {
        let began = Instant::now();
        let outcome = self.check(&TESTER, session, (&step.name, task), By::Itself).await;
        let what = task.map_or_else(|| step.name.clone(), |task| format!("{}: {task}", step.name));
        let (name, wrong) = match wanted {
            Verdict::Failed => {
                (format!("{what}: fails before"), "the check passes although nothing was done")
            }
            Verdict::Passed => (format!("{what}: passes after"), "the check fails although it was solved"),
        };
        let fault = match outcome {
            Ok(outcome) if outcome.verdict == wanted => None,
            Ok(outcome) if outcome.feedback.is_empty() => Some(wrong.to_owned()),
            Ok(outcome) => Some(format!("{wrong}: {}", outcome.feedback)),
            // Something that comes before was not done: so it cannot pass before.
            Err(Error::Waits(_)) if wanted == Verdict::Failed => None,
            Err(error) => Some(error.to_string()),
        };
        cases.add(&name, began, fault);
    }
}

struct Cases<'t> {
    lab: String,
    all: Vec<Case>,
    tell: &'t mut dyn FnMut(&Case),
}

impl Cases<'_> {
    fn add(&mut self, name: &str, began: Instant, fault: Option<String>) {
        let case = Case { lab: self.lab.clone(), name: name.to_owned(), took: began.elapsed(), fault };
        (self.tell)(&case);
        self.all.push(case);
    }
}

/// The report that build servers read.
#[must_use]
pub fn junit(course: &str, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.fault.is_some()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">\n",
        escape(course),
        cases.len()
    );
    for case in cases {
        let (lab, name, took) = (escape(&case.lab), escape(&case.name), case.took.as_secs_f64());
        let _ = write!(out, "  <testcase classname=\"{lab}\" name=\"{name}\" time=\"{took:.3}\"");
        let _ = match &case.fault {
            None => writeln!(out, "/>"),
            Some(fault) => writeln!(out, "><failure message=\"{}\"/></testcase>", escape(fault)),
        };
    }
    out.push_str("</testsuite>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_xml_whatever_a_check_said() {
        let case = |fault: Option<&str>| Case {
            lab: "l".to_owned(),
            name: "s: fails before".to_owned(),
            took: Duration::from_millis(1500),
            fault: fault.map(str::to_owned),
        };
        let report = junit("c", &[case(None), case(Some("<script> & \"quotes\""))]);
        assert!(report.contains("tests=\"2\" failures=\"1\"") && report.contains("time=\"1.500\"/>"));
        assert!(report.contains("message=\"&lt;script&gt; &amp; &quot;quotes&quot;\""));
    }
}
