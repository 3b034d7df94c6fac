//! Promise: a share link lets exactly its guests do exactly what it says, until it is revoked.

use crate::client::{Browser, Socket, close_code, next, until};
use crate::support::{policy, start};
use futures_util::SinkExt;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

/// A link of that mode: its id and its path.
async fn link(owner: &mut Browser, id: &str, mode: &str) -> (String, String) {
    let body = json!({"mode": mode}).to_string();
    let made = owner.call("POST", &format!("/api/v1/sessions/{id}/shares"), &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    (made.body["id"].as_str().unwrap().to_owned(), made.body["url"].as_str().unwrap().to_owned())
}

/// Somebody who opens the link.
async fn guest(owner: &Browser, path: &str, id: &str) -> Browser {
    let mut guest = owner.stranger();
    let answer = guest.call("GET", path, "").await;
    assert_eq!((answer.status, answer.location), (StatusCode::SEE_OTHER, Some(format!("/s/{id}"))));
    guest
}

async fn message(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

fn type_in(text: &str) -> Message {
    Message::binary(text.as_bytes().to_vec())
}

fn status(result: Result<Socket, Error>) -> StatusCode {
    match result {
        Err(Error::Http(answer)) => StatusCode::from_u16(answer.status().as_u16()).unwrap(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn who_looks_on_sees_everything_and_changes_nothing() {
    let server = start(policy()).await;
    let mut owner = Browser::new(server.address);
    let (id, terminal) = owner.session().await;
    let (_, path) = link(&mut owner, &id, "view").await;
    let mut guest = guest(&owner, &path, &id).await;
    let info = guest.call("GET", &format!("/api/v1/sessions/{id}"), "").await;
    assert_eq!((info.status, &info.body["access"]), (StatusCode::OK, &json!("view")));

    let mut at = owner.attach(&id, &terminal, "").await.unwrap();
    // It asks to control, and may not.
    let mut looking = guest.attach(&id, &terminal, "?mode=control").await.unwrap();
    assert_eq!(message(&mut looking, "hello").await["mode"], "view");
    for forbidden in ["echo typed-by-$((40+2))\r", "exit\r"] {
        looking.send(type_in(forbidden)).await.unwrap();
    }
    for control in [
        r#"{"type":"resize","cols":33,"rows":3}"#,
        r#"{"type":"drive"}"#,
        r#"{"type":"answer","text":"echo no\r"}"#,
    ] {
        looking.send(Message::text(control)).await.unwrap();
    }
    assert!(message(&mut looking, "notice").await["text"].as_str().unwrap().contains("looking on"));
    at.send(type_in("echo seen-$((40+2)) $(stty size)\r")).await.unwrap();
    assert!(until(&mut looking, "seen-42 24 80").await.find("typed-by").is_none());

    let path = format!("/api/v1/sessions/{id}");
    for (method, path, body) in [
        ("DELETE", path.clone(), ""),
        ("POST", format!("{path}/extend"), ""),
        ("POST", format!("{path}/pause"), ""),
        ("GET", format!("{path}/shares"), ""),
        ("POST", format!("{path}/shares"), "{\"mode\":\"control\"}"),
        ("POST", format!("{path}/terminals"), ""),
        ("DELETE", format!("{path}/terminals/{terminal}"), ""),
        ("POST", format!("{path}/terminals/{terminal}/markers"), "{\"label\":\"x\"}"),
        ("GET", format!("{path}/terminals/{terminal}/recording.cast"), ""),
    ] {
        assert_eq!(guest.call(method, &path, body).await.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(guest.call("GET", "/api/v1/sessions", "").await.body, json!([]));
}

#[tokio::test]
async fn who_may_type_types_and_everybody_knows_who_is_there() {
    let server = start(policy()).await;
    let mut owner = Browser::new(server.address);
    let (id, terminal) = owner.session().await;
    let (share, path) = link(&mut owner, &id, "control").await;
    let mut at = owner.attach(&id, &terminal, "").await.unwrap();
    let (first, second) = (guest(&owner, &path, &id).await, guest(&owner, &path, &id).await);
    let mut typing = first.attach(&id, &terminal, "").await.unwrap();
    let _looking = second.attach(&id, &terminal, "?mode=view").await.unwrap();
    typing.send(type_in("echo together-$((40+2))\r")).await.unwrap();
    until(&mut at, "together-42").await;
    let people = loop {
        typing.send(Message::text(r#"{"type":"drive"}"#)).await.unwrap();
        let people = message(&mut typing, "people").await["people"].clone();
        if people.as_array().unwrap().len() == 3 {
            break people;
        }
    };
    let seen: Vec<_> = people
        .as_array()
        .unwrap()
        .iter()
        .map(|person| (person["name"].clone(), person["you"].clone()))
        .collect();
    assert_eq!(
        seen,
        [(json!("Owner"), json!(false)), (json!("Guest 1"), json!(true)), (json!("Guest 2"), json!(false))]
    );
    // Who opens the link again is the same guest.
    let mut first = first;
    assert_eq!(first.call("GET", &path, "").await.status, StatusCode::SEE_OTHER);
    let list = owner.call("GET", &format!("/api/v1/sessions/{id}/shares"), "").await.body;
    assert_eq!((&list[0]["id"], list[0]["guests"].as_array().unwrap().len()), (&json!(share), 2));
    assert_eq!(list[0]["url"], Value::Null, "the link is told once");
}

#[tokio::test]
async fn a_revoked_link_lets_go_at_once_with_words_and_lets_nobody_in() {
    let server = start(policy()).await;
    let mut owner = Browser::new(server.address);
    let (id, terminal) = owner.session().await;
    let ((share, path), (_, other)) =
        (link(&mut owner, &id, "control").await, link(&mut owner, &id, "control").await);
    let (mut let_go, stays) = (guest(&owner, &path, &id).await, guest(&owner, &other, &id).await);
    let (mut going, mut staying) =
        (let_go.attach(&id, &terminal, "").await.unwrap(), stays.attach(&id, &terminal, "").await.unwrap());
    let revoke = format!("/api/v1/sessions/{id}/shares/{share}");
    assert_eq!(owner.stranger().call("DELETE", &revoke, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(owner.call("DELETE", &revoke, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(close_code(&mut going).await, 1008);
    assert_eq!(status(let_go.attach(&id, &terminal, "").await), StatusCode::GONE);
    let gone = let_go.call("GET", &format!("/api/v1/sessions/{id}"), "").await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.body["detail"].as_str().unwrap().contains("revoked"), "{}", gone.body);
    assert_eq!(owner.stranger().call("GET", &path, "").await.status, StatusCode::OK, "a page that says so");
    assert_eq!(owner.call("DELETE", &revoke, "").await.status, StatusCode::NOT_FOUND);
    staying.send(type_in("echo still-$((40+2))\r")).await.unwrap();
    until(&mut staying, "still-42").await;
}

#[tokio::test]
async fn a_guests_cookie_opens_no_other_session_and_cannot_be_made_up() {
    let server = start(policy()).await;
    let mut owner = Browser::new(server.address);
    let ((id, terminal), (other, second)) = (owner.session().await, owner.session().await);
    let (share, path) = link(&mut owner, &id, "view").await;
    let guest = guest(&owner, &path, &id).await;
    assert_eq!(status(guest.attach(&other, &second, "").await), StatusCode::NOT_FOUND);
    let cookie = guest.cookie.clone().unwrap();
    let seal = cookie.rsplit_once('.').unwrap().1;
    for forged in [
        format!("sandlot-share={share}.2.{seal}"),
        format!("sandlot-share={share}.1."),
        format!("sandlot-share={share}.1"),
        "sandlot-share=".to_owned(),
    ] {
        let mut liar = owner.stranger();
        liar.cookie = Some(forged.clone());
        assert_eq!(status(liar.attach(&id, &terminal, "").await), StatusCode::NOT_FOUND, "{forged}");
    }
    // Nothing in the database opens a session.
    let token = path.rsplit_once('/').unwrap().1;
    for file in ["sandlot.db", "sandlot.db-wal"] {
        let bytes = std::fs::read(server.state.path().join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(token.len()).any(|window| window == token.as_bytes()),
            "the token is in {file}"
        );
    }
    for wrong in ["{}", "{\"mode\":\"admin\"}", "{\"mode\":\"view\",\"for\":\"ever\"}"] {
        let answer = owner.call("POST", &format!("/api/v1/sessions/{id}/shares"), wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn links_of_a_session_are_bounded() {
    let server = start(policy()).await;
    let mut owner = Browser::new(server.address);
    let (id, _) = owner.session().await;
    for _ in 0..32 {
        link(&mut owner, &id, "view").await;
    }
    let answer = owner.call("POST", &format!("/api/v1/sessions/{id}/shares"), "{\"mode\":\"view\"}").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body["detail"].as_str().unwrap().contains("revoke one"), "{}", answer.body);
}
