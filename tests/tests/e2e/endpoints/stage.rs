//! The engine to which the calls are made, and what they leave for each other: ids, archives, a registry.

use super::table::{Look, Row, Seen};
use anyhow::{Context, Result, bail, ensure};
use sandlot_tests::process::run;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::socket::{Answer, Request, Socket};
use serde_json::Value;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Words that every refusal has which is meant: what is not served, and why.
const MEANT: [&str; 2] = ["never done by Sandlot", "is refused: "];

/// See the module.
pub(super) struct Stage {
    socket: Socket,
    registry: String,
    context: Vec<u8>,
    id: String,
    last: Vec<u8>,
}

impl Stage {
    /// Before the first call.
    pub(super) fn new(sandbox: &Sandbox, registry: &Registry) -> Result<Self> {
        let folder = sandbox.dir().join("context");
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("Dockerfile"), "FROM sandlot/starter\nRUN echo made > /built\n")?;
        let context = run(Command::new("tar").arg("-C").arg(&folder).args(["--create", "."]))?.stdout;
        let socket = Socket::new(&sandbox.dir().join("engine.sock"));
        Ok(Self { socket, registry: registry.host(), context, id: String::new(), last: Vec::new() })
    }

    /// Makes the calls of a row.
    pub(super) async fn play(&mut self, row: &Row<'_>) -> Result<Seen> {
        for line in &row.before {
            let answer = self.call(line).await?;
            ensure!(answer.status < 400, "{}: {line}: {}", row.call, words(&answer));
        }
        let answer = self.call(row.ask).await?;
        let said = words(&answer);
        if let Some(or) = row.or {
            ensure!(answer.status < 400 || said.contains(or), "{}: {said}", row.call);
            return Ok(Seen::WhereTheHostCan(or.to_owned()));
        }
        match answer.status {
            ..400 => {}
            404 if said == "page not found" => return Ok(Seen::NotYet),
            status if MEANT.iter().any(|meant| said.contains(meant)) => {
                return Ok(Seen::Refused(status, said));
            }
            status => bail!("{} neither works nor is refused on purpose: {status} {said}", row.call),
        }
        let shown = match row.then {
            Some(then) => look(row.look, &self.call(then).await?),
            None => look(row.look, &answer),
        };
        let shown = shown.with_context(|| format!("{}, which answered {}", row.call, answer.status))?;
        let shown = if shown.is_empty() { shown } else { format!(", {shown}") };
        Ok(Seen::Works(format!("`{}`{shown}", answer.status)))
    }

    async fn call(&mut self, line: &str) -> Result<Answer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let now = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let line = line.replace("$registry", &self.registry).replace("$id", &self.id).replace("$now", &now);
        let mut request = Request::read(&line)?;
        match request.body.as_slice() {
            b"$last" => request.body.clone_from(&self.last),
            b"$context" => request.body.clone_from(&self.context),
            _ => {}
        }
        let answer = self.socket.call(&request).await?;
        if let Some(id) = first(&answer.body).pointer("/Id").and_then(Value::as_str) {
            id.clone_into(&mut self.id);
        }
        self.last.clone_from(&answer.body);
        Ok(answer)
    }
}

/// What an answer says of itself: its message, or all of it.
fn words(answer: &Answer) -> String {
    let all = || String::from_utf8_lossy(&answer.body).trim().to_owned();
    first(&answer.body).pointer("/message").and_then(Value::as_str).map_or_else(all, str::to_owned)
}

/// The first document of a body.
fn first(body: &[u8]) -> Value {
    serde_json::Deserializer::from_slice(body).into_iter().next().and_then(Result::ok).unwrap_or_default()
}

/// What is wanted of an answer, as the table tells it.
fn look(look: Look<'_>, answer: &Answer) -> Result<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let at = |pointer: &str| {
        let document = first(&answer.body);
        let found = document.pointer(pointer).filter(|value| !value.is_null()).cloned();
        found.with_context(|| format!("nothing at {pointer} in {text}"))
    };
    let dotted = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
    Ok(match look {
        Look::Status => String::new(),
        Look::Value(pointer) => {
            let value = at(pointer)?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("`{}` is `{value}`", dotted(pointer))
        }
        Look::There(pointer) => at(pointer).map(|_| format!("`{}`", dotted(pointer)))?,
        Look::Text(words) => {
            ensure!(text.contains(words), "no {words:?} in {text}");
            format!("`{}`", words.trim_end_matches(" for"))
        }
        Look::Head(name) => {
            ensure!(answer.headers.contains_key(name), "no header {name}: {:?}", answer.headers);
            format!("header `{name}`")
        }
    })
}
