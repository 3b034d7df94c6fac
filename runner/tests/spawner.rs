//! What the spawner promises: every process runs as it was described, its end is told, and nothing else gets in or out.

#![allow(clippy::unwrap_used)]

mod spawned;

use sandlot::container::spec::{Init, Process, Stdio};
use sandlot::spawner::client::{Error, ExitStatus, INIT, StdioFds, Stream};
use spawned::{Spawned, process, sh};

fn refused(result: Result<impl std::fmt::Debug, Error>) -> (i32, String) {
    match result {
        Err(Error::Refused(failure)) => (failure.exit_code, failure.to_string()),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_container_runs_its_command_as_pid_1_in_its_own_root() {
    let mut s = Spawned::new().await;
    let (code, text) = s.sh("echo $$ $(hostname) $(id -u) $(cat /etc/hostname); ls /; exit 7").await;
    assert_eq!(code, 7);
    assert!(text.starts_with("1 box 0 box\n"), "{text}");
    assert!(text.ends_with("bin\ndev\netc\nproc\nsys\ntmp\n"), "{text}");
}

#[tokio::test]
async fn every_namespace_is_its_own() {
    let mut s = Spawned::new().await;
    let kinds = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];
    let (_, text) = s.sh(&kinds.map(|k| format!("readlink /proc/self/ns/{k}")).join("; ")).await;
    assert_eq!(text.lines().count(), kinds.len());
    for (kind, inside) in kinds.iter().zip(text.lines()) {
        assert_ne!(std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_str(), Some(inside));
    }
}

#[tokio::test]
async fn what_cannot_be_executed_says_so_with_dockers_codes() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    for (argv, code, words) in [
        ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
        ("/bin/nope", 127, "exec: \"/bin/nope\": no such file or directory"),
        ("/etc", 126, "exec: \"/etc\": permission denied"),
        ("/etc/passwd", 126, "exec: \"/etc/passwd\": permission denied"),
    ] {
        let result = s.exec(&spec.id, "x", process(&[argv], Stdio::Null)).await;
        assert_eq!(refused(result), (code, words.to_owned()));
    }
    let nowhere = Process { cwd: "/nowhere".into(), ..sh("true") };
    assert_eq!(refused(s.exec(&spec.id, "x", nowhere).await).0, 127);
    // A refused process leaves no record: the name is free again.
    assert_eq!(s.exec(&spec.id, "x", sh("echo fine")).await.unwrap(), (0, "fine\n".to_owned()));
}

#[tokio::test]
async fn a_user_is_looked_up_inside_and_numbers_must_fit() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let ann = Process {
        user: "ann".into(),
        ..sh("id; echo $HOME; grep CapEff /proc/self/status; echo out >/dev/stdout")
    };
    let (_, text) = s.exec(&spec.id, "ann", ann).await.unwrap();
    assert!(text.contains("uid=1000(ann) gid=1000(ann) groups=10(wheel)"), "{text}");
    assert!(text.contains("/home/ann\nCapEff:\t0000000000000000\nout\n"), "{text}");
    for user in ["bob", "4294967296", "4294967295", "-1", "0:99999999999", "1000:nogroup"] {
        let result = s.exec(&spec.id, "bad", Process { user: user.into(), ..sh("id") }).await;
        let (code, words) = refused(result);
        assert_eq!(code, 125, "{words}");
        let named = words.contains("unable to find") || words.contains("is no user or group id");
        assert!(named, "{words}");
    }
}

#[tokio::test]
async fn a_session_lives_on_while_its_terminals_come_and_go() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let terminal = |script| process(&["/bin/sh", "-c", script], Stdio::Terminal { cols: 100, rows: 30 });
    let (code, text) = s.exec(&spec.id, "t1", terminal("tty; stty size; exit 3")).await.unwrap();
    assert_eq!((code, text.as_str()), (3, "/dev/pts/0\r\n30 100\r\n"));
    // Orphans are reaped by init: no zombie stays behind.
    s.exec(&spec.id, "orphan", sh("(true &) ; true")).await.unwrap();
    let (_, text) =
        s.exec(&spec.id, "ps", sh("for i in 1 2 3 4 5 6 7 8 9; do grep -q '^State:.Z' /proc/[0-9]*/status || break; sleep 0.2; done; \
             grep -l '^State:.Z' /proc/[0-9]*/status; echo end")).await.unwrap();
    assert_eq!(text, "end\n");
    s.client.signal(&spec.id, INIT, 15).await.unwrap();
    assert_eq!(s.end(INIT).await, ExitStatus::Code(0));
}

#[tokio::test]
async fn streams_can_be_taken_again_and_closing_hangs_up() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let cat = process(&["/bin/cat"], Stdio::Pipes { stdin: true });
    let first = s.client.exec(&spec.id, "cat", &cat, vec![]).await.unwrap();
    drop(first);
    let StdioFds::Pipes { stdin: Some(stdin), stdout, .. } = s.client.take(&spec.id, "cat").await.unwrap()
    else {
        panic!("no pipes")
    };
    rustix::io::write(&stdin, b"still here").unwrap();
    let mut bytes = [0; 64];
    let n = rustix::io::read(&stdout, &mut bytes).unwrap();
    assert_eq!(&bytes[..n], b"still here");
    drop(stdin);
    s.client.close(&spec.id, "cat", Stream::Stdin).await.unwrap();
    assert_eq!(s.end("cat").await, ExitStatus::Code(0));

    let shell = process(&["/bin/sleep", "1000"], Stdio::Terminal { cols: 80, rows: 24 });
    drop(s.client.exec(&spec.id, "tty", &shell, vec![]).await.unwrap());
    s.client.close(&spec.id, "tty", Stream::All).await.unwrap();
    assert_eq!(s.end("tty").await, ExitStatus::Signal(1));
}

#[tokio::test]
async fn an_end_is_kept_until_it_is_forgotten_and_signals_are_told() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Command, Some(process(&["/bin/sleep", "1000"], Stdio::Null)));
    s.start(&spec, fds).await.unwrap();
    assert!(refused(s.client.forget(&spec.id, INIT).await).1.contains("has not ended"));
    s.client.signal(&spec.id, INIT, 9).await.unwrap();
    assert_eq!(s.end(INIT).await.code(), 137);
    assert_eq!(s.client.processes().await.unwrap()[0].status, Some(ExitStatus::Signal(9)));
    assert!(refused(s.client.signal(&spec.id, INIT, 9).await).1.contains("has ended"));
    s.client.forget(&spec.id, INIT).await.unwrap();
    assert!(s.client.processes().await.unwrap().is_empty());
}

#[tokio::test]
async fn init_passes_signals_on_and_ends_with_its_process() {
    let mut s = Spawned::new().await;
    let script = "trap 'echo got; exit 9' USR1; echo $$; while :; do sleep 0.01; done";
    let (spec, fds) = s.container(Init::Reaper, Some(sh(script)));
    let started = s.start(&spec, fds).await.unwrap();
    let StdioFds::Pipes { stdout, .. } = started.stdio else { panic!("no pipes") };
    let mut bytes = [0; 64];
    let n = rustix::io::read(&stdout, &mut bytes).unwrap();
    assert_ne!(&bytes[..n], b"1\n", "the shell must not be PID 1");
    s.client.signal(&spec.id, INIT, 10).await.unwrap();
    assert_eq!(s.end(INIT).await, ExitStatus::Code(9));
}

/// Waits until the spawner has these children and no other: a helper ends soon after it has made one.
async fn children_are(s: &Spawned, expected: &[i32]) {
    let path = format!("/proc/{0}/task/{0}/children", s.pid());
    let now = || std::fs::read_to_string(&path).unwrap();
    while now().split_whitespace().map(|p| p.parse::<i32>().unwrap()).ne(expected.iter().copied()) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn one_that_was_begun_waits_and_can_be_abandoned() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Command, Some(sh("echo mine")));
    assert!(refused(s.client.start(&spec, fds).await).1.contains("no process init"), "it was never begun");
    s.client.begin(&spec.id, spec.range, spec.profile, &[]).await.unwrap();
    let waiting = s.client.processes().await.unwrap()[0].pid;
    children_are(&s, &[waiting]).await;
    assert!(refused(s.client.begin(&spec.id, spec.range, spec.profile, &[]).await).1.contains("is there"));
    s.client.abandon(&spec.id).await.unwrap();
    children_are(&s, &[]).await;
    assert!(s.client.processes().await.unwrap().is_empty());
    // Nobody is told of the end of what never was a container, and its name is free again.
    let (again, fds) = s.container(Init::Command, Some(sh("echo mine")));
    let again = sandlot::container::spec::Container { id: spec.id, ..again };
    assert_eq!(s.run(&again, fds).await.unwrap(), (0, "mine\n".to_owned()));
}

#[tokio::test]
async fn one_that_was_started_cannot_be_abandoned() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Command, Some(process(&["/bin/sleep", "1000"], Stdio::Null)));
    s.start(&spec, fds).await.unwrap();
    assert!(refused(s.client.abandon(&spec.id).await).1.contains("was started"));
    s.client.signal(&spec.id, INIT, 9).await.unwrap();
    assert_eq!(s.end(INIT).await.code(), 137);
}

#[tokio::test]
async fn one_that_died_before_its_start_says_so() {
    let s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Command, Some(sh("true")));
    s.client.begin(&spec.id, spec.range, spec.profile, &[]).await.unwrap();
    let waiting = s.client.processes().await.unwrap()[0].pid;
    children_are(&s, &[waiting]).await;
    let pid = nix::unistd::Pid::from_raw(waiting);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    children_are(&s, &[]).await;
    assert!(refused(s.client.start(&spec, fds).await).1.contains("died"));
    assert!(s.client.processes().await.unwrap().is_empty());
}
