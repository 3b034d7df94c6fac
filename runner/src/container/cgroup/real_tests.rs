//! The promises on the machine that runs the tests, as root: each tries what a limit forbids. Also run in a guest whose
//! only version is 2.

use super::*;
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// A parent of this test's own, gone at its end, also if it fails.
struct Sandbox {
    hierarchy: Hierarchy,
    parent: String,
}

impl Sandbox {
    fn new(name: &str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests need root");
        let parent = format!("sandlot-test-{}-{name}", std::process::id());
        Self { hierarchy: Hierarchy::detect().unwrap(), parent }
    }

    fn group(&self, wanted: &Wanted, delegate: Option<IdRange>) -> Group {
        let limits = Limits::new(wanted, &Machine::read()).unwrap();
        self.hierarchy.create(&self.parent, "one", &limits, delegate).unwrap()
    }

    fn roots(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchy.v1.values().chain(&self.hierarchy.v2).map(|root| root.join(&self.parent))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let swept = self.hierarchy.sweep(&self.parent, &|_| false);
        for root in self.roots() {
            std::fs::remove_dir(root).unwrap_or_default();
        }
        assert!(std::thread::panicking() || swept.is_ok(), "{swept:?}");
    }
}

/// Runs a shell script in the group: it moves itself in as a container's first process does.
fn run(group: &Group, script: &str) -> Child {
    run_by(&group.join().unwrap(), script)
}

fn run_by(joins: &[std::os::fd::OwnedFd], script: &str) -> Child {
    let moves: Vec<OwnedPath> = joins.iter().map(OwnedPath::of).collect();
    let joins: String = moves.iter().map(|path| format!("echo 0 > '{}' || exit 99; ", path.0)).collect();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{joins}{script}")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The path behind a descriptor that [`Group::join`] gave.
struct OwnedPath(String);

impl OwnedPath {
    fn of(fd: &std::os::fd::OwnedFd) -> Self {
        use std::os::fd::AsRawFd;
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        Self(link.to_str().unwrap().to_owned())
    }
}

fn output(child: Child) -> (String, String, std::process::ExitStatus) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 20, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[path = "uses_tests.rs"]
mod uses;

const RANGE: IdRange = IdRange { base: 7_000_000, count: 65_536 };

#[test]
fn memory_beyond_the_limit_kills_and_is_counted() {
    let sandbox = Sandbox::new("memory");
    for delegate in [None, Some(RANGE)] {
        let wanted = Wanted { memory: 8 << 20, memory_swap: 8 << 20, ..Wanted::default() };
        let group = sandbox.group(&wanted, delegate);
        // One buffer larger than the limit, filled.
        let (_, _, status) = output(run(&group, "exec dd if=/dev/zero of=/dev/null bs=32M count=1"));
        assert!(!status.success(), "{status:?}");
        let (stdout, _, _) = output(run(&group, "echo still here"));
        assert_eq!(stdout, "still here\n");
        assert!(group.oom_killed().unwrap() >= 1, "{status:?}");
        let stats = group.stats().unwrap();
        assert_eq!(stats.memory.limit, Some(8 << 20));
        assert!(stats.memory.oom_kills >= 1, "{:?}", stats.memory);
        group.kill().unwrap();
        group.remove().unwrap();
    }
}

#[test]
fn more_processes_than_allowed_cannot_be_forked() {
    let sandbox = Sandbox::new("pids");
    let group = sandbox.group(&Wanted { pids: 5, ..Wanted::default() }, None);
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all";
    let (stdout, stderr, status) = {
        let mut child = run(&group, script);
        let status = child.wait().unwrap();
        // The sleepers hold the pipes open.
        group.kill().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (out, err, status)
    };
    assert!(!status.success() && stdout.is_empty(), "{stdout} {stderr}");
    assert!(stderr.to_lowercase().contains("fork"), "{stderr}");
    assert_eq!(group.stats().unwrap().pids.limit, Some(5));
}

#[test]
fn a_processor_quota_throttles() {
    let sandbox = Sandbox::new("cpu");
    let group = sandbox.group(&Wanted { nano_cpus: 100_000_000, ..Wanted::default() }, None);
    let mut child = run(&group, "while :; do :; done");
    until("the group was throttled five times", || group.stats().unwrap().cpu.throttled_periods >= 5);
    let stats = group.stats().unwrap().cpu;
    assert!(stats.throttled > 0 && stats.total > 0, "{stats:?}");
    assert!(stats.total < stats.throttled, "a tenth of a processor runs less than it waits: {stats:?}");
    group.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_frozen_group_stands_still_and_can_be_killed() {
    let sandbox = Sandbox::new("freeze");
    for delegate in [None, Some(RANGE)] {
        let group = sandbox.group(&Wanted::default(), delegate);
        let mut child = run(&group, "echo in; while :; do :; done");
        let mut first = [0; 3];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(group.pids().unwrap(), [i32::try_from(child.id()).unwrap()]);
        group.freeze().unwrap();
        assert!(group.frozen().unwrap());
        // Utime and stime of proc_pid_stat(5).
        let time = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.split(' ').skip(13).take(2).map(|n| n.parse::<u64>().unwrap()).sum::<u64>()
        };
        let before = time(child.id());
        std::thread::sleep(std::time::Duration::from_millis(60));
        assert_eq!(time(child.id()), before);
        group.thaw().unwrap();
        assert!(!group.frozen().unwrap());
        until("it runs on", || time(child.id()) > before);
        group.freeze().unwrap();
        group.kill().unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        group.remove().unwrap();
    }
}

#[test]
fn a_delegated_group_cannot_lift_its_limits_but_make_groups() {
    use std::os::unix::process::CommandExt;
    let sandbox = Sandbox::new("delegate");
    let group = sandbox.group(&Wanted { memory: 16 << 20, pids: 20, ..Wanted::default() }, Some(RANGE));
    let as_root_of_session = |script: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).uid(RANGE.base).gid(RANGE.base).env_clear();
        command.output().unwrap()
    };
    for directory in sandbox.roots().map(|root| root.join("one")) {
        for file in
            ["memory.limit_in_bytes", "pids.max", "memory.max", "cgroup.procs", "tasks", "session/pids.max"]
        {
            if directory.join(file).exists() {
                let path = directory.join(file).display().to_string();
                let done = as_root_of_session(&format!("echo 1 > {path}"));
                assert!(!done.status.success(), "{path} could be written");
            }
        }
        let inside = directory.join("session").display().to_string();
        let done = as_root_of_session(&format!(
            "mkdir {inside}/charlie && echo 1 > {inside}/charlie/notify_on_release; ls -d {inside}/charlie && ! echo x > {inside}/release_agent"
        ));
        assert!(done.status.success(), "{done:?}");
        assert!(!as_root_of_session(&format!("mkdir {}/escaped", directory.display())).status.success());
    }
    // A child of the delegated group with a limit above: the one above still holds.
    let (_, stderr, status) = output(run(&group, "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done"));
    assert!(!status.success() && stderr.to_lowercase().contains("fork"), "{stderr}");
    group.kill().unwrap();
    group.remove().unwrap();
}

/// A student's lab on version 2 moved the shell into a leaf and passed controllers on: no terminal could be opened any more.
#[test]
fn a_newcomer_joins_where_the_first_process_went() {
    let sandbox = Sandbox::new("beside");
    let group = sandbox.group(&Wanted::default(), Some(RANGE));
    let session = sandbox.hierarchy.v2.as_ref().unwrap().join(&sandbox.parent).join("one/session");
    let leaf = session.join("leaf");
    std::fs::create_dir(&leaf).unwrap();
    let move_there = format!("echo 0 >{}/cgroup.procs; echo in; exec sleep 60", leaf.display());
    let mut first = run(&group, &move_there);
    first.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
    if sandbox.hierarchy.v2_controllers.contains(&Controller::Pids) {
        std::fs::write(session.join("cgroup.subtree_control"), "+pids").unwrap();
        assert_eq!(output(run(&group, "echo never")).2.code(), Some(99), "the group itself takes nobody");
    }
    let joins = group.join_beside(i32::try_from(first.id()).unwrap()).unwrap();
    let (stdout, stderr, _) = output(run_by(&joins, "grep ^0:: /proc/self/cgroup"));
    assert!(stdout.ends_with("/one/session/leaf\n"), "{stdout} {stderr}");
    // A process of another group leads nowhere else.
    let joins = group.join_beside(i32::try_from(std::process::id()).unwrap()).unwrap();
    assert!(joins.iter().all(|fd| OwnedPath::of(fd).0.contains("/one/session/")));
    group.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn limits_are_raised_and_lowered_and_refused() {
    let sandbox = Sandbox::new("update");
    let group = sandbox.group(&Wanted { memory: 16 << 20, ..Wanted::default() }, None);
    for memory in [64 << 20, 12 << 20, 128 << 20] {
        let wanted = Wanted { memory, ..Wanted::default() };
        group.update(&Limits::new(&wanted, &Machine::read()).unwrap()).unwrap();
        assert_eq!(group.stats().unwrap().memory.limit, Some(u64::try_from(memory).unwrap()));
    }
    let last = Machine { cpus: [4000].into(), nodes: [0].into() };
    let absent = Limits::new(&Wanted { cpuset_cpus: "4000".into(), ..Wanted::default() }, &last).unwrap();
    let error = group.update(&absent).unwrap_err().to_string();
    assert!(error.contains("cpuset-cpus = 4000"), "{error}");
}

#[test]
fn a_group_is_made_once_and_a_failure_leaves_nothing() {
    let sandbox = Sandbox::new("once");
    let group = sandbox.group(&Wanted::default(), None);
    assert!(matches!(
        sandbox.hierarchy.create(&sandbox.parent, "one", &Limits::default(), None),
        Err(Error::Exists(_))
    ));
    assert!(sandbox.hierarchy.open(&sandbox.parent, "one").is_ok());
    group.remove().unwrap();
    let last = Machine { cpus: [4000].into(), nodes: [0].into() };
    let absent = Limits::new(&Wanted { cpuset_cpus: "4000".into(), ..Wanted::default() }, &last).unwrap();
    assert!(sandbox.hierarchy.create(&sandbox.parent, "two", &absent, None).is_err());
    assert!(matches!(sandbox.hierarchy.open(&sandbox.parent, "two"), Err(Error::Missing(_))));
}

#[test]
fn a_sweep_ends_and_removes_what_nobody_wants() {
    let sandbox = Sandbox::new("sweep");
    let mut children = Vec::new();
    for id in ["keep", "lost", "nested"] {
        let delegate = (id == "nested").then_some(RANGE);
        let group = sandbox.hierarchy.create(&sandbox.parent, id, &Limits::default(), delegate).unwrap();
        let mut child = run(&group, "echo in; exec sleep 60");
        child.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
        children.push(child);
    }
    assert_eq!(sandbox.hierarchy.sweep(&sandbox.parent, &|id| id == "keep").unwrap(), 2);
    assert!(children[0].try_wait().unwrap().is_none(), "what is kept goes on");
    for child in &mut children[1..] {
        assert!(!child.wait().unwrap().success());
    }
    assert!(matches!(sandbox.hierarchy.open(&sandbox.parent, "lost"), Err(Error::Missing(_))));
    sandbox.hierarchy.open(&sandbox.parent, "keep").unwrap().kill().unwrap();
    children[0].wait().unwrap();
}

/// Version 1 has no bound of depth, and a tree deeper than its removal went stayed for ever, with its places in a table that
/// all containers share.
#[test]
fn a_tree_of_any_depth_is_walked_and_removed() {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let sandbox = Sandbox::new("deep");
    let Some(root) = sandbox.hierarchy.v1.get(&Controller::Freezer) else {
        eprintln!("version 2 bounds the depth itself");
        return;
    };
    let group = sandbox.group(&Wanted::default(), None);
    let top = root.join(&sandbox.parent).join("one");
    let mut here = open(&top, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..4200 {
        mkdirat(&here, "deep", Mode::RWXU).unwrap();
        here = openat(&here, "deep", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    drop(here);
    let path = top.join("deep/".repeat(4200));
    assert!(std::fs::metadata(path).is_err(), "no path leads to its end");
    assert!(group.pids().unwrap().is_empty());
    group.kill().unwrap();
    group.remove().unwrap();
    assert!(!top.exists());
}
