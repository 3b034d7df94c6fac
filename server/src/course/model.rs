//! What a course is once it was read: every name is one, every file was there, every number is in range.
//!
//! Knows neither YAML nor where the files lie.

use super::slides::Slide;
use crate::session::engine::Profile;
use regex::Regex;
use std::time::Duration;

/// A course.
#[derive(Debug, Clone)]
pub struct Course {
    /// Its folder's name.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is about, in Markdown.
    pub description: String,
    /// In words.
    pub difficulty: Option<String>,
    /// How long it takes, about.
    pub minutes: Option<u32>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// What its slides' sessions are.
    pub place: Place,
    /// What it consists of, in order.
    pub contents: Vec<Content>,
}

/// Of what image a session is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Names of images; the first in the catalogue is taken.
    pub images: Vec<String>,
    /// What can be made inside.
    pub profile: Option<Profile>,
}

impl Place {
    /// A place of these images, where containers can be made inside (`nested`), also by an engine of the session's own (`engine`).
    pub(super) fn new(images: Vec<String>, nested: bool, engine: bool) -> Self {
        let wider = if engine { Profile::Engine } else { Profile::Nested };
        Self { images, profile: (nested || engine).then_some(wider) }
    }
}

/// A part of a course.
#[derive(Debug, Clone)]
pub enum Content {
    /// Slides.
    Deck(Deck),
    /// A lab.
    Lab(Box<Lab>),
    /// A lab that has mistakes: its name, and its title where it has one.
    Broken(String),
}

/// Slides.
#[derive(Debug, Clone)]
pub struct Deck {
    /// Its file's name without `.md` and the digits before it.
    pub name: String,
    /// The first slide's heading.
    pub title: String,
    /// The slides.
    pub slides: Vec<Slide>,
}

/// A lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Its folder's name.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is about, in Markdown.
    pub description: String,
    /// In words.
    pub difficulty: Option<String>,
    /// How long it takes, about.
    pub minutes: Option<u32>,
    /// Its session.
    pub place: Place,
    /// Names of the terminals that are there at once.
    pub terminals: Vec<String>,
    /// What differs from student to student.
    pub variables: Vec<Variable>,
    /// What is put into the session.
    pub assets: Vec<Asset>,
    /// What is shown of its ports.
    pub ports: Vec<Port>,
    /// Before the first step.
    pub setup: Option<String>,
    /// Before the end.
    pub cleanup: Option<String>,
    /// Markdown before the first step.
    pub intro: Option<String>,
    /// Markdown after the last.
    pub finish: Option<String>,
    /// The steps, at least one.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Its name within the lab.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its Markdown, without the heading that is its title.
    pub text: String,
    /// When it is first opened.
    pub setup: Option<String>,
    /// What tells whether it is done.
    pub check: Option<Check>,
    /// What does it.
    pub solve: Option<String>,
    /// What the editor shows.
    pub open: Vec<String>,
    /// Hints.
    pub hints: Vec<Hint>,
    /// Steps that come before.
    pub after: Vec<String>,
    /// Several things to do.
    pub tasks: Vec<Task>,
    /// Questions.
    pub quiz: Vec<Question>,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name within the step.
    pub name: String,
    /// Markdown.
    pub text: String,
    /// What tells whether it is done.
    pub check: Check,
    /// What does it.
    pub solve: Option<String>,
    /// Hints.
    pub hints: Vec<Hint>,
    /// Tasks that come before.
    pub after: Vec<String>,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The script itself.
    pub script: String,
    /// As whom; absent: root.
    pub user: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How often it is tried again.
    pub retries: u32,
    /// Who runs it.
    pub when: When,
}

/// Who runs a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The student, by a button.
    Asked,
    /// The page too, by itself.
    Also,
}

/// A hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Markdown.
    pub text: String,
    /// Failed tries after which it is offered.
    pub after: Option<u32>,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its name within the step.
    pub name: String,
    /// Markdown.
    pub question: String,
    /// What answers it.
    pub answer: Answer,
}

/// What answers a question.
#[derive(Debug, Clone)]
pub enum Answer {
    /// One right choice.
    Single(Vec<Choice>),
    /// All right choices and no other.
    Multiple(Vec<Choice>),
    /// Text that the pattern matches as a whole.
    Text(Regex),
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Markdown.
    pub text: String,
    /// Whether it is right.
    pub right: bool,
    /// Shown once it was chosen.
    pub why: Option<String>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What values it may have.
    pub values: Values,
}

/// What values a variable may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// A number between these.
    Number(i64, i64),
    /// One of these.
    Choice(Vec<String>),
    /// So many letters and digits.
    Secret(u32),
}

/// A file that is put into the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Where it is, relative to the course.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// Its mode, if that is to be changed.
    pub mode: Option<u32>,
}

/// A port that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// It.
    pub port: u16,
    /// Some words.
    pub title: String,
}

impl Course {
    /// Its labs that can be used.
    pub fn labs(&self) -> impl Iterator<Item = &Lab> {
        self.contents.iter().filter_map(|content| match content {
            Content::Lab(lab) => Some(lab.as_ref()),
            _ => None,
        })
    }

    /// Its decks.
    pub fn decks(&self) -> impl Iterator<Item = &Deck> {
        self.contents.iter().filter_map(|content| match content {
            Content::Deck(deck) => Some(deck),
            _ => None,
        })
    }

    /// A lab by name.
    #[must_use]
    pub fn lab(&self, name: &str) -> Option<&Lab> {
        self.labs().find(|lab| lab.name == name)
    }
}

impl Lab {
    /// A step by name, and its place.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.name == name)
    }
}

impl Step {
    /// Everything that must be passed for the step to be: the names of its parts (see [`Part`]).
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'_>> {
        let check = self.check.as_ref().map(|_| Part::Check);
        let tasks = self.tasks.iter().map(|task| Part::Task(&task.name));
        let quiz = self.quiz.iter().map(|question| Part::Question(&question.name));
        check.into_iter().chain(tasks).chain(quiz).collect()
    }
}

/// What can be passed within a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part<'a> {
    /// The step's own check.
    Check,
    /// A task.
    Task(&'a str),
    /// A question.
    Question(&'a str),
}

impl std::fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Check => f.write_str("check"),
            Self::Task(name) => write!(f, "task:{name}"),
            Self::Question(name) => write!(f, "quiz:{name}"),
        }
    }
}
