//! Connections that stop speaking HTTP, and answers that come bit by bit.

use super::IMAGE;
use super::peer::{Peer, Told};
use anyhow::{Context, Result};
use sandlot_tests::socket::{Open, Request, frames};
use serde_json::{Value, json};
use std::pin::Pin;

type Scenario = fn(Peer) -> Pin<Box<dyn Future<Output = Result<Vec<Told>>> + Send>>;

/// All of them.
pub(super) const ALL: &[(&str, Scenario)] = &[
    ("attached", |peer| Box::pin(attached(peer, "attached", false))),
    ("attached-tty", |peer| Box::pin(attached(peer, "attached-tty", true))),
    ("afterwards", |peer| Box::pin(afterwards(peer))),
    ("executed", |peer| Box::pin(executed(peer, "executed", false))),
    ("executed-tty", |peer| Box::pin(executed(peer, "executed-tty", true))),
    ("plain", |peer| Box::pin(plain(peer))),
    ("followed", |peer| Box::pin(followed(peer))),
];

/// Answers a line, and without a terminal all that comes after it.
const SCRIPT: &str = "read line; echo got $line; echo err >&2; [ -t 0 ] || cat; exit 4";

/// What is told under the name of a scenario.
struct Lab {
    peer: Peer,
    name: &'static str,
    told: Vec<Told>,
}

impl Lab {
    fn new(peer: Peer, name: &'static str) -> Self {
        Self { peer, name, told: Vec::new() }
    }

    fn place(&self, what: &str) -> String {
        super::normal::text(&format!("{} {}: {what}", self.name, self.told.len()), "/no/root")
    }

    async fn call(&mut self, method: &str, target: &str, body: Option<Value>) -> Result<Value> {
        let mut request = Request::new(method, target);
        if let Some(body) = body {
            request = request.json(&body.to_string());
        }
        let (answer, told) = self.peer.call(self.place(&format!("{method} {target}")), &request).await?;
        self.told.push(told);
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn create(&mut self, config: Value) -> Result<String> {
        let mut whole = json!({ "Image": IMAGE, "HostConfig": { "NetworkMode": "none" } });
        for (key, value) in config.as_object().context("an object")? {
            whole[key] = value.clone();
        }
        let name = format!("{}-box", self.name);
        self.call("POST", &format!("/containers/create?name={name}"), Some(whole)).await?;
        Ok(name)
    }

    /// Opens a connection; its head is told.
    async fn open(&mut self, request: Request) -> Result<Open> {
        let place = self.place(&format!("{} {}", request.method, request.target));
        let open = self.peer.open(&request).await.with_context(|| place.clone())?;
        self.told.push(self.peer.told(place, &open.head, Value::Null));
        Ok(open)
    }

    /// Types to [`SCRIPT`], and reads to its end.
    async fn converse(&mut self, open: &mut Open, tty: bool) -> Result<()> {
        open.send(b"hello\n").await?;
        let mut all = open.until(|seen| seen.windows(9).any(|w| w == b"got hello")).await?;
        if !tty {
            open.send(b"more\n").await?;
            open.finish().await?;
        }
        all.extend(open.rest().await?);
        self.tell("all that was printed", sorted(shown(&all, tty)));
        Ok(())
    }

    fn tell(&mut self, what: &str, seen: Value) {
        let place = self.place(what);
        self.told.push(Told { call: place, answer: json!({ "body": seen }) });
    }
}

/// Bytes of a terminal as they are, those of pipes by frame.
fn shown(bytes: &[u8], tty: bool) -> Value {
    match frames(bytes) {
        Ok(frames) if !tty => json!(frames),
        _ => json!(String::from_utf8_lossy(bytes)),
    }
}

fn upgrade(request: Request) -> Request {
    request.header("Connection", "Upgrade").header("Upgrade", "tcp")
}

/// Attach before the start, type, close the typing half, read to the end.
async fn attached(peer: Peer, name: &'static str, tty: bool) -> Result<Vec<Told>> {
    let mut lab = Lab::new(peer, name);
    let config = json!({
        "Cmd": ["sh", "-c", SCRIPT], "OpenStdin": true, "StdinOnce": true, "Tty": tty,
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
    });
    let container = lab.create(config).await?;
    let target = format!("/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1");
    let mut open = lab.open(upgrade(Request::new("POST", &target))).await?;
    lab.call("POST", &format!("/containers/{container}/start"), None).await?;
    lab.converse(&mut open, tty).await?;
    lab.call("POST", &format!("/containers/{container}/wait"), None).await?;
    lab.call("DELETE", &format!("/containers/{container}"), None).await?;
    Ok(lab.told)
}

/// Which of two streams was read first is chance: one text for each.
fn sorted(seen: Value) -> Value {
    let Value::Array(frames) = seen else { return seen };
    let mut by_stream = std::collections::BTreeMap::<String, String>::new();
    for frame in &frames {
        let text = frame[1].as_str().unwrap_or_default();
        by_stream.entry(frame[0].to_string()).or_default().push_str(text);
    }
    json!(by_stream)
}

/// What was printed before is replayed with `logs`; without `stream` that is all.
async fn afterwards(peer: Peer) -> Result<Vec<Told>> {
    let mut lab = Lab::new(peer, "afterwards");
    let container = lab.create(json!({ "Cmd": ["sh", "-c", "echo one; echo two >&2"] })).await?;
    lab.call("POST", &format!("/containers/{container}/start"), None).await?;
    lab.call("POST", &format!("/containers/{container}/wait"), None).await?;
    for query in ["logs=1&stdout=1&stderr=1", "logs=1&stderr=1"] {
        let request = Request::new("POST", &format!("/containers/{container}/attach?{query}"));
        let mut open = lab.open(upgrade(request)).await?;
        let all = open.rest().await?;
        lab.tell("the replay", sorted(shown(&all, false)));
    }
    lab.call("DELETE", &format!("/containers/{container}"), None).await?;
    Ok(lab.told)
}

/// Executions with streams: input to its end, output, exit code.
async fn executed(peer: Peer, name: &'static str, tty: bool) -> Result<Vec<Told>> {
    let mut lab = Lab::new(peer, name);
    let container = lab.create(json!({ "Cmd": ["sleep", "1000"] })).await?;
    lab.call("POST", &format!("/containers/{container}/start"), None).await?;
    let wanted = json!({
        "Cmd": ["sh", "-c", SCRIPT], "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": tty,
    });
    let made = lab.call("POST", &format!("/containers/{container}/exec"), Some(wanted)).await?;
    let id = made["Id"].as_str().context("an id")?.to_owned();
    let request = Request::new("POST", &format!("/exec/{id}/start"));
    let request = request.json(&json!({ "Detach": false, "Tty": tty }).to_string());
    let mut open = lab.open(upgrade(request)).await?;
    lab.converse(&mut open, tty).await?;
    lab.call("GET", &format!("/exec/{id}/json"), None).await?;
    lab.call("DELETE", &format!("/containers/{container}?force=1"), None).await?;
    Ok(lab.told)
}

/// Clients that ask for no upgrade read the output all the same.
async fn plain(peer: Peer) -> Result<Vec<Told>> {
    let mut lab = Lab::new(peer, "plain");
    let container =
        lab.create(json!({ "Cmd": ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"] })).await?;
    let both = |seen: &[u8]| ["out", "err"].iter().all(|word| seen.windows(3).any(|w| w == word.as_bytes()));
    let target = format!("/containers/{container}/attach?stream=1&stdout=1&stderr=1");
    let mut open = lab.open(Request::new("POST", &target)).await?;
    lab.call("POST", &format!("/containers/{container}/start"), None).await?;
    let all = open.until(both).await?;
    lab.tell("what was printed", sorted(shown(&all, false)));
    let wanted =
        json!({ "Cmd": ["sh", "-c", "echo out; echo err >&2"], "AttachStdout": true, "AttachStderr": true });
    let made = lab.call("POST", &format!("/containers/{container}/exec"), Some(wanted)).await?;
    let id = made["Id"].as_str().context("an id")?.to_owned();
    let mut open = lab.open(Request::new("POST", &format!("/exec/{id}/start")).json("{}")).await?;
    let all = open.rest().await?;
    lab.tell("what was printed", sorted(shown(&all, false)));
    lab.call("DELETE", &format!("/containers/{container}?force=1"), None).await?;
    Ok(lab.told)
}

/// Logs that are followed come while the container prints, and end with it.
async fn followed(peer: Peer) -> Result<Vec<Told>> {
    let mut lab = Lab::new(peer, "followed");
    let script = "echo first; read line; echo last $line";
    let container =
        lab.create(json!({ "Cmd": ["sh", "-c", script], "OpenStdin": true, "StdinOnce": true })).await?;
    let mut input = lab
        .open(upgrade(Request::new("POST", &format!("/containers/{container}/attach?stream=1&stdin=1"))))
        .await?;
    lab.call("POST", &format!("/containers/{container}/start"), None).await?;
    let mut logs =
        lab.open(Request::new("GET", &format!("/containers/{container}/logs?stdout=1&follow=1"))).await?;
    let mut all = logs.until(|seen| seen.windows(5).any(|w| w == b"first")).await?;
    input.send(b"word\n").await?;
    all.extend(logs.rest().await?);
    lab.tell("the log", shown(&all, false));
    lab.call("POST", &format!("/containers/{container}/wait"), None).await?;
    lab.call("DELETE", &format!("/containers/{container}"), None).await?;
    Ok(lab.told)
}
