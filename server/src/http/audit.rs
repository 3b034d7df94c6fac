//! Who did what, for the administrator.

use super::App;
use super::body::Problem;
use super::problem::Answer;
use crate::session::policy::Caller;
use crate::session::rfc3339;
use crate::store::{AuditFilter, AuditRow};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Entries of an answer where no number was said.
const USUAL: i64 = 100;

/// `?before=…&actor=…&session=…&limit=…&format=…`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    before: Option<i64>,
    actor: Option<String>,
    session: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    format: Format,
}

/// How the entries are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One list.
    #[default]
    Json,
    /// A line each.
    Lines,
}

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AuditEntry {
    /// Its number: later ones are greater.
    id: i64,
    /// When, RFC 3339.
    at: String,
    /// Who: a visitor's id, `administrator`, or `playground` for what happened by itself.
    actor: String,
    /// What.
    action: String,
    /// With which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Who did what, the latest first; for the administrator.
#[utoipa::path(get, path = "/api/v1/audit", params(
    ("before" = Option<i64>, Query, description = "entries before this number"),
    ("actor" = Option<String>, Query), ("session" = Option<String>, Query),
    ("limit" = Option<i64>, Query, description = "1 to 1000; absent: 100"),
    ("format" = Option<String>, Query, description = "lines: JSON lines")),
    responses((status = 200, body = [AuditEntry]), (status = 403, body = Problem)))]
pub(super) async fn look(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Answer<Response> {
    let Asked { before, actor, session, limit, format } = asked;
    let filter = AuditFilter { before, actor, session, limit: limit.unwrap_or(USUAL) };
    let rows = app.sessions.noted(&caller, filter).await?;
    let entries: Vec<AuditEntry> = rows.into_iter().map(entry).collect();
    Ok(match format {
        Format::Json => Json(entries).into_response(),
        Format::Lines => {
            let lines = entries.iter().filter_map(|entry| serde_json::to_string(entry).ok());
            let text: String = lines.map(|line| line + "\n").collect();
            ([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response()
        }
    })
}

fn entry(row: AuditRow) -> AuditEntry {
    AuditEntry {
        id: row.id,
        at: rfc3339(row.at),
        actor: row.actor,
        action: row.action,
        session: row.session,
        detail: row.detail,
    }
}
