//! The routes of a session that belongs to a lab: how far it is prepared, checks, solutions, the way back.

use super::App;
use super::body::Problem;
use super::course_body::{CheckResult, CheckStep, LabReadiness, LabSession, NameStep};
use super::courses::step_passed;
use super::problem::Answer;
use super::sessions::{Body, unwrap};
use crate::course::learning::By;
use crate::course::prepare::{FAILED, READY};
use crate::session::policy::Caller;
use crate::store::Verdict;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// The lab of a session, and whether it is prepared.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/lab", params(("id" = String, Path)), responses(
    (status = 200, body = LabSession), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<LabSession>> {
    let row = app.learning.of_session(&caller, &id).await?;
    let state = match row.state.as_str() {
        READY => LabReadiness::Ready,
        FAILED => LabReadiness::Failed,
        _ => LabReadiness::Preparing,
    };
    Ok(Json(LabSession { course: row.course, lab: row.lab, state, message: row.message }))
}

/// Has a step's check run, or a task's.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/lab/check", params(("id" = String, Path)),
    request_body = CheckStep, responses((status = 200, body = CheckResult), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub(super) async fn check(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<CheckStep>,
) -> Answer<Json<CheckResult>> {
    let asked = unwrap(body)?;
    let by = if asked.auto { By::Itself } else { By::Hand };
    let outcome = app.learning.check(&caller, &id, (&asked.step, asked.task.as_deref()), by).await?;
    let row = app.learning.of_session(&caller, &id).await?;
    Ok(Json(CheckResult {
        passed: outcome.verdict == Verdict::Passed,
        feedback: outcome.feedback,
        said: Vec::new(),
        step_passed: step_passed(&app, &row.owner, (&row.course, &row.lab, &asked.step)).await?,
    }))
}

/// A step is shown for the first time in this session: what its author wants done then.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/lab/open", params(("id" = String, Path)),
    request_body = NameStep, responses((status = 204), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub(super) async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<NameStep>,
) -> Answer<StatusCode> {
    app.learning.open(&caller, &id, &unwrap(body)?.step).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Solves a step for the student.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/lab/solve", params(("id" = String, Path)),
    request_body = NameStep, responses((status = 204), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub(super) async fn solve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<NameStep>,
) -> Answer<StatusCode> {
    app.learning.solve(&caller, &id, &unwrap(body)?.step).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A fresh machine, as at the start of a step for a student who did all before it.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/lab/back", params(("id" = String, Path)),
    request_body = NameStep, responses((status = 204), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub(super) async fn back(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<NameStep>,
) -> Answer<StatusCode> {
    app.learning.back(&caller, &id, &unwrap(body)?.step).await?;
    Ok(StatusCode::NO_CONTENT)
}
