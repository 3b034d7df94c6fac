//! Courses, labs and slides as the page shows them: Markdown rendered, progress put in, answers left out.

use super::course_body::{
    CourseDetail, CourseInfo, CourseItem, CourseItemKind, DeckDetail, LabDetail, LabHint, LabPort,
    LabQuestion, LabStep, LabTask, QuestionKind, SlideInfo,
};
use crate::course::markdown::{Setting, plain, render};
use crate::course::model::{Answer, Content, Course, Deck, Hint, Lab, Part, Question, Step, When};
use crate::course::progress::Standing;
use crate::course::shelf::Entry;
use crate::course::slides::Terminal;
use crate::store::ProgressRow;
use std::collections::BTreeMap;

/// Characters of a summary.
const SUMMARY: usize = 300;

/// Where a course's files are, for pictures in its texts.
fn base(course: &str, folder: &str) -> String {
    format!("/api/v1/courses/{course}/files/{folder}")
}

fn version(entry: &Entry) -> String {
    format!("{:016x}", entry.version)
}

/// A course in the catalogue.
pub(super) fn info(course: &Course, rows: &[ProgressRow]) -> CourseInfo {
    CourseInfo {
        name: course.name.clone(),
        title: course.title.clone(),
        summary: plain(&course.description, SUMMARY),
        difficulty: course.difficulty.clone(),
        minutes: course.minutes,
        authors: course.authors.clone(),
        labs: course.labs().count(),
        slides: course.decks().map(|deck| deck.slides.len()).sum(),
        steps: course.labs().map(|lab| lab.steps.len()).sum(),
        passed: course.labs().map(|lab| Standing::of(rows, &lab.name).count(lab)).sum(),
    }
}

/// A course.
pub(super) fn course(entry: &Entry, course: &Course, rows: &[ProgressRow]) -> CourseDetail {
    let setting = Setting { values: BTreeMap::new(), base: base(&course.name, "") };
    CourseDetail {
        course: info(course, rows),
        description: render(&course.description, &setting),
        contents: course.contents.iter().map(|content| item(content, rows)).collect(),
        faults: entry.faults.iter().map(ToString::to_string).collect(),
        version: version(entry),
    }
}

fn item(content: &Content, rows: &[ProgressRow]) -> CourseItem {
    match content {
        Content::Deck(deck) => CourseItem {
            kind: CourseItemKind::Slides,
            name: deck.name.clone(),
            title: deck.title.clone(),
            summary: String::new(),
            minutes: None,
            steps: deck.slides.len(),
            passed: 0,
        },
        Content::Lab(lab) => CourseItem {
            kind: CourseItemKind::Lab,
            name: lab.name.clone(),
            title: lab.title.clone(),
            summary: plain(&lab.description, SUMMARY),
            minutes: lab.minutes,
            steps: lab.steps.len(),
            passed: Standing::of(rows, &lab.name).count(lab),
        },
        Content::Broken(name) => CourseItem {
            kind: CourseItemKind::Broken,
            name: name.clone(),
            title: name.clone(),
            summary: "This lab has mistakes that its author has to mend first.".to_owned(),
            minutes: None,
            steps: 0,
            passed: 0,
        },
    }
}

/// A lab, with the values and the progress of one student.
pub(super) fn lab(
    (entry, course): (&Entry, &Course),
    lab: &Lab,
    (values, rows): (BTreeMap<String, String>, &[ProgressRow]),
    session: Option<String>,
) -> LabDetail {
    let mut setting = Setting { values, base: base(&course.name, &format!("labs/{}/", lab.name)) };
    setting.values.insert("session".to_owned(), session.clone().unwrap_or_default());
    let standing = Standing::of(rows, &lab.name);
    LabDetail {
        course: course.name.clone(),
        course_title: course.title.clone(),
        name: lab.name.clone(),
        title: lab.title.clone(),
        intro: lab.intro.as_ref().map(|text| render(text, &setting)),
        finish: lab.finish.as_ref().map(|text| render(text, &setting)),
        terminals: lab.terminals.clone(),
        ports: lab.ports.iter().map(|port| LabPort { port: port.port, title: port.title.clone() }).collect(),
        steps: lab.steps.iter().map(|one| step(lab, one, &standing, &setting)).collect(),
        session,
        version: version(entry),
    }
}

fn step(lab: &Lab, step: &Step, standing: &Standing<'_>, setting: &Setting) -> LabStep {
    let solved = step.tasks.iter().all(|task| task.solve.is_some());
    let solvable = solved && (step.solve.is_some() || (step.check.is_none() && !step.tasks.is_empty()));
    let titles = step.after.iter().filter_map(|name| lab.step(name)).map(|(_, step)| step.title.clone());
    let tasks = step.tasks.iter().map(|task| LabTask {
        name: task.name.clone(),
        html: render(&task.text, setting),
        auto: task.check.when == When::Also,
        failures: standing.failures(step, Part::Task(&task.name)),
        hints: hints(&task.hints, setting),
        passed: standing.has(step, Part::Task(&task.name)),
    });
    LabStep {
        name: step.name.clone(),
        title: step.title.clone(),
        html: render(&step.text, setting),
        open: step.open.clone(),
        hints: hints(&step.hints, setting),
        checked: step.check.is_some(),
        auto: step.check.as_ref().is_some_and(|check| check.when == When::Also),
        failures: standing.failures(step, Part::Check),
        solvable,
        after: titles.collect(),
        tasks: tasks.collect(),
        quiz: step.quiz.iter().map(|one| question(step, one, standing, setting)).collect(),
        passed: standing.passed(step),
    }
}

fn hints(hints: &[Hint], setting: &Setting) -> Vec<LabHint> {
    hints.iter().map(|hint| LabHint { html: render(&hint.text, setting), after: hint.after }).collect()
}

fn question(step: &Step, question: &Question, standing: &Standing<'_>, setting: &Setting) -> LabQuestion {
    let (kind, choices) = match &question.answer {
        Answer::Single(choices) => (QuestionKind::Single, choices.as_slice()),
        Answer::Multiple(choices) => (QuestionKind::Multiple, choices.as_slice()),
        Answer::Text(_) => (QuestionKind::Text, [].as_slice()),
    };
    LabQuestion {
        name: question.name.clone(),
        html: render(&question.question, setting),
        kind,
        choices: choices.iter().map(|choice| render(&choice.text, setting)).collect(),
        passed: standing.has(step, Part::Question(&question.name)),
    }
}

/// Slides.
pub(super) fn deck(entry: &Entry, course: &Course, deck: &Deck) -> DeckDetail {
    let setting = Setting { values: BTreeMap::new(), base: base(&course.name, "slides/") };
    let slides = deck.slides.iter().map(|slide| SlideInfo {
        title: slide.title.clone(),
        html: render(&slide.text, &setting),
        notes: render(&slide.notes, &setting),
        terminal: slide.terminal == Terminal::Beside,
    });
    DeckDetail {
        course: course.name.clone(),
        course_title: course.title.clone(),
        name: deck.name.clone(),
        title: deck.title.clone(),
        slides: slides.collect(),
        version: version(entry),
    }
}
