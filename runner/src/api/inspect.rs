//! What containers are, in Docker's shapes: a line of `ps`, and `inspect`.

use super::endpoints;
use super::error::Answer;
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

/// A container as lists show it; `written` bytes are its own, where somebody asks for that.
pub(super) fn line(engine: &Engine, record: &Record, written: Option<u64>) -> Value {
    let mut line = json!({
        "Id": record.id,
        "Names": [format!("/{}", record.name)],
        "Image": record.config.image,
        "ImageID": record.image,
        "Command": one_line(&command(record)),
        "Created": record.created.as_second(),
        "Ports": endpoints::port_list(record),
        "Labels": record.config.labels,
        "State": record.state.word(),
        "Status": status(record),
        "HostConfig": { "NetworkMode": network(record) },
        "NetworkSettings": { "Networks": endpoints::networks(engine, record) },
        "Mounts": mounts(engine, record),
    });
    if let Some(written) = written {
        line["SizeRootFs"] = json!(in_all(engine, record, written));
        if written > 0 {
            line["SizeRw"] = json!(written);
        }
    }
    line
}

fn command(record: &Record) -> Vec<String> {
    record.config.entrypoint.iter().flatten().chain(record.config.cmd.iter().flatten()).cloned().collect()
}

/// A command as one line: what has spaces in it is quoted.
fn one_line(command: &[String]) -> String {
    let quoted = |(n, word): (usize, &String)| match n {
        1.. if word.contains(' ') => format!("'{word}'"),
        _ => word.clone(),
    };
    command.iter().enumerate().map(quoted).collect::<Vec<_>>().join(" ")
}

pub(super) fn network(record: &Record) -> &str {
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
        Condition::Exited(exit) if exit.started.is_none() => "Created".into(),
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
pub(super) async fn inspect(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<Json<Value>> {
    let container = engine.find(&id)?;
    let record = container.record();
    let mut shown = whole(&engine, &container, &record);
    if p.on("size") {
        let written = engine.written(&container).await;
        shown["SizeRw"] = json!(written);
        shown["SizeRootFs"] = json!(in_all(&engine, &record, written));
    }
    Ok(Json(shown))
}

/// The bytes of a container's root, of which `written` are its own.
fn in_all(engine: &Engine, record: &Record, written: u64) -> u64 {
    written + engine.images.resolve(&record.image).map_or(0, |image| image.size)
}

fn whole(engine: &Engine, container: &Container, record: &Record) -> Value {
    let command = command(record);
    let (path, arguments) = command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let mut host = super::configuration::host(record);
    let links = engine.links_of(record);
    if !links.is_empty() {
        host["Links"] = json!(links);
    }
    json!({
        "Id": record.id,
        "Created": record.created.to_string(),
        "Path": path,
        "Args": arguments,
        "State": state(record),
        "Image": record.image,
        "ResolvConfPath": "",
        "HostnamePath": "",
        "HostsPath": "",
        "LogPath": if record.host.log_config.kind == "json-file" { json!(container.dir.join("log.json")) } else { json!("") },
        "Name": format!("/{}", record.name),
        "RestartCount": record.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": Some(engine.execs_of(&record.id)).filter(|ids| !ids.is_empty()),
        "HostConfig": host,
        "GraphDriver": { "Name": "overlay2", "Data": { "UpperDir": container.dir.join("upper"), "WorkDir": container.dir.join("work") } },
        "Mounts": mounts(engine, record),
        "Config": super::configuration::config(record),
        "NetworkSettings": endpoints::settings(engine, record),
    })
}

fn state(record: &Record) -> Value {
    let state = &record.state;
    let exit = state.exit();
    let alive = state.alive();
    let finished = exit.filter(|e| e.started.is_some()).map(|e| e.at).or(record.finished);
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
        "FinishedAt": finished.map_or_else(|| NEVER.to_owned(), |at| at.to_string()),
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
