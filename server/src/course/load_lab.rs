//! A lab's folder becomes a lab: steps with their texts and scripts.

use super::fault::Faults;
use super::folder::{Folder, beside};
use super::format::{CheckFile, HintFile, LabFile, QuestionFile, ScriptFile, Short, StepFile, TaskFile};
use super::load::{NAMES, is_name, prose, stem, title, yaml};
use super::load_things;
use super::located::At;
use super::markdown;
use super::model::{Answer, Check, Choice, Hint, Lab, Place, Question, Step, Task, When};
use super::order;
use crate::session::engine::Profile;
use regex::RegexBuilder;
use std::time::Duration;

/// Steps of a lab.
const STEPS: usize = 2000;
/// Tasks, questions and hints of a step.
const PARTS: usize = 50;
/// Bytes of a script.
const SCRIPT: u64 = 64 << 10;
/// Seconds that a check may take.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=120;
/// Seconds that it may take if nothing is said.
const USUAL: u32 = 10;
/// How often it may be tried again.
const RETRIES: u32 = 10;
/// Bytes of a compiled pattern.
const PATTERN: usize = 1 << 20;
/// Terminals that a lab may have at once.
const TERMINALS: usize = 8;

/// What a lab is read with.
pub(super) struct Reader<'a> {
    pub(super) folder: &'a Folder,
    pub(super) file: String,
    pub(super) faults: &'a mut Faults,
}

/// Reads one; none if it has mistakes.
pub(super) fn load(folder: &Folder, name: &str, course: &Place, faults: &mut Faults) -> Option<Lab> {
    let before = faults.errors();
    let file = format!("labs/{name}/lab.yaml");
    let raw: LabFile = yaml(folder, &file, faults)?;
    let mut reader = Reader { folder, file, faults };
    if !is_name(name) {
        reader.error(None, format!("the folder is called {name:?}: {NAMES}"));
    }
    let lab = reader.lab(name, raw, course);
    (faults.errors() == before).then_some(lab)
}

impl Reader<'_> {
    pub(super) fn error(&mut self, line: impl Into<Option<u64>>, words: impl Into<String>) {
        self.faults.error(&self.file, line, words);
    }

    fn lab(&mut self, name: &str, raw: LabFile, course: &Place) -> Lab {
        title(&raw.title, &self.file, self.faults);
        let images = if raw.image.0.is_empty() { course.images.clone() } else { raw.image.0 };
        let nested = raw.nested.unwrap_or(course.profile.is_some());
        let engine = raw.engine.unwrap_or(course.profile == Some(Profile::Engine));
        let place = Place::new(images, nested, engine);
        if raw.steps.value.is_empty() || raw.steps.value.len() > STEPS {
            self.error(
                raw.steps.line,
                format!("a lab has 1 to {STEPS} steps, not {}", raw.steps.value.len()),
            );
        }
        if raw.terminals.len() > TERMINALS {
            self.error(raw.terminals.first().map(|t| t.line), format!("at most {TERMINALS} terminals"));
        }
        self.names("terminals", &raw.terminals);
        let mut terminals: Vec<String> = raw.terminals.into_iter().map(|name| name.value).collect();
        if terminals.is_empty() {
            terminals.push("main".to_owned());
        }
        let steps: Vec<(Step, u64)> = raw.steps.value.into_iter().take(STEPS).map(|s| self.step(s)).collect();
        let names: Vec<_> =
            steps.iter().map(|(s, line)| (s.name.as_str(), *line, s.after.as_slice())).collect();
        for (line, words) in order::faults("step", &names) {
            self.error(line, words);
        }
        Lab {
            name: name.to_owned(),
            title: raw.title.value,
            description: raw.description,
            difficulty: raw.difficulty,
            minutes: raw.minutes,
            place,
            terminals,
            variables: load_things::variables(self, raw.variables),
            assets: load_things::assets(self, raw.files),
            ports: load_things::ports(raw.ports),
            setup: raw.setup.and_then(|script| self.script(script)),
            cleanup: raw.cleanup.and_then(|script| self.script(script)),
            intro: raw.intro.and_then(|path| prose(self.folder, &self.file, &path, self.faults)),
            finish: raw.finish.and_then(|path| prose(self.folder, &self.file, &path, self.faults)),
            steps: steps.into_iter().map(|(step, _)| step).collect(),
        }
    }

    fn names(&mut self, what: &str, names: &[At<String>]) {
        for (n, name) in names.iter().enumerate() {
            if !is_name(&name.value) {
                self.error(name.line, format!("{what}: {:?} is no name: {NAMES}", name.value));
            } else if names[..n].iter().any(|other| other.value == name.value) {
                self.error(name.line, format!("{what}: {:?} is there twice", name.value));
            }
        }
    }

    fn step(&mut self, raw: At<StepFile>) -> (Step, u64) {
        let At { value: raw, line } = raw;
        let text = prose(self.folder, &self.file, &raw.text, self.faults);
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            self.error(raw.text.line, format!("{} has no text", raw.text.value));
        }
        let text = text.unwrap_or_default();
        let (heading, rest) = markdown::take_heading(&text);
        let name = raw.name.map_or_else(|| stem(&raw.text.value), |name| name.value);
        if !is_name(&name) {
            self.error(line, format!("a step is called {name:?}: {NAMES}"));
        }
        let (title, text) = match raw.title {
            Some(title) if heading.as_ref() == Some(&title) => (title, rest),
            Some(title) => (title, text),
            None => (heading.unwrap_or_else(|| name.clone()), rest),
        };
        let has_check = raw.check.is_some();
        if has_check && raw.solve.is_none() {
            let words =
                format!("step {name:?} has a check and no solve: it cannot be tested, nor gone back to");
            self.faults.warning(&self.file, line, words);
        }
        self.many(line, "tasks", raw.tasks.len());
        self.many(line, "questions", raw.quiz.len());
        self.names("tasks", &raw.tasks.iter().map(|task| task.value.name.clone()).collect::<Vec<_>>());
        self.names("quiz", &raw.quiz.iter().map(|question| question.value.name.clone()).collect::<Vec<_>>());
        let tasks: Vec<(Task, u64)> = raw.tasks.into_iter().take(PARTS).map(|task| self.task(task)).collect();
        let order: Vec<_> =
            tasks.iter().map(|(t, line)| (t.name.as_str(), *line, t.after.as_slice())).collect();
        for (line, words) in order::faults("task", &order) {
            self.error(line, words);
        }
        let step = Step {
            name,
            title,
            text,
            setup: raw.setup.and_then(|script| self.script(script)),
            check: raw.check.and_then(|check| self.check(check)),
            solve: raw.solve.and_then(|script| self.script(script)),
            open: raw.open,
            hints: self.hints(line, raw.hints),
            after: raw.after.into_iter().map(|name| name.value).collect(),
            tasks: tasks.into_iter().map(|(task, _)| task).collect(),
            quiz: raw.quiz.into_iter().take(PARTS).filter_map(|question| self.question(question)).collect(),
        };
        (step, line)
    }

    fn many(&mut self, line: u64, what: &str, n: usize) {
        if n > PARTS {
            self.error(line, format!("a step has {n} {what}, at most {PARTS} are allowed"));
        }
    }

    fn hints(&mut self, line: u64, raw: Vec<Short<HintFile>>) -> Vec<Hint> {
        self.many(line, "hints", raw.len());
        raw.into_iter().take(PARTS).map(|Short(hint)| Hint { text: hint.text, after: hint.after }).collect()
    }

    fn task(&mut self, raw: At<TaskFile>) -> (Task, u64) {
        let At { value: raw, line } = raw;
        let empty = Check {
            script: String::new(),
            user: None,
            timeout: Duration::from_secs(1),
            retries: 0,
            when: When::Asked,
        };
        let task = Task {
            name: raw.name.value,
            text: raw.text,
            check: self.check(raw.check).unwrap_or(empty),
            solve: raw.solve.and_then(|script| self.script(script)),
            hints: self.hints(line, raw.hints),
            after: raw.after.into_iter().map(|name| name.value).collect(),
        };
        (task, line)
    }

    fn script(&mut self, raw: At<Short<ScriptFile>>) -> Option<String> {
        let Short(ScriptFile { script, run }) = raw.value;
        self.source(raw.line, script, run)
    }

    /// A script's text.
    fn source(&mut self, line: u64, script: Option<String>, run: Option<String>) -> Option<String> {
        let text = match (script, run) {
            (Some(path), None) => match self.folder.text(&beside(&self.file, &path), SCRIPT) {
                Ok(text) => text,
                Err(error) => {
                    self.error(line, error.to_string());
                    return None;
                }
            },
            (None, Some(run)) if run.len() as u64 <= SCRIPT => run,
            (None, Some(_)) => {
                self.error(line, format!("a script has at most {SCRIPT} bytes"));
                return None;
            }
            _ => {
                self.error(line, "a script is a file's name, or one of `script: FILE` and `run: TEXT`");
                return None;
            }
        };
        if text.trim().is_empty() || text.contains('\0') {
            self.error(line, "the script is empty, or no text");
            return None;
        }
        Some(text)
    }

    fn check(&mut self, raw: At<Short<CheckFile>>) -> Option<Check> {
        let At { value: Short(raw), line } = raw;
        let timeout = raw.timeout.unwrap_or(USUAL);
        if !TIMEOUT.contains(&timeout) {
            self.error(
                line,
                format!(
                    "timeout: {timeout} is not between {} and {} seconds",
                    TIMEOUT.start(),
                    TIMEOUT.end()
                ),
            );
        }
        if raw.retries > RETRIES {
            self.error(line, format!("retries: {} is more than {RETRIES}", raw.retries));
        }
        let user = raw.user.filter(|user| user != "root");
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if let Some(user) = user.as_ref().filter(|user| user.is_empty() || !user.chars().all(plain)) {
            self.error(line, format!("as: {user:?} is no user's name"));
        }
        Some(Check {
            script: self.source(line, raw.script, raw.run)?,
            user,
            timeout: Duration::from_secs(timeout.into()),
            retries: raw.retries,
            when: if raw.auto { When::Also } else { When::Asked },
        })
    }

    fn question(&mut self, raw: At<QuestionFile>) -> Option<Question> {
        let At { value: raw, line } = raw;
        let right = raw.choices.iter().filter(|choice| choice.right).count();
        self.many(line, "choices", raw.choices.len());
        let many = raw.multiple || right > 1;
        let choices = raw.choices.into_iter().map(|choice| Choice {
            text: choice.text,
            right: choice.right,
            why: choice.why,
        });
        let choices: Vec<Choice> = choices.collect();
        let answer = match (raw.answer, choices.is_empty()) {
            (Some(pattern), true) => {
                let whole = format!("^(?:{})$", pattern.value);
                match RegexBuilder::new(&whole).size_limit(PATTERN).build() {
                    Ok(pattern) => Answer::Text(pattern),
                    Err(error) => {
                        let words = error.to_string();
                        let words = words.lines().last().unwrap_or_default().to_owned();
                        self.error(pattern.line, format!("answer is no regular expression: {words}"));
                        return None;
                    }
                }
            }
            (None, false) if right == 0 => {
                self.error(line, "no choice is right: mark one with `right: true`");
                return None;
            }
            (None, false) if many => Answer::Multiple(choices),
            (None, false) => Answer::Single(choices),
            _ => {
                self.error(line, "a question has either `choices` or `answer`");
                return None;
            }
        };
        Some(Question { name: raw.name.value, question: raw.question, answer })
    }
}
