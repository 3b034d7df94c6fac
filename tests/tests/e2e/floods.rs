//! Promise: however much a terminal prints and whoever looks, the server's memory stays bounded, the quick are not slowed by
//! the slow, and what is recorded is whole.

use anyhow::{Context, Result};
use sandlot_tests::client::Attached;
use sandlot_tests::sandbox::{Part, Sandbox, TOKEN};
use std::time::Duration;

const IMAGE: &str = "sandlot/starter";
const MEGABYTE: usize = 1 << 20;

/// What the server may need more while three look at a flood: a window and what waits for each, the screen's emulator,
/// what is read and copied, and what the allocator keeps. It does not depend on how much is printed.
const BOUND: u64 = 32 * 1024;

/// The server's own memory in KiB, without files it maps: the ring of a terminal is such a file, of a fixed length.
fn memory(sandbox: &Sandbox) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sandbox.pid(Part::Server)?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

async fn opened(settings: &[&str]) -> Result<(Sandbox, [String; 2], Attached)> {
    let mut sandbox = Sandbox::engine().await?;
    sandbox.settings(settings);
    sandbox.start(Part::Server).await?;
    let visitor = sandbox.administrator()?;
    let session = visitor.session(IMAGE).await?;
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let names = [name(&session["id"]), name(&session["terminals"][0]["id"])];
    let attached = visitor.attach(&names[0], &names[1]).await?;
    Ok((sandbox, names, attached))
}

/// Reads so much, and the most memory that the server had meanwhile.
async fn watched(sandbox: &Sandbox, quick: &mut Attached, wanted: usize) -> Result<u64> {
    let (mut read, mut most, mut looked) = (0, 0, 0);
    while read < wanted {
        read += quick.bytes().await?.context("the terminal ended")?.len();
        if read >= looked {
            most = most.max(memory(sandbox)?);
            looked = read + MEGABYTE;
        }
    }
    Ok(most)
}

#[tokio::test]
async fn a_flood_is_bounded_with_quick_slow_and_stopped_viewers() {
    for settings in [&[][..], &["--recording=on"]] {
        let (sandbox, names, mut quick) = opened(settings).await.unwrap();
        let visitor = sandbox.administrator().unwrap();
        let _stopped = visitor.attach(&names[0], &names[1]).await.unwrap();
        let mut slow = visitor.attach(&names[0], &names[1]).await.unwrap();
        let slowly = tokio::spawn(async move {
            while let Ok(Some(bytes)) = slow.unacknowledged(Duration::from_secs(5)).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let ack = format!("{{\"type\":\"ack\",\"bytes\":{}}}", bytes.len());
                if slow.say(&ack).await.is_err() {
                    break;
                }
            }
        });
        quick.type_in("yes 'a line that is printed again and again'\n").await.unwrap();
        let settled = watched(&sandbox, &mut quick, 8 * MEGABYTE).await.unwrap();
        let most = watched(&sandbox, &mut quick, 120 * MEGABYTE).await.unwrap();
        assert!(most < settled + BOUND, "{settled} KiB grew to {most} KiB, {settings:?}");
        quick.type_in("\x03").await.unwrap();
        quick.type_in("\necho over-$((40+2))\n").await.unwrap();
        quick.until("over-42").await.unwrap();
        slowly.abort();
    }
}

#[tokio::test]
async fn a_lone_stopped_viewer_holds_the_program_back_and_not_the_server() {
    let (sandbox, names, mut stopped) = opened(&[]).await.unwrap();
    stopped.type_in("yes 'a line that is printed again and again'\n").await.unwrap();
    let mut got = 0;
    while let Some(bytes) = stopped.unacknowledged(Duration::from_secs(2)).await.unwrap() {
        got += bytes.len();
    }
    assert!(got < 2 * MEGABYTE, "{got} bytes came to who acknowledged nothing");
    // The server has time for others, and another terminal of the same session is not held back.
    let visitor = sandbox.administrator().unwrap();
    let path = format!("/sessions/{}/terminals", names[0]);
    let (status, terminal) = visitor.call("POST", &path, None).await.unwrap();
    assert_eq!(status, 201, "{terminal}");
    let mut other = visitor.attach(&names[0], terminal["id"].as_str().unwrap()).await.unwrap();
    other.type_in("echo other-$((40+2))\n").await.unwrap();
    other.until("other-42").await.unwrap();
}

/// What a terminal's recording holds of what was printed.
async fn recorded(sandbox: &Sandbox, names: &[String; 2]) -> Result<String> {
    let url = format!(
        "http://{}/api/v1/sessions/{}/terminals/{}/recording.cast",
        sandbox.address(),
        names[0],
        names[1]
    );
    let answer = sandlot_tests::client::http()?.get(url).bearer_auth(TOKEN).send().await?;
    let text = answer.error_for_status()?.text().await?;
    let mut printed = String::new();
    for line in text.lines().filter(|line| line.starts_with('[')) {
        let (_, kind, text): (f64, String, String) = serde_json::from_str(line)?;
        if kind == "o" {
            printed.push_str(&text);
        }
    }
    Ok(printed)
}

#[tokio::test]
async fn a_server_that_is_killed_goes_on_with_the_recording_and_no_line_is_missing_or_doubled() {
    let (mut sandbox, names, mut at) = opened(&["--recording=on"]).await.unwrap();
    at.type_in("for i in $(seq 1 60); do echo line-$i-; sleep 0.05; done; echo all-$((40+2))\n")
        .await
        .unwrap();
    for line in ["line-5-", "line-20-"] {
        at.until(line).await.unwrap();
        sandbox.kill(Part::Server).unwrap();
        sandbox.start(Part::Server).await.unwrap();
        at = sandbox.administrator().unwrap().attach(&names[0], &names[1]).await.unwrap();
    }
    at.until("all-42").await.unwrap();
    let whole = || async { recorded(&sandbox, &names).await.ok().filter(|text| text.contains("all-42")) };
    let printed = sandlot_tests::wait::until("the recording", whole).await.unwrap();
    for n in 1..=60 {
        assert_eq!(printed.matches(&format!("line-{n}-\r")).count(), 1, "line {n} in {printed}");
    }
}
