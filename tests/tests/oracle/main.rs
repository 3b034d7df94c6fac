//! Promise: our engine answers as Docker does. The same calls go to both, the answers are compared field by field, and
//! whatever differs must stand in [`meant`] with its reason.
//!
//! The calls are the files of `calls/`, one call a line, and [`streams`]. Each file has containers, images and volumes
//! of its own, so that all of them run at once; those of `ALONE` look at everything there is, and run last.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod calls;
mod compare;
mod meant;
mod normal;
mod peer;
mod streams;

use anyhow::{Context, Result};
use compare::Difference;
use peer::{Peer, Told};
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

/// One archive for both: busybox, and a little configuration.
fn archive(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("root");
    busybox(&root)?;
    let layout = Layout::new(&folder.join("layout"))?.layer(&root, Compression::None)?;
    let config = json!({
        "Cmd": ["sh"], "Env": ["PATH=/bin", "COLOUR=blue"], "WorkingDir": "/tmp",
        "Labels": {"made": "here"}, "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGTERM",
    });
    let layout = layout.finish(&config)?;
    let archive = folder.join("image.tar");
    run(Command::new("skopeo")
        .args(["copy", "--quiet"])
        .arg(format!("oci:{}", layout.display()))
        .arg(format!("docker-archive:{}:{IMAGE}", archive.display())))?;
    Ok(archive)
}

#[tokio::test(flavor = "multi_thread")]
async fn our_engine_answers_as_docker_does() {
    let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
    let parent = format!("/{}", folder.path().file_name().unwrap().display());
    let options = ["--cgroup-parent", parent.as_str(), "--experimental"];
    let netns = Netns::new().unwrap();
    let (sandbox, dockerd) =
        tokio::join!(Sandbox::networked(), Dockerd::bridged(folder.path(), &options, &netns));
    let (sandbox, dockerd) = (sandbox.unwrap(), dockerd.unwrap());
    // Registries that only one engine can reach: both have the same at the same address.
    let mut registries = Vec::new();
    for netns in [&netns, sandbox.netns().unwrap()] {
        registries.push(Registry::inside(netns, 5000, Access::Open).await.unwrap());
        registries.push(Registry::inside(netns, 5001, Access::Guarded).await.unwrap());
    }
    let archive = archive(folder.path()).unwrap();
    sandbox.ok(&["load", "--quiet", "--input", archive.to_str().unwrap()]).unwrap();
    dockerd.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]).unwrap();
    // The built-in one would stand in our lists alone.
    sandbox.ok(&["rmi", "sandlot/starter"]).unwrap();
    let ours = Peer::new(&sandbox.dir().join("engine.sock"), sandbox.dir());
    let docker = Peer::new(&folder.path().join("docker.sock"), folder.path());
    let mut found = Vec::new();
    for told in both(&ours, &docker).await.unwrap() {
        let (ours, docker) = told;
        found.extend(compare::all(&ours, &docker));
    }
    let verdict = meant::judge(&found);
    assert!(verdict.is_empty(), "\n{}\n{} differences", verdict.join("\n"), verdict.len());
}

/// What both peers tell, scenario by scenario.
async fn both(ours: &Peer, docker: &Peer) -> Result<Vec<(Vec<Told>, Vec<Told>)>> {
    let mut running = Vec::new();
    for (name, text) in calls::TOGETHER {
        let (a, b) = (ours.clone(), docker.clone());
        running.push(tokio::spawn(async move {
            tokio::try_join!(calls::play(&a, name, text), calls::play(&b, name, text))
        }));
    }
    for (name, scenario) in streams::ALL {
        let (a, b) = (ours.clone(), docker.clone());
        running.push(tokio::spawn(async move {
            let (ours, docker) = tokio::join!(scenario(a), scenario(b));
            Ok((ours.context(format!("{name}, ours"))?, docker.context(format!("{name}, Docker's"))?))
        }));
    }
    let mut told = Vec::new();
    for one in running {
        told.push(one.await.context("a scenario")??);
    }
    for (name, text) in calls::ALONE {
        told.push(tokio::try_join!(calls::play(ours, name, text), calls::play(docker, name, text))?);
    }
    Ok(told)
}

/// How a difference reads.
impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ours {}, Docker's {}", self.place, self.ours, self.docker)
    }
}
