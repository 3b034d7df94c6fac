//! The JSON bodies of the HTTP API: plain data, checked by the handlers that take them.
//!
//! The TypeScript side is generated from these types (`web/src/protocol/generated.ts`). Knows no route.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// One image that a visitor may choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct CatalogueImage {
    /// The reference that `POST /sessions` takes.
    pub name: String,
    /// Some words for a card.
    pub title: String,
    /// A sentence or two.
    pub description: String,
    /// Whether its sessions may make containers of their own.
    pub nested: bool,
    /// Whether what their terminals show is recorded.
    pub recorded: bool,
}

/// `POST /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// An image of the catalogue; an administrator may name any. Absent: the first of the catalogue.
    #[serde(default)]
    #[ts(optional)]
    pub image: Option<String>,
    /// Kept work to start from, by its id; then no image is named.
    #[serde(default)]
    #[ts(optional)]
    pub kept: Option<String>,
    /// A lab to begin, as `course/lab`, or a course whose slides need a terminal, as `course`; then nothing else is named.
    #[serde(default)]
    #[ts(optional)]
    pub lab: Option<String>,
    /// Ask for the wider profile. Images whose catalogue entry is nested have it anyway; for others only an
    /// administrator may ask.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub nested: bool,
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Waiting for a place; `position` tells which.
    Queued,
    /// Being cloned.
    Starting,
    /// Up.
    Running,
    /// Frozen: its processes do not run until it is unpaused.
    Paused,
    /// Over; `reason` and `message` tell why.
    Ended,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// Its owner ended it.
    Closed,
    /// Nobody typed for the idle time-out.
    Idle,
    /// Its lifetime was over.
    Expired,
    /// It left the queue because nobody asked for it any more.
    Abandoned,
    /// It could not be started; `message` tells more.
    Failed,
    /// Its container ended by itself, or was removed from outside.
    Gone,
}

/// What somebody may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// All: it is theirs, or they administer the server.
    Owner,
    /// Type in its terminals.
    Control,
    /// Look on.
    View,
}

/// A terminal of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct TerminalInfo {
    /// Its id, for `GET /sessions/{id}/terminals/{terminal}`.
    pub id: String,
    /// Once its process has ended: the exit code, or 128 plus the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub exit_code: Option<i32>,
}

/// A session as its owner sees it. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionInfo {
    /// Its id.
    pub id: String,
    /// What the reader may do with it.
    pub access: Access,
    /// The page that shows it.
    pub url: String,
    /// The image's reference.
    pub image: String,
    /// The catalogue's title of the image, or the reference again.
    pub title: String,
    /// Whether it may make containers of its own.
    pub nested: bool,
    /// Where it is in its life.
    pub state: SessionState,
    /// Place in the queue, from 1; only while queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub position: Option<usize>,
    /// Why it ended; only once ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<EndReason>,
    /// The end in words; only once ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub message: Option<String>,
    /// Its terminals, oldest first.
    pub terminals: Vec<TerminalInfo>,
    /// When it was asked for.
    pub created_at: String,
    /// When its lifetime is over; `POST …/extend` moves it.
    pub expires_at: String,
    /// Seconds until then: right whatever the reader's clock says.
    pub remaining_seconds: u64,
    /// When it ends if nobody types, or comes back, until then; only while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub idle_expires_at: Option<String>,
    /// Seconds until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub idle_remaining_seconds: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ended_at: Option<String>,
    /// How often it may still be extended.
    pub extensions_left: u32,
    /// What it used; only once ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub used: Option<SessionUsage>,
    /// Terminals of which there is a recording; told to its owner, once ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub recordings: Vec<String>,
    /// What was kept of it; told to its owner, once ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<KeptWork>>", optional)]
    pub kept: Vec<KeptWork>,
}

/// `POST /sessions/{id}/terminals`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTerminal {
    /// Columns at start, 1 to 1000; absent: 80.
    #[serde(default)]
    #[ts(optional)]
    pub cols: Option<u16>,
    /// Rows at start, 1 to 1000; absent: 24.
    #[serde(default)]
    #[ts(optional)]
    pub rows: Option<u16>,
}

/// What a session has used in all, its earlier containers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionUsage {
    /// Processor time, in nanoseconds.
    pub cpu_ns: u64,
    /// The most memory at once, in bytes.
    pub memory_peak_bytes: u64,
    /// The most bytes on its disk at once.
    pub disk_peak_bytes: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
    /// Bytes received from networks.
    pub received_bytes: u64,
    /// Bytes sent to networks.
    pub sent_bytes: u64,
    /// Seconds since its first prompt, until its end.
    pub wall_seconds: u64,
}

/// A limit of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitKind {
    /// A program was killed, for the memory was full.
    Memory,
    /// A process was refused.
    Processes,
    /// Nothing more can be written.
    Disk,
    /// It waits for the processor more than half of the time.
    Processor,
    /// There was no way to where a program wanted.
    Network,
}

/// A limit that a session came against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LimitNote {
    /// Which.
    pub limit: LimitKind,
    /// What it means, for people.
    pub text: String,
    /// How often, as the kernel counts.
    pub count: u64,
    /// Seconds since it last happened.
    pub seconds_ago: u64,
}

/// `POST /sessions/{id}/commit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepWork {
    /// What it is to be called, up to 60 characters; absent: as its image.
    #[serde(default)]
    #[ts(optional)]
    pub title: Option<String>,
}

/// What a session changed, kept as an image of its owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct KeptWork {
    /// Its id, for `POST /sessions` and `DELETE /kept/{id}`.
    pub id: String,
    /// What its owner calls it.
    pub title: String,
    /// The image of the catalogue that it began with.
    pub image: String,
    /// The session that it was made of.
    pub session: String,
    /// Bytes.
    pub size_bytes: u64,
    /// When, RFC 3339.
    pub created_at: String,
}

/// `GET /sessions/{id}/stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct SessionStats {
    /// Processor time used so far, in nanoseconds.
    pub cpu_usage_ns: u64,
    /// Processors the session may use at once.
    pub cpus: f64,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Memory the session may use, in bytes.
    pub memory_limit_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// How many there may be.
    pub pids_limit: u64,
    /// Bytes written to its disk that are still there.
    pub disk_bytes: u64,
    /// Bytes that may be there.
    pub disk_limit_bytes: u64,
    /// What it has used in all.
    pub used: SessionUsage,
    /// The limits that it came against, each once.
    pub limits: Vec<LimitNote>,
    /// Seconds of its lifetime that are left.
    pub remaining_seconds: u64,
    /// Seconds until it is ended if nobody types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub idle_remaining_seconds: Option<u64>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Anybody with a browser.
    Visitor,
    /// Holds the administrator's token.
    Administrator,
}

/// `GET /me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Me {
    /// What the caller may do.
    pub role: Role,
    /// Sessions of the caller that have not ended.
    pub sessions: usize,
    /// How many there may be at once.
    pub sessions_limit: usize,
    /// Seconds without typing after which a session ends.
    pub idle_seconds: u64,
    /// Seconds that one `extend` adds.
    pub extend_seconds: u64,
}

/// Whose engine runs the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Sandlot's own.
    Sandlot,
    /// Another that speaks Docker: for development.
    Stock,
}

/// `GET /info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Info {
    /// This server's version.
    pub version: String,
    /// Whose engine runs the sessions.
    pub engine: EngineKind,
    /// What Sandlot promises and cannot keep with this engine.
    pub not_promised: Vec<String>,
}

/// Every error: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Problem {
    /// A stable name of the kind of error, `about:blank` when the status says all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do, for people.
    pub detail: String,
}
