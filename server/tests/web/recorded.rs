//! Promise: what is recorded is told, is there within moments, outlives the server, is found, and is its owner's alone.

use crate::client::{Browser, Socket, next, until};
use crate::support::{TOKEN, policy, start, start_with};
use futures_util::SinkExt;
use hyper::StatusCode;
use sandlot_server::session::policy::{Policy, Recorded, Recording};
use sandlot_server::terminal::recording::{Input, Settings};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

fn recorded() -> Policy {
    let each = Settings { input: Input::Left, largest: 64 << 20 };
    let (usual, age) = (Recorded::Yes, Duration::from_secs(3600));
    Policy { recording: Some(Recording { usual, each, age, total: 1 << 30 }), ..policy() }
}

async fn run(socket: &mut Socket, command: &str, shows: &str) {
    socket.send(Message::binary(format!("{command}\r").into_bytes())).await.unwrap();
    until(socket, shows).await;
}

/// The recording once it holds `wanted`.
async fn cast(visitor: &mut Browser, path: &str, wanted: &str) -> String {
    for _ in 0..200 {
        let answer = visitor.call("GET", path, "").await;
        if let Value::String(text) = answer.body
            && text.contains(wanted)
        {
            assert_eq!(answer.kind, "application/x-asciicast");
            return text;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the recording never held {wanted:?}");
}

async fn found(visitor: &mut Browser, text: &str) -> Vec<Value> {
    let answer = visitor.call("GET", &format!("/api/v1/recordings/search?q={text}"), "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_terminal_is_recorded_and_its_viewers_are_told() {
    let server = start(recorded()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let path = format!("/api/v1/sessions/{id}/terminals/{terminal}");
    let mut at = visitor.attach(&id, &terminal, "").await.unwrap();
    let told = loop {
        if let Message::Text(text) = next(&mut at).await
            && text.contains("\"recording\"")
        {
            break text;
        }
    };
    assert_eq!(
        serde_json::from_str::<Value>(&told).unwrap(),
        json!({"type": "recording", "state": "on", "input": false})
    );
    run(&mut at, "echo shown-$((40+2))", "shown-42").await;
    at.send(Message::text(r#"{"type":"resize","cols":101,"rows":31}"#)).await.unwrap();
    let marker = visitor.call("POST", &format!("{path}/markers"), "{\"label\":\"step one\"}").await;
    assert_eq!(marker.status, StatusCode::NO_CONTENT, "{}", marker.body);
    let cast_path = format!("{path}/recording.cast");
    let text = cast(&mut visitor, &cast_path, "step one").await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["version"], &lines[0]["term"]["cols"]), (&json!(3), &json!(80)));
    let kinds: String = lines[1..].iter().map(|event| event[1].as_str().unwrap()).collect();
    assert!(kinds.contains('o') && kinds.contains('m') && !kinds.contains('i'), "{kinds}");

    // A part of it, by bytes.
    let range = [("range", "bytes=5-14"), ("accept-encoding", "identity")];
    let part = visitor.call_from("GET", &cast_path, "", &range).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body, Value::String(text[5..15].to_owned()));
    // A browser asks for it packed.
    let packed = visitor.call_from("GET", &cast_path, "", &[("accept-encoding", "br")]).await;
    assert_eq!((packed.status, packed.body.as_str().unwrap().is_empty()), (StatusCode::OK, false));
    let beyond = visitor.call_from("GET", &cast_path, "", &[("range", "bytes=99999999-")]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn what_was_shown_is_found_by_who_may_see_it() {
    let server = start(recorded()).await;
    let (mut visitor, mut other) = (Browser::new(server.address), Browser::new(server.address));
    let (id, terminal) = visitor.session().await;
    let mut at = visitor.attach(&id, &terminal, "").await.unwrap();
    run(&mut at, "printf 'Nee\\033[1mdle\\033[m in the hay\\n'; echo done-$((40+2))", "done-42").await;
    let mut lines = Vec::new();
    for _ in 0..200 {
        lines = found(&mut visitor, "needle%20in").await;
        if !lines.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["session"], json!(id));
    // The prompt may stand before it: this shell's terminal echoes at another time than a person's.
    let text = lines[0]["text"].as_str().unwrap();
    assert!(text.ends_with("Needle in the hay") && !text.contains('\x1b'), "{text:?}");
    assert!(lines[0]["at"].as_f64().unwrap() >= 0.0);
    assert!(found(&mut other, "needle%20in").await.is_empty(), "another visitor found it");
    let admin = [("authorization", &format!("Bearer {TOKEN}")[..])];
    let all = other.call_from("GET", "/api/v1/recordings/search?q=NEEDLE", "", &admin).await.body;
    assert_eq!(all.as_array().unwrap().len(), 1);
    for (who, status) in [(&mut visitor, StatusCode::OK), (&mut other, StatusCode::NOT_FOUND)] {
        let path = format!("/api/v1/sessions/{id}/terminals/{terminal}/recording.cast");
        assert_eq!(who.call("GET", &path, "").await.status, status);
    }
    for (sought, words) in [("", "3 to 200"), ("ab", "3 to 200"), (&"x".repeat(201)[..], "3 to 200")] {
        let answer = visitor.call("GET", &format!("/api/v1/recordings/search?q={sought}"), "").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body["detail"].as_str().unwrap().contains(words));
    }
    assert_eq!(visitor.call("GET", "/api/v1/recordings", "").await.body.as_array().unwrap().len(), 1);
    assert_eq!(other.call("GET", "/api/v1/recordings", "").await.body, json!([]));
}

#[tokio::test]
async fn a_server_that_is_started_again_goes_on_and_loses_nothing_of_what_was_printed_meanwhile() {
    let server = start(recorded()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let path = format!("/api/v1/sessions/{id}/terminals/{terminal}/recording.cast");
    let mut at = visitor.attach(&id, &terminal, "").await.unwrap();
    run(&mut at, "echo before-$((40+2)); (sleep 1; echo mean''while-$((40+2)))", "before-42").await;
    cast(&mut visitor, &path, "before-42").await;
    let (engine, state) = server.shut_down().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let server = start_with(recorded(), engine, state).await;
    let mut again = Browser::new(server.address);
    again.cookie = visitor.cookie;
    let mut at = again.attach(&id, &terminal, "").await.unwrap();
    run(&mut at, "echo after-$((40+2))", "after-42").await;
    let text = cast(&mut again, &path, "after-42").await;
    for (wanted, times) in [("before-42", 1), ("meanwhile-42", 1), ("after-42", 1), ("\"version\"", 1)] {
        assert_eq!(text.matches(wanted).count(), times, "{wanted} in {text}");
    }
    let mut lines = Vec::new();
    for _ in 0..200 {
        lines = found(&mut again, "meanwhile-42").await;
        if !lines.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        (lines.len(), found(&mut again, "before-42").await.len()),
        (1, 1),
        "found once, though read again"
    );
}

#[tokio::test]
async fn without_recording_nothing_is_written_and_nothing_is_told() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let mut at = visitor.attach(&id, &terminal, "").await.unwrap();
    run(&mut at, "echo shown-$((40+2))", "shown-42").await;
    assert!(!server.state.path().join("recordings").exists());
    let path = format!("/api/v1/sessions/{id}/terminals/{terminal}");
    assert_eq!(
        visitor.call("GET", &format!("{path}/recording.cast"), "").await.status,
        StatusCode::NOT_FOUND
    );
    let marker = visitor.call("POST", &format!("{path}/markers"), "{\"label\":\"x\"}").await;
    assert_eq!(marker.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_image_says_for_itself_whether_it_is_recorded() {
    let mut policy = recorded();
    let mut quiet = policy.catalogue[0].clone();
    (quiet.name, quiet.recorded) = ("quiet".to_owned(), Some(Recorded::No));
    policy.catalogue.push(quiet);
    let server = start(policy).await;
    let mut visitor = Browser::new(server.address);
    let images = visitor.call("GET", "/api/v1/images", "").await.body;
    let told: Vec<_> =
        images.as_array().unwrap().iter().map(|image| (&image["name"], &image["recorded"])).collect();
    assert_eq!(
        told,
        [(&json!("shell"), &json!(true)), (&json!("broken"), &json!(true)), (&json!("quiet"), &json!(false))]
    );
    for (image, state) in [("shell", "on"), ("quiet", "off")] {
        let body = json!({ "image": image }).to_string();
        let session = visitor.call("POST", "/api/v1/sessions", &body).await.body;
        let (id, terminal) =
            (session["id"].as_str().unwrap(), session["terminals"][0]["id"].as_str().unwrap());
        let mut at = visitor.attach(id, terminal, "").await.unwrap();
        run(&mut at, &format!("echo of-{image}-$((40+2))"), &format!("of-{image}-42")).await;
        let path = format!("/api/v1/sessions/{id}/terminals/{terminal}");
        match state {
            "on" => drop(cast(&mut visitor, &format!("{path}/recording.cast"), "of-shell-42").await),
            _ => {
                let answer = visitor.call("GET", &format!("{path}/recording.cast"), "").await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
                let body = json!({ "label": "x" }).to_string();
                let mark = visitor.call("POST", &format!("{path}/markers"), &body).await;
                assert_eq!(mark.status, StatusCode::NOT_FOUND, "{}", mark.body);
            }
        }
    }
    assert_eq!(found(&mut visitor, "of-quiet").await, Vec::<Value>::new());
}
