//! What a session changed is kept as an image of its owner's; a reset makes the machine fresh with the terminals still open.

use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use serde_json::{Value, json};

const IMAGE: &str = "sandlot/starter";

fn names(session: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&session["id"]), text(&session["terminals"][0]["id"]))
}

#[tokio::test]
async fn kept_work_is_there_in_the_next_session_and_its_owners_alone() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.settings(&["--keep=1"]);
    sandbox.start(Part::Server).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("echo my own work > /root/work; rm /etc/motd; echo don''e\n").await.unwrap();
    attached.until("done").await.unwrap();
    let path = format!("/sessions/{session}/commit");
    let (status, kept) = visitor.call("POST", &path, Some(json!({ "title": "Lesson 1" }))).await.unwrap();
    assert_eq!(status, 201, "{kept}");
    assert_eq!((&kept["title"], &kept["image"]), (&json!("Lesson 1"), &json!(IMAGE)), "{kept}");
    // The session goes on.
    attached.type_in("echo on-$((1 + 1))-\n").await.unwrap();
    attached.until("on-2-").await.unwrap();
    let (status, problem) = visitor.call("POST", &path, None).await.unwrap();
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains("you keep 1"), "{problem}");
    let kept_id = kept["id"].as_str().unwrap();
    let stranger = Visitor::new(sandbox.address()).await.unwrap();
    for (method, path, body) in [
        ("POST", "/sessions".to_owned(), Some(json!({ "kept": kept_id }))),
        ("DELETE", format!("/kept/{kept_id}"), None),
        ("POST", format!("/sessions/{session}/commit"), None),
        ("POST", format!("/sessions/{session}/reset"), None),
    ] {
        let (status, problem) = stranger.call(method, &path, body).await.unwrap();
        assert_eq!(status, 404, "{method} {path}: {problem}");
    }
    // Nor by its image's name.
    let by_name = json!({ "image": format!("sandlot-kept/{kept_id}") });
    assert_eq!(stranger.call("POST", "/sessions", Some(by_name)).await.unwrap().0, 422);
    assert_eq!(stranger.call("GET", "/kept", None).await.unwrap().1, json!([]));
    visitor.call("DELETE", &format!("/sessions/{session}"), None).await.unwrap();
    // Also after the server was killed.
    sandbox.kill(Part::Server).unwrap();
    sandbox.start(Part::Server).await.unwrap();
    let (status, second) = visitor.call("POST", "/sessions", Some(json!({ "kept": kept_id }))).await.unwrap();
    assert_eq!((status, &second["title"]), (201, &json!("Lesson 1")), "{second}");
    let (second, terminal) = names(&second);
    let mut attached = visitor.attach(&second, &terminal).await.unwrap();
    attached.type_in("cat /root/work; [ -e /etc/motd ] || echo remov''ed\n").await.unwrap();
    attached.until("my own work").await.unwrap();
    attached.until("removed").await.unwrap();
    let (status, problem) = visitor.call("DELETE", &format!("/kept/{kept_id}"), None).await.unwrap();
    assert_eq!(status, 409, "{problem}");
    visitor.call("DELETE", &format!("/sessions/{second}"), None).await.unwrap();
    let forgotten = || async {
        let (status, _) = visitor.call("DELETE", &format!("/kept/{kept_id}"), None).await.ok()?;
        (status == 204).then_some(())
    };
    until("the kept work to go", forgotten).await.unwrap();
    assert_eq!(visitor.call("GET", "/kept", None).await.unwrap().1, json!([]));
    assert!(!sandbox.ok(&["images"]).unwrap().contains("sandlot-kept"));
}

#[tokio::test]
async fn more_than_may_be_kept_is_refused_in_words() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.settings(&["--keep-size=8m", "--disk=64m"]);
    sandbox.start(Part::Server).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("head -c 20m /dev/urandom > /root/large; sync; echo don''e\n").await.unwrap();
    attached.until("done").await.unwrap();
    let (status, problem) = visitor.call("POST", &format!("/sessions/{session}/commit"), None).await.unwrap();
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains("8 MiB may be kept"), "{problem}");
    assert_eq!(visitor.call("GET", "/kept", None).await.unwrap().1, json!([]));
}

#[tokio::test]
async fn a_reset_makes_the_machine_fresh_under_open_terminals() {
    let mut sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let (status, other) =
        visitor.call("POST", &format!("/sessions/{session}/terminals"), None).await.unwrap();
    assert_eq!(status, 201, "{other}");
    let other = other["id"].as_str().unwrap().to_owned();
    let mut first = visitor.attach(&session, &terminal).await.unwrap();
    let mut second = visitor.attach(&session, &other).await.unwrap();
    let broken = "rm -rf /root /etc/passwd; vi /tmp/x\n";
    first.type_in("touch /root/mine; cd /; echo broken-$((1 + 1))-\n").await.unwrap();
    first.until("broken-2-").await.unwrap();
    second.type_in(broken).await.unwrap();
    second.until("\u{1b}[?1049h").await.unwrap();
    let old = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let (status, answer) = visitor.call("POST", &format!("/sessions/{session}/reset"), None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["terminals"].as_array().unwrap().len(), 2, "{answer}");
    // The same connections: words, a prompt, and a machine in which nothing has happened.
    for attached in [&mut first, &mut second] {
        attached.until("\u{1b}c").await.unwrap();
        attached.until("This machine was reset").await.unwrap();
        attached.type_in("ls -d /root /root/mine; id -un; echo fresh-$(hostname)-\n").await.unwrap();
        attached.until("/root/mine: No such file").await.unwrap();
        attached.until("root").await.unwrap();
        attached.until(&format!("fresh-box-{}-", &session[..4])).await.unwrap();
    }
    // Who comes later sees the same, also after the server was killed; the old machine is gone.
    let gone = || async {
        let now = sandbox.ok(&["ps", "-aq", "--no-trunc"]).ok()?;
        (now != old && now.lines().count() == 1).then_some(())
    };
    until("the old container to go", gone).await.unwrap();
    sandbox.kill(Part::Server).unwrap();
    sandbox.start(Part::Server).await.unwrap();
    let mut late = visitor.attach(&session, &terminal).await.unwrap();
    late.until("This machine was reset").await.unwrap();
    late.type_in("echo late-$((1 + 1))-\n").await.unwrap();
    late.until("late-2-").await.unwrap();
    // A shell that ends still tells its code.
    late.type_in("exit 7\n").await.unwrap();
    let ended = async {
        loop {
            let message = late.control().await.unwrap().unwrap();
            if message["type"] == "exit" {
                break message["code"].clone();
            }
        }
    };
    assert_eq!(tokio::time::timeout(sandlot_tests::wait::PATIENCE, ended).await.unwrap(), 7);
}
