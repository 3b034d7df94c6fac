//! Refusals in the words of the distribution specification, for its clients read no others.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal.
pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": message, "detail": null }] });
    let version = HeaderName::from_static("docker-distribution-api-version");
    (status, [(version, HeaderValue::from_static("registry/2.0"))], Json(body)).into_response()
}
