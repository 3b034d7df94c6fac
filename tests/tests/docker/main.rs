//! Promise: who knows the `docker` command does not notice whose engine it talks to. The same lines of a shell are typed
//! to our engine and to Debian's dockerd, by the same client; what is printed and the exit code are compared.
//!
//! The lines are the files of `rows/` (the form is told in [`rows`]), a scenario each, with containers, images, volumes and
//! networks of its own, so that all of them run at once; those of [`ALONE`] see everything there is, and come last.
//! What needs a terminal is in [`terminals`].

#![allow(clippy::unwrap_used, reason = "a test may")]

mod normal;
mod play;
mod rows;
mod terminals;

use play::{Peer, Said};
use rows::Row;
use sandlot_tests::dockerd::Dockerd;
use sandlot_tests::image::{Compression, Layout, busybox};
use sandlot_tests::netns::Netns;
use sandlot_tests::process::run;
use sandlot_tests::registry::{Access, Registry};
use sandlot_tests::sandbox::Sandbox;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The image that both have.
const IMAGE: &str = "oracle/busybox:1";
/// The scenarios that see everything; dockerd keeps 256 events, so that theirs are the only ones.
const ALONE: [&str; 2] = ["events", "alone"];

/// One archive for both: busybox, and a little configuration.
fn archive(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    busybox(&root).unwrap();
    let config = json!({
        "Cmd": ["sh"], "Env": ["PATH=/bin", "COLOUR=blue"], "WorkingDir": "/tmp",
        "Labels": {"made": "here"}, "ExposedPorts": {"80/tcp": {}},
    });
    let layout = Layout::new(&folder.join("layout")).unwrap().layer(&root, Compression::None).unwrap();
    let layout = layout.finish(&config).unwrap();
    let archive = folder.join("image.tar");
    let target = format!("docker-archive:{}:{IMAGE}", archive.display());
    run(Command::new("skopeo")
        .args(["copy", "--quiet"])
        .arg(format!("oci:{}", layout.display()))
        .arg(target))
    .unwrap();
    archive
}

/// Registries that only one engine can reach: two engines can have the same at the same address.
async fn registries(netns: &Netns) -> [Registry; 2] {
    let open = Registry::inside(netns, 5000, Access::Open).await.unwrap();
    let guarded = Registry::inside(netns, 5001, Access::Guarded).await.unwrap();
    [open, guarded]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_command_line_does_what_it_does_with_dockerd() {
    let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
    let parent = format!("/{}", folder.path().file_name().unwrap().display());
    let options = ["--cgroup-parent", parent.as_str(), "--experimental"];
    let netns = Netns::new().unwrap();
    let (sandbox, dockerd) =
        tokio::join!(Sandbox::networked(), Dockerd::bridged(folder.path(), &options, &netns));
    let (sandbox, dockerd) = (sandbox.unwrap(), dockerd.unwrap());
    let _theirs = registries(&netns).await;
    let _ours = registries(sandbox.netns().unwrap()).await;
    let archive = archive(folder.path());
    sandbox.ok(&["load", "--quiet", "--input", archive.to_str().unwrap()]).unwrap();
    dockerd.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]).unwrap();
    // The built-in one would stand in our lists alone.
    sandbox.ok(&["rmi", "sandlot/starter"]).unwrap();
    let ours = Peer::new(&sandbox.host(), &sandbox.binds().join("rows"));
    let docker = Peer::new(dockerd.host(), &folder.path().join("rows"));
    let wrong = both(&ours, &docker).await;
    assert!(wrong.is_empty(), "\n{}\n{} rows", wrong.join("\n"), wrong.len());
}

/// Plays all scenarios to both engines; what is not as it should be.
async fn both(ours: &Peer, docker: &Peer) -> Vec<String> {
    let scenarios = rows::all();
    let (mut alone, together): (Vec<_>, Vec<_>) =
        scenarios.into_iter().partition(|(name, _)| ALONE.contains(&name.as_str()));
    alone.sort_by_key(|(name, _)| ALONE.iter().position(|a| a == name));
    let mut running = Vec::new();
    for (name, rows) in together {
        let (a, b) = (ours.clone(), docker.clone());
        running.push(tokio::spawn(async move { scenario(&a, &b, &name, rows).await }));
    }
    let mut wrong = Vec::new();
    for one in running {
        wrong.extend(one.await.unwrap());
    }
    wrong.extend(terminals::both(ours, docker).await);
    for (name, rows) in alone {
        wrong.extend(scenario(ours, docker, &name, rows).await);
    }
    wrong
}

async fn scenario(ours: &Peer, docker: &Peer, name: &str, rows: Vec<Row>) -> Vec<String> {
    let (a, b) = tokio::join!(ours.play(name, &rows), docker.play(name, &rows));
    let (a, b) = (a.unwrap(), b.unwrap());
    rows.iter().zip(a.iter().zip(&b)).filter_map(|(row, (a, b))| judge(name, row, a, b)).collect()
}

/// What is wrong with a row, if anything.
fn judge(scenario: &str, row: &Row, ours: &Said, docker: &Said) -> Option<String> {
    let why = if let Some(reason) = &row.reason {
        if ours.code != row.code || ours.whole() != row.ours {
            format!("is not what the row says: {} {:?}", row.code, row.ours)
        } else if ours.like(docker) {
            format!("dockerd says the same, though: {reason}")
        } else {
            return None;
        }
    } else if !ours.like(docker) {
        "differs".to_owned()
    } else if ours.code != row.code {
        format!("both end with another code than {}", row.code)
    } else {
        return None;
    };
    let line = &row.line;
    Some(format!(
        "{scenario}.txt:{}: {line}\n    {why}\n    ours   {ours:?}\n    docker {docker:?}",
        row.number
    ))
}
