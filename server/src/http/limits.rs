//! How much and how long a request may take, and the headers that every answer carries.

use super::App;
use super::problem::Failure;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Instant;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

/// The longest body.
pub(super) const BODY: usize = 64 * 1024;

/// What pages may load: their own files only. xterm.js and Svelte set styles on elements; the player's emulator is
/// WebAssembly.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'self'";

/// What is packed on its way to the browser: files of sessions are not, for that would cost time that is the terminals'.
pub(super) fn packed() -> impl Predicate {
    DefaultPredicate::new()
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("application/x-tar"))
}

/// Whether a request may take as long as bytes go on to come: its handler waits for each of them.
fn is_upload(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    request.method() == Method::PUT && route.ends_with("/files/{*path}")
}

/// Ends a request that takes too long, a body that never ends included.
pub(super) async fn time(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_upload(&request) {
        return next.run(request).await;
    }
    let patience = app.web.patience.request;
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail =
                format!("the request was not whole, or not answered, within {} s", patience.as_secs());
            let mut response = Failure::new(StatusCode::REQUEST_TIMEOUT, detail).into_response();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// Adds the headers that keep browsers careful.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        // What a handler says is stricter.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Counts requests by route, method and status; the routes are ours, so the labels are few.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("page", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("sandlot_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("sandlot_http_request_seconds", "route" => route)
        .record(began.elapsed().as_secs_f64());
    response
}
