//! The web server's face: routes, authentication, pages, errors.
//!
//! Knows how requests look; what they mean is the business of [`crate::session`].

mod audit;
pub mod auth;
pub mod body;
pub mod body_kept;
pub mod body_registry;
pub mod course_body;
mod course_pages;
mod courses;
mod events;
pub mod file_body;
mod file_changes;
mod files;
mod health;
mod kept;
mod lab_sessions;
mod limits;
mod openapi;
mod origin;
mod pages;
mod pool;
mod ports;
mod preview;
mod problem;
mod recordings;
mod registry;
mod sessions;
mod shares;
mod socket;

use crate::config::Web;
use crate::course::learning::Learning;
use crate::session::Sessions;
use auth::Keys;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, post};
use axum::{Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

/// What every handler may use; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// See [`App`].
pub struct Parts {
    sessions: Sessions,
    learning: Learning,
    keys: Keys,
    web: Web,
    stop: CancellationToken,
    recorder: PrometheusHandle,
    previews: preview::Previews,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts it together; `stop` ends the WebSockets.
    #[must_use]
    pub fn new(
        learning: Learning,
        sessions: Sessions,
        keys: Keys,
        web: Web,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Parts {
            sessions,
            learning,
            keys,
            web,
            stop,
            recorder: health::recorder(),
            previews: preview::Previews::default(),
        }))
    }

    /// What sessions reach on their own loopback.
    #[must_use]
    pub fn inside(&self) -> Arc<dyn crate::session::inside::Service> {
        Arc::new(registry::Loopback::new(&self.0))
    }

    /// All routes.
    pub fn router(self) -> Router {
        let api = Router::new()
            .route("/sessions", post(sessions::create).get(sessions::list))
            .route("/sessions/{id}", get(sessions::get).delete(sessions::end))
            .route("/sessions/{id}/events", get(events::follow))
            .route("/sessions/{id}/pause", post(sessions::pause))
            .route("/sessions/{id}/unpause", post(sessions::unpause))
            .route("/sessions/{id}/extend", post(sessions::extend))
            .route("/sessions/{id}/reset", post(sessions::reset))
            .route("/sessions/{id}/commit", post(kept::keep))
            .route("/kept", get(kept::list))
            .route("/kept/{id}", delete(kept::forget))
            .route("/sessions/{id}/stats", get(sessions::stats))
            .route("/sessions/{id}/terminals", post(sessions::open_terminal))
            .route("/sessions/{id}/terminals/{terminal}", get(socket::attach))
            .route("/sessions/{id}/terminals/{terminal}", delete(sessions::close_terminal))
            .route(
                "/sessions/{id}/terminals/{terminal}/recording.cast",
                get(recordings::cast).delete(recordings::remove),
            )
            .route("/sessions/{id}/terminals/{terminal}/markers", post(recordings::mark))
            .route("/sessions/{id}/shares", post(shares::create).get(shares::list))
            .route("/sessions/{id}/shares/{share}", delete(shares::revoke))
            .route("/recordings", get(recordings::list))
            .route("/recordings/search", get(recordings::search))
            .route("/sessions/{id}/files", get(files::get))
            .route("/sessions/{id}/files/", get(files::get))
            .route(
                "/sessions/{id}/files/{*path}",
                get(files::get).put(files::put).post(files::rename).delete(files::delete),
            )
            .route("/sessions/{id}/file-changes", get(file_changes::follow))
            .route("/sessions/{id}/ports", get(ports::list))
            .merge(learning())
            .route("/images", get(sessions::images))
            .route("/registry", get(registry::look))
            .route("/me", get(sessions::me))
            .route("/audit", get(audit::look))
            .route("/pool", get(pool::look))
            .route("/pool/warm", post(pool::warm))
            .route_layer(middleware::from_fn_with_state(self.clone(), auth::identify))
            .route("/info", get(health::info))
            .route("/registry/token", get(registry::token))
            .route("/openapi.json", get(openapi::describe));
        let previews = Router::new()
            .route("/preview/{session}/{port}", get(preview::open))
            .route_layer(middleware::from_fn_with_state(self.clone(), auth::identify));
        let routes = Router::new()
            .nest("/api/v1", api)
            .route("/admin", get(pages::administer))
            .route("/s/{name}", get(shares::open))
            .merge(previews)
            .fallback(pages::serve)
            .layer(DefaultBodyLimit::max(limits::BODY))
            .layer(from_fn_with_state(self.clone(), origin::check));
        routes
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::figures))
            .layer(from_fn_with_state(self.clone(), limits::time))
            .layer(from_fn(limits::count))
            .layer(CompressionLayer::new().compress_when(limits::packed()))
            // As large and as long as they come, byte for byte.
            .route("/v2", any(registry::call))
            .route("/v2/{*rest}", any(registry::call))
            .route("/v2/", any(registry::call))
            .layer(from_fn(limits::secure))
            .layer(from_fn_with_state(self.clone(), preview::divert))
            .with_state(self)
    }
}

/// The routes of courses, and of sessions that belong to labs.
fn learning() -> Router<App> {
    Router::new()
        .route("/courses", get(courses::list))
        .route("/courses/{course}", get(courses::course))
        .route("/courses/{course}/labs/{lab}", get(courses::lab))
        .route("/courses/{course}/labs/{lab}/answer", post(courses::answer))
        .route("/courses/{course}/labs/{lab}/read", post(courses::read))
        .route("/courses/{course}/slides/{deck}", get(courses::slides))
        .route("/courses/{course}/files/{*path}", get(courses::file))
        .route("/courses/{course}/progress", get(courses::progress))
        .route("/sessions/{id}/lab", get(lab_sessions::get))
        .route("/sessions/{id}/lab/check", post(lab_sessions::check))
        .route("/sessions/{id}/lab/open", post(lab_sessions::open))
        .route("/sessions/{id}/lab/solve", post(lab_sessions::solve))
        .route("/sessions/{id}/lab/back", post(lab_sessions::back))
}
