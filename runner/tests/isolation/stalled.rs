//! What stands still in one container, or beside it, holds up nobody else: there is one spawner for all.

#![allow(clippy::unwrap_used)]

use crate::attack::{armed, interpreted};
use crate::charged::Groups;
use crate::spawned::{Spawned, process, sh};
use sandlot::container::spec::{Init, Process, Stdio};
use sandlot::spawner::client::{Error, ExitStatus, StdioFds};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::process::Command;
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

/// Kills the next helper of a spawner (by ptrace(2)) in the moment after it has made a child and before it can tell of it, as
/// the kernel may when a container has no memory left.
const KILLER: &str = r#"
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
SEIZE, CONT, WALL, MADE = 0x4206, 7, 0x40000000, (1, 2, 3)
spawner = int(sys.argv[1])
if libc.ptrace(SEIZE, spawner, 0, 2 | 4 | 8) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("ready", flush=True)
helper = None
while True:
    pid, status = os.waitpid(-1, WALL)
    event = status >> 16
    if not os.WIFSTOPPED(status):
        if pid == helper:
            break
    elif event in MADE and pid != spawner:
        os.kill(pid, signal.SIGKILL)
        helper = pid
    else:
        libc.ptrace(CONT, pid, 0, 0 if event else os.WSTOPSIG(status))
"#;

/// What a spawner's children are in: `Z` is a zombie.
fn states(spawner: u32) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children")).unwrap();
    let stat = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let state = |text: String| text.rsplit(") ").next().unwrap_or_default()[..1].to_owned();
    children.split_whitespace().filter_map(stat).map(state).collect()
}

#[tokio::test]
async fn a_child_whose_helper_was_killed_does_not_stay_as_a_zombie() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let before = states(s.pid()).len();
    for n in 0..3 {
        let mut killer = Command::new("python3");
        killer.args(["-c", KILLER, &s.pid().to_string()]).stdout(std::process::Stdio::piped());
        let mut killer = killer.spawn().unwrap();
        let mut ready = [0; 6];
        killer.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        let refused = match n {
            0 => s.client.begin(&"f".repeat(64), s.range, spec.profile, &[]).await.unwrap_err(),
            _ => s.exec(&spec.id, "killed", sh("true")).await.unwrap_err(),
        };
        assert!(matches!(&refused, Error::Refused(_)), "{refused}");
        assert!(killer.wait().unwrap().success());
    }
    let reaped = async {
        while states(s.pid()).len() > before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let all = tokio::time::timeout(PATIENCE, reaped).await;
    assert!(all.is_ok(), "what killed helpers made is still there: {:?}", states(s.pid()));
    assert_eq!(s.exec(&spec.id, "after", sh("echo fine")).await.unwrap(), (0, "fine\n".to_owned()));
}

/// Traces a process and never looks after it.
const HOLDER: &str = "
PTRACE_SEIZE = 0x4206
LIBC.ptrace.argtypes = [ctypes.c_long] * 4
LIBC.ptrace(PTRACE_SEIZE, int(sys.stdin.readline()), 0, 0) == 0 or sys.exit(\"not traced\")
print(\"traced\", flush=True)
sys.stdin.read()";

/// The first line of a process's standard output.
fn line(stdio: &StdioFds) -> String {
    let StdioFds::Pipes { stdout, .. } = stdio else { panic!("no pipes") };
    let mut line = String::new();
    BufReader::new(File::from(stdout.try_clone().unwrap())).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn a_dead_process_that_another_traces_holds_nobody_up() {
    let mut s = Spawned::new().await;
    let (spec, fds) = armed(&s, Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let both = |script: &str| process(&["/bin/sh", "-c", script], Stdio::Pipes { stdin: true });
    // Where Yama keeps processes apart a victim that wishes so is traced all the same.
    let victim =
        interpreted("LIBC.prctl(0x59616d61, -1, 0, 0, 0); print(os.getpid(), flush=True); sys.stdin.read()");
    let victim = s.client.exec(&spec.id, "victim", &both(&victim), vec![]).await.unwrap();
    let pid = line(&victim.stdio);
    let holder = s.client.exec(&spec.id, "holder", &both(&interpreted(HOLDER)), vec![]).await.unwrap();
    let StdioFds::Pipes { stdin: Some(stdin), .. } = &holder.stdio else { panic!("no pipes") };
    rustix::io::write(stdin, format!("{pid}\n").as_bytes()).unwrap();
    assert_eq!(line(&holder.stdio), "traced");
    s.client.signal(&spec.id, "victim", 9).await.unwrap();
    // It is dead, and whoever waits for it waits: only the tracer sees its end.
    let dead = async {
        while !states(s.pid()).iter().any(|state| state == "Z") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dead).await.unwrap();
    let other = tokio::time::timeout(PATIENCE, s.exec(&spec.id, "other", sh("echo fine")));
    assert_eq!(other.await.expect("the spawner waits for the tracer").unwrap(), (0, "fine\n".to_owned()));
    assert!(states(s.pid()).iter().any(|state| state == "Z"), "nothing was held");
    // When the tracer goes, the end is told.
    s.client.signal(&spec.id, "holder", 9).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, s.end("victim")).await.unwrap();
    assert_eq!(told, ExitStatus::Signal(9));
}
