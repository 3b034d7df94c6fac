//! What a supervisor, a balancer and a monitor ask.

use super::App;
use super::body::{EngineKind, Info};
use super::problem::{Answer, Failure};
use axum::Json;
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
/// Promises that the engine cannot keep are told, a line each.
pub(super) async fn ready(State(app): State<App>) -> Answer<String> {
    app.sessions.check().await?;
    if !app.sessions.is_recovered() {
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "sessions are being taken up again"));
    }
    let voids = app.sessions.voids().iter().map(|void| format!("not promised: {void}\n"));
    Ok(std::iter::once("ready\n".to_owned()).chain(voids).collect())
}

/// What this playground is, for everybody.
#[utoipa::path(get, path = "/api/v1/info", responses((status = 200, body = Info)))]
pub(super) async fn info(State(app): State<App>) -> Json<Info> {
    let voids = app.sessions.voids();
    Json(Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: if voids.is_empty() { EngineKind::Sandlot } else { EngineKind::Stock },
        not_promised: voids.iter().map(|void| (*void).to_owned()).collect(),
    })
}

/// Prometheus's text format.
pub(super) async fn figures(State(app): State<App>) -> impl IntoResponse {
    let (counts, (pooled, pooled_memory)) = (app.sessions.counts(), app.sessions.pooled());
    for (name, count) in [
        ("sandlot_sessions", counts.placed),
        ("sandlot_sessions_queued", counts.waiting),
        ("sandlot_viewers", counts.viewers),
        ("sandlot_pool_ready", pooled),
    ] {
        metrics::gauge!(name).set(u32::try_from(count).unwrap_or(u32::MAX));
    }
    #[expect(clippy::cast_precision_loss, reason = "bytes to 53 bits")]
    metrics::gauge!("sandlot_pool_memory_bytes").set(pooled_memory as f64);
    app.recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.recorder.render())
}
