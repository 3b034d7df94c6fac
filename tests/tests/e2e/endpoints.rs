//! Promise: `docs/docker-api.md` lists every call of the Docker Engine API, and says of each what the engine really does.
//!
//! The calls of `endpoints/calls.txt` are made to an engine that runs; the table is what it answered. A call that neither
//! works, nor is refused with a reason, nor is unknown to the engine fails the test, and so does a table that says otherwise
//! than the engine; `SANDLOT_UPDATE_DOCS=1` writes it anew.

mod stage;
mod table;

use sandlot_tests::netns::Netns;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::Sandbox;
use stage::Stage;
use std::path::Path;

const BEGIN: &str =
    "<!-- begin: what tests/tests/e2e/endpoints.rs saw; SANDLOT_UPDATE_DOCS=1 writes it -->\n";
const END: &str = "<!-- end -->";

#[tokio::test]
async fn the_document_says_of_every_call_what_the_engine_does() {
    let sandbox = Sandbox::networked().await.unwrap();
    let netns: &Netns = sandbox.netns().unwrap();
    let registry = Registry::within(netns).await.unwrap();
    let mut stage = Stage::new(&sandbox, &registry).unwrap();
    let mut made = String::new();
    let (mut part, mut works, mut refused, mut not_yet) = ("", 0, 0, 0);
    for row in table::rows(include_str!("endpoints/calls.txt")).unwrap() {
        if row.part != part {
            part = row.part;
            made += &format!(
                "\n### {part}\n\n| call | | seen | what differs from Docker's |\n|---|---|---|---|\n"
            );
        }
        let seen = stage.play(&row).await.unwrap();
        match &seen {
            table::Seen::Works(_) | table::Seen::WhereTheHostCan(_) => works += 1,
            table::Seen::Refused(..) => refused += 1,
            table::Seen::NotYet => not_yet += 1,
        }
        made += &table::line(&row, &seen);
    }
    let count = works + refused + not_yet;
    let first = format!(
        "{count} calls: {works} work, {refused} are refused on purpose, {not_yet} are not there yet.\n"
    );
    compare(&(first + &made));
}

/// The document's table must be the one that was made; it is written if that is asked for.
fn compare(made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/docker-api.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (committed, after) = rest.split_once(END).unwrap();
    if std::env::var_os("SANDLOT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, [before, BEGIN, made, END, after].concat()).unwrap();
        return;
    }
    let (made, committed): (Vec<&str>, Vec<&str>) = (made.lines().collect(), committed.lines().collect());
    let new = made.iter().filter(|line| !committed.contains(line)).map(|line| format!("the engine: {line}"));
    let old = committed.iter().filter(|line| !made.contains(line)).map(|line| format!("the page:   {line}"));
    let differing: Vec<String> = new.chain(old).collect();
    assert!(
        made == committed,
        "docs/docker-api.md says otherwise than the engine (SANDLOT_UPDATE_DOCS=1 writes it):\n{}",
        differing.join("\n")
    );
}
