//! One of the two engines, and what it tells.

use super::normal;
use anyhow::{Context, Result};
use sandlot_tests::socket::{Answer, Open, Request, Socket};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// The version that is spoken where a call does not name another: the newest that Debian's dockerd knows.
const VERSION: &str = "/v1.41";
/// The headers that clients look at.
const HEADERS: [&str; 8] = [
    "api-version",
    "builder-version",
    "connection",
    "content-type",
    "docker-experimental",
    "ostype",
    "upgrade",
    "x-docker-container-path-stat",
];

/// How long an answer may take before it counts as one without an end.
const LONGEST: Duration = Duration::from_secs(15);

/// An engine.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    socket: Socket,
    root: String,
}

/// One answer, in a form that can be compared.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Scenario, line and call.
    pub(super) call: String,
    /// Status, headers and body.
    pub(super) answer: Value,
}

impl Peer {
    /// The engine at a socket, whose state lies below `root`.
    pub(super) fn new(socket: &Path, root: &Path) -> Self {
        Self { socket: Socket::new(socket), root: root.display().to_string() }
    }

    /// Sends a call; the raw answer, and the one to be compared.
    pub(super) async fn call(&self, call: String, request: &Request) -> Result<(Answer, Told)> {
        let answer = match timeout(LONGEST, self.socket.call(&versioned(request))).await {
            Ok(answer) => answer.with_context(|| call.clone())?,
            Err(_) => return Ok((Answer::default(), Told { call, answer: json!("no end of the answer") })),
        };
        let body = self.body(&answer);
        let told = self.told(call, &answer, body);
        Ok((answer, told))
    }

    /// Sends a call whose answer is read bit by bit.
    pub(super) async fn open(&self, request: &Request) -> Result<Open> {
        self.socket.open(&versioned(request)).await
    }

    /// Something seen, as it is to be compared.
    pub(super) fn told(&self, call: String, head: &Answer, body: Value) -> Told {
        let headers: serde_json::Map<String, Value> = HEADERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), plain(head.headers.get(*name)?))))
            .collect();
        Told {
            call,
            answer: json!({ "status": head.status, "headers": normal::of(Value::Object(headers), &self.root), "body": body }),
        }
    }

    fn body(&self, answer: &Answer) -> Value {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let kind = answer.headers.get("content-type").map_or("", String::as_str);
        if kind.contains("tar") && answer.status == 200 {
            return archive(&answer.body);
        }
        // Whatever the head says of it: some of Docker's say nothing.
        if let Ok(frames) = sandlot_tests::socket::frames(&answer.body)
            && !frames.is_empty()
        {
            return normal::of(json!(frames), &self.root);
        }
        let documents: Vec<Value> = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .map_while(std::result::Result::ok)
            .collect();
        // How often it is told how far it is depends on how fast it is.
        let told = |document: &Value| document.pointer("/progressDetail/current").is_none();
        let documents = said(documents.into_iter().filter(told).collect());
        let body = match documents.len() {
            _ if !kind.contains("json") => json!(text.trim_end()),
            1 => documents.into_iter().next().unwrap_or_default(),
            _ => Value::Array(documents),
        };
        normal::of(body, &self.root)
    }
}

/// What a build says comes in pieces that are lines or not: all of it as lines, without those of containers that come and go.
fn said(documents: Vec<Value>) -> Vec<Value> {
    let (streams, mut rest): (Vec<Value>, Vec<Value>) =
        documents.into_iter().partition(|document| document.get("stream").is_some());
    let text: String = streams.iter().filter_map(|one| one["stream"].as_str()).collect();
    let passing = [" ---> Running in ", "Removing intermediate container "];
    let lines: Vec<&str> =
        text.lines().filter(|line| !passing.iter().any(|start| line.starts_with(start))).collect();
    if !streams.is_empty() {
        rest.insert(0, json!({ "said": lines }));
    }
    rest
}

/// A header's value; one that is JSON in base64 as that JSON.
fn plain(value: &str) -> Value {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(value).ok();
    decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_else(|| json!(value))
}

/// The entries of an archive: name, kind, mode, owner, size; of an image's archive only that it is one.
fn archive(bytes: &[u8]) -> Value {
    let text = |block: &[u8], from: usize, to: usize| {
        String::from_utf8_lossy(&block[from..to]).trim_end_matches(['\0', ' ']).to_owned()
    };
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(block) = bytes.get(at..at + 512).filter(|block| block[0] != 0) {
        let size = usize::from_str_radix(&text(block, 124, 136), 8).unwrap_or(0);
        at += 512 + size.div_ceil(512) * 512;
        // Old archives have NUL for a plain file; some write the kind into the mode, too.
        let (name, kind) = (text(block, 0, 100), char::from(block[156].max(b'0')));
        let mode = u32::from_str_radix(&text(block, 100, 108), 8).unwrap_or(0) & 0o7777;
        if name == "manifest.json" {
            return json!("an image");
        }
        if kind != 'x' && kind != 'g' {
            let owner = format!("{}:{}", text(block, 108, 116), text(block, 116, 124));
            entries.push(format!("{name} {kind} {mode:o} {owner} {size} {}", text(block, 157, 257)));
        }
    }
    entries.sort();
    json!(entries)
}

/// `~/x` is sent as `/x`, `/v1.30/x` as it is, everything else below [`VERSION`].
fn versioned(request: &Request) -> Request {
    let mut request = request.clone();
    request.target = match request.target.strip_prefix('~') {
        Some(plain) => plain.to_owned(),
        None if request.target.starts_with("/v1.") => request.target,
        None => format!("{VERSION}{}", request.target),
    };
    request
}
