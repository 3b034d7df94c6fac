//! Errors as HTTP tells them: `application/problem+json` (RFC 9457), with words for outside; the inside goes to the log.

use super::body::Problem;
use crate::session::Error;
use crate::session::engine;
use crate::session::table::Refusal;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Seconds after which asking again makes sense when places are short.
const RETRY_AFTER: u32 = 10;

/// An answer that is no success.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    detail: String,
    retry_after: Option<u32>,
}

/// What handlers answer.
pub(super) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// A failure with words for outside.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    fn later(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(RETRY_AFTER), ..Self::new(status, detail) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        if let Some(status) = super::shares::failure(&error) {
            return Self::new(status, words);
        }
        match error {
            Error::NoSession | Error::NoTerminal | Error::NothingKept => {
                Self::new(StatusCode::NOT_FOUND, words)
            }
            Error::NoImage(_) | Error::NoImages => Self::new(StatusCode::UNPROCESSABLE_ENTITY, words),
            Error::TooWarm { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, words),
            Error::NotNested(_) | Error::NotAdministrator => Self::new(StatusCode::FORBIDDEN, words),
            Error::Refused(Refusal::TooMany(_)) => Self::new(StatusCode::TOO_MANY_REQUESTS, words),
            Error::Refused(Refusal::Full(_)) => Self::later(StatusCode::SERVICE_UNAVAILABLE, words),
            Error::NotUp(_)
            | Error::TooMuchKept(_)
            | Error::KeptInUse
            | Error::TooManyTerminals(_)
            | Error::NoExtension(_) => Self::new(StatusCode::CONFLICT, words),
            Error::Engine(engine::Error::Conflict(_)) => Self::new(StatusCode::CONFLICT, words),
            Error::NotOffered(_) => Self::new(StatusCode::NOT_IMPLEMENTED, words),
            _ => {
                tracing::error!(error = words, "a request failed");
                let detail = "the playground cannot do this at the moment: try again soon";
                Self::later(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}
