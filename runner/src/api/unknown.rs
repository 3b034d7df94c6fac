//! Calls that are not served: those of Docker's that Sandlot never does, with the reason, and those that nobody has.

use super::error::Error;
use axum::extract::Request;
use hyper::{Method, StatusCode};

const MANAGER: &str =
    "This node is not a swarm manager. A swarm is never done by Sandlot: an engine serves one machine.";
const SWARM: &str = "a swarm is never done by Sandlot: an engine serves one machine";
const CLUSTER: &str =
    "volume update only valid for cluster volumes: a swarm, which would have them, is never done by Sandlot";
const PLUGINS: &str = "plug-ins are never done by Sandlot: they would run with the host's rights";
const BUILDKIT: &str = "BuildKit's sessions are never done by Sandlot: build with DOCKER_BUILDKIT=0";

/// The answer to a call that no route takes.
pub(super) async fn unknown(request: Request) -> Error {
    let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    refused(request.method(), &parts).unwrap_or_else(|| Error::new(StatusCode::NOT_FOUND, "page not found"))
}

fn refused(method: &Method, parts: &[&str]) -> Option<Error> {
    let (status, words) = match (method.as_str(), parts) {
        ("POST", ["swarm", "init" | "join"]) => (StatusCode::NOT_IMPLEMENTED, SWARM),
        ("POST", ["swarm", "leave"]) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This node is not part of a swarm: a swarm is never done by Sandlot",
        ),
        ("GET", ["swarm"] | ["swarm", "unlockkey"])
        | ("POST", ["swarm", "update" | "unlock"])
        | ("GET", ["nodes" | "services" | "tasks" | "secrets" | "configs", ..])
        | ("DELETE", ["nodes" | "services" | "secrets" | "configs", _])
        | ("POST", ["services" | "secrets" | "configs", "create"])
        | ("POST", ["nodes" | "services" | "secrets" | "configs", _, "update"]) => {
            (StatusCode::SERVICE_UNAVAILABLE, MANAGER)
        }
        ("GET", ["plugins", "privileges"])
        | (
            "POST",
            ["plugins", "pull" | "create"]
            | ["plugins", .., "enable" | "disable" | "push" | "set" | "upgrade"],
        ) => (StatusCode::NOT_IMPLEMENTED, PLUGINS),
        ("GET", ["plugins", name @ .., "json"]) | ("DELETE", ["plugins", name @ ..]) if !name.is_empty() => {
            let words = format!("plugin \"{}\" not found: {PLUGINS}", name.join("/"));
            return Some(Error::new(StatusCode::NOT_FOUND, words));
        }
        ("PUT", ["volumes", _]) => (StatusCode::SERVICE_UNAVAILABLE, CLUSTER),
        ("POST", ["session" | "grpc"]) => (StatusCode::NOT_IMPLEMENTED, BUILDKIT),
        _ => return None,
    };
    Some(Error::new(status, words))
}
