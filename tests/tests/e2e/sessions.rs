//! Sessions and terminals over HTTP and WebSocket, as a visitor's browser uses them.

use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use serde_json::{Value, json};

const IMAGE: &str = "sandlot/starter";

fn names(session: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&session["id"]), text(&session["terminals"][0]["id"]))
}

#[tokio::test]
async fn a_session_opens_in_the_starter_and_ends() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("echo $((6 * 7)) is the answer\n").await.unwrap();
    attached.until("42 is the answer").await.unwrap();
    let (status, _) = visitor.call("DELETE", &format!("/sessions/{session}"), None).await.unwrap();
    assert!((200..300).contains(&status), "{status}");
    let gone = || async { sandbox.ok(&["ps", "-aq"]).ok().filter(String::is_empty) };
    sandlot_tests::wait::until("the container to go", gone).await.unwrap();
}

#[tokio::test]
async fn a_second_viewer_sees_the_same_screen() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut first = visitor.attach(&session, &terminal).await.unwrap();
    first.type_in("echo seen-$((1 + 1))-\n").await.unwrap();
    first.until("seen-2-").await.unwrap();
    let mut second = visitor.attach(&session, &terminal).await.unwrap();
    assert_eq!(second.hello["replay"], true, "{}", second.hello);
    second.until("seen-2-").await.unwrap();
    second.type_in("echo both-$((2 + 2))-\n").await.unwrap();
    first.until("both-4-").await.unwrap();
    second.until("both-4-").await.unwrap();
}

#[tokio::test]
async fn the_shell_learns_every_size_and_absurd_ones_are_refused() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.say(&json!({"type": "resize", "cols": 101, "rows": 33}).to_string()).await.unwrap();
    attached
        .type_in("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.05; done; echo sized-$((3 * 3))-\n")
        .await
        .unwrap();
    attached.until("sized-9-").await.unwrap();
    for wrong in [r#"{"type":"resize","cols":0,"rows":0}"#, r#"{"type":"resize","cols":65535,"rows":65535}"#]
    {
        attached.say(wrong).await.unwrap();
        let answer = attached.control().await.unwrap().unwrap();
        assert_eq!(answer["type"], "notice", "{wrong}: {answer}");
    }
    attached.type_in("echo still-$(stty size | tr ' ' x)-\n").await.unwrap();
    attached.until("still-33x101-").await.unwrap();
}

#[tokio::test]
async fn garbage_hurts_no_more_than_its_own_connection() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    for garbage in ["{garbage", "[]", r#"{"type":"format"}"#, r#"{"type":"ack","bytes":-1}"#, ""] {
        let mut attached = visitor.attach(&session, &terminal).await.unwrap();
        attached.say(garbage).await.unwrap();
        let answer = attached.control().await.unwrap();
        assert!(answer.is_none_or(|words| words["type"] == "notice"), "{garbage:?} was taken");
    }
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("echo well-$((6 * 6))-\n").await.unwrap();
    attached.until("well-36-").await.unwrap();
}

#[tokio::test]
async fn a_session_is_its_creators_alone() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let owner = Visitor::new(sandbox.address()).await.unwrap();
    let stranger = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&owner.session(IMAGE).await.unwrap());
    for (method, path) in
        [("GET", ""), ("DELETE", ""), ("GET", "/stats"), ("POST", "/terminals"), ("POST", "/extend")]
    {
        let (status, _) = stranger.call(method, &format!("/sessions/{session}{path}"), None).await.unwrap();
        assert!(matches!(status, 403 | 404), "{method} {path}: {status}");
    }
    assert!(stranger.attach(&session, &terminal).await.is_err());
    let foreign = owner.attach_from(&session, &terminal, "http://evil.example").await;
    assert!(foreign.is_err(), "a page of another origin was let in");
    owner.attach(&session, &terminal).await.unwrap();
}

#[tokio::test]
async fn a_frame_of_100_megabytes_ends_that_connection_alone() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut flooder = visitor.attach(&session, &terminal).await.unwrap();
    let refused = flooder.send(vec![b'x'; 100 << 20]).await.is_err() || flooder.until("never").await.is_err();
    assert!(refused);
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("echo fine-$((4 * 4))-\n").await.unwrap();
    attached.until("fine-16-").await.unwrap();
}

#[tokio::test]
async fn what_is_not_in_the_catalogue_is_refused() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    for image in ["debian", "../etc/passwd", "UPPER", ""] {
        let (status, problem) =
            visitor.call("POST", "/sessions", Some(json!({"image": image}))).await.unwrap();
        assert!((400..500).contains(&status), "{image}: {status}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{image}: {problem}");
    }
}

#[tokio::test]
async fn the_web_server_is_nobody_of_consequence_when_it_answers() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", sandbox.pid(Part::Server).unwrap())).unwrap();
    let field = |name: &str| -> Vec<&str> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().collect()
    };
    for ids in ["Uid", "Gid", "Groups"] {
        assert!(!field(ids).contains(&"0"), "{ids}: {:?}", field(ids));
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(field(set)[0], 16), Ok(0), "{set}");
    }
    assert_eq!(field("NoNewPrivs"), ["1"]);
}
