//! A terminal's WebSocket: frames become what a viewer does, what a viewer gets becomes frames.
//!
//! Knows frames, limits and close codes; what input means is the terminal's business.

use super::App;
use super::origin;
use super::problem::{Answer, Failure};
use super::shares;
use crate::config::Patience;
use crate::session::policy::Caller;
use crate::terminal::outbox::{Item, Parting};
use crate::terminal::protocol::{ClientMessage, TerminalMode};
use crate::terminal::{Page, Viewer};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sandlot_wire::Size;
use serde::Deserialize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest frame, and message, that is taken.
const FRAME: usize = 1024 * 1024;

/// Pings without any sign of life after which a viewer is gone.
const PINGS: u32 = 2;

/// How long a viewer may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a connection ends: RFC 6455's code, and words.
type Ending = (u16, &'static str);

const EXITED: Ending = (1000, "the terminal's process has ended");
const CLOSED: Ending = (1000, "the terminal is closed");
const GARBAGE: Ending = (1003, "a text frame must be a resize, ack, answer or drive message");
const GONE: Ending = (1006, "the viewer is gone");
const STALLED: Ending = (1008, "nothing was acknowledged for too long");
const FLOODING: Ending = (1008, "more input than the program reads");
const REVOKED: Ending = (1008, "the owner of this session has revoked the link by which you came");
const TOO_BIG: Ending = (1009, "a frame may have 1 MiB at most");
const RESTARTING: Ending = (1012, "the server is being started again");

/// `?mode=view&page=…`.
#[derive(Debug, Deserialize)]
pub(super) struct Attach {
    #[serde(default)]
    mode: TerminalMode,
    page: Option<String>,
}

impl Attach {
    fn page(&self) -> Result<Option<Page>, Failure> {
        let detail = "page must be 1 to 64 letters and digits";
        let refused = || Failure::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        self.page.as_deref().map(|name| Page::named(name).ok_or_else(refused)).transpose()
    }
}

/// Attaches to a terminal.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/terminals/{terminal}",
    params(("id" = String, Path), ("terminal" = String, Path), ("mode" = Option<String>, Query),
    ("page" = Option<String>, Query, description = "a name that the page gives itself: hello then tells what was taken of its typing")),
    responses((status = 101, description = "a WebSocket"), (status = 403, body = super::body::Problem),
    (status = 404, body = super::body::Problem)))]
pub(super) async fn attach(
    State(app): State<App>,
    caller: Caller,
    Path((id, terminal)): Path<(String, String)>,
    Query(attach): Query<Attach>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Answer<Response> {
    origin::check_socket(&app.web, &headers)?;
    let page = attach.page()?;
    let caller = shares::admit(&app, &headers, caller, &id).await?;
    let viewer = app.sessions.attach(&caller, &id, &terminal, (attach.mode, page)).await?;
    // A link that was revoked just now let go of those who were there: not of who came in the same moment.
    app.sessions.permit(&caller).await?;
    let (patience, stop) = (app.web.patience, app.stop.clone());
    let upgrade = upgrade.max_message_size(FRAME).max_frame_size(FRAME);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, viewer, patience, stop)))
}

async fn serve(socket: WebSocket, viewer: Viewer, patience: Patience, stop: CancellationToken) {
    let (mut sink, mut stream) = socket.split();
    let silent = AtomicU32::new(0);
    let (code, reason) = tokio::select! {
        ending = receive(&mut stream, &viewer, &silent) => ending,
        ending = send(&mut sink, &viewer, patience, &silent) => ending,
        () = stop.cancelled() => RESTARTING,
    };
    drop(viewer);
    // A server that stops lets its terminals go too; who sees that first has still only lost the server.
    let (code, reason) = if code == CLOSED.0 && stop.is_cancelled() { RESTARTING } else { (code, reason) };
    if code == GONE.0 {
        return;
    }
    let goodbye = async {
        let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        // The other end's goodbye, so that what was sent arrives before the connection is reset.
        while let Some(Ok(message)) = stream.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

async fn receive(stream: &mut SplitStream<WebSocket>, viewer: &Viewer, silent: &AtomicU32) -> Ending {
    while let Some(message) = stream.next().await {
        silent.store(0, Ordering::Relaxed);
        let done = match message {
            Ok(Message::Binary(bytes)) => viewer.input(bytes).await,
            Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(ClientMessage::Ack { bytes }) => viewer.ack(bytes).await,
                Ok(ClientMessage::Answer { text }) => viewer.answer(text).await,
                Ok(ClientMessage::Drive {}) => viewer.drive().await,
                Ok(ClientMessage::Resize { cols, rows }) => viewer.resize(Size { cols, rows }).await,
                Err(_) => return GARBAGE,
            },
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(()),
            Ok(Message::Close(_)) => return GONE,
            Err(error) if is_too_big(&error) => return TOO_BIG,
            Err(_) => return GONE,
        };
        if done.is_err() {
            return CLOSED;
        }
    }
    GONE
}

/// axum hides the kind of its error; only its words tell that a size was exceeded.
fn is_too_big(error: &axum::Error) -> bool {
    error.to_string().to_lowercase().contains("too long")
}

async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    viewer: &Viewer,
    patience: Patience,
    silent: &AtomicU32,
) -> Ending {
    let outbox = viewer.outbox();
    let mut ping = tokio::time::interval(patience.ping);
    ping.reset();
    loop {
        let message = tokio::select! {
            item = outbox.next() => match item {
                Item::Bytes(bytes) => Message::Binary(bytes),
                Item::Message(message) => match serde_json::to_string(&message) {
                    Ok(text) => Message::Text(text.into()),
                    Err(_) => continue,
                },
                Item::End(parting) => return ending(parting),
            },
            _ = ping.tick() => {
                if silent.fetch_add(1, Ordering::Relaxed) >= PINGS {
                    return GONE;
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        if !matches!(tokio::time::timeout(patience.write, sink.send(message)).await, Ok(Ok(()))) {
            return GONE;
        }
    }
}

fn ending(parting: Parting) -> Ending {
    match parting {
        Parting::Exited => EXITED,
        Parting::Closed => CLOSED,
        Parting::Stalled => STALLED,
        Parting::Flooding => FLOODING,
        Parting::Revoked => REVOKED,
    }
}
