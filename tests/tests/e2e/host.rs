//! `sandlot doctor`: what this host offers, what it costs to be without, and what brings it.

use sandlot_tests::sandbox::Sandbox;
use serde_json::Value;
use std::process::Command;

fn doctor(arguments: &[&str], path: &str) -> String {
    let mut command = Command::new(sandlot_tests::program("sandlot").unwrap());
    command.arg("doctor").args(arguments).env("PATH", path);
    String::from_utf8(sandlot_tests::process::run(&mut command).unwrap().stdout).unwrap()
}

/// The cells of the row that begins with a mark and a name.
fn row(table: &str, name: &str) -> String {
    let found =
        table.lines().find(|line| line.get(3..).is_some_and(|rest| rest.trim_start().starts_with(name)));
    found.unwrap_or_else(|| panic!("no {name} in {table}")).to_owned()
}

#[test]
fn what_is_missing_is_told_with_its_cost_and_its_remedy() {
    let path = std::env::var("PATH").unwrap();
    let table = doctor(&[], &path);
    assert!(table.lines().next().unwrap().contains("WITHOUT IT"), "{table}");
    assert!(row(&table, "mkfs.ext4").starts_with('✓'), "{table}");
    // A search path without tools: what they do is found missing, nothing else is.
    let empty = tempfile::tempdir().unwrap();
    let without = doctor(&[], empty.path().to_str().unwrap());
    for (tool, cost, remedy) in [
        ("mkfs.ext4", "--storage-opt size=", "apt install e2fsprogs"),
        ("nft", "--network internet is refused", "apt install nftables"),
    ] {
        let line = row(&without, tool);
        assert!(line.starts_with('✗') && line.contains("not found in"), "{line}");
        assert!(line.contains(cost) && line.ends_with(remedy), "{line}");
    }
    assert!(row(&without, "kernel").starts_with('✓'), "{without}");
}

#[tokio::test]
async fn the_findings_are_there_for_programs_too() {
    let sandbox = Sandbox::engine().await.unwrap();
    let all: Vec<Value> =
        serde_json::from_str(&sandbox.sandlot(&["doctor", "--format", "json"]).unwrap()).unwrap();
    for finding in &all {
        for field in ["name", "detail", "without", "remedy"] {
            assert!(!finding[field].as_str().unwrap().is_empty(), "{finding}");
        }
    }
    assert!(all.iter().any(|finding| finding["found"] == true), "{all:?}");
}
