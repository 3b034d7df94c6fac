//! What a supervisor, a balancer and a monitor ask.

use super::App;
use super::problem::{Answer, Failure};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// The process's figures; there is one recorder for all servers of a process.
pub(super) fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let make = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("figures are recorded elsewhere: /metrics has only those of sessions");
        }
        handle
    };
    HANDLE.get_or_init(make).clone()
}

/// Whether the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether it can serve: database, engine, and the sessions of before the start.
pub(super) async fn ready(State(app): State<App>) -> Answer<&'static str> {
    app.sessions.check().await?;
    if !app.sessions.is_recovered() {
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "sessions are being taken up again"));
    }
    Ok("ready\n")
}

/// Prometheus's text format.
pub(super) async fn figures(State(app): State<App>) -> impl IntoResponse {
    let counts = app.sessions.counts();
    for (name, count) in [
        ("sandlot_sessions", counts.placed),
        ("sandlot_sessions_queued", counts.waiting),
        ("sandlot_viewers", counts.viewers),
    ] {
        metrics::gauge!(name).set(u32::try_from(count).unwrap_or(u32::MAX));
    }
    app.recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.recorder.render())
}
