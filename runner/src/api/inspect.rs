//! What containers are, in Docker's shapes: `ps` and `inspect`.

use super::error::Answer;
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::health::Status as Health;
use crate::engine::record::{Record, State as Condition};
use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Docker's "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `GET /containers/json`
pub(super) async fn list(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let known = [
        "id", "name", "label", "status", "ancestor", "exited", "network", "volume", "before", "since",
        "health",
    ];
    let filters = Filters::of(&p, &known)?;
    let all = p.on("all") || p.number::<usize>("limit").is_some() || !filters.values("status").is_empty();
    let limit = p.number::<usize>("limit").filter(|n| *n > 0).unwrap_or(usize::MAX);
    let suits = |container: &Container| {
        let record = container.record();
        let image = |wanted: &str| {
            let plain = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
            plain(&record.config.image) == plain(wanted) || record.image.contains(wanted)
        };
        let exited = |wanted: &str| record.state.exit().is_some_and(|exit| wanted.parse() == Ok(exit.code));
        let volume = |wanted: &str| {
            let mut named = container.volumes().into_iter();
            named.any(|name| name == wanted) || record.mounts.iter().any(|m| m.target == wanted)
        };
        (all || record.state.active())
            && filters.any("id", |id| record.id.starts_with(id))
            && filters.any("name", |name| record.name.contains(name.trim_start_matches('/')))
            && filters.any("status", |status| record.state.word() == status)
            && filters.any("ancestor", image)
            && filters.any("exited", exited)
            && filters.any("volume", volume)
            && filters
                .any("health", |word| record.health.as_ref().map_or("none", |h| h.status.word()) == word)
            && filters.labels(&record.config.labels)
    };
    let chosen = engine.containers().into_iter().filter(|c| suits(c)).take(limit);
    let mut lines = Vec::new();
    for container in chosen {
        let size = if p.on("size") { engine.written(&container).await } else { 0 };
        lines.push(line(&engine, &container.record(), size));
    }
    Ok(Json(Value::Array(lines)))
}

/// A container as lists show it; `written` bytes are its own.
pub(super) fn line(engine: &Engine, record: &Record, written: u64) -> Value {
    json!({
        "Id": record.id,
        "Names": [format!("/{}", record.name)],
        "Image": record.config.image,
        "ImageID": record.image,
        "Command": command(record).join(" "),
        "Created": record.created.as_second(),
        "Ports": [],
        "Labels": record.config.labels,
        "State": record.state.word(),
        "Status": status(record),
        "HostConfig": { "NetworkMode": network(record) },
        "NetworkSettings": { "Networks": {} },
        "Mounts": mounts(engine, record),
        "SizeRw": written,
    })
}

fn command(record: &Record) -> Vec<String> {
    record.config.entrypoint.iter().flatten().chain(record.config.cmd.iter().flatten()).cloned().collect()
}

fn network(record: &Record) -> &str {
    match record.host.network_mode.as_str() {
        "" => "none",
        other => other,
    }
}

/// "Up 3 minutes", "Exited (1) 2 hours ago": words for people.
fn status(record: &Record) -> String {
    let health = match record.health.as_ref().map(|h| h.status) {
        None => String::new(),
        Some(Health::Starting) => " (health: starting)".to_owned(),
        Some(other) => format!(" ({})", other.word()),
    };
    match &record.state {
        Condition::Created => "Created".into(),
        Condition::Running { since, .. } => format!("Up {}{health}", ago(*since)),
        Condition::Paused { since, .. } => format!("Up {} (Paused)", ago(*since)),
        Condition::Restarting(exit) => format!("Restarting ({}) {} ago", exit.code, ago(exit.at)),
        Condition::Exited(exit) => format!("Exited ({}) {} ago", exit.code, ago(exit.at)),
    }
}

fn ago(then: Timestamp) -> String {
    let seconds = (Timestamp::now().as_second() - then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (s @ ..60, ..) => format!("{s} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, m @ ..60, _) => format!("{m} minutes"),
        (_, _, 1) => "About an hour".into(),
        (_, _, h @ ..48) => format!("{h} hours"),
        _ if days < 14 => format!("{days} days"),
        _ if days < 60 => format!("{} weeks", days / 7),
        _ if days < 730 => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}

/// `GET /containers/{id}/json`
pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let container = engine.find(&id)?;
    let record = container.record();
    let command = command(&record);
    let (path, arguments) = command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let mut host = serde_json::to_value(&record.host).unwrap_or_default();
    host["NetworkMode"] = json!(network(&record));
    host["CapAdd"] = json!(record.host.cap_add);
    Ok(Json(json!({
        "Id": record.id,
        "Created": record.created.to_string(),
        "Path": path,
        "Args": arguments,
        "State": state(&record),
        "Image": record.image,
        "ResolvConfPath": "",
        "HostnamePath": "",
        "HostsPath": "",
        "LogPath": container.dir.join("log.json"),
        "Name": format!("/{}", record.name),
        "RestartCount": record.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": engine.execs_of(&record.id),
        "HostConfig": host,
        "GraphDriver": { "Name": "overlay2", "Data": { "UpperDir": container.dir.join("upper"), "WorkDir": container.dir.join("work") } },
        "Mounts": mounts(&engine, &record),
        "Config": record.config,
        "NetworkSettings": { "Ports": {}, "Networks": {}, "IPAddress": "", "Gateway": "", "MacAddress": "" },
    })))
}

fn state(record: &Record) -> Value {
    let state = &record.state;
    let exit = state.exit();
    let alive = state.alive();
    let started = alive.map(|(_, since)| since).or(exit.and_then(|e| e.started));
    let mut shown = json!({
        "Status": state.word(),
        "Running": state.active(),
        "Paused": matches!(state, Condition::Paused { .. }),
        "Restarting": matches!(state, Condition::Restarting(_)),
        "OOMKilled": exit.is_some_and(|e| e.oom_killed),
        "Dead": false,
        "Pid": alive.map_or(0, |(pid, _)| pid),
        "ExitCode": exit.map_or(0, |e| e.code),
        "Error": exit.map_or("", |e| e.error.as_str()),
        "StartedAt": started.map_or_else(|| NEVER.to_owned(), |t| t.to_string()),
        "FinishedAt": exit.map_or_else(|| NEVER.to_owned(), |e| e.at.to_string()),
    });
    if let Some(health) = &record.health {
        shown["Health"] = json!(health);
    }
    shown
}

/// What `-v`, `--mount` and the image have mounted; a `--tmpfs` is left out, as Docker does.
fn mounts(engine: &Engine, record: &Record) -> Vec<Value> {
    use crate::engine::mount::Source;
    let shown = record.mounts.iter().filter_map(|mount| {
        let mut one = json!({
            "Destination": mount.target, "Mode": mount.mode, "RW": !mount.readonly, "Propagation": "",
        });
        match &mount.source {
            Source::Bind(path) => {
                one["Type"] = json!("bind");
                one["Source"] = json!(path);
                one["Propagation"] = json!("rprivate");
            }
            Source::Volume(name) => {
                one["Type"] = json!("volume");
                one["Name"] = json!(name);
                one["Driver"] = json!("local");
                one["Source"] = json!(engine.volume(name).map(|v| v.mountpoint).unwrap_or_default());
            }
            Source::Tmpfs(_) if record.host.tmpfs.contains_key(&mount.target) => return None,
            Source::Tmpfs(_) => {
                one["Type"] = json!("tmpfs");
                one["Source"] = json!("");
            }
        }
        Some(one)
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words() {
        let before = |seconds| Timestamp::from_second(Timestamp::now().as_second() - seconds).unwrap();
        for (seconds, words) in [
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (7200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(ago(before(seconds)), words);
        }
    }
}
