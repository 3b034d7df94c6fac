//! `kill -9` of each of the three processes, alone and together: what must go on goes on, what must go is gone.

use sandlot_tests::client::{Attached, Visitor, find};
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::traces;

const IMAGE: &str = "sandlot/starter";

/// Lines of the flood: numbered, so that a lost or doubled one is found by its number.
const LINES: u32 = 3000;

async fn open(sandbox: &Sandbox) -> (Visitor, String, String) {
    let visitor = sandbox.administrator().unwrap();
    let session = visitor.session(IMAGE).await.unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (visitor, text(&session["id"]), text(&session["terminals"][0]["id"]))
}

async fn shell_is_the_same(attached: &mut Attached) {
    attached.type_in("echo kept-$kept-\n").await.unwrap();
    attached.until("kept-here-").await.unwrap();
}

async fn survives(parts: &[Part]) {
    let mut sandbox = Sandbox::whole(&[]).await.unwrap();
    let (visitor, session, terminal) = open(&sandbox).await;
    let mut before = visitor.attach(&session, &terminal).await.unwrap();
    before.type_in("kept=here\n").await.unwrap();
    let flood =
        format!("i=0; while [ $i -lt {LINES} ]; do i=$((i + 1)); echo n-$i-; done; echo flood-$((5 * 5))-\n");
    before.type_in(&flood).await.unwrap();
    before.until("n-10-").await.unwrap();
    for part in parts {
        sandbox.kill(*part).unwrap();
    }
    for part in parts.iter().rev() {
        sandbox.start(*part).await.unwrap();
    }
    let mut after = visitor.attach(&session, &terminal).await.unwrap();
    let mut stream = Vec::new();
    while find(&stream, b"flood-25-").is_none() {
        let Some(next) = after.bytes().await.unwrap() else { panic!("the terminal ended") };
        stream.extend_from_slice(&next);
    }
    // What is replayed is a screen and its history: from its first whole line on, nothing may be missing or doubled.
    let text = String::from_utf8_lossy(&stream).into_owned();
    let numbers: Vec<u32> = text
        .split("n-")
        .skip(1)
        .filter_map(|rest| rest.split_once('-').and_then(|(number, _)| number.parse().ok()))
        .collect();
    assert_eq!(numbers.last(), Some(&LINES), "the flood's end is not there");
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "after {} came {}", pair[0], pair[1]);
    }
    shell_is_the_same(&mut after).await;
}

#[tokio::test]
async fn the_server_is_killed_during_a_flood() {
    survives(&[Part::Server]).await;
}

#[tokio::test]
async fn the_engine_is_killed_during_a_flood() {
    survives(&[Part::Engine]).await;
}

#[tokio::test]
async fn server_and_engine_are_killed_during_a_flood() {
    survives(&[Part::Server, Part::Engine]).await;
}

#[tokio::test]
async fn everything_is_killed_and_the_next_start_leaves_nothing_of_the_dead() {
    let mut sandbox = Sandbox::whole(&[]).await.unwrap();
    let (visitor, session, _) = open(&sandbox).await;
    let container = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let pid: u32 = sandbox.ok(&["inspect", "-f", "{{.State.Pid}}", &container]).unwrap().parse().unwrap();
    for part in [Part::Server, Part::Engine, Part::Spawner] {
        sandbox.kill(part).unwrap();
    }
    for part in [Part::Spawner, Part::Engine, Part::Server] {
        sandbox.start(part).await.unwrap();
    }
    let gone = || async {
        let process = std::path::Path::new(&format!("/proc/{pid}/ns")).exists();
        let groups = traces::groups_below(&sandbox.mark()).ok()?;
        let mounts = traces::mounts(&container).ok()?;
        (!process && groups.is_empty() && mounts.is_empty()).then_some(())
    };
    let swept = sandlot_tests::wait::until("the dead session's traces to go", gone).await;
    assert!(swept.is_ok(), "{:?} {:?}", traces::groups_below(&sandbox.mark()), traces::mounts(&container));
    let (status, answer) = visitor.call("GET", &format!("/sessions/{session}"), None).await.unwrap();
    assert!(status == 404 || answer["state"] == "ended", "{status} {answer}");
    open(&sandbox).await;
}
