//! `GET /containers/json`: what `ps` shows, and which of them.

use super::endpoints;
use super::error::{Answer, Error};
use super::filters::Filters;
use super::inspect::line;
use super::query::Parameters;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::record::Record;
use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use std::sync::Arc;

/// The kinds of filter.
const KNOWN: [&str; 14] = [
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network",
    "publish", "since", "status", "volume",
];
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];
/// The largest program that a pattern of a name may become.
const PATTERN: usize = 64 << 10;

/// The handler.
pub(super) async fn list(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &KNOWN)?;
    let wanted = Wanted::of(&engine, &filters)?;
    let limit = p.number::<i64>("limit")?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let all =
        p.on("all") || limit.is_some() || ["status", "exited"].iter().any(|k| !filters.values(k).is_empty());
    let volume = |container: &Container, record: &Record| {
        filters.any("volume", |wanted| {
            container.volumes().iter().any(|name| name == wanted)
                || record.mounts.iter().any(|m| m.target == wanted)
        })
    };
    let network = |record: &Record| filters.any("network", |n| endpoints::is_in(&engine, record, n));
    let suits = |container: &Arc<Container>| {
        let record = container.record();
        (all || record.state.active())
            && wanted.suits(&record, &filters)
            && volume(container, &record)
            && network(&record)
    };
    let chosen = engine.containers().into_iter().filter(suits).take(limit.unwrap_or(usize::MAX));
    let mut lines = Vec::new();
    for container in chosen {
        let size = if p.on("size") { Some(engine.written(&container).await) } else { None };
        lines.push(line(&engine, &container.record(), size));
    }
    Ok(Json(Value::Array(lines)))
}

/// The filters whose values can be wrong, read.
struct Wanted {
    names: Vec<Regex>,
    ancestors: Vec<String>,
    exited: Vec<i32>,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
}

impl Wanted {
    fn of(engine: &Engine, filters: &Filters) -> Answer<Self> {
        let invalid = |kind: &str, value: &str| Error::bad(format!("invalid filter '{kind}={value}'"));
        for (kind, known) in
            [("status", &STATES[..]), ("health", &HEALTHS), ("is-task", &["0", "1", "true", "false"])]
        {
            if let Some(bad) = filters.values(kind).iter().find(|v| !known.contains(&v.as_str())) {
                return Err(invalid(kind, bad));
            }
        }
        let pattern = |text: &String| {
            regex::RegexBuilder::new(text).size_limit(PATTERN).build().map_err(|_| invalid("name", text))
        };
        let number = |text: &String| text.parse().map_err(|_| invalid("exited", text));
        let moment = |kind| match filters.values(kind).first() {
            Some(key) => engine.find(key).map(|c| Some(c.record().created)),
            None => Ok(None),
        };
        // One that is not there is no ancestor of anything.
        let ancestor = |name: &String| engine.images.resolve(name).ok().map(|image| image.id.to_string());
        Ok(Self {
            names: filters.values("name").iter().map(pattern).collect::<Result<_, _>>()?,
            ancestors: filters.values("ancestor").iter().filter_map(ancestor).collect(),
            exited: filters.values("exited").iter().map(number).collect::<Result<_, _>>()?,
            before: moment("before")?,
            since: moment("since")?,
        })
    }

    fn suits(&self, record: &Record, filters: &Filters) -> bool {
        let name = |pattern: &Regex| {
            pattern.is_match(&record.name) || pattern.is_match(&format!("/{}", record.name))
        };
        let exited = || record.state.exit().is_some_and(|exit| self.exited.contains(&exit.code));
        (self.names.is_empty() || self.names.iter().any(name))
            && (filters.values("ancestor").is_empty() || self.ancestors.contains(&record.image))
            && (self.exited.is_empty() || exited())
            && self.before.is_none_or(|before| record.created < before)
            && self.since.is_none_or(|since| record.created > since)
            && filters.any("id", |id| record.id.starts_with(id))
            && filters.any("status", |status| record.state.word() == status)
            && filters
                .any("health", |word| record.health.as_ref().map_or("none", |h| h.status.word()) == word)
            && filters.any("expose", |port| ports(record, Ports::Exposed).any(|p| same(p, port)))
            && filters.any("publish", |port| ports(record, Ports::Published).any(|p| same(p, port)))
            && filters.any("is-task", |task| matches!(task, "0" | "false"))
            && filters.labels(&record.config.labels)
    }
}

/// Which ports of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// Those that its image or its creator names.
    Exposed,
    /// Those that the host has.
    Published,
}

/// The ports of a container that can be reached at all.
fn ports(record: &Record, which: Ports) -> impl Iterator<Item = &str> {
    let reached = !matches!(super::inspect::network(record), "none");
    let (exposed, published) = (record.config.exposed_ports.keys(), record.host.port_bindings.keys());
    let published = published.map(String::as_str).filter(move |_| reached);
    published.chain(exposed.map(String::as_str).filter(move |_| reached && which == Ports::Exposed))
}

/// `80` is `80/tcp`; a range is each of its ports.
fn same(port: &str, wanted: &str) -> bool {
    let (numbers, kind) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (number, own) = port.split_once('/').unwrap_or((port, "tcp"));
    let (from, to) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let within =
        |n: u16| from.parse().is_ok_and(|from: u16| from <= n) && to.parse().is_ok_and(|to: u16| n <= to);
    kind == own && number.parse().is_ok_and(within)
}
