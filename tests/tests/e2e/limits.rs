//! A session that comes against a limit is told so in words, in its terminal's connection and in the API; and when it is over,
//! what it used.

use sandlot_tests::client::{Attached, Visitor};
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::{PATIENCE, until};
use serde_json::Value;

const IMAGE: &str = "sandlot/starter";

/// A server whose sessions have these limits, a session on it, and its terminal at its prompt.
async fn limited(settings: &[&str]) -> (Sandbox, Visitor, String, Attached) {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.settings(settings);
    at_its_prompt(sandbox).await
}

async fn at_its_prompt(mut sandbox: Sandbox) -> (Sandbox, Visitor, String, Attached) {
    sandbox.start(Part::Server).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let session = visitor.session(IMAGE).await.unwrap();
    let id = session["id"].as_str().unwrap().to_owned();
    let terminal = session["terminals"][0]["id"].as_str().unwrap();
    let mut attached = visitor.attach(&id, terminal).await.unwrap();
    attached.type_in("echo begun-$((1 + 1))-\n").await.unwrap();
    attached.until("begun-2-").await.unwrap();
    (sandbox, visitor, id, attached)
}

async fn stats(visitor: &Visitor, id: &str) -> Value {
    let (status, stats) = visitor.call("GET", &format!("/sessions/{id}/stats"), None).await.unwrap();
    assert_eq!(status, 200, "{stats}");
    stats
}

/// Waits for a notice with those words, and for the same in the API.
async fn told(attached: &mut Attached, visitor: &Visitor, id: &str, (limit, words): (&str, &str)) {
    let notice = async {
        loop {
            let message = attached.control().await.unwrap().unwrap();
            if message["type"] == "notice" && message["text"].as_str().unwrap().contains(words) {
                break;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, notice).await;
    assert!(told.is_ok(), "no notice of {limit}, but {}", stats(visitor, id).await);
    let stats = stats(visitor, id).await;
    let note = stats["limits"].as_array().unwrap().iter().find(|note| note["limit"] == limit);
    let note = note.unwrap_or_else(|| panic!("no {limit} in {stats}"));
    assert!(note["text"].as_str().unwrap().contains(words) && note["count"].as_u64() > Some(0), "{note}");
}

#[tokio::test]
async fn memory_that_was_full() {
    let (_sandbox, visitor, id, mut attached) = limited(&["--memory=32m"]).await;
    attached.type_in("tail -c 100m /dev/zero\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("memory", "(32 MiB) was full")).await;
    // The shell lives.
    attached.type_in("echo alive-$((1 + 1))-\n").await.unwrap();
    attached.until("alive-2-").await.unwrap();
}

#[tokio::test]
async fn processes_that_are_too_many() {
    let (_sandbox, visitor, id, mut attached) = limited(&["--pids=16"]).await;
    attached.type_in("for i in $(seq 40); do sleep 100 & done\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("processes", "as many processes and threads as it may (16)")).await;
}

#[tokio::test]
async fn a_disk_that_is_full() {
    let (_sandbox, visitor, id, mut attached) = limited(&["--disk=24m"]).await;
    attached.type_in("cat /dev/zero > /root/fill; echo full-$((1 + 1))-\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("disk", "(24 MiB) is full")).await;
    attached.until("full-2-").await.unwrap();
    let stats = stats(&visitor, &id).await;
    assert!(stats["disk_bytes"].as_u64() > Some(8 << 20), "{stats}");
}

#[tokio::test]
async fn a_processor_that_is_wanted_more_than_it_may() {
    let (_sandbox, visitor, id, mut attached) = limited(&["--cpus=0.05"]).await;
    attached.type_in("while :; do :; done\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("processor", "more than its 0.05 processors")).await;
}

#[tokio::test]
async fn a_network_that_is_not_there() {
    let (_sandbox, visitor, id, mut attached) = limited(&[]).await;
    attached.type_in("nc -w 2 192.0.2.1 80\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("network", "this session has no network")).await;
}

#[tokio::test]
async fn a_network_that_blocks() {
    let mut sandbox = Sandbox::networked().await.unwrap();
    sandbox.images(&["name = \"sandlot/starter\"\nnetwork = \"internet\""]);
    let (_sandbox, visitor, id, mut attached) = at_its_prompt(sandbox).await;
    attached.type_in("nc -w 2 10.1.2.3 80\n").await.unwrap();
    told(&mut attached, &visitor, &id, ("network", "public addresses can be reached, private ones")).await;
}

#[tokio::test]
async fn a_session_that_is_over_says_why_and_what_it_used() {
    let (mut sandbox, visitor, id, mut attached) = limited(&[]).await;
    attached.type_in("head -c 20m /dev/urandom > /root/data; sync; echo used-$((1 + 1))-\n").await.unwrap();
    attached.until("used-2-").await.unwrap();
    let live = stats(&visitor, &id).await["used"].clone();
    assert!(live["cpu_ns"].as_u64() > Some(0) && live["memory_peak_bytes"].as_u64() > Some(0), "{live}");
    let (status, ended) = visitor.call("DELETE", &format!("/sessions/{id}"), None).await.unwrap();
    assert_eq!(status, 200, "{ended}");
    let words = loop {
        let message = attached.control().await.unwrap().unwrap();
        if message["type"] == "notice" {
            break message["text"].as_str().unwrap().to_owned();
        }
    };
    assert!(
        words.contains("you ended this session: it lasted") && words.contains("processor time"),
        "{words}"
    );
    let used = &ended["used"];
    assert!(used["cpu_ns"].as_u64() >= live["cpu_ns"].as_u64(), "{used} after {live}");
    assert!(used["wall_seconds"].is_u64() && used["disk_peak_bytes"].as_u64() > Some(20 << 20), "{used}");
    // Also after the server was started again.
    sandbox.kill(Part::Server).unwrap();
    sandbox.start(Part::Server).await.unwrap();
    let again = || async {
        let (_, session) = visitor.call("GET", &format!("/sessions/{id}"), None).await.ok()?;
        (session["reason"] == "closed" && session["used"] == *used).then_some(())
    };
    until("the summary of before the restart", again).await.unwrap();
}
