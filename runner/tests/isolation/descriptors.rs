//! Descriptors and programs of the host that a container could lay hands on.

#![allow(clippy::unwrap_used)]

use crate::attack::{Walls, armed, script, shell, succeed_only_without_walls};
use crate::spawned::{Spawned, process, sh};
use rustix::io::{FdFlags, fcntl_setfd};
use sandlot::container::spec::{IdRange, Init, Process, Stdio};
use sandlot::spawner::client::Error;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[tokio::test]
async fn no_descriptor_of_the_host_is_open() {
    let mut s = Spawned::new().await;
    // The glob's own descriptor is the fourth; what was there before it is not more than three.
    let (_, text) = s.sh("for f in /proc/self/fd/*; do readlink $f; done; ls /proc/1/fd | wc -l").await;
    let open: Vec<&str> = text.lines().filter(|l| !l.contains("/fd")).collect();
    assert_eq!(open.len(), 4, "{text}");
    assert_eq!(open[0], "/dev/null");
    assert!(open[1].starts_with("pipe:") && open[2].starts_with("pipe:"), "{text}");
}

/// What a process of a container has open, as the host sees it.
fn open_of(pid: i32) -> Vec<String> {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let link = |e: std::io::Result<std::fs::DirEntry>| std::fs::read_link(e.unwrap().path()).ok();
    let mut all: Vec<String> = all.filter_map(link).map(|l| l.display().to_string()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn first_processes_executions_and_terminals_have_three_streams_and_no_more() {
    let mut s = Spawned::new().await;
    let wait = |stdio| process(&["/bin/sleep", "1000"], stdio);
    let terminal = Stdio::Terminal { cols: 80, rows: 24 };
    let null = ["/dev/null"; 3].map(str::to_owned).to_vec();
    for init in [Init::Command, Init::Reaper, Init::Only] {
        let (spec, fds) = s.container(init, (init != Init::Only).then(|| wait(Stdio::Null)));
        let first = s.start(&spec, fds).await.unwrap();
        let mut open = open_of(first.pid);
        let begun = std::time::Instant::now();
        // An init closes what it was told by when it has told that it is up; it has one more, by which it hears of signals.
        while open.iter().filter(|l| *l != "anon_inode:[signalfd]").ne(&null) {
            assert!(begun.elapsed().as_secs() < 30, "{init:?}: {open:?}");
            tokio::task::yield_now().await;
            open = open_of(first.pid);
        }
        for (name, stdio) in
            [("null", Stdio::Null), ("pipes", Stdio::Pipes { stdin: true }), ("terminal", terminal)]
        {
            let later = s.client.exec(&spec.id, name, &wait(stdio), vec![]).await.unwrap();
            let open = open_of(later.pid);
            let good = |l: &String| match stdio {
                Stdio::Null => l == "/dev/null",
                Stdio::Pipes { .. } => l.starts_with("pipe:["),
                Stdio::Terminal { .. } => l == "/dev/pts/0" || l == "/0",
            };
            assert!(open.len() == 3 && open.iter().all(good), "{init:?} {name}: {open:?}");
        }
        s.client.signal(&spec.id, sandlot::spawner::client::INIT, 9).await.unwrap();
        s.end(sandlot::spawner::client::INIT).await;
    }
}

/// The descriptor of a directory that whoever is started from here inherits.
fn leaked(dir: &Path) -> (File, RawFd) {
    let dir = File::open(dir).unwrap();
    fcntl_setfd(&dir, FdFlags::empty()).unwrap();
    let number = dir.as_raw_fd();
    (dir, number)
}

#[tokio::test]
async fn a_descriptor_that_the_spawner_inherited_leads_out_of_no_container() {
    // CVE-2024-21626
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("canary"), "").unwrap();
    let (_open, n) = leaked(outside.path());
    let mut s = Spawned::new().await;
    let held = std::fs::read_link(format!("/proc/{}/fd/{n}", s.pid()));
    assert_eq!(held.unwrap(), outside.path(), "the spawner did not inherit it");
    let attacks = [
        shell("path", format!("cat /proc/self/fd/{n}/canary")),
        shell("directory", format!("cd /proc/self/fd/{n} && cat ./canary")),
        shell("parent", format!("ls /proc/self/fd/{n}/..")),
        shell("any", "for d in /proc/[0-9]*/fd/*; do test -f $d/canary && exit 0; done; exit 1"),
    ];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
    // What is executed later comes from the same spawner.
    let (spec, fds) = armed(&s, Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    for (n, walls) in Walls::EACH.into_iter().enumerate() {
        let (_, within) =
            s.exec(&spec.id, &format!("later-{n}"), walls.around(sh(&script(&attacks))).1).await.unwrap();
        assert_eq!(within, "end\n", "{walls:?}");
    }
    for n in 3..=40 {
        let cwd = format!("/proc/self/fd/{n}");
        let result = s.exec(&spec.id, "leak", Process { cwd, ..sh("cat ./canary") }).await;
        assert!(matches!(result, Err(Error::Refused(_))), "descriptor {n}: {result:?}");
    }
}

/// Runs the spawner's own program inside, as an image's entry point `/proc/self/exe` makes it, and alters it when it has ended.
async fn altered(program: &Path, range: IdRange) -> bool {
    let mut s = Spawned::of(program, range).await;
    let (spec, fds) = armed(&s, Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let host = ["/proc/self/exe", "spawner", "--socket", "/tmp/socket"];
    let host = Process { capabilities: u64::MAX, ..process(&host, Stdio::Null) };
    s.client.exec(&spec.id, "host", &host, vec![]).await.unwrap();
    let overwrite = "until [ -S /tmp/socket ]; do sleep 0.01; done
                     for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = sandlot-spawner ] && pid=${p#/proc/}; done; exec 9</proc/$pid/exe || exit 9
                     kill -9 $pid; while [ -e /proc/$pid ]; do sleep 0.01; done
                     (echo evil >/proc/self/fd/9) 2>/dev/null; chmod 4777 /proc/self/fd/9 2>/dev/null; echo tried";
    let overwrite = Process { capabilities: u64::MAX, ..sh(overwrite) };
    assert_eq!(s.exec(&spec.id, "overwrite", overwrite).await.unwrap(), (0, "tried\n".to_owned()));
    std::fs::metadata(program).unwrap().permissions().mode() & 0o7777 == 0o4777
}

#[tokio::test]
async fn the_program_that_made_the_container_is_not_altered_from_inside() {
    // CVE-2019-5736
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("sandlot");
    std::fs::copy(env!("CARGO_BIN_EXE_sandlot"), &program).unwrap();
    let before = std::fs::read(&program).unwrap();
    let own = IdRange { base: 1_000_000 + std::process::id() % 30_000 * 65_536, count: 65_536 };
    // An image's own way to have it run: an interpreter that is whoever executes the script.
    let mut s = Spawned::of(&program, own).await;
    let entry = s.layer().join("entry");
    std::fs::write(&entry, "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(&entry, PermissionsExt::from_mode(0o755)).unwrap();
    let (spec, fds) = armed(&s, Init::Command, Some(process(&["/entry"], Stdio::Pipes { stdin: false })));
    let (code, said) = s.run(&spec, fds).await.unwrap();
    assert!(code != 0 && said.contains("sandlot"), "it was not run: {code} {said}");
    assert!(std::fs::read(&program).unwrap() == before);
    assert!(!altered(&program, own).await);
    assert!(std::fs::read(&program).unwrap() == before);
    // With the host's own ids it is, though not written to, as long as the spawner runs it.
    assert!(altered(&program, IdRange { base: 0, count: 65_536 }).await);
}
