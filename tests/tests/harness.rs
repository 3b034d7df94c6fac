//! The tests' own tools, so that a fault of theirs is not taken for one of the product's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use portable_pty::CommandBuilder;
use sandlot_tests::image::{Compression, Layout, busybox, debian};
use sandlot_tests::process::run;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::terminal::Person;
use sandlot_tests::traces;
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[tokio::test]
async fn the_registry_serves_what_was_pushed_layer_by_layer() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    busybox(&root).unwrap();
    let more = dir.path().join("more");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("greeting"), "hello\n").unwrap();
    let layout = Layout::new(&dir.path().join("layout")).unwrap();
    let layout = layout.layer(&root, Compression::Gzip).unwrap().layer(&more, Compression::Zstd).unwrap();
    let layout = layout.layer(&more, Compression::None).unwrap();
    let layout = layout.finish(&json!({"Cmd": ["sh"]})).unwrap();

    let registry = Registry::start().await.unwrap();
    let reference = registry.push(&layout, "busybox:latest").unwrap();
    let seen = run(Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(format!("docker://{reference}")))
    .unwrap();
    let manifest: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3, "{manifest}");
}

#[test]
fn a_person_types_reads_and_resizes() {
    let mut person = Person::start(CommandBuilder::new("sh"), 80, 24).unwrap();
    person.resize(101, 33).unwrap();
    person.type_in("stty size; exit 7\n").unwrap();
    person.until("33 101").unwrap();
    assert_eq!(person.end().unwrap(), 7);
}

#[test]
fn debian_is_made_once() {
    let root = debian().unwrap();
    assert!(root.join("etc/debian_version").exists());
}

/// Set for the process of a test that is to be killed.
const VICTIM: &str = "SANDLOT_TO_BE_KILLED";

#[tokio::test]
async fn what_a_killed_test_started_ends_with_it() {
    if std::env::var_os(VICTIM).is_some() {
        let sandbox = Sandbox::whole(&[]).await.unwrap();
        sandbox.administrator().unwrap().session("sandlot/starter").await.unwrap();
        let pids = [Part::Spawner, Part::Engine, Part::Server].map(|part| sandbox.pid(part).unwrap());
        println!("\nready {} {pids:?}", sandbox.dir().display());
        std::future::pending::<()>().await;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "what_a_killed_test_started_ends_with_it", "--nocapture"]).env(VICTIM, "1");
    let mut victim = victim.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
    let ready = ready.expect("the test that is to be killed has ended by itself");
    let (folder, pids) = ready.split_once(" [").unwrap();
    let pids: Vec<&str> = pids.trim_end_matches(']').split(", ").collect();
    let mark = Path::new(folder).file_name().unwrap().to_string_lossy().into_owned();
    assert!(!traces::groups_below(&mark).unwrap().is_empty(), "there is a session");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let gone = || async {
        let processes = pids.iter().any(|pid| Path::new("/proc").join(pid).exists());
        let groups = traces::groups_named(&mark).ok()?;
        let clean =
            groups.is_empty() && traces::mounts(&mark).ok()?.is_empty() && !Path::new(folder).exists();
        (!processes && clean).then_some(())
    };
    let gone = until("everything to be gone", gone).await;
    assert!(gone.is_ok(), "{pids:?} {:?} {:?}", traces::groups_named(&mark), traces::mounts(&mark));
}
