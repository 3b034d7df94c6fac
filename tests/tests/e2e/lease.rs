//! A session's time: it is told five minutes and one minute before its end, may be made longer as often as is allowed, and ends with
//! words that say why, and what is left of it.

use sandlot_tests::client::{Attached, Visitor};
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::{PATIENCE, until};
use serde_json::{Value, json};

const IMAGE: &str = "sandlot/starter";

/// A server with these settings, a session on it, and its terminal at its prompt.
async fn leased(settings: &[&str]) -> (Sandbox, Visitor, String, Attached) {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.settings(settings);
    sandbox.start(Part::Server).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let session = visitor.session(IMAGE).await.unwrap();
    let id = session["id"].as_str().unwrap().to_owned();
    let terminal = session["terminals"][0]["id"].as_str().unwrap();
    let attached = visitor.attach(&id, terminal).await.unwrap();
    (sandbox, visitor, id, attached)
}

/// The next message of that kind.
async fn message(attached: &mut Attached, kind: &str) -> Value {
    let found = async {
        loop {
            let message = attached.control().await.unwrap().unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {kind}"))
}

#[tokio::test]
async fn each_warning_comes_in_its_time_and_more_time_is_had_as_often_as_is_allowed() {
    // It begins a few seconds before the last minute; what it is made longer by ends a few seconds before the last five.
    let (_sandbox, visitor, id, mut attached) =
        leased(&["--lifetime=72s", "--extend=262s", "--extensions=1"]).await;
    let told = message(&mut attached, "notice").await;
    assert_eq!(
        (told["text"].as_str(), told["level"].as_str()),
        (Some("this session ends in 1 min: extend it if you need more"), Some("warning"))
    );
    let (status, extended) = visitor.call("POST", &format!("/sessions/{id}/extend"), None).await.unwrap();
    assert_eq!((status, &extended["extensions_left"]), (200, &json!(0)), "{extended}");
    let left = message(&mut attached, "lease").await;
    assert!(left["remaining_seconds"].as_u64() > Some(305), "{left}");
    let told = message(&mut attached, "notice").await;
    assert_eq!(told["text"], "this session ends in 5 min: save what you need");
    let (status, refused) = visitor.call("POST", &format!("/sessions/{id}/extend"), None).await.unwrap();
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("extended 1 times"), "{refused}");
}

#[tokio::test]
async fn who_does_not_type_is_told_and_typing_is_enough_to_stay() {
    let (_sandbox, visitor, id, mut attached) = leased(&["--idle=72s"]).await;
    let told = message(&mut attached, "notice").await;
    assert!(told["text"].as_str().unwrap().contains("ends in 1 min unless you type"), "{told}");
    attached.type_in("echo here-$((1 + 1))\n").await.unwrap();
    attached.until("here-2").await.unwrap();
    let (_, session) = visitor.call("GET", &format!("/sessions/{id}"), None).await.unwrap();
    assert!(session["idle_remaining_seconds"].as_u64() > Some(60), "{session}");
}

#[tokio::test]
async fn an_end_says_why_and_what_is_left() {
    let settings = ["--lifetime=20s", "--recording=on"];
    let (sandbox, visitor, id, mut attached) = leased(&settings).await;
    let terminal = attached.hello["id"].as_str().unwrap().to_owned();
    attached.type_in("echo work > /root/notes; echo done-$((1 + 1))\n").await.unwrap();
    attached.until("done-2").await.unwrap();
    let path = format!("/sessions/{id}/commit");
    let (status, kept) = visitor.call("POST", &path, Some(json!({ "title": "Notes" }))).await.unwrap();
    assert_eq!(status, 201, "{kept}");
    let told = message(&mut attached, "notice").await;
    assert!(told["text"].as_str().unwrap().starts_with("the session's time is over: it lasted"), "{told}");
    let over = || async {
        let (_, session) = visitor.call("GET", &format!("/sessions/{id}"), None).await.ok()?;
        (session["state"] == "ended").then_some(session)
    };
    let session = until("the end", over).await.unwrap();
    assert_eq!((&session["reason"], &session["kept"]), (&json!("expired"), &json!([kept])), "{session}");
    assert_eq!(session["recordings"], json!([terminal]), "{session}");
    let path = format!("/sessions/{id}/terminals/{terminal}/recording.cast");
    let cast = visitor.raw("GET", &path, &[], "").await.unwrap();
    assert!(cast.text().await.unwrap().contains("done-2"), "what is told is there");
    // It is nobody else's.
    let other = Visitor::new(sandbox.address()).await.unwrap();
    assert_eq!(other.call("GET", &format!("/sessions/{id}"), None).await.unwrap().0, 404);
}
