//! Who may call what. The engine's own socket serves everything to root; the web server's serves sessions to one user.
//!
//! The web server faces the internet: whoever takes it over gets no further than what is allowed here.

use super::error::Error;
use crate::engine::Engine;
use crate::engine::model::{Config, HostConfig};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;

/// What a socket allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everything, to root.
    Everything,
    /// Sessions alone, to root and one more user.
    Sessions {
        /// The user.
        uid: u32,
    },
}

/// The longest body of a creation: each is kept in the engine's memory as long as its container.
const BODY: usize = 128 << 10;
/// The share of processor time that every container has.
const SHARES: i64 = 1024;
/// The weight of block i/o that every container has.
const WEIGHT: u16 = 500;

impl Policy {
    /// Whether who connected may.
    pub(super) fn admits(self, stream: &UnixStream) -> bool {
        let Ok(peer) = stream.peer_cred() else { return false };
        let us = rustix::process::geteuid().as_raw();
        match self {
            // Within a container the socket's mode says who may.
            Self::Everything => peer.uid() == 0 || peer.uid() == us || sandlot_sys::userns::within(),
            Self::Sessions { uid } => peer.uid() == 0 || peer.uid() == us || peer.uid() == uid,
        }
    }
}

/// Lets a call through, or not.
pub(super) async fn enforce(
    State((engine, policy)): State<(Engine, Policy)>,
    request: Request,
    next: Next,
) -> Response {
    match policy {
        Policy::Everything => next.run(request).await,
        Policy::Sessions { .. } => match narrow(&engine, request).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        },
    }
}

async fn narrow(engine: &Engine, request: Request) -> Result<Request, Error> {
    let refused = || {
        let call = format!("{} {}", request.method(), request.uri().path());
        Error::new(StatusCode::FORBIDDEN, format!("{call} is not for the web server's socket"))
    };
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method().as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["_ping" | "version" | "info"])
        | ("GET", ["images", "json"] | ["images", .., "json"] | ["sandlot", "v1", "meters"]) => Ok(request),
        ("GET", ["containers", "json"]) => sessions_only(request),
        ("DELETE", ["sandlot", "v1", "kept", _]) => Ok(request),
        ("POST", ["containers", "create"]) => creation(request).await,
        (_, ["containers", id, ..] | ["sandlot", "v1", "containers", id, ..])
            if allowed(request.method(), &parts) =>
        {
            match engine.find(id) {
                Ok(container) if container.record().session().is_some() => Ok(request),
                // Not "forbidden": what is no session is not there, for the web server.
                _ => Err(Error::new(StatusCode::NOT_FOUND, format!("No such container: {id}"))),
            }
        }
        _ => Err(refused()),
    }
}

fn allowed(method: &Method, parts: &[&str]) -> bool {
    match parts {
        ["sandlot", ..] => true,
        ["containers", _] => method == Method::DELETE,
        ["containers", _, verb] => matches!(
            *verb,
            "json" | "start" | "stop" | "kill" | "pause" | "unpause" | "wait" | "stats" | "logs" | "top"
        ),
        _ => false,
    }
}

/// A list shows sessions alone, whatever else it is asked for.
fn sessions_only(request: Request) -> Result<Request, Error> {
    let (mut parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let (filters, others): (Vec<_>, Vec<_>) =
        url::form_urlencoded::parse(query.as_bytes()).partition(|(name, _)| name == "filters");
    let asked = match filters.as_slice() {
        [] => Value::default(),
        [(_, text)] => serde_json::from_str(text).map_err(|e| Error::bad(format!("invalid filters: {e}")))?,
        _ => return Err(Error::bad("invalid filters: there are several")),
    };
    let own = sandlot_wire::LABEL_SESSION;
    let mut asked = match asked {
        Value::Null => Map::new(),
        Value::Object(asked) => asked,
        _ => return Err(Error::bad("invalid filters: an object is needed")),
    };
    match asked.entry("label").or_insert_with(|| json!({})) {
        Value::Object(labels) => drop(labels.insert(own.to_owned(), Value::Bool(true))),
        Value::Array(labels) => labels.push(own.into()),
        _ => return Err(Error::bad("invalid filters: label")),
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(others).append_pair("filters", &Value::Object(asked).to_string());
    let uri = format!("{}?{}", parts.uri.path(), query.finish());
    parts.uri = uri.parse().map_err(|e| Error::bad(format!("invalid filters: {e}")))?;
    Ok(Request::from_parts(parts, body))
}

/// What of the host a session would take that has no limit.
fn unlimited(host: &HostConfig) -> Option<&'static str> {
    let asked = &host.resources;
    let limits = [
        (asked.memory > 0 && asked.memory_swap > 0, "memory and swap"),
        (asked.nano_cpus > 0 || asked.cpu_quota > 0, "processor time"),
        (asked.pids_limit.is_some_and(|most| most > 0), "processes"),
        (host.storage_opt.contains_key("size"), "disk"),
    ];
    limits.into_iter().find(|(set, _)| !set).map(|(_, what)| what)
}

/// A creation must be of a session, and take nothing of the host but what limits allow.
async fn creation(request: Request) -> Result<Request, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Creation {
        #[serde(flatten)]
        config: Config,
        #[serde(default)]
        host_config: HostConfig,
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY).await.map_err(|e| Error::bad(e.to_string()))?;
    let wanted: Creation =
        serde_json::from_slice(&bytes).map_err(|e| Error::bad(format!("invalid body: {e}")))?;
    let host = &wanted.host_config;
    let refuse = |what: &str| {
        Err(Error::new(StatusCode::FORBIDDEN, format!("{what} is not for the web server's socket")))
    };
    if !wanted.config.labels.contains_key(sandlot_wire::LABEL_SESSION) {
        return refuse("a container that is no session");
    }
    if !host.binds.is_empty() || !host.mounts.is_empty() || !host.tmpfs.is_empty() {
        return refuse("a mount");
    }
    // What another container has mounted may be of the host's.
    if !wanted.config.volumes.is_empty() || !host.volumes_from.is_empty() {
        return refuse("a volume");
    }
    if !host.cap_add.is_empty() || !host.security_opt.is_empty() || !host.sysctls.is_empty() {
        return refuse("a change of the container's walls");
    }
    // What would be spared when memory runs out, or have more than its share.
    let asked = &host.resources;
    let preferred = asked.cpu_shares > SHARES || asked.blkio_weight > WEIGHT || asked.memory_reservation > 0;
    if host.oom_score_adj < 0 || !host.ulimits.is_empty() || preferred {
        return refuse("precedence over other containers");
    }
    if let Some(what) = unlimited(host) {
        return refuse(&format!("a session without a limit of {what}"));
    }
    // An empty mode would be the engine's default network, where sessions have neighbours.
    if !matches!(host.network_mode.as_str(), "none" | "internet") {
        return refuse("a network with neighbours");
    }
    if !host.port_bindings.is_empty() || host.publish_all_ports || !host.links.is_empty() {
        return refuse("a port of the host");
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
