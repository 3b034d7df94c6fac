//! How far somebody is: which steps are passed, from what is stored of their parts. Pure.

use super::model::{Lab, Part, Step};
use crate::store::ProgressRow;
use std::collections::HashMap;

/// The part under which a step without parts is stored once it was read.
pub const READ: &str = "read";

/// How somebody stands to the parts of one lab.
#[derive(Debug, Default)]
pub struct Standing<'a>(HashMap<(&'a str, &'a str), &'a ProgressRow>);

impl<'a> Standing<'a> {
    /// Of what is stored of a course, that of a lab.
    #[must_use]
    pub fn of(rows: &'a [ProgressRow], lab: &str) -> Self {
        let of_lab = rows.iter().filter(|row| row.lab == lab);
        Self(of_lab.map(|row| ((row.step.as_str(), row.part.as_str()), row)).collect())
    }

    /// Whether a part is passed.
    #[must_use]
    pub fn has(&self, step: &Step, part: Part<'_>) -> bool {
        self.row(step, &part.to_string()).is_some_and(|row| row.passed_at.is_some())
    }

    /// How often a part was tried without success.
    #[must_use]
    pub fn failures(&self, step: &Step, part: Part<'_>) -> i64 {
        let row = self.row(step, &part.to_string());
        row.map_or(0, |row| if row.passed_at.is_some() { row.tries - 1 } else { row.tries })
    }

    /// Whether a step is passed.
    #[must_use]
    pub fn passed(&self, step: &Step) -> bool {
        let parts = step.parts();
        match parts.is_empty() {
            true => self.row(step, READ).is_some(),
            false => parts.into_iter().all(|part| self.has(step, part)),
        }
    }

    /// How many steps of a lab are passed.
    #[must_use]
    pub fn count(&self, lab: &Lab) -> usize {
        lab.steps.iter().filter(|step| self.passed(step)).count()
    }

    /// What must be passed before a part of a step is tried.
    #[must_use]
    pub fn waits_for<'l>(&self, lab: &'l Lab, step: &'l Step, part: Part<'_>) -> Option<&'l str> {
        let steps = step.after.iter().filter_map(|name| lab.step(name)).map(|(_, step)| step);
        let before = steps.filter(|before| !self.passed(before)).map(|before| before.title.as_str()).next();
        before.or_else(|| {
            let Part::Task(name) = part else { return None };
            let task = step.tasks.iter().find(|task| task.name == name)?;
            let open = task.after.iter().find(|other| !self.has(step, Part::Task(other)));
            open.map(String::as_str)
        })
    }

    fn row(&self, step: &Step, part: &str) -> Option<&ProgressRow> {
        self.0.get(&(step.name.as_str(), part)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::model::{Check, Task, When};
    use std::time::Duration;

    fn row(step: &str, part: &str, passed: Option<i64>) -> ProgressRow {
        let word = |word: &str| word.to_owned();
        ProgressRow {
            owner: word("o"),
            course: word("c"),
            lab: word("l"),
            step: word(step),
            part: word(part),
            tries: 2,
            first_at: 1,
            last_at: 2,
            passed_at: passed,
        }
    }

    fn step(name: &str) -> Step {
        let check = Check {
            script: "true".to_owned(),
            user: None,
            timeout: Duration::from_secs(1),
            retries: 0,
            when: When::Asked,
        };
        let task = Task {
            name: "t".to_owned(),
            text: String::new(),
            check: check.clone(),
            solve: None,
            hints: Vec::new(),
            after: Vec::new(),
        };
        Step { name: name.to_owned(), check: Some(check), tasks: vec![task], ..Step::default() }
    }

    #[test]
    fn a_step_is_passed_when_all_its_parts_are() {
        let rows = [row("a", "check", Some(3)), row("a", "task:t", None)];
        let standing = Standing::of(&rows, "l");
        assert!(!standing.passed(&step("a")) && standing.has(&step("a"), Part::Check));
        assert_eq!(standing.failures(&step("a"), Part::Task("t")), 2);
        assert_eq!(standing.failures(&step("a"), Part::Check), 1);
        let rows = [row("a", "check", Some(3)), row("a", "task:t", Some(4))];
        assert!(Standing::of(&rows, "l").passed(&step("a")));
        assert!(!Standing::of(&rows, "other").passed(&step("a")));
    }

    #[test]
    fn a_step_without_parts_is_passed_by_reading_on() {
        let plain = Step { name: "p".to_owned(), ..Step::default() };
        assert!(!Standing::default().passed(&plain));
        let rows = [row("p", READ, Some(1))];
        assert!(Standing::of(&rows, "l").passed(&plain));
    }
}
