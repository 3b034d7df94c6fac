//! The engine itself: ping, events, disk usage, login.

use super::VERSION;
use super::body;
use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::engine::events::Event;
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

/// What every answer carries: the client takes its version from it.
pub(super) async fn headers(mut response: Response) -> Response {
    let all = [
        ("api-version", VERSION),
        ("docker-experimental", "false"),
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

/// `GET /events`
pub(super) async fn events(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer {
    let known = ["container", "event", "type", "label", "image", "volume", "scope"];
    let filters = Filters::of(&p, &known)?;
    let (since, until) = (p.number::<f64>("since")?, p.number::<f64>("until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Error::bad(format!("`since` time ({since}) cannot be after `until` time ({until})")));
    }
    let suits = move |event: &Event| {
        filters.any("type", |t| event.kind == t)
            && filters.any("event", |e| event.action == e)
            && filters.any("container", |c| {
                event.actor.id.starts_with(c) || event.actor.attributes.get("name").is_some_and(|n| n == c)
            })
            && filters.any("image", |i| event.actor.attributes.get("image").is_some_and(|n| n == i))
            && filters.labels(&event.actor.attributes)
    };
    let (kept, receiver) = engine.events.follow();
    let seconds =
        |e: &Event| std::time::Duration::from_nanos(u64::try_from(e.nanos).unwrap_or(0)).as_secs_f64();
    let old: Vec<Event> = match since {
        Some(since) => kept
            .into_iter()
            .filter(|e| seconds(e) >= since && until.is_none_or(|u| seconds(e) <= u))
            .collect(),
        None => Vec::new(),
    };
    let last = until.map(|until| {
        let left = until
            - std::time::Duration::from_secs(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0))
                .as_secs_f64();
        tokio::time::Instant::now() + std::time::Duration::from_secs_f64(left.clamp(0.0, 1e9))
    });
    let new = futures_util::stream::unfold(receiver, move |mut receiver| async move {
        let next = async {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some(event),
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        let event = match last {
            Some(last) => tokio::time::timeout_at(last, next).await.ok().flatten()?,
            None => next.await?,
        };
        Some((event, receiver))
    });
    let lines = futures_util::stream::iter(old)
        .chain(new)
        .filter(move |event| futures_util::future::ready(suits(event)))
        .map(|event| serde_json::to_string(&event).map(|line| line + "\n"));
    Response::builder()
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(lines))
        .map_err(|e| Error::bad(e.to_string()))
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
        json!({ "LayersSize": total, "Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": [] }),
    ))
}
