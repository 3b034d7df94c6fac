//! Files of a session as its owner's page asks for them, and what a session does against it.

use sandlot_tests::client::{Visitor, find};
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::path::Path;

const IMAGE: &str = "sandlot/starter";

/// A visitor with a session: its id, and its container's.
async fn session(sandbox: &Sandbox) -> (Visitor, String, String) {
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let known = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let session = visitor.session(IMAGE).await.unwrap()["id"].as_str().unwrap().to_owned();
    let all = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let container = all.lines().find(|id| !known.contains(id)).unwrap().to_owned();
    (visitor, session, container)
}

/// One call on a file; status, tag and body.
async fn call(
    who: &Visitor,
    method: &str,
    session: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String, Vec<u8>) {
    let path = format!("/sessions/{session}/files{path}");
    let answer = who.raw(method, &path, headers, body.to_vec()).await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), tag, answer.bytes().await.unwrap().to_vec())
}

fn inside(sandbox: &Sandbox, container: &str, script: &str) -> String {
    sandbox.ok(&["exec", container, "sh", "-c", script]).unwrap()
}

fn names(listing: &[u8]) -> Vec<String> {
    let listing: Value = serde_json::from_slice(listing).unwrap();
    let entries = listing["entries"].as_array().unwrap();
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_are_written_listed_renamed_and_removed() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let who = &who;
    // A space, a line's end, and a byte that is no UTF-8.
    let name = "/work/a%20b%0Ac%FF";
    let (status, tag, _) = call(who, "PUT", &id, &format!("{name}/new"), &[], b"first\n").await;
    assert_eq!((status, tag.is_empty()), (204, false));
    assert_eq!(inside(&sandbox, &container, "cat /work/*/new; stat -c '%u %a' /work/*/new"), "first\n0 644");
    let (status, _, listing) = call(who, "GET", &id, "/work", &[], b"").await;
    assert_eq!((status, names(&listing)), (200, vec!["a%20b%0Ac%FF".to_owned()]));
    let (status, same, body) = call(who, "GET", &id, &format!("{name}/new"), &[], b"").await;
    assert_eq!((status, same == tag, body.as_slice()), (200, true, b"first\n".as_slice()));
    let part = call(who, "GET", &id, &format!("{name}/new"), &[("range", "bytes=1-2")], b"").await;
    assert_eq!((part.0, part.2.as_slice()), (206, b"ir".as_slice()));
    assert_eq!(call(who, "GET", &id, &format!("{name}/new"), &[("range", "bytes=9-")], b"").await.0, 416);
    // What was there keeps its owner and its permissions.
    inside(&sandbox, &container, "chown 1000:1000 /work/*/new; chmod 750 /work/*/new");
    assert_eq!(call(who, "PUT", &id, &format!("{name}/new"), &[], b"second\n").await.0, 204);
    let said = inside(&sandbox, &container, "cat /work/*/new; stat -c '%u:%g %a' /work/*/new; ls -A /work/*");
    assert_eq!(said, "second\n1000:1000 750\nnew");
    let to = json!({ "to": "/work/%FE" }).to_string();
    assert_eq!(call(who, "POST", &id, name, &[], to.as_bytes()).await.0, 204);
    assert_eq!(
        call(who, "POST", &id, "/work/%FE/new", &[], to.as_bytes()).await.0,
        409,
        "onto what is there"
    );
    let archive = call(who, "GET", &id, "/work/%FE?archive=tar", &[], b"").await;
    for wanted in [b"\xfe/new\0".as_slice(), b"ustar", b"second\n"] {
        assert!(find(&archive.2, wanted).is_some(), "{wanted:?} is not packed");
    }
    assert_eq!(call(who, "PUT", &id, "/work/empty?kind=directory", &[], b"").await.0, 204);
    assert_eq!(call(who, "PUT", &id, "/work/empty?kind=directory", &[], b"").await.0, 409);
    assert_eq!(call(who, "PUT", &id, "/work/empty", &[], b"x").await.0, 409, "a file onto a directory");
    assert_eq!(call(who, "DELETE", &id, "/work/%FE", &[], b"").await.0, 204);
    assert_eq!(call(who, "GET", &id, "/work/%FE", &[], b"").await.0, 404);
    assert_eq!(inside(&sandbox, &container, "ls -A /work"), "empty");
    // A file on which something is mounted is filled anew.
    assert_eq!(call(who, "PUT", &id, "/etc/hosts", &[], b"127.0.0.1 localhost mine\n").await.0, 204);
    assert_eq!(
        inside(&sandbox, &container, "cat /etc/hosts; ls -A /etc | grep sandlot | wc -l"),
        "127.0.0.1 localhost mine\n0"
    );
}

#[tokio::test]
async fn a_file_that_the_shell_changed_is_not_overwritten_unseen() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let (_, tag, _) = call(&who, "PUT", &id, "/root/note", &[("if-none-match", "*")], b"mine").await;
    assert_eq!(call(&who, "PUT", &id, "/root/note", &[("if-none-match", "*")], b"again").await.0, 412);
    inside(&sandbox, &container, "echo theirs > /root/note");
    let (status, _, problem) = call(&who, "PUT", &id, "/root/note", &[("if-match", &tag)], b"mine").await;
    assert_eq!(status, 412, "{}", String::from_utf8_lossy(&problem));
    assert_eq!(inside(&sandbox, &container, "cat /root/note"), "theirs");
    let (_, tag, _) = call(&who, "GET", &id, "/root/note", &[], b"").await;
    let (status, tag, _) = call(&who, "PUT", &id, "/root/note", &[("if-match", &tag)], b"mine").await;
    assert_eq!(status, 204);
    assert_eq!(call(&who, "PUT", &id, "/root/note", &[("if-match", &tag)], b"more").await.0, 204);
    assert_eq!(call(&who, "PUT", &id, "/root/note", &[("if-match", "no tag")], b"x").await.0, 400);
}

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    inside(&sandbox, &container, "mkdir -p /work/sub");
    let path = format!("/sessions/{id}/file-changes?directory=/work&directory=/work/sub&directory=/none");
    let mut answer = who.raw("GET", &path, &[], Vec::new()).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let mut seen = String::new();
    let mut wait = async |wanted: &str| {
        while !seen.contains(wanted) {
            let chunk = tokio::time::timeout(sandlot_tests::wait::PATIENCE, answer.chunk()).await;
            seen += &String::from_utf8_lossy(&chunk.expect(wanted).unwrap().expect("the end"));
        }
        seen.clear();
    };
    wait("/none").await;
    inside(&sandbox, &container, "echo x > /work/sub/new");
    wait(r#"{"directory":"/work/sub","names":["new"]}"#).await;
    // A flood is told as "anything", and the stream goes on.
    inside(&sandbox, &container, "for i in $(seq 300); do : > /work/f$i; done");
    wait(r#"{"directory":"/work","names":[]}"#).await;
    inside(&sandbox, &container, "rm -r /work/sub");
    wait("\"names\":[\"sub\"]").await;
    let (status, _) = who.call("DELETE", &format!("/sessions/{id}"), None).await.unwrap();
    assert_eq!(status, 200);
    let end = async { while answer.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    tokio::time::timeout(sandlot_tests::wait::PATIENCE, end)
        .await
        .expect("the stream goes on without a session");
}

#[tokio::test]
async fn what_is_no_file_answers_and_never_hangs() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    inside(
        &sandbox,
        &container,
        "mkfifo /pipe; ln -s /pipe /to-pipe; ln -s loop /loop; ln -s /dev/shm/x /shm",
    );
    for (path, read, written) in [
        ("/pipe", 409, 409),
        ("/to-pipe", 409, 409),
        ("/loop", 409, 409),
        ("/dev/null", 409, 403),
        ("/dev/ptmx", 409, 403),
        ("/proc/kmsg", 403, 403),
        ("/proc/self/environ", 404, 403),
        ("/proc/1/root/etc/passwd", 409, 409),
        ("/proc/sys/kernel/core_pattern", 403, 403),
        ("/sys/kernel/mm", 403, 403),
        ("/none", 404, 204),
        ("/etc/passwd/x", 409, 409),
        ("/shm", 404, 403),
        ("/", 200, 405),
        ("/%00", 409, 409),
    ] {
        let got = call(&who, "GET", &id, path, &[], b"").await;
        let body = String::from_utf8_lossy(&got.2);
        assert!(
            got.0 == read || (read == 404 && got.0 == 409) || (read == 409 && got.0 == 404),
            "GET {path}: {} {body}",
            got.0
        );
        let put = call(&who, "PUT", &id, path, &[], b"|/bin/sh").await;
        assert_eq!(put.0, written, "PUT {path}: {}", String::from_utf8_lossy(&put.2));
    }
    for path in ["/", "/proc/1", "/sys/fs/cgroup"] {
        let (status, _, body) = call(&who, "DELETE", &id, path, &[], b"").await;
        assert!((400..500).contains(&status), "DELETE {path}: {status} {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(call(&who, "DELETE", &id, "/pipe", &[], b"").await.0, 204);
    assert_eq!(inside(&sandbox, &container, "ls /bin/sh"), "/bin/sh");
}

/// The pid of a container's first process on the host.
fn pid(sandbox: &Sandbox, container: &str) -> String {
    sandbox.ok(&["inspect", "-f", "{{.State.Pid}}", container]).unwrap()
}

#[tokio::test]
async fn no_path_leads_out_of_the_session() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let canary = sandbox.dir().join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("secret"), "of the host").unwrap();
    let host = canary.to_str().unwrap();
    inside(
        &sandbox,
        &container,
        &format!("mkdir /work; ln -s {host} /work/out; ln -s ../../../../../../..{host} /work/up"),
    );
    // Whoever follows such a link by a path of the host's is led out.
    let naive = format!("/proc/{}/root/work/out/secret", pid(&sandbox, &container));
    assert_eq!(std::fs::read_to_string(naive).unwrap(), "of the host");
    for link in ["out", "up"] {
        for (method, path) in [("GET", "/secret"), ("PUT", "/planted"), ("DELETE", "/secret"), ("GET", "")] {
            let (status, _, body) = call(&who, method, &id, &format!("/work/{link}{path}"), &[], b"x").await;
            assert!((400..500).contains(&status), "{method} {link}{path}: {status}");
            assert!(!String::from_utf8_lossy(&body).contains("of the host"));
        }
    }
    for path in ["/..%2f..%2f..%2f..%2f..", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e"] {
        let path = format!("{path}{host}/secret");
        assert_eq!(call(&who, "GET", &id, &path, &[], b"").await.0, 404, "{path}");
    }
    // A directory that becomes a link, and a directory again, all the time.
    let swap = format!(
        "cd /work; mkdir real; ln -s {host} link; while :; do mv real dir; mv dir real; mv link dir; mv dir link; done"
    );
    sandbox.ok(&["exec", "-d", &container, "sh", "-c", &swap]).unwrap();
    let mut inside_at_least_once = false;
    for n in 0..300 {
        let put = call(&who, "PUT", &id, &format!("/work/dir/planted{n}"), &[], b"x").await.0;
        let got = call(&who, "GET", &id, "/work/dir/secret", &[], b"").await;
        assert_ne!(got.0, 200, "{}", String::from_utf8_lossy(&got.2));
        call(&who, "DELETE", &id, "/work/dir/secret", &[], b"").await;
        inside_at_least_once |= put == 204;
    }
    assert!(inside_at_least_once, "the swapper was never met");
    let left: Vec<_> = std::fs::read_dir(&canary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["secret"]);
    assert_eq!(std::fs::read_to_string(Path::new(host).join("secret")).unwrap(), "of the host");
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_leaves_nothing_behind() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.settings(&["--disk=16m", "--files-max-upload=32m"]);
    sandbox.start(sandlot_tests::sandbox::Part::Server).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    call(&who, "PUT", &id, "/root/kept", &[], b"kept").await;
    let large = vec![b'x'; 24 << 20];
    let (status, _, body) = call(&who, "PUT", &id, "/root/kept", &[], &large).await;
    assert_eq!(status, 507, "{}", String::from_utf8_lossy(&body));
    assert!(String::from_utf8_lossy(&body).contains("full"));
    assert_eq!(inside(&sandbox, &container, "cat /root/kept; ls -A /root | grep -c upload || true"), "kept0");
    let (status, _, body) = call(&who, "PUT", &id, "/root/large", &[], &vec![0; 33 << 20]).await;
    assert_eq!(status, 413, "{}", String::from_utf8_lossy(&body));
    // Without a length that is told before: what comes is counted.
    let pieces = futures_util::stream::iter((0..33).map(|_| Ok::<_, std::io::Error>(vec![0; 1 << 20])));
    let body = reqwest::Body::wrap_stream(pieces);
    let answer = who.raw("PUT", &format!("/sessions/{id}/files/dev/null"), &[], body).await;
    assert!(answer.is_err() || answer.unwrap().status().is_client_error());
    assert_eq!(call(&who, "GET", &id, "/root/large", &[], b"").await.0, 404);
    // A visitor who leaves in the middle of an upload.
    let stream = futures_util::stream::iter([Ok(vec![b'x'; 1 << 20]), Err(std::io::Error::other("left"))]);
    let half = format!("/sessions/{id}/files/root/half");
    assert!(who.raw("PUT", &half, &[], reqwest::Body::wrap_stream(stream)).await.is_err());
    let clean = || async { Some(inside(&sandbox, &container, "ls -A /root")).filter(|all| all == "kept") };
    until("the half upload to go", clean).await.unwrap();
}

#[tokio::test]
async fn a_session_is_its_owners() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let (other, others, _) = session(&sandbox).await;
    call(&who, "PUT", &id, "/root/mine", &[], b"mine").await;
    for method in ["GET", "PUT", "DELETE", "POST"] {
        let body = br#"{"to":"/root/theirs"}"#;
        assert_eq!(call(&other, method, &id, "/root/mine", &[], body).await.0, 404, "{method}");
    }
    let path = format!("/sessions/{id}/file-changes?directory=/root");
    assert_eq!(other.raw("GET", &path, &[], Vec::new()).await.unwrap().status().as_u16(), 404);
    assert_eq!(call(&other, "GET", &others, "/root/mine", &[], b"").await.0, 404, "sessions share no files");
    let got = who.raw("GET", &format!("/sessions/{id}/files/root/mine"), &[], Vec::new()).await.unwrap();
    let header = |name: &str| got.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert!(header("content-disposition").starts_with("attachment"));
    assert!(header("content-security-policy").starts_with("sandbox"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(inside(&sandbox, &container, "cat /root/mine"), "mine");
    let (status, _) = who.call("DELETE", &format!("/sessions/{id}"), None).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(call(&who, "GET", &id, "/root/mine", &[], b"").await.0, 409, "it is over");
}
