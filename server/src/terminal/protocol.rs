//! What browser and server say to each other on a terminal's WebSocket, in text frames of one JSON message each.
//!
//! Binary frames are bytes of the terminal and have no type here. The TypeScript side is generated from these types
//! (`web/src/protocol/generated.ts`; `server/tests/protocol.rs` fails when it drifts). Knows no socket.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Whether a viewer may type and resize.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum TerminalMode {
    /// Typing and resizing reach the terminal.
    #[default]
    Control,
    /// Read-only: what this viewer sends is dropped, with one notice.
    View,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum NoticeLevel {
    /// Worth a quiet line.
    Info,
    /// Something was refused, or is about to end.
    Warning,
}

/// Somebody who looks at a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Onlooker {
    /// What they are called: `Owner`, `Guest 2`, ….
    pub name: String,
    /// Whether they may type.
    pub mode: TerminalMode,
    /// Whether the terminal has their size, and their page answers programs' questions: the one who typed last.
    pub drives: bool,
    /// Whether this is the reader.
    pub you: bool,
}

/// Whether a terminal is being recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// It is.
    On,
    /// It was, and is no longer: a notice told why.
    Stopped,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The first message. After it come the bytes that bring an empty terminal to the present screen, then live bytes.
    Hello {
        /// The terminal's id.
        id: String,
        /// What this viewer may do.
        mode: TerminalMode,
        /// Present columns.
        cols: u16,
        /// Present rows.
        rows: u16,
        /// Whether what follows begins with a replay; `false`: the terminal has printed nothing yet.
        replay: bool,
        /// The length of that replay in bytes; programs' questions in it were answered long ago.
        replay_bytes: u64,
        /// Whether the size is that of another viewer, who drives.
        driven: bool,
        /// How many bytes the terminal had printed when the replay was made: live bytes begin at this position.
        seq: u64,
        /// For a page that named itself (`?page=…`) and was here before: how many bytes it has typed in all that were
        /// taken. Absent: this server has not seen it, which after a reconnect means that it was started again.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        taken: Option<u64>,
    },
    /// So many bytes of what this page has typed, in all, were taken. Comes soon after the typing, not at once.
    Taken {
        /// Bytes since the page first attached.
        bytes: u64,
    },
    /// The terminal's process has ended; the last message before the connection is closed with code 1000.
    Exit {
        /// Exit code, or 128 plus the signal that ended it.
        code: i32,
    },
    /// Words for the person at the terminal.
    Notice {
        /// How much they matter.
        level: NoticeLevel,
        /// One sentence.
        text: String,
    },
    /// Who looks at this terminal now, the reader of this included. Comes after `hello`, and with every change.
    People {
        /// In the order in which they came.
        people: Vec<Onlooker>,
    },
    /// This terminal is recorded, or no longer. Comes after `hello` where it is recorded, and with every change.
    Recording {
        /// Whether it still is.
        state: RecordingState,
        /// Whether what is typed is written down too.
        input: bool,
    },
    /// The terminal has another size now (that of another viewer, who drives).
    Size {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// The session's end has moved.
    Lease {
        /// When the session ends if nothing else happens, RFC 3339.
        expires_at: String,
        /// Seconds until then, for a clock that may go wrong.
        remaining_seconds: u64,
        /// How often it may still be moved.
        extensions_left: u32,
    },
}

/// What the browser says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClientMessage {
    /// The viewer's screen has this size: 1 to 1000 each, else it is refused with a notice.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// What this viewer's emulator answered to a program's question (where is the cursor, what are you). Several viewers
    /// would all answer: only the answer of the one who drives reaches the program.
    Answer {
        /// At most 4 KiB.
        text: String,
    },
    /// The terminal is to have this viewer's size from now on, before anything is typed.
    Drive {},
    /// So many more bytes of binary frames, the replay's included, were written to the viewer's screen. A viewer with
    /// more than its window unacknowledged (64 KiB to 1 MiB, after how fast it draws) gets nothing more until it catches
    /// up; after a minute it is disconnected.
    Ack {
        /// Bytes since the last `ack`.
        bytes: u64,
    },
}
