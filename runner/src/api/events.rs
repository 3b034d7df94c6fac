//! `GET /events`: what happened, from when to when, and of what.

use super::error::{Answer, Error};
use super::filters::Filters;
use super::moment;
use super::query::Parameters;
use crate::engine::Engine;
use crate::engine::events::Event;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The kinds of filters.
const KNOWN: [&str; 16] = [
    "builder",
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
    "label!",
];
/// As long as nobody waits.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// The handler.
pub(super) async fn events(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer {
    let filters = Filters::of(&p, &KNOWN)?;
    let (since, until) = (moment::of(&p, "since")?, moment::of(&p, "until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        let said = |name| p.text(name).unwrap_or_default();
        let (since, until) = (said("since"), said("until"));
        return Err(Error::bad(format!("`since` time ({since}) cannot be after `until` time ({until})")));
    }
    let (kept, receiver) = engine.events.follow();
    let nanos = |time: Timestamp| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
    let (from, to) = (since.map(nanos), until.map(nanos));
    let within = |e: &Event| from.is_none_or(|f| e.nanos >= f) && to.is_none_or(|t| e.nanos <= t);
    // As with Docker, the past is told to who names a time.
    let asked = from.is_some() || to.is_some();
    let old: Vec<Event> = kept.into_iter().filter(|e| asked && within(e)).collect();
    let left = until.map_or(FOR_EVER, |until| {
        Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO).min(FOR_EVER)
    });
    let last = tokio::time::Instant::now() + left;
    let new = futures_util::stream::unfold(receiver, move |mut receiver| async move {
        let next = async {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some(event),
                    // Who is too slow misses some, as with Docker.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        let event = tokio::time::timeout_at(last, next).await.ok().flatten()?;
        Some((event, receiver))
    });
    let lines = futures_util::stream::iter(old)
        .chain(new)
        .filter(move |event| futures_util::future::ready(suits(&filters, event)))
        .map(|event| Ok::<_, std::convert::Infallible>(shown(&event).to_string() + "\n"));
    Response::builder()
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(lines))
        .map_err(|e| Error::bad(e.to_string()))
}

/// With the fields that older clients read.
fn shown(event: &Event) -> Value {
    let mut shown = json!(event);
    if matches!(event.kind, "container" | "image") {
        shown["status"] = json!(event.action);
        shown["id"] = json!(event.actor.id);
    }
    if event.kind == "container" {
        shown["from"] = json!(event.actor.attributes.get("image"));
    }
    shown
}

fn suits(filters: &Filters, event: &Event) -> bool {
    let said = |name: &str| event.actor.attributes.get(name).map(String::as_str).unwrap_or_default();
    let of_kind = |kind: &'static str| {
        filters.any(kind, |wanted| {
            event.kind == kind && (event.actor.id.starts_with(wanted) || said("name").starts_with(wanted))
        })
    };
    let image = |wanted: &str| {
        let name = said(if event.kind == "image" { "name" } else { "image" });
        let plain =
            name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
        event.actor.id == wanted || name == wanted || plain == wanted
    };
    // `exec_create: sh -c …` is found by `exec_create`, `health_status: healthy` by `health_status`.
    let action = |wanted: &str| {
        event.action == wanted || event.action.split(": ").next().is_some_and(|begin| begin == wanted)
    };
    let kinds = [
        "container",
        "volume",
        "network",
        "daemon",
        "plugin",
        "service",
        "node",
        "secret",
        "config",
        "builder",
    ];
    filters.any("type", |kind| event.kind == kind)
        && filters.any("event", action)
        && filters.any("scope", |scope| event.scope == scope)
        && filters.any("image", image)
        && kinds.into_iter().all(of_kind)
        && filters.labels(&event.actor.attributes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::events::Actor;

    fn event(kind: &'static str, action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let actor = Actor { id: id.to_owned(), attributes };
        Event { kind, action: action.to_owned(), actor, scope: "local", seconds: 1, nanos: 1 }
    }

    fn asked(filters: &str) -> Filters {
        let query = [("filters".to_owned(), filters.to_owned())];
        let parameters = serde_json::from_value(json!(std::collections::HashMap::from(query))).unwrap();
        Filters::of(&parameters, &KNOWN).unwrap()
    }

    #[test]
    fn each_filter_finds_its_own() {
        let attributes = [("name", "box"), ("image", "reg/a:1"), ("color", "red")];
        let exec = event("container", "exec_create: sh -c true", "abc123", &attributes);
        for (filters, found) in [
            (r#"{"event":["exec_create"]}"#, true),
            (r#"{"event":["exec_start"]}"#, false),
            (r#"{"container":["abc"]}"#, true),
            (r#"{"container":["box"],"type":["container"]}"#, true),
            (r#"{"container":["other"]}"#, false),
            (r#"{"image":["reg/a"]}"#, true),
            (r#"{"image":["reg/a:2"]}"#, false),
            (r#"{"label":["color=red"]}"#, true),
            (r#"{"label":["color=blue"]}"#, false),
            (r#"{"volume":["abc"]}"#, false),
            (r#"{"scope":["swarm"]}"#, false),
            (r#"{"type":["image","container"]}"#, true),
        ] {
            assert_eq!(suits(&asked(filters), &exec), found, "{filters}");
        }
        let volume = event("volume", "mount", "data", &[("container", "abc123")]);
        assert!(suits(&asked(r#"{"volume":["data"]}"#), &volume));
        assert!(!suits(&asked(r#"{"container":["abc123"]}"#), &volume));
    }

    #[test]
    fn older_clients_find_their_fields() {
        let old = shown(&event("container", "die", "abc", &[("image", "i")]));
        assert_eq!((&old["status"], &old["id"], &old["from"]), (&json!("die"), &json!("abc"), &json!("i")));
        assert!(shown(&event("volume", "create", "v", &[])).get("status").is_none());
    }
}
