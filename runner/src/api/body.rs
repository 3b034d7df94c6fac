//! Bodies in JSON, with Docker's words for those that are not.

use super::error::Error;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A body; one that is empty is the default.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let bytes =
            Bytes::from_request(request, state).await.map_err(|e| Error::new(e.status(), e.body_text()))?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let plain = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if plain != "application/json" {
            return Err(Error::bad(format!(
                "unsupported Content-Type header ({kind}): must be 'application/json'"
            )));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|e| wrong(&e))
    }
}

/// What is wrong with a body.
pub(super) fn wrong(error: &serde_json::Error) -> Error {
    match error.classify() {
        Category::Eof => Error::bad("invalid JSON: unexpected EOF"),
        _ => Error::bad(format!("invalid JSON: {error}")),
    }
}
