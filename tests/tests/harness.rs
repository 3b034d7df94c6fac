//! The tests' own tools, so that a fault of theirs is not taken for one of the product's.

#![allow(clippy::unwrap_used, reason = "a test may")]

use portable_pty::CommandBuilder;
use sandlot_tests::image::{Compression, Layout, busybox, debian};
use sandlot_tests::process::run;
use sandlot_tests::registry::Registry;
use sandlot_tests::terminal::Person;
use serde_json::{Value, json};
use std::process::Command;

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
