//! Calls as text, one a line: `METHOD TARGET [BODY] [@Header: value]…`.
//!
//! `$image` is the image that both have, `$id` the `Id` of the last answer that had one, `$name` the name of the file, so
//! that containers of two files never meet. As a body, `$last` is the last answer's, `$empty` an archive of nothing, `$context` one of
//! [`CONTEXT`]; `$soon`
//! is a moment from now. `until TARGET PLACE VALUE` waits until the answer has that value there.

use super::IMAGE;
use super::peer::{Peer, Told};
use anyhow::{Context, Result};
use sandlot_tests::socket::Request;
use sandlot_tests::wait::until;
use serde_json::Value;

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("calls/", $name, ".txt")))),*] };
}

/// Those that mind their own business.
pub(super) const TOGETHER: &[(&str, &str)] = files![
    "builds",
    "checkpoints",
    "create",
    "events",
    "execs",
    "files",
    "images",
    "life",
    "logs",
    "networks",
    "refusals",
    "registries"
];

/// Those that see everything, one after the other, at the end.
pub(super) const ALONE: &[(&str, &str)] = files!["engine"];

/// Plays a file to an engine.
pub(super) async fn play(peer: &Peer, name: &str, text: &str) -> Result<Vec<Told>> {
    let (mut all, mut id, mut last) = (Vec::new(), String::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let filled = line.replace("$image", IMAGE).replace("$id", &id).replace("$name", name);
        let filled = filled.replace("$soon", &soon()?);
        let place = || format!("{name}.txt:{}: {line}", number + 1);
        if let Some(rest) = filled.strip_prefix("until ") {
            wait(peer, rest).await.with_context(place)?;
            continue;
        }
        let mut request = Request::read(&filled).with_context(place)?;
        match request.body.as_slice() {
            b"$last" => request.body.clone_from(&last),
            b"$empty" => request.body = vec![0; 1024],
            b"$context" => request.body = context()?,
            _ => {}
        }
        let (answer, told) = peer.call(place(), &request).await?;
        if let Some(new) = serde_json::from_slice::<Value>(&answer.body).ok().and_then(|b| text_at(&b, "Id"))
        {
            id = new;
        }
        last = answer.body;
        all.push(told);
    }
    Ok(all)
}

/// What builds are made of.
const CONTEXT: [(&str, &str); 3] = [
    (
        "Dockerfile",
        "FROM oracle/busybox:1\nARG WHO=nobody\nENV A=b\nRUN echo for $WHO > /made; cat /made\nCOPY file /file\nCMD [\"cat\",\"/made\"]\n",
    ),
    ("Failing", "FROM oracle/busybox:1\nRUN echo so far; exit 3\n"),
    ("file", "content\n"),
];

/// The archive of [`CONTEXT`].
fn context() -> Result<Vec<u8>> {
    let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir()?;
    for (name, content) in CONTEXT {
        std::fs::write(folder.path().join(name), content)?;
    }
    let mut tar = std::process::Command::new("tar");
    tar.args(["--create", "--owner=0", "--group=0", "--mtime=@0", "--file=-", "--directory"]);
    let packed = sandlot_tests::process::run(tar.arg(folder.path()).args(CONTEXT.map(|(name, _)| name)))?;
    Ok(packed.stdout)
}

/// In seconds since 1970.
fn soon() -> Result<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok((now.as_secs() + 1).to_string())
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

async fn wait(peer: &Peer, rest: &str) -> Result<()> {
    let mut words = rest.split(' ');
    let mut next = || words.next().context("until TARGET PLACE VALUE");
    let (target, pointer, wanted) = (next()?, next()?, next()?);
    let request = Request::new("GET", target);
    until(rest, || async {
        let (answer, _) = peer.call(String::new(), &request).await.ok()?;
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let found = body.pointer(pointer)?.clone();
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        (found == wanted).then_some(())
    })
    .await
}
