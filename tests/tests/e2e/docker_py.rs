//! Promise: a program that is written for Docker runs. docker-py is taken through every verb that it has: the programs of
//! `tests/docker-py/`, one a subject, each against an engine of its own.
//!
//! The pinned packages of `requirements.txt` are installed once, beside the build, and taken anew when that file changes.

use anyhow::{Context, Result};
use rustix::fs::FlockOperation;
use sandlot_tests::process::run;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::Sandbox;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = include_str!("../../docker-py/requirements.txt");

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docker-py")
}

/// A Python that has docker-py; made by whichever test comes first.
fn python() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("docker-py.lock"))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    let made = folder.join("docker-py");
    let (python, mark) = (made.join("bin/python"), made.join("requirements.txt"));
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(python);
    }
    if made.exists() {
        std::fs::remove_dir_all(&made)?;
    }
    run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&made))
        .context("is the Debian package python3-venv installed?")?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let exact = ["--require-hashes", "--only-binary=:all:", "--requirement"];
    run(Command::new(&python).args(pip).args(exact).arg(programs().join("requirements.txt")))?;
    std::fs::write(mark, REQUIREMENTS)?;
    Ok(python)
}

/// Runs a program against an engine with networks; a registry listens beside it.
async fn plays(program: &str) {
    let python = python().unwrap();
    let sandbox = Sandbox::networked().await.unwrap();
    let registry = Registry::within(sandbox.netns().unwrap()).await.unwrap();
    let mut command = Command::new(python);
    command.arg(programs().join(program)).current_dir(sandbox.dir());
    command.env("DOCKER_HOST", sandbox.host()).env("DOCKER_CONFIG", sandbox.dir());
    command.env("REGISTRY", registry.host()).env("BINDS", sandbox.binds());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run(&mut command).unwrap();
}

#[tokio::test]
async fn docker_py_and_the_engine_itself() {
    plays("engine.py").await;
}

#[tokio::test]
async fn docker_py_and_images() {
    plays("images.py").await;
}

#[tokio::test]
async fn docker_py_and_the_life_of_containers() {
    plays("containers.py").await;
}

#[tokio::test]
async fn docker_py_and_streams() {
    plays("streams.py").await;
}

#[tokio::test]
async fn docker_py_and_files() {
    plays("files.py").await;
}

#[tokio::test]
async fn docker_py_and_networks() {
    plays("networks.py").await;
}
