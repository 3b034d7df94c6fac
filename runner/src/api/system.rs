//! The engine itself: ping, events, disk usage, login.

use super::VERSION;
use super::body;
use super::error::Answer;
use super::version::Version;
use crate::engine::Engine;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::HeaderValue;
use serde_json::{Value, json};

/// What every answer carries: the client takes its version from it.
pub(super) async fn headers(mut response: Response) -> Response {
    let all = [
        ("api-version", VERSION),
        // The client asks for checkpoints only then; what it is told is why there are none.
        ("docker-experimental", "true"),
        ("ostype", "linux"),
        ("server", "Sandlot"),
    ];
    for (name, value) in all {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /_ping`
pub(super) async fn ping() -> impl IntoResponse {
    ([("builder-version", "1"), ("cache-control", "no-cache, no-store, must-revalidate")], "OK")
}

/// `GET /plugins`: there are none, and will be none.
pub(super) async fn plugins() -> Json<Value> {
    Json(json!([]))
}

/// `POST /auth`: whether a registry takes these credentials.
pub(super) async fn auth(
    State(engine): State<Engine>,
    body::Body(wanted): body::Body<Value>,
) -> Answer<Json<Value>> {
    super::transfer::login(&engine, &wanted).await?;
    Ok(Json(json!({ "Status": "Login Succeeded", "IdentityToken": "" })))
}

/// `GET /system/df`
pub(super) async fn disk_usage(State(engine): State<Engine>, spoken: Version) -> Answer<Json<Value>> {
    let (images, total) = super::image_list::usage(&engine, spoken)?;
    let mut containers = Vec::new();
    for container in engine.containers() {
        let size = engine.written(&container).await;
        containers.push(super::inspect::line(&engine, &container.record(), Some(size)));
    }
    let mut volumes = Vec::new();
    for volume in engine.volumes() {
        let (size, users) = (engine.volume_bytes(&volume.name).await, engine.users_of(&volume.name).len());
        let mut shown = serde_json::to_value(&volume).unwrap_or_default();
        shown["UsageData"] = json!({ "Size": size, "RefCount": users });
        volumes.push(shown);
    }
    Ok(Json(
        json!({ "LayersSize": total, "Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": super::build::kept(&engine) }),
    ))
}
