//! What is printed, followed and typed; executions; files in and out; the same over a WebSocket.

use super::{client, create, refusal, run, script, whole};
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::*;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sandlot_tests::process::run as finished;
use sandlot_tests::sandbox::Sandbox;
use std::process::Command;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn bollard_reads_and_follows_what_is_printed() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    run(&client, "box", script("echo one; echo two >&2; until [ -e /go ]; do sleep 0.05; done; echo three"))
        .await;
    let all = LogsOptionsBuilder::new().stdout(true).stderr(true);
    let mut following = client.logs("box", Some(all.clone().follow(true).build()));
    let mut seen = vec![following.next().await.unwrap().unwrap(), following.next().await.unwrap().unwrap()];
    seen.sort_by_key(ToString::to_string);
    let piece = |text: &'static str| Bytes::from_static(text.as_bytes());
    let expected =
        [LogOutput::StdOut { message: piece("one\n") }, LogOutput::StdErr { message: piece("two\n") }];
    assert_eq!(seen, expected);
    let exec = CreateExecOptions { cmd: Some(vec!["touch", "/go"]), ..CreateExecOptions::default() };
    let id = client.create_exec("box", exec).await.unwrap().id;
    let options = StartExecOptions { detach: true, ..StartExecOptions::default() };
    assert!(matches!(client.start_exec(&id, Some(options)).await.unwrap(), StartExecResults::Detached));
    assert_eq!(following.next().await.unwrap().unwrap().to_string(), "three\n");
    assert!(following.next().await.is_none(), "the end of the container is the end of its log");
    let last = client.logs("box", Some(all.clone().tail("1").timestamps(true).build()));
    let last = String::from_utf8(whole(last).await).unwrap();
    assert!(last.ends_with("Z three\n") && last.starts_with("20"), "{last}");
    let none = client.logs("box", Some(all.since(i32::MAX).build()));
    assert!(whole(none).await.is_empty());
}

#[tokio::test]
async fn bollard_attaches_and_types() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let open = |text: &str| ContainerCreateBody {
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        ..script(text)
    };
    create(&client, "box", open("cat; echo end >&2")).await;
    let options =
        AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
    let mut attached = client.attach_container("box", Some(options)).await.unwrap();
    client.start_container("box", None::<StartContainerOptions>).await.unwrap();
    attached.input.write_all(b"typed\n").await.unwrap();
    assert_eq!(attached.output.next().await.unwrap().unwrap().to_string(), "typed\n");
    attached.input.shutdown().await.unwrap();
    let end = attached.output.next().await.unwrap().unwrap();
    assert_eq!(end, LogOutput::StdErr { message: Bytes::from_static(b"end\n") });
    assert!(attached.output.next().await.is_none());
    let tall = ContainerCreateBody { tty: Some(true), open_stdin: Some(true), ..script("read a; stty size") };
    run(&client, "tall", tall).await;
    let size = ResizeContainerTTYOptionsBuilder::new().h(33).w(101).build();
    client.resize_container_tty("tall", size).await.unwrap();
    let options = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stream(true).build();
    let mut attached = client.attach_container("tall", Some(options)).await.unwrap();
    attached.input.write_all(b"go\n").await.unwrap();
    let said = String::from_utf8(whole(attached.output).await).unwrap();
    assert!(said.contains("33 101\r\n"), "{said}");
}

#[tokio::test]
async fn a_websocket_attaches_too() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let open =
        ContainerCreateBody { open_stdin: Some(true), ..script("echo before; read a; echo got $a; exit 3") };
    run(&client, "box", open).await;
    let stream = tokio::net::UnixStream::connect(sandbox.dir().join("engine.sock")).await.unwrap();
    let url = "ws://engine/v1.47/containers/box/attach/ws?logs=1&stream=1&stdin=1&stdout=1&stderr=1";
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    socket.send(Message::Text("this\n".into())).await.unwrap();
    let mut said = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => said.extend(bytes),
            Message::Close(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(String::from_utf8(said).unwrap(), "before\ngot this\n", "raw, without frames");
    let stream = tokio::net::UnixStream::connect(sandbox.dir().join("engine.sock")).await.unwrap();
    let refused = tokio_tungstenite::client_async("ws://engine/containers/nobody/attach/ws", stream).await;
    assert!(refused.unwrap_err().to_string().contains("404"));
}

#[tokio::test]
async fn bollard_executes() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    run(&client, "box", script("exec sleep 1000")).await;
    let exec = CreateExecOptions {
        cmd: Some(vec!["sh", "-c", "echo $A-$(id -u)-$PWD; read a; echo $a >&2; exit 3"]),
        env: Some(vec!["A=b"]),
        user: Some("1000"),
        working_dir: Some("/tmp"),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let id = client.create_exec("box", exec).await.unwrap().id;
    let StartExecResults::Attached { mut output, mut input } = client.start_exec(&id, None).await.unwrap()
    else {
        panic!("detached");
    };
    assert_eq!(output.next().await.unwrap().unwrap().to_string(), "b-1000-/tmp\n");
    assert_eq!(client.inspect_exec(&id).await.unwrap().running, Some(true));
    input.write_all(b"typed\n").await.unwrap();
    let typed = output.next().await.unwrap().unwrap();
    assert_eq!(typed, LogOutput::StdErr { message: Bytes::from_static(b"typed\n") });
    assert!(output.next().await.is_none());
    let ended = client.inspect_exec(&id).await.unwrap();
    assert_eq!((ended.running, ended.exit_code), (Some(false), Some(3)));
    let (status, words) = refusal(client.start_exec(&id, None).await);
    assert!(status == 409 && words.contains("has already run"), "{status} {words}");
    let exec = CreateExecOptions {
        cmd: Some(vec!["sh"]),
        tty: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        ..CreateExecOptions::default()
    };
    let id = client.create_exec("box", exec).await.unwrap().id;
    let StartExecResults::Attached { output, mut input } = client.start_exec(&id, None).await.unwrap() else {
        panic!("detached");
    };
    client.resize_exec(&id, ResizeExecOptionsBuilder::new().h(20).w(70).build()).await.unwrap();
    input.write_all(b"stty size; exit\n").await.unwrap();
    let said = String::from_utf8(whole(output).await).unwrap();
    assert!(said.contains("20 70\r\n"), "{said}");
}

#[tokio::test]
async fn bollard_brings_files_in_and_out() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    run(&client, "box", script("exec sleep 1000")).await;
    let folder = sandbox.dir().join("in");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file"), "brought\n").unwrap();
    let packed =
        finished(Command::new("tar").arg("-C").arg(&folder).args(["--create", "file"])).unwrap().stdout;
    let place = UploadToContainerOptionsBuilder::new().path("/tmp").build();
    client.upload_to_container("box", Some(place), bollard::body_full(packed.into())).await.unwrap();
    let options = DownloadFromContainerOptionsBuilder::new().path("/tmp/file").build();
    let archive = whole(client.download_from_container("box", Some(options))).await;
    assert!(String::from_utf8_lossy(&archive).contains("brought\n"));
    let changed = client.container_changes("box").await.unwrap().unwrap();
    assert!(changed.iter().any(|change| change.path == "/tmp/file"), "{changed:?}");
    assert!(String::from_utf8_lossy(&whole(client.export_container("box")).await).contains("brought\n"));
    let options = UploadToContainerOptionsBuilder::new().path("/nobody").build();
    let answer = client.upload_to_container("box", Some(options), bollard::body_full(Bytes::new())).await;
    assert_eq!(refusal(answer).0, 404);
}
