//! Promise: who waits for a place is told where they stand as it changes, without asking, until the session is there or over.

use crate::client::Browser;
use crate::support::{policy, start};
use hyper::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A stream of a session's changes.
struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(visitor: &Browser, address: std::net::SocketAddr, id: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let cookie = visitor.cookie.as_deref().unwrap_or_default();
        let request = format!(
            "GET /api/v1/sessions/{id}/events HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut line));
        let read = read.await.expect("nothing came for 10 s").unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    async fn head(&mut self) -> String {
        let mut head = String::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            head += &(line.to_lowercase() + "\n");
        }
        head
    }

    /// The next event; `None` at the stream's end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.line().await?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
            if line == "0" {
                return None;
            }
        }
    }
}

#[tokio::test]
async fn the_place_in_the_queue_the_start_and_the_end_come_by_themselves() {
    let server = start(policy()).await;
    let mut full = Vec::new();
    for _ in 0..3 {
        let mut visitor = Browser::new(server.address);
        full.push((visitor.session().await.0, visitor));
    }
    let mut queue = Vec::new();
    for _ in 0..2 {
        let mut visitor = Browser::new(server.address);
        let answer = visitor.call("POST", "/api/v1/sessions", "{}").await;
        queue.push((answer.body["id"].as_str().unwrap().to_owned(), visitor));
    }
    let (mut last, (id, waiting)) = (Vec::new(), &queue[1]);
    let mut stream = Stream::open(waiting, server.address, id).await;
    let head = stream.head().await;
    assert!(head.starts_with("http/1.1 200") && head.contains("text/event-stream"), "{head}");
    assert!(!head.contains("content-encoding"), "a compressed stream is held back: {head}");
    let first = stream.next().await.unwrap();
    assert_eq!((&first["state"], &first["position"]), (&json!("queued"), &json!(2)));
    for (id, visitor) in &mut full {
        visitor.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    }
    while last.last() != Some(&json!("running")) {
        last.push(stream.next().await.expect("the stream ended")["state"].clone());
    }
    let (id, visitor) = &mut queue[1];
    visitor.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    assert_eq!(stream.next().await.unwrap()["reason"], "closed");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn nobody_follows_the_session_of_another() {
    let server = start(policy()).await;
    let (id, _) = Browser::new(server.address).session().await;
    let mut stream = Stream::open(&Browser::new(server.address), server.address, &id).await;
    assert!(stream.head().await.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_those_who_follow() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, _) = visitor.session().await;
    let mut stream = Stream::open(&visitor, server.address, &id).await;
    stream.head().await;
    assert_eq!(stream.next().await.unwrap()["state"], "running");
    let began = std::time::Instant::now();
    server.shut_down().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_left_is_told_in_seconds_by_the_servers_clock() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, _) = visitor.session().await;
    let path = format!("/api/v1/sessions/{id}");
    for path in [path.clone(), format!("{path}/stats")] {
        let answer = visitor.call("GET", &path, "").await;
        assert_eq!(answer.status, StatusCode::OK);
        let (total, idle) = (&answer.body["remaining_seconds"], &answer.body["idle_remaining_seconds"]);
        assert!((3590..=3600).contains(&total.as_u64().unwrap()), "{total}");
        assert!((590..=600).contains(&idle.as_u64().unwrap()), "{idle}");
    }
    let extended = visitor.call("POST", &format!("{path}/extend"), "").await.body;
    assert!(extended["remaining_seconds"].as_u64().unwrap() > 4190, "{extended}");
}
