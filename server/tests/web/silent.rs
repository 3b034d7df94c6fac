//! Promise: connections that say nothing are bounded in number and in time, and keep nobody else out for long.

use crate::client::{Browser, next};
use crate::support::{policy, start};
use futures_util::SinkExt;
use hyper::StatusCode;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// As many as the issue names, or as descriptors allow: each needs two in this process.
fn many() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let now = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    usize::try_from(now.saturating_sub(500) / 2).unwrap_or(0).min(10_000)
}

#[tokio::test]
async fn ten_thousand_connections_that_say_nothing_are_let_go_and_others_are_served() {
    let server = start(policy()).await;
    let (many, mut silent) = (many(), Vec::new());
    assert!(many > 4096, "too few descriptors here to go beyond what the server takes at once: {many}");
    for _ in 0..many {
        // Beyond what the server takes at once, the kernel's queue fills: who waits there is not served either.
        match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(server.address)).await {
            Ok(Ok(stream)) => silent.push(stream),
            _ => break,
        }
    }
    assert!(silent.len() >= 1024, "{}", silent.len());
    // Each is let go after the time for a head, so somebody who speaks comes in.
    let mut visitor = Browser::new(server.address);
    let answer = tokio::time::timeout(Duration::from_secs(60), visitor.call("GET", "/api/v1/me", "")).await;
    assert_eq!(answer.expect("nobody else was served").status, StatusCode::OK);
    let mut byte = [0];
    let first = silent[0].read(&mut byte);
    let read = tokio::time::timeout(Duration::from_secs(60), first).await.expect("it is kept for ever");
    assert!(!matches!(read, Ok(1)), "it was answered");
}

#[tokio::test]
async fn two_windows_of_one_page_that_come_back_at_once_leave_one_and_nothing_is_typed_twice() {
    let server = start(policy()).await;
    let mut visitor = Browser::new(server.address);
    let (id, terminal) = visitor.session().await;
    let query = "?page=window1";
    let mut first = visitor.attach(&id, &terminal, query).await.unwrap();
    first.send(Message::binary(b"echo once-$((40+2))\r".to_vec())).await.unwrap();
    crate::client::until(&mut first, "once-42").await;
    let (second, third) =
        tokio::join!(visitor.attach(&id, &terminal, query), visitor.attach(&id, &terminal, query));
    let (mut second, mut third) = (second.unwrap(), third.unwrap());
    // Whichever came last stays, the others are closed, perhaps before they are greeted.
    let mut taken = Vec::new();
    for socket in [&mut second, &mut third] {
        if let Message::Text(hello) = next(socket).await {
            let hello: serde_json::Value = serde_json::from_str(&hello).unwrap();
            taken.push(hello["taken"].clone());
        }
    }
    assert!(!taken.is_empty() && taken.iter().all(|taken| *taken == serde_json::json!(20)), "{taken:?}");
    let closed = async |socket: &mut crate::client::Socket| loop {
        match futures_util::StreamExt::next(socket).await {
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => (),
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed(&mut first))
        .await
        .expect("the first is still there");
    let one = tokio::select! {
        () = closed(&mut second) => &mut third,
        () = closed(&mut third) => &mut second,
    };
    one.send(Message::binary(b"echo alive-$((40+2))\r".to_vec())).await.unwrap();
    let shown = crate::client::until(one, "alive-42").await;
    assert!(shown.matches("once-42").count() <= 1, "{shown}");
}
