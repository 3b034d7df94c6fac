//! A container in one call: what `sandlot run` uses where it has nothing to type.

use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;

const IMAGE: &str = "sandlot/starter";

/// The answer's status, the container that it names, and its bytes.
async fn run(sandbox: &Sandbox, query: &str, body: Value) -> (u16, Option<String>, Vec<u8>) {
    let client = reqwest::Client::builder().unix_socket(sandbox.dir().join("engine.sock")).build().unwrap();
    let request = client.post(format!("http://engine/sandlot/v1/run{query}")).json(&body);
    let answer = request.send().await.unwrap();
    let named = answer.headers().get("sandlot-container").map(|id| id.to_str().unwrap().to_owned());
    (answer.status().as_u16(), named, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn output_and_code_come_in_frames_and_nothing_stays() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "echo out; exec 1>&-; echo err >&2; exit 300";
    let body = json!({ "Image": IMAGE, "Cmd": ["sh", "-c", script], "HostConfig": { "AutoRemove": true } });
    let (code, named, bytes) = run(&sandbox, "?name=box", body).await;
    assert_eq!((code, named.unwrap().len()), (200, 64));
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let end = 8 + usize::from(rest[7]);
        frames.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    let ended = frames.pop().unwrap();
    assert_eq!(ended, [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 44]);
    // Two pipes have no order between them.
    frames.sort();
    assert_eq!(frames, [b"\x01\0\0\0\0\0\0\x04out\n".to_vec(), b"\x02\0\0\0\0\0\0\x04err\n".to_vec()]);
    assert_eq!(sandbox.ok(&["ps", "-aq"]).unwrap(), "");
}

#[tokio::test]
async fn a_refusal_says_whether_there_is_a_container() {
    let sandbox = Sandbox::engine().await.unwrap();
    let missing = run(&sandbox, "", json!({ "Image": "no/such" })).await;
    assert_eq!((missing.0, missing.1), (404, None));
    let typed = run(&sandbox, "", json!({ "Image": IMAGE, "OpenStdin": true })).await;
    assert_eq!((typed.0, typed.1), (400, None));
    let (code, named, _) = run(&sandbox, "?name=box", json!({ "Image": IMAGE, "Cmd": ["/no/such"] })).await;
    assert_eq!(code, 400);
    assert_eq!(sandbox.ok(&["ps", "-aq", "--no-trunc"]).unwrap(), named.unwrap());
    let (code, named, _) = run(&sandbox, "?name=box", json!({ "Image": IMAGE, "Cmd": ["true"] })).await;
    assert_eq!((code, named), (409, None));
}

#[tokio::test]
async fn a_signal_reaches_the_container_and_its_code_comes_back() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let program = sandlot_tests::program("sandlot").unwrap();
    let mut client = std::process::Command::new(program)
        .args(["--host", &sandbox.host(), "run", "--rm", "--name", "box", IMAGE, "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let log = || async { sandbox.ok(&["logs", "box"]).ok().filter(|log| log == "ready") };
    wait::until("the script to run", log).await.unwrap();
    let pid = rustix::process::Pid::from_child(&client);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut printed = String::new();
    client.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!((printed.as_str(), client.wait().unwrap().code()), ("ready\ncaught\n", Some(5)));
    assert_eq!(sandbox.ok(&["ps", "-aq"]).unwrap(), "");
}
