//! The routes of sessions: create, look, pause, extend, end, terminals, figures.

use super::App;
use super::body::{
    Access, CatalogueImage, CreateSession, CreateTerminal, EndReason, LimitKind, LimitNote, Me, Problem,
    Role, SessionInfo, SessionState, SessionStats, SessionUsage, TerminalInfo,
};
use super::kept;
use super::problem::{Answer, Failure};
use super::shares;
use crate::session::bounds::{Bound, Note};
use crate::session::engine::{Limits, Network, Profile};
use crate::session::lease::Lease;
use crate::session::policy::Caller;
use crate::session::state::{Reason, State};
use crate::session::table::Slot;
use crate::session::used::Used;
use crate::session::{Origin, Request, View, now, rfc3339};
use crate::terminal::protocol::TerminalMode;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sandlot_wire::Size;
use std::time::Duration;

/// How long `POST /sessions` waits for a session to come up before it answers 202.
const START: Duration = Duration::from_secs(20);

/// Seconds after which one who waits is to ask again.
const POLL: &str = "2";

/// A JSON body, or why it is none.
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) fn unwrap<T>(body: Body<T>) -> Answer<T> {
    body.map(|Json(body)| body).map_err(|error| Failure::new(error.status(), error.body_text()))
}

/// Asks for a session: 201 once it runs, 202 while it waits for a place.
#[utoipa::path(post, path = "/api/v1/sessions", request_body = CreateSession, responses(
    (status = 201, body = SessionInfo), (status = 202, body = SessionInfo), (status = 422, body = Problem),
    (status = 429, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create(
    Shared(app): Shared<App>,
    caller: Caller,
    body: Body<CreateSession>,
) -> Answer<Response> {
    let asked = unwrap(body)?;
    let (image, kept) = (asked.image, asked.kept);
    let view = match asked.lab {
        Some(_) if image.is_some() || kept.is_some() || asked.nested => {
            let words = "a lab says itself which image it needs: name nothing else";
            return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, words));
        }
        Some(lab) => app.learning.begin(&caller, &lab).await?,
        None => {
            let profile = asked.nested.then_some(Profile::Nested);
            app.sessions.create(&caller, Request { image, kept, profile, origin: Origin::Caller }).await?
        }
    };
    let view = app.sessions.settled(&caller, &view.session.id, START).await?;
    let waits = matches!(view.session.state, State::Queued | State::Starting);
    if let State::Ended(end) = &view.session.state {
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, end.message.clone()));
    }
    let info = info(&app, &caller, view);
    let location = [(header::LOCATION, format!("/api/v1/sessions/{}", info.id))];
    Ok(match waits {
        true => (StatusCode::ACCEPTED, location, [(header::RETRY_AFTER, POLL)], Json(info)).into_response(),
        false => (StatusCode::CREATED, location, Json(info)).into_response(),
    })
}

/// The caller's sessions, newest first; the administrator's are all.
#[utoipa::path(get, path = "/api/v1/sessions", responses((status = 200, body = [SessionInfo])))]
pub(super) async fn list(Shared(app): Shared<App>, caller: Caller) -> Json<Vec<SessionInfo>> {
    Json(app.sessions.list(&caller).into_iter().map(|view| info(&app, &caller, view)).collect())
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem)))]
pub(super) async fn get(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &id).await?;
    let info = summary(&app, &caller, info(&app, &caller, app.sessions.look(&caller, &id)?)).await?;
    Ok(match info.state {
        SessionState::Queued | SessionState::Starting => {
            ([(header::RETRY_AFTER, POLL)], Json(info)).into_response()
        }
        _ => Json(info).into_response(),
    })
}

/// Ends a session.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem)))]
pub(super) async fn end(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionInfo>> {
    let info = info(&app, &caller, app.sessions.close(&caller, &id).await?);
    Ok(Json(summary(&app, &caller, info).await?))
}

/// Freezes a session.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/pause", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn pause(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionInfo>> {
    Ok(Json(info(&app, &caller, app.sessions.pause(&caller, &id).await?)))
}

/// Lets a frozen session go on.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/unpause", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn unpause(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionInfo>> {
    Ok(Json(info(&app, &caller, app.sessions.unpause(&caller, &id).await?)))
}

/// Makes a session live longer.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/extend", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn extend(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionInfo>> {
    Ok(Json(info(&app, &caller, app.sessions.extend(&caller, &id).await?)))
}

/// Gives a session a fresh machine in place: its id and its terminals stay, what was in it is gone.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/reset", params(("id" = String, Path)), responses(
    (status = 200, body = SessionInfo), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn reset(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionInfo>> {
    Ok(Json(info(&app, &caller, app.sessions.reset(&caller, &id).await?)))
}

/// What a session uses.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/stats", params(("id" = String, Path)), responses(
    (status = 200, body = SessionStats), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn stats(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<SessionStats>> {
    let usage = app.sessions.usage(&caller, &id).await?;
    let lease = Lease::of(&app.sessions.view(&caller, &id)?.session, app.sessions.policy(), now());
    let limits = app.sessions.policy().limits;
    #[expect(clippy::cast_precision_loss, reason = "billionths of a processor fit 53 bits")]
    let cpus = limits.nano_cpus as f64 / 1e9;
    let network = app.sessions.network(&id);
    Ok(Json(SessionStats {
        cpu_usage_ns: usage.meter.cpu_ns,
        cpus,
        memory_bytes: usage.meter.memory,
        memory_limit_bytes: limits.memory,
        pids: usage.meter.pids,
        pids_limit: limits.pids,
        disk_bytes: usage.meter.disk_used,
        disk_limit_bytes: limits.disk,
        used: used(&usage.used),
        limits: usage.notes.iter().map(|note| limit(note, &limits, network)).collect(),
        remaining_seconds: lease.remaining,
        idle_remaining_seconds: lease.idle_remaining,
    }))
}

/// Another terminal.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/terminals", params(("id" = String, Path)),
    request_body = CreateTerminal, responses((status = 201, body = TerminalInfo),
    (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn open_terminal(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Answer<(StatusCode, Json<TerminalInfo>)> {
    let asked = match body.is_empty() {
        true => CreateTerminal::default(),
        false => serde_json::from_slice(&body)
            .map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?,
    };
    let size = Size { cols: asked.cols.unwrap_or(80), rows: asked.rows.unwrap_or(24) };
    if size.clamped() != size {
        let detail = format!("cols and rows must be between 1 and {}", Size::MAX);
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let slot = app.sessions.open_terminal(&caller, &id, size).await?;
    Ok((StatusCode::CREATED, Json(terminal(&slot))))
}

/// Closes a terminal.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/terminals/{terminal}",
    params(("id" = String, Path), ("terminal" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn close_terminal(
    Shared(app): Shared<App>,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
) -> Answer<StatusCode> {
    app.sessions.close_terminal(&caller, &id, &terminal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The catalogue.
#[utoipa::path(get, path = "/api/v1/images", responses((status = 200, body = [CatalogueImage])))]
pub(super) async fn images(Shared(app): Shared<App>) -> Json<Vec<CatalogueImage>> {
    let policy = app.sessions.policy();
    Json(
        policy
            .catalogue
            .iter()
            .cloned()
            .map(|image| CatalogueImage {
                recorded: policy.is_recorded(&image.name),
                name: image.name,
                title: image.title,
                description: image.description,
                nested: image.profile != Profile::Standard,
            })
            .collect(),
    )
}

/// Who asks, and what they may have.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me)))]
pub(super) async fn me(Shared(app): Shared<App>, caller: Caller) -> Json<Me> {
    let policy = app.sessions.policy();
    Json(Me {
        role: if caller == Caller::Administrator { Role::Administrator } else { Role::Visitor },
        sessions: app.sessions.owned(&caller),
        sessions_limit: policy.per_visitor,
        idle_seconds: policy.idle.as_secs(),
        extend_seconds: policy.extension.as_secs(),
    })
}

fn used(used: &Used) -> SessionUsage {
    SessionUsage {
        cpu_ns: used.cpu_ns,
        memory_peak_bytes: used.memory_peak,
        disk_peak_bytes: used.disk_peak,
        read_bytes: used.read_bytes,
        written_bytes: used.written_bytes,
        received_bytes: used.received_bytes,
        sent_bytes: used.sent_bytes,
        wall_seconds: used.wall_seconds,
    }
}

fn limit(note: &Note, limits: &Limits, network: Network) -> LimitNote {
    LimitNote {
        limit: match note.bound {
            Bound::Memory => LimitKind::Memory,
            Bound::Processes => LimitKind::Processes,
            Bound::Disk => LimitKind::Disk,
            Bound::Processor => LimitKind::Processor,
            Bound::Network => LimitKind::Network,
        },
        text: note.bound.words(limits, network),
        count: note.count,
        seconds_ago: u64::try_from(now() - note.at).unwrap_or(0),
    }
}

fn terminal(slot: &Slot) -> TerminalInfo {
    TerminalInfo { id: slot.id.clone(), exit_code: slot.exit_code() }
}

/// A session as the API tells it.
pub(super) fn info(app: &App, caller: &Caller, view: View) -> SessionInfo {
    let (session, policy) = (view.session, app.sessions.policy());
    let now = now();
    let lease = Lease::of(&session, policy, now);
    let end = match &session.state {
        State::Ended(end) => Some(end.clone()),
        _ => None,
    };
    SessionInfo {
        access: match caller {
            Caller::Guest(guest) if guest.mode == TerminalMode::View => Access::View,
            Caller::Guest(_) => Access::Control,
            _ => Access::Owner,
        },
        url: format!("/s/{}", session.id),
        title: app.sessions.title(&session.image),
        nested: session.profile != Profile::Standard,
        state: state(&session.state),
        position: view.position,
        reason: end.as_ref().map(|end| reason(end.reason)),
        message: end.as_ref().map(|end| end.message.clone()),
        terminals: session.terminals.iter().map(terminal).collect(),
        created_at: rfc3339(session.created_at),
        expires_at: rfc3339(session.expires_at),
        remaining_seconds: lease.remaining,
        idle_expires_at: lease
            .idle_remaining
            .map(|left| rfc3339(now.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)))),
        idle_remaining_seconds: lease.idle_remaining,
        used: end.as_ref().map(|end| used(&session.total(end.at))),
        recordings: Vec::new(),
        kept: Vec::new(),
        ended_at: end.map(|end| rfc3339(end.at)),
        extensions_left: lease.extensions_left,
        image: session.image,
        id: session.id,
    }
}

/// With what is left of a session that is over, for its owner: recordings, and kept work.
async fn summary(app: &App, caller: &Caller, info: SessionInfo) -> Answer<SessionInfo> {
    if info.state != SessionState::Ended || info.access != Access::Owner {
        return Ok(info);
    }
    let recordings = app.sessions.recorded(caller, &info.id).await?;
    let kept = app.sessions.kept(caller).into_iter().filter(|row| row.session == info.id);
    Ok(SessionInfo { recordings, kept: kept.map(kept::work).collect(), ..info })
}

fn state(state: &State) -> SessionState {
    match state {
        State::Queued => SessionState::Queued,
        State::Starting => SessionState::Starting,
        State::Running => SessionState::Running,
        State::Paused => SessionState::Paused,
        State::Ended(_) => SessionState::Ended,
    }
}

fn reason(reason: Reason) -> EndReason {
    match reason {
        Reason::Closed => EndReason::Closed,
        Reason::Idle => EndReason::Idle,
        Reason::Expired => EndReason::Expired,
        Reason::Abandoned => EndReason::Abandoned,
        Reason::Failed => EndReason::Failed,
        Reason::Gone => EndReason::Gone,
    }
}
