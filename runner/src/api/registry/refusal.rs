//! Errors as the distribution specification has them: a status, and `{"errors": [{"code", "message", "detail"}]}`.

use crate::image::distribution::Error;
use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderName, LOCATION, RANGE};
use serde_json::json;

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn no_such_path(path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::new(StatusCode::NOT_FOUND, "NAME_INVALID", format!("{path} is no address of a registry"))
    }

    pub(super) fn no_such_method(method: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", format!("{method} is not done here"))
    }

    /// The same of an upload: a client that sent the wrong piece is told where to go on.
    pub(super) fn of_upload(error: Error, location: String) -> Self {
        let received = match &error {
            Error::UploadRange { received } | Error::BrokeOff { received, .. } => Some(*received),
            _ => None,
        };
        let mut refusal = Self::from(error);
        if let Some(received) = received {
            let range = super::uploads::range(received);
            refusal.headers = vec![(LOCATION, location), (RANGE, range)];
        }
        refusal
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        use Error as E;
        let (status, code) = match &error {
            E::NameInvalid(_) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            E::NameUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            E::TagInvalid(_) => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            E::DigestInvalid(_) | E::DigestWrong { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            E::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            E::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            E::ManifestLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            E::NamesUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN"),
            E::BlobUnknown { .. } => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            E::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            E::UploadRange { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            E::UploadInvalid(_) | E::BrokeOff { .. } => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            E::RangeInvalid { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID"),
            E::PageInvalid(_) => (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID"),
            E::Needed(_) | E::Denied(_) | E::Full(_) => (StatusCode::FORBIDDEN, "DENIED"),
            E::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            E::Store(_) | E::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        };
        if status.is_server_error() {
            tracing::error!(%error, "the registry failed");
        }
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message, "detail": null }] });
        let mut response = (self.status, Json(body)).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
