//! What the engine and the web server say to each other beyond the Docker Engine API.
//!
//! Types, names and the hand-over of descriptors live here, so that both ends are built from one source. Knows
//! neither HTTP nor sockets' paths: the engine routes these messages, the web server sends them.

#![forbid(unsafe_code)]

pub mod files;
pub mod registry;
pub mod ring;
pub mod run;

use serde::{Deserialize, Serialize};

/// Where every endpoint of this wire begins.
pub const PREFIX: &str = "/sandlot/v1";

/// The value of the `Upgrade` header that asks for a descriptor.
pub const UPGRADE: &str = "sandlot-fd";

/// The one byte that the client sends, after the 101, when it is about to call `recvmsg`: a descriptor that
/// arrived during a buffered read would be swallowed silently.
pub const READY: u8 = b'r';

/// The one byte that accompanies the descriptors.
pub const HANDOVER: u8 = b'h';

/// The label that marks a container as a session of the web server; its value is the session's id.
pub const LABEL_SESSION: &str = "sandlot.session";

/// Annotation (`HostConfig.Annotations`): `standard` (the default), `nested`, or `engine`: nested with an engine of its own.
pub const ANNOTATION_PROFILE: &str = "sandlot.profile";

/// Annotation, with the profile `engine`: names of images, separated by commas, that the container's own engine finds here instead of
/// fetching them.
pub const ANNOTATION_SHARE: &str = "sandlot.share";

/// Annotation: with the value `only`, PID 1 is the engine's init, and no first process is started.
pub const ANNOTATION_INIT: &str = "sandlot.init";

/// `POST {PREFIX}/containers/{id}/terminals`: a new terminal in a running container.
///
/// The answer is 101 with the terminal's id in the header [`HEADER_TERMINAL`]; after the client's [`READY`] byte
/// the engine sends [`HANDOVER`] with two descriptors: the pty's master, and the ring file that whoever reads the
/// master writes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenTerminal {
    /// The command; empty: the login shell of the user, else `/bin/sh`.
    #[serde(default)]
    pub cmd: Vec<String>,
    /// Size of the terminal in cells.
    pub size: Size,
    /// `name|uid[:group|gid]`; absent: the container's configured user.
    #[serde(default)]
    pub user: Option<String>,
    /// More environment, `NAME=value`.
    #[serde(default)]
    pub env: Vec<String>,
    /// Working directory; absent: the container's.
    #[serde(default)]
    pub cwd: Option<String>,
    /// The id that it is to have, as one of another container had: `t-` and 16 hexadecimal digits. Absent: a new one.
    #[serde(default)]
    pub id: Option<String>,
}

/// The response header that names the terminal that was opened.
pub const HEADER_TERMINAL: &str = "sandlot-terminal";

/// A terminal's size in character cells; both at least 1 and at most [`Size::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// The largest number of columns or rows that is accepted: more than any screen has.
    pub const MAX: u16 = 1000;

    /// The size with both numbers brought into `1..=MAX`.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self { cols: self.cols.clamp(1, Self::MAX), rows: self.rows.clamp(1, Self::MAX) }
    }
}

/// `GET {PREFIX}/containers/{id}/terminals` answers a list of these.
///
/// `POST …/terminals/{terminal}/take` hands the same two descriptors over again, as after opening;
/// `DELETE …/terminals/{terminal}` closes it everywhere: the shell gets its hang-up;
/// `GET …/terminals/{terminal}/wait` answers one of these once the terminal's process has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Terminal {
    /// The terminal's id, unique in its container.
    pub id: String,
    /// The host's pid of its first process.
    pub pid: i32,
    /// `None` while the process runs; else its exit code, or 128 plus the signal that ended it.
    pub exit_code: Option<i32>,
}

/// `POST {PREFIX}/containers/{id}/dial`: a TCP connection made inside the container's network namespace; the
/// descriptor is handed over as for a terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dial {
    /// The port on the container's loopback.
    pub port: u16,
}

/// `POST {PREFIX}/containers/{id}/listen`: a listening TCP socket on the container's loopback, handed over as for
/// a terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listen {
    /// The port on the container's loopback.
    pub port: u16,
}

/// `GET {PREFIX}/meters` answers one of these for each session that runs, `GET {PREFIX}/containers/{id}/meter` one alone:
/// what it uses, and how often it came against its limits. All but `memory`, `pids` and the disk only ever grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// The container.
    pub container: String,
    /// The session that it is: [`LABEL_SESSION`].
    pub session: String,
    /// Processor time, in nanoseconds.
    pub cpu_ns: u64,
    /// Periods in which the limit of processor time was enforced.
    pub periods: u64,
    /// Of them those in which the session had to wait.
    pub throttled_periods: u64,
    /// Bytes of memory in use, without what the kernel would give back at once.
    pub memory: u64,
    /// The most that ever was; `None` where the kernel does not tell.
    pub memory_peak: Option<u64>,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
    /// Processes and threads.
    pub pids: u64,
    /// How often one more was refused.
    pub pids_refused: u64,
    /// Bytes written to the disk that are still there.
    pub disk_used: u64,
    /// Bytes that can still be written to it.
    pub disk_left: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
    /// Bytes received from networks.
    pub received_bytes: u64,
    /// Bytes sent to networks.
    pub sent_bytes: u64,
    /// How often a program was told that there is no way to where it wanted.
    pub unreachable: u64,
}

/// What the names of images begin with that are made of sessions.
pub const KEPT: &str = "sandlot-kept/";

/// `POST {PREFIX}/containers/{id}/keep`: what a session wrote becomes an image, which answers as [`Kept`].
/// `DELETE {PREFIX}/kept/{name}` (what stands after [`KEPT`]) removes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The image's name: lower-case hexadecimal digits, after [`KEPT`].
    pub name: String,
    /// Bytes that the session's disk may hold; more is refused.
    pub most: u64,
}

/// An image that was made of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its reference.
    pub reference: String,
    /// Bytes that the session wrote.
    pub size: u64,
}

/// `POST {PREFIX}/containers/{id}/script`: a POSIX shell script, run to its end inside a running container by a shell that the engine
/// brings along, with its own tools; answers [`ScriptEnd`]. The script is in no file of the container, and its process can be
/// looked into by nobody inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Script {
    /// It; at most [`Script::MOST`] bytes.
    pub script: String,
    /// `name|uid[:group|gid]`; absent: root.
    #[serde(default)]
    pub user: Option<String>,
    /// Environment, `NAME=value`.
    #[serde(default)]
    pub env: Vec<String>,
    /// Milliseconds after which it is ended, with what it started and did not set free.
    pub timeout_ms: u64,
}

impl Script {
    /// The longest script: one of 64 KiB, and what the server puts around it.
    pub const MOST: usize = 160 << 10;
    /// The longest that one may take, in milliseconds.
    pub const PATIENCE: u64 = 600_000;
    /// Bytes of output that are kept: the last ones.
    pub const OUTPUT: usize = 16 << 10;
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptEnd {
    /// Its exit code, or 128 plus the signal; none: it took too long.
    pub exit_code: Option<i32>,
    /// The end of what it printed, to both outputs.
    pub output: String,
}

/// `GET {PREFIX}/containers/{id}/ports` answers a list of these: what listens in the container's network namespace and can
/// be reached by [`Dial`], in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// The TCP port.
    pub port: u16,
}
