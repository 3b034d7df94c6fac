//! The JSON of share links and recordings, as [`super::body`] has that of sessions.

use crate::terminal::protocol::TerminalMode;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `POST /sessions/{id}/shares`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateShare {
    /// `view`: its guests look on; `control`: they type as well.
    #[schema(value_type = String)]
    pub mode: TerminalMode,
}

/// Somebody who came by a share link. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct GuestInfo {
    /// What the others call them.
    pub name: String,
    /// When they came first.
    pub first_at: String,
    /// When they came last.
    pub last_at: String,
}

/// A share link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct ShareInfo {
    /// Its id.
    pub id: String,
    /// What its guests may do.
    #[schema(value_type = String)]
    pub mode: TerminalMode,
    /// What is handed to guests; told only when the link is made. Without a public URL, a path on this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub url: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub revoked_at: Option<String>,
    /// Who came by it.
    pub guests: Vec<GuestInfo>,
}

/// A terminal's recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct RecordingInfo {
    /// The session.
    pub session: String,
    /// The terminal.
    pub terminal: String,
    /// What the session was started from.
    pub title: String,
    /// When it began.
    pub started_at: String,
    /// When it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ended_at: Option<String>,
    /// How long it is, in seconds.
    pub seconds: f64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Where the asciicast is.
    pub url: String,
}

/// A line that a recording shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FoundLine {
    /// The session.
    pub session: String,
    /// The terminal.
    pub terminal: String,
    /// What the session was started from.
    pub title: String,
    /// When the recording began.
    pub started_at: String,
    /// When the line was first shown, in seconds since then.
    pub at: f64,
    /// The line.
    pub text: String,
}

/// `POST /sessions/{id}/terminals/{terminal}/markers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMarker {
    /// What this moment is called: at most 200 characters.
    pub label: String,
}
