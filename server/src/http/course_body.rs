//! The JSON bodies of the calls about courses. HTML in them has passed the sanitiser.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// A course in the catalogue: `GET /courses`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CourseInfo {
    /// Its name in addresses.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// Its description's first paragraph, as text.
    pub summary: String,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub difficulty: Option<String>,
    /// How long it takes, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub minutes: Option<u32>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// How many labs it has.
    pub labs: usize,
    /// How many slides it has.
    pub slides: usize,
    /// How many steps its labs have.
    pub steps: usize,
    /// How many of them the caller has passed.
    pub passed: usize,
}

/// `GET /courses/{course}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CourseDetail {
    /// The course.
    pub course: CourseInfo,
    /// Its description, HTML.
    pub description: String,
    /// What it consists of, in order.
    pub contents: Vec<CourseItem>,
    /// What is wrong with it, for the administrator.
    pub faults: Vec<String>,
    /// Changes with every change of the course's files.
    pub version: String,
}

/// What a part of a course is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CourseItemKind {
    /// A deck of slides.
    Slides,
    /// A lab.
    Lab,
    /// A lab that has mistakes and cannot be used.
    Broken,
}

/// A part of a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CourseItem {
    /// What it is.
    pub kind: CourseItemKind,
    /// Its name in addresses.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is about, as text.
    pub summary: String,
    /// How long it takes, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub minutes: Option<u32>,
    /// How many steps or slides it has.
    pub steps: usize,
    /// How many steps the caller has passed.
    pub passed: usize,
}

/// `GET /courses/{course}/labs/{lab}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabDetail {
    /// The course.
    pub course: String,
    /// What that is called.
    pub course_title: String,
    /// The lab.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// Before the first step, HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub intro: Option<String>,
    /// After the last step, HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub finish: Option<String>,
    /// Names of the terminals that are there at once.
    pub terminals: Vec<String>,
    /// What is shown of its ports.
    pub ports: Vec<LabPort>,
    /// The steps.
    pub steps: Vec<LabStep>,
    /// The caller's session of it that still lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub session: Option<String>,
    /// Changes with every change of the course's files.
    pub version: String,
}

/// A port of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabPort {
    /// It.
    pub port: u16,
    /// Some words.
    pub title: String,
}

/// A step of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabStep {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its text, HTML.
    pub html: String,
    /// Files that the editor shows, with `:` and a line.
    pub open: Vec<String>,
    /// Hints.
    pub hints: Vec<LabHint>,
    /// Whether it has a check of its own.
    pub checked: bool,
    /// Whether that runs by itself, too.
    pub auto: bool,
    /// How often that failed.
    pub failures: i64,
    /// Whether the author gave solutions for all of it.
    pub solvable: bool,
    /// Titles of steps that come before its check.
    pub after: Vec<String>,
    /// Several things to do.
    pub tasks: Vec<LabTask>,
    /// Questions.
    pub quiz: Vec<LabQuestion>,
    /// Whether all of it is passed.
    pub passed: bool,
}

/// A hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabHint {
    /// HTML.
    pub html: String,
    /// Failed tries after which it is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub after: Option<u32>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabTask {
    /// Its name.
    pub name: String,
    /// HTML.
    pub html: String,
    /// Whether its check runs by itself, too.
    pub auto: bool,
    /// How often that failed.
    pub failures: i64,
    /// Hints.
    pub hints: Vec<LabHint>,
    /// Whether it is passed.
    pub passed: bool,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QuestionKind {
    /// One choice is right.
    Single,
    /// Several may be.
    Multiple,
    /// By text.
    Text,
}

/// A question, without what is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabQuestion {
    /// Its name.
    pub name: String,
    /// HTML.
    pub html: String,
    /// How it is answered.
    pub kind: QuestionKind,
    /// HTML of each choice.
    pub choices: Vec<String>,
    /// Whether it is passed.
    pub passed: bool,
}

/// How far a lab's session was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LabReadiness {
    /// Not yet.
    Preparing,
    /// The student may begin.
    Ready,
    /// It could not be.
    Failed,
}

/// `GET /sessions/{id}/lab`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LabSession {
    /// The course.
    pub course: String,
    /// The lab; empty: the course's slides.
    pub lab: String,
    /// How far it was prepared.
    pub state: LabReadiness,
    /// Why not further.
    pub message: String,
}

/// `POST /sessions/{id}/lab/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckStep {
    /// The step.
    pub step: String,
    /// A task of it; absent: its own check.
    #[serde(default)]
    #[ts(optional)]
    pub task: Option<String>,
    /// Whether the page asks by itself: a failure counts as no try then.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub auto: bool,
}

/// How a check or an answer went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CheckResult {
    /// Whether it passed.
    pub passed: bool,
    /// What is said to it: a check's last lines.
    pub feedback: String,
    /// What is said to an answer, HTML.
    pub said: Vec<String>,
    /// Whether all of the step is passed now.
    pub step_passed: bool,
}

/// `POST /sessions/{id}/lab/solve`, `…/open` and `…/back`, `POST /courses/{course}/labs/{lab}/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameStep {
    /// The step.
    pub step: String,
}

/// `POST /courses/{course}/labs/{lab}/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerQuestion {
    /// The step.
    pub step: String,
    /// The question.
    pub question: String,
    /// The numbers of the choices that were ticked.
    #[serde(default)]
    #[ts(optional)]
    pub choices: Option<Vec<usize>>,
    /// The answer, where there are no choices.
    #[serde(default)]
    #[ts(optional)]
    pub text: Option<String>,
}

/// `GET /courses/{course}/slides/{deck}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct DeckDetail {
    /// The course.
    pub course: String,
    /// What that is called.
    pub course_title: String,
    /// The deck.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// The slides.
    pub slides: Vec<SlideInfo>,
    /// Changes with every change of the course's files.
    pub version: String,
}

/// A slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SlideInfo {
    /// Its heading as text.
    pub title: String,
    /// HTML.
    pub html: String,
    /// What the speaker reads, HTML.
    pub notes: String,
    /// Whether a terminal stands beside it.
    pub terminal: bool,
}

/// A part of a step that somebody tried: `GET /courses/{course}/progress`. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct ProgressEntry {
    /// Who.
    pub visitor: String,
    /// The lab.
    pub lab: String,
    /// The step.
    pub step: String,
    /// `check`, `task:NAME`, `quiz:NAME`, or `read`.
    pub part: String,
    /// How often.
    pub tries: i64,
    /// The first try.
    pub first_at: String,
    /// The last try.
    pub last_at: String,
    /// When it was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub passed_at: Option<String>,
}
