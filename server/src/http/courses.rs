//! The routes of courses: catalogue, course, lab, slides, their pictures, progress and its export.

use super::App;
use super::body::Problem;
use super::course_body::{
    AnswerQuestion, CheckResult, CourseDetail, CourseInfo, DeckDetail, LabDetail, NameStep, ProgressEntry,
};
use super::course_pages as pages;
use super::problem::{Answer, Failure};
use super::sessions::{Body, unwrap};
use crate::course::folder::Folder;
use crate::course::markdown::{Setting, render};
use crate::course::progress::Standing;
use crate::course::quiz::Given;
use crate::course::{Error, model::Course};
use crate::session::policy::Caller;
use crate::session::rfc3339;
use crate::store::{ProgressRow, Verdict};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Bytes of a picture.
const PICTURE: u64 = 8 << 20;

/// Kinds of files that texts show; nothing of them runs where it is opened alone.
const PICTURES: [(&str, &str); 7] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Session(error) => error.into(),
            Error::Store(error) => crate::session::Error::from(error).into(),
            Error::Random(error) => crate::session::Error::from(error).into(),
            Error::NoCourse
            | Error::NoLab
            | Error::NoDeck
            | Error::NoStep
            | Error::NoPart
            | Error::NotOfALab => Self::new(StatusCode::NOT_FOUND, words),
            Error::NoImage(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, words),
            Error::NotReady(_)
            | Error::Waits(_)
            | Error::Busy
            | Error::NoSolution(_)
            | Error::Script { .. }
            | Error::File { .. } => Self::new(StatusCode::CONFLICT, words),
        }
    }
}

/// The courses, with the caller's progress.
#[utoipa::path(get, path = "/api/v1/courses", responses((status = 200, body = [CourseInfo])))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<CourseInfo>>> {
    let mut all = Vec::new();
    for (name, entry) in app.learning.courses().await {
        if let Some(course) = &entry.course {
            all.push(pages::info(course, &app.learning.progress(caller.name(), &name).await?));
        }
    }
    Ok(Json(all))
}

/// A course; to the administrator also what is wrong with it.
#[utoipa::path(get, path = "/api/v1/courses/{course}", params(("course" = String, Path)), responses(
    (status = 200, body = CourseDetail), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn course(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<Json<CourseDetail>> {
    let entry = app.learning.course(&name).await?;
    let Some(course) = &entry.course else {
        let first = entry.faults.first().filter(|_| caller == Caller::Administrator);
        let words = first.map_or_else(|| "this course has mistakes".to_owned(), ToString::to_string);
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
    };
    let rows = app.learning.progress(caller.name(), &name).await?;
    let mut detail = pages::course(&entry, course, &rows);
    if caller != Caller::Administrator {
        detail.faults.clear();
    }
    Ok(Json(detail))
}

fn of(course: Option<&Course>) -> Answer<&Course> {
    Ok(course.ok_or(Error::NoCourse)?)
}

/// A lab, with the caller's values, progress and session.
#[utoipa::path(get, path = "/api/v1/courses/{course}/labs/{lab}", params(("course" = String, Path),
    ("lab" = String, Path)), responses((status = 200, body = LabDetail), (status = 404, body = Problem)))]
pub(super) async fn lab(
    State(app): State<App>,
    caller: Caller,
    Path((course, lab)): Path<(String, String)>,
) -> Answer<Json<LabDetail>> {
    let found = app.learning.lab(&course, &lab).await?;
    let values = app.learning.values(caller.name(), &course, found.lab()?).await?;
    let rows = app.learning.progress(caller.name(), &course).await?;
    let session = app.learning.running(&caller, &course, &lab).await?;
    let entry = found.entry();
    Ok(Json(pages::lab((entry, of(entry.course.as_ref())?), found.lab()?, (values, &rows), session)))
}

/// Slides.
#[utoipa::path(get, path = "/api/v1/courses/{course}/slides/{deck}", params(("course" = String, Path),
    ("deck" = String, Path)), responses((status = 200, body = DeckDetail), (status = 404, body = Problem)))]
pub(super) async fn slides(
    State(app): State<App>,
    _caller: Caller,
    Path((course, deck)): Path<(String, String)>,
) -> Answer<Json<DeckDetail>> {
    let entry = app.learning.course(&course).await?;
    let course = of(entry.course.as_ref())?;
    let deck = course.decks().find(|one| one.name == deck).ok_or(Error::NoDeck)?;
    Ok(Json(pages::deck(&entry, course, deck)))
}

/// A picture of a course.
#[utoipa::path(get, path = "/api/v1/courses/{course}/files/{path}", params(("course" = String, Path),
    ("path" = String, Path)), responses((status = 200), (status = 404, body = Problem)))]
pub(super) async fn file(
    State(app): State<App>,
    _caller: Caller,
    Path((course, path)): Path<(String, String)>,
) -> Answer<Response> {
    let missing = || Failure::new(StatusCode::NOT_FOUND, "this course has no such picture");
    let ending = path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let kind =
        PICTURES.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind).ok_or_else(missing)?;
    let folder = app.learning.course(&course).await?.folder.clone();
    let read = tokio::task::spawn_blocking(move || Folder::open(&folder)?.bytes(&path, PICTURE)).await;
    let bytes = read.ok().and_then(Result::ok).ok_or_else(missing)?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, bytes).into_response())
}

/// Judges an answer to a question.
#[utoipa::path(post, path = "/api/v1/courses/{course}/labs/{lab}/answer", params(("course" = String, Path),
    ("lab" = String, Path)), request_body = AnswerQuestion, responses((status = 200, body = CheckResult),
    (status = 404, body = Problem)))]
pub(super) async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path((course, lab)): Path<(String, String)>,
    body: Body<AnswerQuestion>,
) -> Answer<Json<CheckResult>> {
    let asked = unwrap(body)?;
    let given = match (asked.choices, asked.text) {
        (Some(choices), None) => Given::Choices(choices),
        (None, Some(text)) => Given::Text(text),
        _ => {
            return Err(Failure::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "an answer is either choices or text",
            ));
        }
    };
    let at = (course.as_str(), lab.as_str(), asked.step.as_str(), asked.question.as_str());
    let (verdict, said) = app.learning.answer(&caller, at, &given).await?;
    let setting = Setting::default();
    Ok(Json(CheckResult {
        passed: verdict == Verdict::Passed,
        feedback: String::new(),
        said: said.iter().map(|text| render(text, &setting)).collect(),
        step_passed: step_passed(&app, caller.name(), (&course, &lab, &asked.step)).await?,
    }))
}

/// Whether all of a step is passed.
pub(super) async fn step_passed(
    app: &App,
    owner: &str,
    (course, lab, step): (&str, &str, &str),
) -> Answer<bool> {
    let rows = app.learning.progress(owner, course).await?;
    let found = app.learning.lab(course, lab).await?;
    let (_, step) = found.lab()?.step(step).ok_or(Error::NoStep)?;
    Ok(Standing::of(&rows, lab).passed(step))
}

/// Notes that a step which has nothing to be passed was read.
#[utoipa::path(post, path = "/api/v1/courses/{course}/labs/{lab}/read", params(("course" = String, Path),
    ("lab" = String, Path)), request_body = NameStep, responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((course, lab)): Path<(String, String)>,
    body: Body<NameStep>,
) -> Answer<StatusCode> {
    app.learning.read(&caller, &course, &lab, &unwrap(body)?.step).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How progress is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// `?format=csv`.
#[derive(Debug, Deserialize)]
pub(super) struct Export {
    #[serde(default)]
    format: Format,
}

/// What the caller tried in a course, and when; to the administrator what everybody did.
#[utoipa::path(get, path = "/api/v1/courses/{course}/progress", params(("course" = String, Path),
    ("format" = Option<String>, Query)), responses((status = 200, body = [ProgressEntry]),
    (status = 404, body = Problem)))]
pub(super) async fn progress(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<String>,
    Query(export): Query<Export>,
) -> Answer<Response> {
    app.learning.course(&course).await?;
    let rows = match caller {
        Caller::Administrator => app.learning.progress_of_all(&course).await?,
        _ => app.learning.progress(caller.name(), &course).await?,
    };
    let entries: Vec<ProgressEntry> = rows.into_iter().map(entry).collect();
    Ok(match export.format {
        Format::Json => Json(entries).into_response(),
        Format::Csv => ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv(&entries)).into_response(),
    })
}

fn entry(row: ProgressRow) -> ProgressEntry {
    ProgressEntry {
        visitor: row.owner,
        lab: row.lab,
        step: row.step,
        part: row.part,
        tries: row.tries,
        first_at: rfc3339(row.first_at),
        last_at: rfc3339(row.last_at),
        passed_at: row.passed_at.map(rfc3339),
    }
}

/// Names have no signs that a table would have to quote.
fn csv(entries: &[ProgressEntry]) -> String {
    let line = |e: &ProgressEntry| {
        let passed = e.passed_at.as_deref().unwrap_or_default();
        format!(
            "{},{},{},{},{},{},{},{passed}\r\n",
            e.visitor, e.lab, e.step, e.part, e.tries, e.first_at, e.last_at
        )
    };
    let head = "visitor,lab,step,part,tries,first_at,last_at,passed_at\r\n";
    std::iter::once(head.to_owned()).chain(entries.iter().map(line)).collect()
}
