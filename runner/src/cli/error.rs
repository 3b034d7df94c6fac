//! Why a command failed, in words for whoever typed it, and the exit code; knows no command.

use hyper::StatusCode;
use std::io;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nobody answers on the engine's socket.
    #[error(
        "Cannot connect to the Docker daemon at unix://{socket}. Is the docker daemon running? ({source}; start one by `sandlot engine`, or name another socket by -H)"
    )]
    Unreachable {
        /// The socket's path.
        socket: String,
        /// Why not.
        source: io::Error,
    },
    /// The engine said no.
    #[error("Error response from daemon: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The engine's words.
        message: String,
    },
    /// The arguments are no valid request.
    #[error("{0}")]
    Invalid(String),
    /// The connection broke, or the answer is none of the protocol.
    #[error("talking to the engine: {0}")]
    Protocol(String),
    /// A file or a terminal.
    #[error("{what}: {}", words(.source))]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// `run` failed before the container's own process could say anything.
    #[error("{source}\n\nRun 'sandlot run --help' for more information")]
    Run {
        /// 125, 126 or 127.
        code: u8,
        /// Why.
        source: Box<Error>,
    },
    /// `exec` found no such command, or may not execute it.
    #[error("{message}")]
    Exec {
        /// 126 or 127.
        code: u8,
        /// The engine's words.
        message: String,
    },
    /// It is all said: only the exit code is left.
    #[error("some of it failed")]
    Told,
}

impl Error {
    /// A failed system call on `what`.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Whether the engine knows no such thing.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// The exit code of the whole program.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Run { code, .. } | Self::Exec { code, .. } => *code,
            _ => 1,
        }
    }

    /// The same failure as one of `run`: the code tells a missing command (127) from one that cannot be executed (126)
    /// and from everything else (125), by the words runc and Docker use.
    #[must_use]
    pub(super) fn of_run(self) -> Self {
        let code = match &self {
            Self::Run { .. } => return self,
            Self::Refused { message, .. } => start_code(message),
            _ => 125,
        };
        Self::Run { code, source: Box::new(self) }
    }
}

/// What the system said, in Go's words: small letters, no number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// The exit code that the engine's words about a start mean.
pub(super) fn start_code(message: &str) -> u8 {
    let has = |words: &[&str]| words.iter().any(|w| message.contains(w));
    if has(&["executable file not found", "no such file or directory", "system cannot find the file"]) {
        127
    } else if has(&["permission denied", "is a directory", "exec format error"]) {
        126
    } else {
        125
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Protocol(format!("unexpected JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::start_code;

    #[test]
    fn words_become_codes() {
        assert_eq!(start_code("exec: \"x\": executable file not found in $PATH"), 127);
        assert_eq!(start_code("exec: \"/x\": stat /x: no such file or directory"), 127);
        assert_eq!(start_code("exec: \"/etc/passwd\": permission denied"), 126);
        assert_eq!(start_code("exec: \"/etc\": is a directory"), 126);
        assert_eq!(start_code("No such image: x"), 125);
    }
}
