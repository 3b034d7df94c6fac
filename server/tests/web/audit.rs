//! Promise: who did what is known afterwards, to the administrator alone.

use super::client::Browser;
use super::support::{TOKEN, policy, start, start_with};
use hyper::StatusCode;
use serde_json::Value;
use std::net::SocketAddr;

async fn noted(address: SocketAddr, query: &str) -> (StatusCode, Value) {
    let token = format!("Bearer {TOKEN}");
    let mut administrator = Browser::new(address);
    let path = format!("/api/v1/audit{query}");
    let answer = administrator.call_from("GET", &path, "", &[("authorization", token.as_str())]).await;
    (answer.status, answer.body)
}

fn actions(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everything_that_changes_a_session_is_noted_with_its_actor() {
    let serving = start(policy()).await;
    let mut visitor = Browser::new(serving.address);
    let (id, terminal) = visitor.session().await;
    drop(visitor.attach(&id, &terminal, "?mode=view").await.unwrap());
    let path = format!("/api/v1/sessions/{id}");
    for (method, rest) in
        [("POST", "/extend"), ("POST", "/pause"), ("POST", "/unpause"), ("POST", "/terminals")]
    {
        let answer = visitor.call(method, &format!("{path}{rest}"), "").await;
        assert!(answer.status.is_success(), "{rest}: {}", answer.body);
    }
    assert_eq!(visitor.call("DELETE", &format!("{path}/terminals/{terminal}"), "").await.status, 204);
    assert_eq!(visitor.call("DELETE", &path, "").await.status, StatusCode::OK);
    let (status, entries) = noted(serving.address, &format!("?session={id}")).await;
    assert_eq!(status, StatusCode::OK, "{entries}");
    let expected =
        ["end", "close-terminal", "open-terminal", "unpause", "pause", "extend", "attach", "create"];
    assert_eq!(actions(&entries), expected, "{entries}");
    let actor = entries[0]["actor"].as_str().unwrap();
    assert!(entries.as_array().unwrap().iter().all(|entry| entry["actor"] == actor), "{entries}");
    assert_eq!(entries[0]["detail"], "closed");
    assert_eq!(entries[6]["detail"], format!("{terminal} view"));
    // Page by page, and after a restart.
    let before = entries[5]["id"].as_i64().unwrap();
    let (engine, state) = serving.shut_down().await;
    let serving = start_with(policy(), engine, state).await;
    let (_, rest) = noted(serving.address, &format!("?actor={actor}&before={before}")).await;
    assert_eq!(actions(&rest), ["attach", "create"]);
    let (_, lines) = noted(serving.address, "?format=lines&limit=2").await;
    let lines: Vec<Value> =
        lines.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(noted(serving.address, "?nonsense=1").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn visitors_do_not_see_it() {
    let serving = start(policy()).await;
    let mut visitor = Browser::new(serving.address);
    assert_eq!(visitor.call("GET", "/api/v1/audit", "").await.status, StatusCode::FORBIDDEN);
}
