//! Errors as the Docker Engine API tells them: `{"message": …}` and a status.

use crate::engine;
use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde_json::json;

/// An answer that is an error.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    message: String,
}

impl Error {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The same, with what was being done before it.
    pub(super) fn about(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        use engine::Error as E;
        let status = match &error {
            E::NotFound { .. }
            | E::NoVolume(_)
            | E::NoDriver(_)
            | E::NoNetwork(_)
            | E::NoCheckpoint { .. } => StatusCode::NOT_FOUND,
            E::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            E::Forbidden(_) => StatusCode::FORBIDDEN,
            E::Conflict(_) => StatusCode::CONFLICT,
            E::Unchanged => StatusCode::NOT_MODIFIED,
            E::Invalid(_) => StatusCode::BAD_REQUEST,
            // The client takes its exit code from words in the message, as runc and Docker put them.
            E::Start(failure) if failure.exit_code != 125 => StatusCode::BAD_REQUEST,
            E::Start(_) | E::Spawner(_) | E::Rootfs(_) | E::Network(_) | E::Checkpoint(_) | E::Io { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self { status, message: error.to_string() }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return self.status.into_response();
        }
        (self.status, Json(json!({ "message": self.message }))).into_response()
    }
}

/// What a handler answers.
pub(super) type Answer<T = Response> = Result<T, Error>;
