//! The pages: embedded files, with names that tell their content cached for ever, the others revalidated.

use super::App;
use super::auth;
use super::problem::{Answer, Failure};
use crate::session::policy::Caller;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;
use serde::Deserialize;

/// What Vite built, or the page that tells how to build (`build.rs` decides).
#[derive(RustEmbed)]
#[folder = "$SANDLOT_PAGES"]
struct Files;

/// Where Vite puts files whose name has a hash of their content.
const HASHED: &str = "assets/";

/// Every path that is no route: a file, or the one page for all places of the playground.
pub(super) async fn serve(uri: Uri, headers: HeaderMap) -> Answer<Response> {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return Err(Failure::new(StatusCode::NOT_FOUND, "there is no such route: see /api/v1/openapi.json"));
    }
    let is_place = path.is_empty()
        || ["s", "recordings", "courses", "registry"].iter().any(|place| {
            path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    let path = if is_place { "index.html" } else { path };
    let Some(file) = Files::get(path) else {
        return Err(Failure::new(StatusCode::NOT_FOUND, "there is no such page"));
    };
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let cache = match path.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let same = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, cache.to_owned())];
    if same {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_().as_str() {
        "text" => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    Ok((common, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response())
}

/// `?token=…`.
#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
}

/// The ready-to-click address: makes this browser the administrator's.
pub(super) async fn administer(State(app): State<App>, Query(login): Query<Login>) -> Answer<Response> {
    if !app.keys.is_token(&login.token) {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "this token is not known here"));
    }
    let mut response = Redirect::to("/").into_response();
    if let Some(cookie) = auth::cookie(&app, &Caller::Administrator) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
