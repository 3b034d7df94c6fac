//! A session as a stream of server-sent events, for whoever waits for it: the place in the queue, the start, the end.
//!
//! Each event is the session's JSON, sent when it changes and now and then, which also tells that somebody still waits.

use super::App;
use super::body::{Problem, SessionInfo, SessionState};
use super::problem::Answer;
use super::sessions::info;
use super::shares;
use crate::session::policy::Caller;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// The longest time between two events: less than proxies' patience, and than that for who left the queue.
const BEAT: Duration = Duration::from_secs(15);

/// One who follows a session.
struct Follower {
    app: App,
    caller: Caller,
    id: String,
    changes: watch::Receiver<()>,
    last: Option<SessionInfo>,
}

/// A session's changes, `text/event-stream`: events `session` with the same JSON as `GET /sessions/{id}`. Ends with it.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/events", params(("id" = String, Path)), responses(
    (status = 200, content_type = "text/event-stream", body = SessionInfo), (status = 404, body = Problem)))]
pub(super) async fn follow(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &id).await?;
    let changes = app.sessions.changes();
    let stop = app.stop.clone();
    let follower = Follower { app, caller, id, changes, last: None };
    let events = stream::StreamExt::take_until(follower.events(), stop.cancelled_owned());
    // A proxy that collects answers would hold the news back.
    let unbuffered =
        [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(events)).into_response())
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let info = follower.next().await?;
            let event = Event::default().event("session").json_data(&info).ok()?;
            follower.last = Some(info);
            Some((Ok(event), follower))
        })
    }

    /// The session once it has changed, or after a [`BEAT`]; nothing more after its end.
    async fn next(&mut self) -> Option<SessionInfo> {
        if self.last.as_ref().is_some_and(|last| last.state == SessionState::Ended) {
            return None;
        }
        let beat = tokio::time::sleep(BEAT);
        tokio::pin!(beat);
        loop {
            self.changes.mark_unchanged();
            let now = info(&self.app, &self.caller, self.app.sessions.look(&self.caller, &self.id).ok()?);
            if self.last.as_ref().is_none_or(|last| differ(last, &now)) {
                return Some(now);
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = &mut beat => {
                    return Some(info(&self.app, &self.caller, self.app.sessions.look(&self.caller, &self.id).ok()?));
                }
            }
        }
    }
}

/// Whether more than the time that passes is different.
fn differ(last: &SessionInfo, now: &SessionInfo) -> bool {
    (last.state, last.position, &last.expires_at, &last.terminals)
        != (now.state, now.position, &now.expires_at, &now.terminals)
}
