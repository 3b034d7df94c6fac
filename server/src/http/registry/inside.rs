//! The registry as sessions reach it: `registry:5000` on their own loopback, in plain HTTP and without a login, for the listener
//! itself says which session asks.

use super::answers::refused;
use super::login::Login;
use crate::http::{App, Parts};
use crate::session::inside::Service;
use axum::body::Body;
use axum::http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Connections of one session at once.
const CONNECTIONS: usize = 64;
/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a connection could not be accepted, before the next try.
const BREATH: Duration = Duration::from_millis(100);

/// See the module. It keeps no server alive.
pub(in crate::http) struct Loopback(Weak<Parts>);

impl Loopback {
    pub(in crate::http) fn new(parts: &Arc<Parts>) -> Self {
        Self(Arc::downgrade(parts))
    }
}

impl Service for Loopback {
    fn name(&self) -> &'static str {
        "registry"
    }

    fn port(&self) -> u16 {
        5000
    }

    fn serve(&self, session: String, listener: std::net::TcpListener) -> AbortHandle {
        tokio::spawn(listen(self.0.clone(), session, listener)).abort_handle()
    }
}

async fn listen(parts: Weak<Parts>, session: String, listener: std::net::TcpListener) {
    let listener = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(session, %error, "the registry cannot listen in the session"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task: what is connected ends with the session.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (parts, session) = (parts.clone(), session.clone());
                connections.spawn(async move {
                    connection(parts, session, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(session, %error, "a connection to the registry could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn connection(parts: Weak<Parts>, session: String, stream: TcpStream) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (parts, session) = (parts.clone(), session.clone());
        async move {
            let Some(app) = parts.upgrade().map(App) else {
                return Ok(refused(StatusCode::SERVICE_UNAVAILABLE, "UNKNOWN", "the playground is ending"));
            };
            let Some(caller) = app.sessions.owner(&session) else {
                return Ok(refused(StatusCode::FORBIDDEN, "DENIED", "nobody has this session yet"));
            };
            let response = super::answer(&app, &Login::of(caller), request.map(Body::new)).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a session's connection to the registry ended");
    }
}
