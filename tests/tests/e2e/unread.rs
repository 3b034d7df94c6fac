//! Promise: who is refused before they have sent everything reads why, whatever they were sending and however their client
//! goes about it.

use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::socket::{Request, Socket};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

/// More than all buffers on the way hold.
const LONG: usize = 16 << 20;

/// Calls that are refused before their body is looked at, and a word of why.
const REFUSED: [(&str, &str, &str); 5] = [
    ("POST", "/swarm/init", "never done by Sandlot"),
    ("PUT", "/containers/nobody/archive?path=/", "No such container"),
    ("POST", "/build?version=2", "DOCKER_BUILDKIT=0"),
    ("POST", "/no/such/call", "page not found"),
    ("POST", "/v1.99/build", "too new"),
];

#[tokio::test]
async fn a_client_that_reads_when_it_has_sent_everything() {
    let sandbox = Sandbox::engine().await.unwrap();
    let socket = Socket::new(&sandbox.dir().join("engine.sock"));
    for (method, target, word) in REFUSED {
        for length in [10, 100 << 10, LONG] {
            let mut request = Request::new(method, target).header("Content-Type", "application/x-tar");
            request.body = vec![b'x'; length];
            let answer = socket.call(&request).await.unwrap_or_else(|e| panic!("{target} {length}: {e:#}"));
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(answer.status >= 400 && said.contains(word), "{target}: {} {said}", answer.status);
            // A connection that is worth it stays.
            let open = socket.open(&request).await.unwrap();
            let closed = open.head.headers.get("connection").is_some_and(|value| value == "close");
            assert_eq!(closed, length == LONG, "{target} {length}");
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_without_end_has_its_answer_at_once() {
    let sandbox = Sandbox::engine().await.unwrap();
    let mut stream = UnixStream::connect(sandbox.dir().join("engine.sock")).unwrap();
    let head = "PUT /containers/nobody/archive?path=/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(sandlot_tests::wait::PATIENCE)).unwrap();
    let mut said = Vec::new();
    // To its end: the engine has closed its half, and goes on reading ours.
    stream.read_to_end(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("404") && said.contains("No such container: nobody"), "{said}");
    stream.write_all(b"5\r\nagain\r\n").unwrap();
}

/// The client said `broken pipe` in the engine's place.
#[tokio::test]
async fn the_docker_client_says_what_the_engine_said() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["create", "--name", "box", "sandlot/starter"]).unwrap();
    let big = sandbox.dir().join("big");
    std::fs::write(&big, vec![b'x'; LONG]).unwrap();
    for (arguments, word) in [
        (&["cp", "-", "box:/tmp"][..], "numeric field was not a number"),
        (&["import", "-c", "RUN x", "-"], "can be changed"),
        (&["load"], "unpacking"),
    ] {
        for _ in 0..3 {
            let mut command = sandbox.command(arguments);
            command.stdin(Stdio::from(std::fs::File::open(&big).unwrap()));
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(1) && said.contains(word), "{arguments:?}: {said}");
        }
    }
}
