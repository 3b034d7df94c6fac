//! Promise: `free`, `top`, `nproc`, `uptime` and `df` in a session tell the session's limits, not the host's; also after the
//! engine was killed, and a nested `/proc` can still be mounted.

use sandlot_tests::sandbox::{Part, Sandbox};

const LIMIT: &str = "65536";

/// A container as the server makes a session's.
fn session(sandbox: &Sandbox, name: &str, more: &[&str]) {
    let mut arguments = vec![
        "run",
        "-d",
        "--network",
        "none",
        "--annotation",
        "sandlot.init=only",
        "-m",
        "64m",
        "--cpus",
        "1",
    ];
    arguments.extend(["--name", name]);
    arguments.extend(more);
    arguments.push("sandlot/starter");
    sandbox.ok(&arguments).unwrap();
}

fn inside(sandbox: &Sandbox, name: &str, script: &str) -> String {
    sandbox.ok(&["exec", name, "sh", "-c", script]).unwrap()
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|l| l.starts_with(name));
    line.and_then(|l| l.split_whitespace().nth(1)).unwrap_or_default().to_owned()
}

fn number(text: &str, name: &str) -> u64 {
    field(text, name).parse().unwrap_or_else(|_| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn a_session_sees_its_own_machine() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, "own", &["--storage-opt", "size=64m"]);
    let inside = |script: &str| inside(&sandbox, "own", script);

    assert_eq!(field(&inside("sh -ic free 2>/dev/null"), "Mem:"), LIMIT, "free");
    assert_eq!(field(&inside("cat /proc/meminfo"), "MemTotal:"), LIMIT, "cat, which copies by sendfile");
    assert_eq!(inside("nproc").trim(), "1", "nproc");
    assert_eq!(inside("grep -c ^processor /proc/cpuinfo").trim(), "1", "cpuinfo");
    assert_eq!(inside("grep -c '^cpu[0-9]' /proc/stat").trim(), "1", "stat");
    assert_eq!(inside("grep -c / /proc/swaps || true").trim(), "0", "no swap of the host's is named");
    let up: f64 = inside("cut -d' ' -f1 /proc/uptime").trim().parse().unwrap();
    assert!(up < 300.0, "it has been up for {up} s");
    assert!(
        inside("sh -ic uptime 2>/dev/null").contains("min,  load average: 0."),
        "{}",
        inside("sh -ic uptime 2>/dev/null")
    );
    assert!(inside("top -bn1 | head -1").contains("K"), "top runs");
    let size: u64 = inside("df -k / | tail -1 | awk '{ print $2 }'").trim().parse().unwrap();
    assert!((50_000..=65_536).contains(&size), "df: {size} KiB");

    // What is taken is seen, as memory and as time.
    let free = number(&inside("cat /proc/meminfo"), "MemFree:");
    let less =
        inside("dd if=/dev/zero of=/dev/shm/x bs=1M count=16 2>/dev/null; sleep 0.2; cat /proc/meminfo");
    assert!(number(&less, "MemFree:") + 15_000 < free, "{free} then {less}");
    let busy =
        |text: &str| number(text, "cpu ") + text.split_whitespace().nth(3).unwrap().parse::<u64>().unwrap();
    let before = busy(&inside("cat /proc/stat"));
    let after =
        busy(&inside("i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done; sleep 0.2; cat /proc/stat"));
    assert!(after > before + 20, "{before} then {after} ticks");

    // Nobody inside writes them, or learns of another's.
    let denied = inside("echo x >/proc/meminfo; umount /proc/meminfo; cat /proc/meminfo 2>&1 | head -1");
    assert_eq!(field(&denied, "MemTotal:"), LIMIT);
}

#[tokio::test]
async fn a_nested_session_mounts_a_proc_of_its_own_and_umounts_nothing_of_the_hosts() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, "nested", &["--security-opt", "profile=nested"]);
    let inside = |script: &str| inside(&sandbox, "nested", script);
    assert_eq!(field(&inside("cat /proc/meminfo"), "MemTotal:"), LIMIT);
    // A new user namespace: every cover of the old /proc is locked in it.
    let seen = inside(
        "unshare -Urmpf --mount-proc sh -c 'echo $$; ls /proc | grep -c ^[0-9]; unshare -Urmpf --mount-proc echo deeper'",
    );
    assert_eq!(seen.split_whitespace().next(), Some("1"), "{seen}");
    assert!(seen.contains("deeper"), "{seen}");
    assert!(inside("cut -d. -f1 /proc/uptime").trim().parse::<u64>().unwrap() < 300);
}

#[tokio::test]
async fn a_killed_engine_takes_no_figures_away() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, "first", &[]);
    assert_eq!(field(&inside(&sandbox, "first", "sh -ic free 2>/dev/null"), "Mem:"), LIMIT);
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(
        field(&inside(&sandbox, "first", "sh -ic free 2>/dev/null"), "Mem:"),
        LIMIT,
        "of the engine before"
    );
    session(&sandbox, "second", &["-m", "32m"]);
    assert_eq!(
        field(&inside(&sandbox, "second", "sh -ic free 2>/dev/null"), "Mem:"),
        "32768",
        "of the one after"
    );
}

#[tokio::test]
async fn who_asks_without_end_keeps_nobody_from_an_answer() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, "greedy", &[]);
    session(&sandbox, "neighbour", &[]);
    let flood =
        "for n in 1 2 3 4 5 6 7 8; do (while :; do read -r x </proc/meminfo; done) & done; sleep 1000";
    sandbox.ok(&["exec", "-d", "greedy", "sh", "-c", flood]).unwrap();
    for _ in 0..20 {
        assert_eq!(
            field(&inside(&sandbox, "neighbour", "timeout 5 head -1 /proc/meminfo"), "MemTotal:"),
            LIMIT
        );
    }
}
