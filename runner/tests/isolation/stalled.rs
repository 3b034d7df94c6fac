//! What stands still in one container, or beside it, holds up nobody else: there is one spawner for all.

#![allow(clippy::unwrap_used)]

use crate::charged::Groups;
use crate::spawned::{Spawned, process, sh};
use sandlot::container::spec::{Init, Process, Stdio};
use sandlot::spawner::client::Error;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Far longer than anything here takes, far shorter than what never ends.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_execution_that_is_frozen_delays_no_other() {
    let mut s = Spawned::new().await;
    let groups = Groups::new("stalled");
    let group = groups.group("frozen", 64 << 20, None);
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let joins = group.join().unwrap();
    group.freeze().unwrap();
    let (client, id) = (s.client.clone(), spec.id.clone());
    let quick = process(&["/bin/true"], Stdio::Null);
    let stuck = tokio::spawn(async move { client.exec(&id, "stuck", &quick, joins).await });
    // The helper is in the group, and so does not go on.
    while group.pids().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let other = tokio::time::timeout(PATIENCE, s.exec(&spec.id, "other", sh("echo fine")));
    assert_eq!(other.await.expect("the spawner stands still, too").unwrap(), (0, "fine\n".to_owned()));
    assert!(!stuck.is_finished(), "nothing was frozen");
    group.thaw().unwrap();
    stuck.await.unwrap().unwrap();
    assert_eq!(s.end("stuck").await.code(), 0);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    let mut s = Spawned::new().await;
    let mut silent = UnixStream::connect(s.dir.path().join("spawner.sock")).unwrap();
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    // Each end is told to every client; the kernel keeps some 280 of them for one that does not listen.
    let all = async {
        for n in 0..400 {
            let quick = process(&["/bin/true"], Stdio::Null);
            s.exec(&spec.id, &n.to_string(), quick).await.unwrap();
            s.client.forget(&spec.id, &n.to_string()).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the spawner waits for a client");
    // It is told that it was let go: the stream ends.
    let mut told = Vec::new();
    silent.read_to_end(&mut told).unwrap();
    assert!(!told.is_empty());
}

#[tokio::test]
async fn a_name_of_any_length_is_refused_as_such() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    for length in [10_000, 100_000, 1_000_000] {
        let long = Process { argv: vec!["é".repeat(length / 2)], ..sh("") };
        match s.exec(&spec.id, "long", long).await {
            Err(Error::Refused(failure)) => {
                assert_eq!(failure.exit_code, 126, "{failure}");
                assert!(failure.step.starts_with("exec: \"é") && failure.step.len() < 10_000, "{failure}");
            }
            other => panic!("{length}: expected a refusal, got {other:?}"),
        }
    }
}
