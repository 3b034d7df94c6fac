//! What a preview says itself, when the session says nothing: a small page in words.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Of our own words only; nothing of the request is in it.
pub(super) fn page(status: StatusCode, what: &str, more: &str) -> Response {
    let mut title = what.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><body style=\"font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;\
         padding:0 1.5rem\"><main><h1 style=\"font-size:1.4rem\">{title}</h1><p>{more}</p></main></html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The words are the playground's, not the session's: for programs that look at previews.
        (HeaderName::from_static("sandlot-preview"), "words"),
    ];
    (status, headers, html).into_response()
}

/// Of a guest whose link is no more.
pub(super) fn revoked() -> Response {
    page(StatusCode::GONE, "the owner of this session has revoked your link", "Ask them for another.")
}
