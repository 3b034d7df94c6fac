//! Events by the real `docker` client: everything that happens is told, in order, with Docker's words about it.

use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use std::io::{Read, Write};

const IMAGE: &str = "sandlot/starter";
const LINE: &str = "{{.Type}} {{.Action}}";

fn told(sandbox: &Sandbox, filters: &[&str]) -> Vec<String> {
    sandbox.events_as(LINE, filters).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_containers_life_is_told_in_order() {
    let sandbox = Sandbox::engine().await.unwrap();
    let create = ["create", "--name", "box1", "-v", "data:/data", "--label", "color=red", IMAGE];
    sandbox
        .ok(&[&create[..], &["sh", "-c", "trap 'exit 7' TERM; echo on; while :; do sleep 0.05; done"]]
            .concat())
        .unwrap();
    sandbox.ok(&["start", "box1"]).unwrap();
    let on = || async { (sandbox.ok(&["logs", "box1"]).unwrap() == "on").then_some(()) };
    until("it to be on", on).await.unwrap();
    sandbox.ok(&["exec", "box1", "true"]).unwrap();
    let tar = sandbox.dir().join("box.tar").display().to_string();
    for arguments in [
        &["top", "box1"][..],
        &["pause", "box1"],
        &["unpause", "box1"],
        &["update", "--memory", "64m", "--memory-swap", "64m", "box1"],
        &["rename", "box1", "box2"],
        &["commit", "-m", "why", "box2", "made"],
        &["cp", "box2:/etc/hostname", "-"],
        &["export", "-o", &tar, "box2"],
        &["kill", "-s", "USR1", "box2"],
        &["stop", "box2"],
        &["rm", "box2"],
    ] {
        sandbox.ok(arguments).unwrap();
    }
    let wanted = [
        "volume create",
        "container create",
        "volume mount",
        "container start",
        "container exec_create: true",
        "container exec_start: true",
        "container exec_die",
        "container top",
        "container pause",
        "container unpause",
        "container update",
        "container rename",
        "container pause",
        "container unpause",
        "container commit",
        "container archive-path",
        "container export",
        "container kill",
        "container kill",
        "container die",
        "volume unmount",
        "container stop",
        "container destroy",
    ];
    let all = told(&sandbox, &["type=container", "type=volume"]);
    let mut rest = all.iter();
    for event in wanted {
        assert!(rest.any(|line| line == event), "{event} is not where it belongs in {all:#?}");
    }
    // The first process of a container gets no signal that it does not expect; the one that stops it, it does.
    let about = |action: &str, what: &str| {
        let format = format!("{{{{index .Actor.Attributes \"{what}\"}}}}");
        sandbox.events_as(&format, &["type=container", &format!("event={action}")]).unwrap()
    };
    assert_eq!((about("kill", "signal").as_str(), about("die", "exitCode").as_str()), ("10\n15", "7"));
    assert_eq!(about("rename", "oldName"), "/box1");
    assert_eq!(about("commit", "comment"), "why");
    assert_eq!(about("exec_die", "exitCode"), "0");
    assert_eq!(about("exec_create", "execID").len(), 64);
    assert_eq!((about("start", "image"), about("start", "color")), (IMAGE.into(), "red".into()));
    let mount = sandbox.events_as("{{.Actor.ID}} {{json .Actor.Attributes}}", &["event=mount"]).unwrap();
    assert!(mount.starts_with("data ") && mount.contains(r#""destination":"/data""#), "{mount}");
    assert!(mount.contains(r#""driver":"local""#) && mount.contains(r#""read/write":"true""#), "{mount}");
    for (filters, most) in [
        (&["label=color=red", "event=die"][..], 1),
        (&["label=color=blue"], 0),
        (&["container=box2", "event=destroy"], 1),
        (&["image=sandlot/starter", "event=start"], 1),
        (&["volume=data", "event=create"], 1),
        (&["scope=swarm"], 0),
        (&["event=exec_create"], 1),
    ] {
        assert_eq!(told(&sandbox, filters).len(), most, "{filters:?}");
    }
}

#[tokio::test]
async fn stopping_killing_and_restarting_have_their_order() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-d", "--name", "box1", IMAGE, "sleep", "1000"]).unwrap();
    sandbox.ok(&["restart", "-t", "0", "box1"]).unwrap();
    sandbox.ok(&["kill", "box1"]).unwrap();
    sandbox.ok(&["wait", "box1"]).unwrap();
    let events = sandbox
        .events_as("{{.Action}} {{with index .Actor.Attributes \"signal\"}}{{.}}{{end}}", &["container=box1"])
        .unwrap();
    let events: Vec<&str> = events.lines().map(str::trim).collect();
    let wanted = [
        "create", "attach", "start", "kill 15", "kill 9", "die", "stop", "start", "restart", "kill 9", "die",
    ];
    let wanted: Vec<&str> = wanted.into_iter().filter(|word| *word != "attach").collect();
    let seen: Vec<&str> = events.into_iter().filter(|word| *word != "attach").collect();
    assert_eq!(seen, wanted);
    sandbox.ok(&["container", "prune", "-f"]).unwrap();
    assert_eq!(told(&sandbox, &["event=prune"]), ["container prune"]);
    // An image's life.
    sandbox.ok(&["tag", IMAGE, "other:1"]).unwrap();
    sandbox.ok(&["save", "-o", sandbox.dir().join("saved.tar").to_str().unwrap(), "other:1"]).unwrap();
    sandbox.ok(&["rmi", "other:1"]).unwrap();
    sandbox.ok(&["load", "-i", sandbox.dir().join("saved.tar").to_str().unwrap()]).unwrap();
    let images = told(&sandbox, &["type=image"]);
    assert_eq!(images, ["image tag", "image save", "image untag", "image load"]);
    let (_, said) = sandbox.refused(&["events", "--since", "10", "--until", "5"]).unwrap();
    assert!(said.contains("cannot be after"), "{said}");
}

/// Reads until `text` was seen.
fn until_seen(output: &mut impl Read, text: &str) -> String {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "the end after {:?}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[tokio::test]
async fn who_leaves_by_the_keys_leaves_it_running() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-dit", "--name", "box1", IMAGE, "cat"]).unwrap();
    // A client that knows nothing of keys: the engine finds them.
    let mut socket = std::os::unix::net::UnixStream::connect(sandbox.dir().join("engine.sock")).unwrap();
    let call = "POST /v1.43/containers/box1/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,y HTTP/1.1\r\n\
                Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    socket.write_all(call.as_bytes()).unwrap();
    until_seen(&mut socket, "\r\n\r\n");
    socket.write_all(b"hello\n\x18z").unwrap();
    until_seen(&mut socket, "hello");
    socket.write_all(b"\x18y").unwrap();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).unwrap();
    assert_eq!(sandbox.ok(&["inspect", "-f", "{{.State.Running}}", "box1"]).unwrap(), "true");
    assert_eq!(told(&sandbox, &["event=attach", "event=detach"]), ["container attach", "container detach"]);
    let mut socket = std::os::unix::net::UnixStream::connect(sandbox.dir().join("engine.sock")).unwrap();
    socket.write_all(call.replace("ctrl-x,y", "odd").as_bytes()).unwrap();
    assert!(until_seen(&mut socket, "provided").contains("Invalid detach keys (odd)"));
    sandbox.ok(&["rm", "-f", "box1"]).unwrap();
}
