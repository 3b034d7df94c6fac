//! Promise: 200 containers are created, started and removed, 8 at a time; none fails, nothing is left behind, and the engine's
//! memory is afterwards what it was.
//!
//! Half of them are in the default network with a published port, half in one where they look themselves up by name.

use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::socket::{Answer, Request, Socket};
use sandlot_tests::traces;
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// As many go before them: after those, the engine has what it keeps for good, threads, buffers and tables.
const CONTAINERS: usize = 200;
const AT_ONCE: usize = 8;

async fn call(socket: &Socket, line: &str, body: Option<Value>) -> Answer {
    let mut request = Request::read(line).unwrap();
    if let Some(body) = body {
        request = request.json(&body.to_string());
    }
    let answer = socket.call(&request).await.unwrap();
    assert!(answer.status < 300, "{line}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer
}

/// One container's whole life.
async fn live(socket: &Socket, n: usize) {
    let name = format!("c{n}");
    let body = if n.is_multiple_of(2) {
        json!({
            "Image": "sandlot/starter", "Cmd": ["true"], "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
        })
    } else {
        json!({
            "Image": "sandlot/starter", "Cmd": ["nslookup", &name], "HostConfig": {"NetworkMode": "crowd"},
        })
    };
    call(socket, &format!("POST /containers/create?name={name}"), Some(body)).await;
    call(socket, &format!("POST /containers/{name}/start"), None).await;
    let ended = call(socket, &format!("POST /containers/{name}/wait"), None).await;
    let ended: Value = serde_json::from_slice(&ended.body).unwrap();
    assert_eq!(ended["StatusCode"], 0, "{name}");
    call(socket, &format!("DELETE /containers/{name}?v=1"), None).await;
}

async fn round(socket: &Socket, containers: usize) {
    let all = (0..AT_ONCE).map(|first| {
        let socket = socket.clone();
        tokio::spawn(async move {
            for n in (first..containers).step_by(AT_ONCE) {
                live(&socket, n).await;
            }
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

/// Whatever a container could leave on the machine.
fn traces_of(sandbox: &Sandbox) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    files(sandbox.dir(), &mut found)?;
    found.extend(traces::mounts(&sandbox.mark())?);
    found.extend(traces::groups_below(&sandbox.mark())?.iter().map(|group| group.display().to_string()));
    for command in [&["ip", "-oneline", "link"][..], &["nft", "list", "ruleset"]] {
        let output = sandbox.netns()?.command(command[0]).args(&command[1..]).output()?;
        found.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
    }
    let spawner = sandbox.pid(Part::Spawner)?;
    let children = std::fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children"))?;
    found.extend(children.split_whitespace().map(|child| format!("process {child}")));
    // Counted by kind, so that more than before are found.
    for part in [Part::Engine, Part::Spawner] {
        let mut kinds = BTreeMap::<String, usize>::new();
        for descriptor in std::fs::read_dir(format!("/proc/{}/fd", sandbox.pid(part)?))?.flatten() {
            // One that was just closed leads nowhere.
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            let kind = target.to_string_lossy().split('[').next().unwrap_or_default().to_owned();
            // Each range of ids keeps its namespace for the next container; there are as many as ran at once.
            if kind == "user:" {
                continue;
            }
            let number = kinds.entry(kind.clone()).or_default();
            *number += 1;
            found.insert(format!("{part:?}: {kind} {number}"));
        }
    }
    Ok(found)
}

/// Whether the last container's end is over: its directory is gone, its interface, its groups.
fn settled(sandbox: &Sandbox) -> anyhow::Result<bool> {
    let directories = std::fs::read_dir(sandbox.dir().join("state/containers"))?.count();
    let links = sandbox.netns()?.command("ip").args(["-oneline", "link"]).output()?;
    let links = String::from_utf8_lossy(&links.stdout).lines().count();
    Ok(directories == 0 && links == 1 && traces::groups_below(&sandbox.mark())?.is_empty())
}

fn files(folder: &Path, found: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        found.insert(entry.path().display().to_string());
        if entry.file_type()?.is_dir() && !entry.path().ends_with("layers") {
            files(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// What the engine has of memory, in KiB.
fn memory(sandbox: &Sandbox) -> u64 {
    let rollup =
        std::fs::read_to_string(format!("/proc/{}/smaps_rollup", sandbox.pid(Part::Engine).unwrap()));
    let rollup = rollup.unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_containers_leave_nothing_behind() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "crowd"]).unwrap();
    let socket = Socket::new(&sandbox.dir().join("engine.sock"));
    round(&socket, CONTAINERS).await;
    let first = || async { settled(&sandbox).ok().filter(|settled| *settled).map(drop) };
    until("the first round to be over", first).await.unwrap();
    let (before, had) = (traces_of(&sandbox).unwrap(), memory(&sandbox));
    let started = std::time::Instant::now();
    round(&socket, CONTAINERS).await;
    let took = started.elapsed();
    let listed = call(&socket, "GET /containers/json?all=1", None).await;
    assert_eq!(listed.body, b"[]");
    let mut left = Vec::new();
    let gone = until("nothing to be left", || {
        let after = traces_of(&sandbox).unwrap_or_default();
        left = after.difference(&before).cloned().collect::<Vec<_>>();
        let same = left.is_empty();
        async move { same.then_some(()) }
    });
    let gone = gone.await;
    assert!(gone.is_ok(), "{left:#?}");
    let most = had + had / 10;
    let back = until("the engine's memory", || async { (memory(&sandbox) <= most).then_some(()) }).await;
    eprintln!("{CONTAINERS} containers in {took:?}; memory before {had} KiB, after {} KiB", memory(&sandbox));
    assert!(back.is_ok(), "{had} KiB before, {} KiB after", memory(&sandbox));
}
