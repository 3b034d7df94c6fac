//! The routes of share links, and how a guest is known again.
//!
//! A guest's cookie says which link they came by, is signed for it, and goes to that session's routes alone (its API, its
//! previews' beginnings, the link itself).

use super::App;
use super::body::Problem;
use super::body_kept::{CreateShare, GuestInfo, ShareInfo};
use super::pages;
use super::problem::Answer;
use super::sessions::{Body, unwrap};
use crate::session::policy::{Caller, Guest};
use crate::session::shares::{Share, is_token};
use crate::session::{Error, rfc3339};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

/// How long a browser keeps the cookie, in seconds: longer than sessions live.
const MAX_AGE: u32 = 30 * 24 * 3600;

/// The cookie's name.
pub(super) const COOKIE: &str = "sandlot-share";

/// Makes a share link. Its `url` is told this once.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/shares", params(("id" = String, Path)),
    request_body = CreateShare, responses((status = 201, body = ShareInfo), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body<CreateShare>,
) -> Answer<(StatusCode, Json<ShareInfo>)> {
    let asked = unwrap(body)?;
    let (share, token) = app.sessions.share(&caller, &id, asked.mode).await?;
    let base = app.web.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let url = format!("{}/s/{token}", base.unwrap_or_default());
    Ok((StatusCode::CREATED, Json(ShareInfo { url: Some(url), ..info(share) })))
}

/// A session's share links, and who came by them.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/shares", params(("id" = String, Path)), responses(
    (status = 200, body = [ShareInfo]), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<Vec<ShareInfo>>> {
    Ok(Json(app.sessions.shares(&caller, &id).await?.into_iter().map(info).collect()))
}

/// Revokes a share link: its guests are let go.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/shares/{share}",
    params(("id" = String, Path), ("share" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path((id, share)): Path<(String, String)>,
) -> Answer<StatusCode> {
    app.sessions.revoke(&caller, &id, &share).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `/s/{name}`: a session's page; or a share link, whose guest gets a cookie and goes on to the session's page, so that the
/// token leaves the address.
pub(super) async fn open(
    State(app): State<App>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer<Response> {
    if !is_token(&name) {
        return pages::serve(uri, headers).await;
    }
    let guest = match app.sessions.enter(&name, app.keys.guest(&headers)).await {
        Ok(guest) => guest,
        // The page says so in words.
        Err(Error::NoShare | Error::Revoked) => return pages::serve(uri, headers).await,
        Err(error) => return Err(error.into()),
    };
    let mut response = Redirect::to(&format!("/s/{}", guest.session)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Also for the link itself: who opens it again is no other guest.
    let places = ["/api/v1/sessions", "/preview"].map(|place| format!("{place}/{}", guest.session));
    for path in places.into_iter().chain([format!("/s/{name}")]) {
        if let Some(cookie) = cookie(&app, &guest, &path) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

fn cookie(app: &App, guest: &Guest, path: &str) -> Option<HeaderValue> {
    let name = format!("{}.{}", guest.share, guest.number);
    let value = app.keys.seal(&format!("share {name}"))?;
    let secure = app.web.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={name}.{value}; Path={path}; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax{secure}");
    cookie.parse().ok()
}

/// Who asks for a session that may be shared with them: its owner, the administrator, or a guest.
///
/// # Errors
/// 404, or 410 when the link was revoked.
pub(super) async fn admit(app: &App, headers: &HeaderMap, caller: Caller, id: &str) -> Answer<Caller> {
    let error = match app.sessions.view(&caller, id) {
        Ok(_) => return Ok(caller),
        Err(error) => error,
    };
    let Some((share, number)) = app.keys.guest(headers) else { return Err(error.into()) };
    Ok(Caller::Guest(app.sessions.guest(id, &share, number).await?))
}

fn info(share: Share) -> ShareInfo {
    let guest = |guest: crate::store::GuestRow| GuestInfo {
        name: format!("Guest {}", guest.number),
        first_at: rfc3339(guest.first_at),
        last_at: rfc3339(guest.last_at),
    };
    ShareInfo {
        id: share.id,
        mode: share.mode,
        url: None,
        created_at: rfc3339(share.created_at),
        revoked_at: share.revoked_at.map(rfc3339),
        guests: share.guests.into_iter().map(guest).collect(),
    }
}

/// What a failure to be admitted is to HTTP.
pub(super) fn failure(error: &Error) -> Option<StatusCode> {
    match error {
        Error::NoShare | Error::NoRecording => Some(StatusCode::NOT_FOUND),
        Error::Revoked => Some(StatusCode::GONE),
        Error::LooksOn => Some(StatusCode::FORBIDDEN),
        Error::TooManyShares(_) => Some(StatusCode::CONFLICT),
        Error::TooManyGuests(_) => Some(StatusCode::TOO_MANY_REQUESTS),
        Error::Terminal(crate::terminal::Error::Crowded(_)) => Some(StatusCode::CONFLICT),
        _ => None,
    }
}
