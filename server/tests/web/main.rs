//! Promise: the web server gives each visitor their own sessions and terminals, and bad input gets words.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod audit;
#[path = "support/client.rs"]
mod client;
mod keeping;
mod pool;
mod recorded;
mod sharing;
mod silent;
mod support;
mod waiting;

use client::{Browser, close_code, next, until};
use futures_util::SinkExt;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use support::{TOKEN, policy, start, start_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message};

fn status(error: Result<client::Socket, Error>) -> StatusCode {
    match error {
        Err(Error::Http(response)) => StatusCode::from_u16(response.status().as_u16()).unwrap(),
        Err(other) => panic!("expected an HTTP answer, got {other}"),
        Ok(_) => StatusCode::SWITCHING_PROTOCOLS,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_types_and_sees_and_finds_the_screen_again() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
    let Message::Text(hello) = next(&mut socket).await else { panic!("expected a hello") };
    let hello: Value = serde_json::from_str(&hello).unwrap();
    assert_eq!((&hello["type"], &hello["mode"]), (&json!("hello"), &json!("control")));
    socket.send(Message::binary("echo a$((1+1))b\r".as_bytes().to_vec())).await.unwrap();
    until(&mut socket, "a2b").await;
    drop(socket);
    let mut socket = visitor.attach(&id, &terminal, "?mode=view").await.unwrap();
    until(&mut socket, "a2b").await;
    let mut typing = visitor.attach(&id, &terminal, "").await.unwrap();
    typing.send(Message::binary("exit 3\r".as_bytes().to_vec())).await.unwrap();
    loop {
        if let Message::Text(text) = next(&mut socket).await {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "exit" {
                assert_eq!(message["code"], 3);
                break;
            }
        }
    }
    assert_eq!(close_code(&mut socket).await, 1000);
    let answer = visitor.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    assert_eq!((answer.status, &answer.body["reason"]), (StatusCode::OK, &json!("closed")));
    for _ in 0..100 {
        if server.engine.count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the container was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_started_again_takes_the_sessions_up() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
    socket.send(Message::binary("x=kept; echo bef''ore\r".as_bytes().to_vec())).await.unwrap();
    until(&mut socket, "before").await;
    let shutting = tokio::spawn(server.shut_down());
    assert_eq!(close_code(&mut socket).await, 1012);
    let (engine, state) = shutting.await.unwrap();
    let server = start_with(policy(), engine, state).await;
    let mut again = Browser::new(server.address);
    again.cookie = visitor.cookie;
    let mut socket = again.attach(&id, &terminal, "").await.unwrap();
    until(&mut socket, "before").await;
    socket.send(Message::binary("echo $x-$x\r".as_bytes().to_vec())).await.unwrap();
    until(&mut socket, "kept-kept").await;
}

#[tokio::test]
async fn a_session_belongs_to_who_made_it() {
    let server = start(policy()).await;
    let (mut owner, mut other) = (Browser::new(server.address), Browser::new(server.address));
    let (id, terminal) = owner.session().await;
    for (method, path) in
        [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/extend"), ("GET", "/stats")]
    {
        let answer = other.call(method, &format!("/api/v1/sessions/{id}{path}"), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(answer.kind, "application/problem+json");
    }
    assert_eq!(status(other.attach(&id, &terminal, "").await), StatusCode::NOT_FOUND);
    assert_eq!(other.call("GET", "/api/v1/sessions", "").await.body, json!([]));
    let bearer = format!("Bearer {TOKEN}");
    let path = format!("/api/v1/sessions/{id}");
    let admin = Browser::new(server.address).call_from("GET", &path, "", &[("authorization", &bearer)]).await;
    assert_eq!(admin.status, StatusCode::OK);
    let wrong =
        Browser::new(server.address).call_from("GET", &path, "", &[("authorization", "Bearer x")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn foreign_pages_reach_nothing() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    for origin in [Some("http://evil.example"), Some("null"), Some("http://127.0.0.1:1"), None] {
        let answer = visitor.attach_from(&id, &terminal, "", origin).await;
        assert_eq!(status(answer), StatusCode::FORBIDDEN, "{origin:?}");
    }
    let foreign = [("origin", "http://evil.example")];
    let answer = visitor.call_from("POST", "/api/v1/sessions", "{}", &foreign).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = visitor.call_from("GET", "/api/v1/images", "", &[("host", "evil.example")]).await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn who_finds_no_place_waits_and_is_told_which() {
    let server = start(policy()).await;
    let mut full = Vec::new();
    for _ in 0..3 {
        let mut visitor = Browser::new(server.address);
        full.push((visitor.session().await.0, visitor));
    }
    let mut queue = Vec::new();
    for position in 1..=2 {
        let mut visitor = Browser::new(server.address);
        let answer = visitor.call("POST", "/api/v1/sessions", "{}").await;
        assert_eq!((answer.status, &answer.body["position"]), (StatusCode::ACCEPTED, &json!(position)));
        queue.push((answer.body["id"].as_str().unwrap().to_owned(), visitor));
    }
    let late = Browser::new(server.address).call("POST", "/api/v1/sessions", "{}").await;
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(late.body["detail"].as_str().unwrap().contains("queue is full"), "{}", late.body);
    let (id, visitor) = &mut full[0];
    visitor.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    let (id, visitor) = &mut queue[0];
    for _ in 0..100 {
        let answer = visitor.call("GET", &format!("/api/v1/sessions/{id}"), "").await;
        if answer.body["state"] == "running" {
            let (id, visitor) = &mut queue[1];
            let answer = visitor.call("GET", &format!("/api/v1/sessions/{id}"), "").await;
            assert_eq!(answer.body["position"], 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the first of the queue did not start");
}

#[tokio::test]
async fn limits_are_told_in_words() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, _) = visitor.session().await;
    visitor.session().await;
    let answer = visitor.call("POST", "/api/v1/sessions", "{}").await;
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "application/problem+json")
    );
    assert!(answer.body["detail"].as_str().unwrap().contains("2 sessions"), "{}", answer.body);
    let path = format!("/api/v1/sessions/{id}");
    assert_eq!(visitor.call("POST", &format!("{path}/terminals"), "").await.status, StatusCode::CREATED);
    assert_eq!(visitor.call("POST", &format!("{path}/terminals"), "").await.status, StatusCode::CONFLICT);
    let wide = visitor.call("POST", &format!("{path}/terminals"), "{\"cols\":0}").await;
    assert_eq!(wide.status, StatusCode::UNPROCESSABLE_ENTITY);
    let before = visitor.call("GET", &path, "").await.body["expires_at"].clone();
    for left in [1, 0] {
        let answer = visitor.call("POST", &format!("{path}/extend"), "").await;
        assert_eq!(answer.body["extensions_left"], left);
        assert_ne!(answer.body["expires_at"], before);
    }
    assert_eq!(visitor.call("POST", &format!("{path}/extend"), "").await.status, StatusCode::CONFLICT);
    assert_eq!(visitor.call("POST", &format!("{path}/pause"), "").await.body["state"], "paused");
    assert_eq!(visitor.call("POST", &format!("{path}/unpause"), "").await.body["state"], "running");
    assert_eq!(visitor.call("GET", &format!("{path}/stats"), "").await.body["pids_limit"], 100);
}

#[tokio::test]
async fn idle_sessions_and_old_ones_end_and_say_why() {
    for (reason, changed) in [
        ("idle", sandlot_server::session::policy::Policy { idle: Duration::from_secs(1), ..policy() }),
        ("expired", sandlot_server::session::policy::Policy { lifetime: Duration::from_secs(1), ..policy() }),
    ] {
        let server = start(changed).await;
        let mut visitor = Browser::new(server.address);
        let (id, _) = visitor.session().await;
        let path = format!("/api/v1/sessions/{id}");
        let mut answer = visitor.call("GET", &path, "").await;
        for _ in 0..100 {
            if answer.body["state"] == "ended" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = visitor.call("GET", &path, "").await;
        }
        assert_eq!(answer.body["reason"], reason, "{}", answer.body);
    }
}

#[tokio::test]
async fn bad_requests_get_words() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    for (body, expected) in [
        ("{", StatusCode::BAD_REQUEST),
        ("{\"image\":5}", StatusCode::UNPROCESSABLE_ENTITY),
        ("{\"image\":\"not-listed\"}", StatusCode::UNPROCESSABLE_ENTITY),
        ("{\"imgae\":\"shell\"}", StatusCode::UNPROCESSABLE_ENTITY),
        ("{\"nested\":true}", StatusCode::FORBIDDEN),
        ("{\"image\":\"broken\"}", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let answer = visitor.call("POST", "/api/v1/sessions", body).await;
        assert_eq!(answer.status, expected, "{body}: {}", answer.body);
        assert_eq!(answer.kind, "application/problem+json");
        assert!(!answer.body["detail"].as_str().unwrap().is_empty());
    }
    let big = format!("{{\"image\":\"{}\"}}", "x".repeat(100_000));
    assert_eq!(visitor.call("POST", "/api/v1/sessions", &big).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(visitor.call("GET", "/api/v1/nothing", "").await.kind, "application/problem+json");
    assert_eq!(server.engine.count(), 0);
}

#[tokio::test]
async fn a_body_or_a_head_that_never_ends_is_cut_off() {
    let server = start(policy()).await;
    for (head, expected) in [
        (
            "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            "408",
        ),
        (
            "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n1\r\n{\r\n",
            "408",
        ),
        ("GET / HTTP/1.1\r\nX-Slow: ", ""),
    ] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(8), stream.read_to_string(&mut answer));
        let _ = read.await.unwrap_or_else(|_| panic!("still open after 8 s: {head}"));
        assert!(answer.contains(expected), "{answer}");
    }
}

#[tokio::test]
async fn bad_frames_end_the_connection_with_a_code() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    for (frame, expected) in [
        (Message::text("garbage"), 1003),
        (Message::text("{\"type\":\"launch\"}"), 1003),
        (Message::text("{\"type\":\"resize\",\"cols\":-1,\"rows\":5}"), 1003),
        (Message::binary(vec![b'x'; 100 << 20]), 1009),
    ] {
        let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
        // The server closes before it has read a frame that is too big: writing it may fail.
        let (mut write, mut read) = futures_util::StreamExt::split(&mut socket);
        let sending = async { write.send(frame).await.err() };
        let reading = async {
            while let Some(Ok(message)) = futures_util::StreamExt::next(&mut read).await {
                if let Message::Close(Some(frame)) = message {
                    return Some(u16::from(frame.code));
                }
            }
            None
        };
        let both = futures_util::future::join(sending, reading);
        let (_, code) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("still open");
        assert_eq!(code, Some(expected));
    }
    let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
    for size in ["0", "65535"] {
        let resize = format!("{{\"type\":\"resize\",\"cols\":{size},\"rows\":{size}}}");
        socket.send(Message::text(resize)).await.unwrap();
        loop {
            if let Message::Text(text) = next(&mut socket).await
                && text.contains("notice")
            {
                assert!(text.contains("between 1 and 1000"), "{text}");
                break;
            }
        }
    }
    socket.send(Message::binary("echo still $((40+2))\r".as_bytes().to_vec())).await.unwrap();
    until(&mut socket, "still 42").await;
}

#[tokio::test]
async fn pages_and_figures_are_served() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    for path in ["/", "/s/0123"] {
        let answer = visitor.call("GET", path, "").await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{path}"
        );
    }
    assert_eq!(visitor.call("GET", "/../etc/passwd", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.call("GET", "/healthz", "").await.status, StatusCode::OK);
    let api = visitor.call("GET", "/api/v1/openapi.json", "").await.body;
    assert!(api["paths"]["/api/v1/sessions"]["post"].is_object());
    visitor.session().await;
    let figures = visitor.call("GET", "/metrics", "").await.body;
    assert!(figures.as_str().unwrap().contains("sandlot_sessions 1"), "{figures}");
    assert_eq!(visitor.call("GET", "/readyz", "").await.status, StatusCode::OK);
    let me = visitor.call("GET", "/api/v1/me", "").await.body;
    assert_eq!((&me["role"], &me["sessions"]), (&json!("visitor"), &json!(1)));
}

#[tokio::test]
async fn a_viewer_that_never_reads_is_disconnected() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
    socket.send(Message::binary("yes\r".as_bytes().to_vec())).await.unwrap();
    // Longer than two pings: what is tested is that time passes without a sign of life.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let drained = async {
        let mut got = 0;
        while let Some(Ok(message)) = futures_util::StreamExt::next(&mut socket).await {
            got += message.len();
        }
        got
    };
    let got = tokio::time::timeout(Duration::from_secs(10), drained).await.expect("still connected");
    assert!(got < 2 << 20, "{got} bytes were sent to who acknowledged nothing");
}
