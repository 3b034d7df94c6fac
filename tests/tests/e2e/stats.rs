//! Promise: what `docker stats` tells of a container is what it uses: each number is compared with a load that is known, or with
//! what the kernel says of the same in another place.

use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::socket::{Request, Socket};
use sandlot_tests::wait::until;
use serde_json::Value;

const IMAGE: &str = "sandlot/starter";
const MIB: f64 = 1024.0 * 1024.0;

/// The engine's own numbers, now.
async fn now(sandbox: &Sandbox, name: &str) -> Value {
    let target = format!("/containers/{name}/stats?stream=0&one-shot=1");
    let socket = Socket::new(&sandbox.dir().join("engine.sock"));
    serde_json::from_slice(&socket.call(&Request::new("GET", &target)).await.unwrap().body).unwrap()
}

fn number(of: &Value, place: &str) -> f64 {
    of.pointer(place).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {place} in {of}"))
}

/// `docker stats` once, in a format.
fn shown(sandbox: &Sandbox, name: &str, format: &str) -> String {
    sandbox.ok(&["stats", "--no-stream", "--format", format, name]).unwrap()
}

/// `12.5MiB`, `1.2kB`, `3.5%`: the number in bytes, or as it is.
fn read(text: &str) -> f64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = match &text[digits.len()..] {
        "KiB" => 1024.0,
        "MiB" => MIB,
        "GiB" => MIB * 1024.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "B" | "%" | "" => 1.0,
        other => panic!("{other} in {text}"),
    };
    digits.parse::<f64>().unwrap_or_else(|_| panic!("{text}")) * unit
}

/// Both sides of `a / b`.
fn both(text: &str) -> (f64, f64) {
    let (a, b) = text.split_once(" / ").unwrap();
    (read(a), read(b))
}

async fn prints(sandbox: &Sandbox, name: &str, line: &str) {
    let printed = || async { sandbox.ok(&["logs", name]).ok()?.contains(line).then_some(()) };
    until(&format!("{name} to print {line}"), printed).await.unwrap();
}

/// Nanoseconds that a process of the host has had of the processors.
fn taken(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * 1e7
}

#[tokio::test]
async fn processor_time_is_what_the_only_process_has_had() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox
        .ok(&["run", "-d", "--name", "busy", "--cpus", "0.5", IMAGE, "sh", "-c", "while :; do :; done"])
        .unwrap();
    let pid = sandbox.ok(&["inspect", "-f", "{{.State.Pid}}", "busy"]).unwrap();
    // A while of it, so that what starting it took counts for little.
    until("half a second of work", || async { (taken(&pid) > 5e8).then_some(()) }).await.unwrap();
    for _ in 0..3 {
        let before = taken(&pid);
        let told = now(&sandbox, "busy").await;
        let after = taken(&pid);
        let used = number(&told, "/cpu_stats/cpu_usage/total_usage");
        // The kernel counts a process in ticks, the group also what its start took.
        assert!((before - 2e7..after + 1.5e8).contains(&used), "{used}: not from {before} to {after}");
        let parts = number(&told, "/cpu_stats/cpu_usage/usage_in_usermode")
            + number(&told, "/cpu_stats/cpu_usage/usage_in_kernelmode");
        assert!((parts - used).abs() < 1e8 + used / 5.0, "user and kernel: {parts}, all: {used}");
        assert!(number(&told, "/cpu_stats/throttling_data/throttled_periods") > 0.0, "{told}");
    }
    // Half of a processor is the most it gets; how much of that, the machine's other work decides.
    let percent = read(&shown(&sandbox, "busy", "{{.CPUPerc}}"));
    assert!((1.0..65.0).contains(&percent), "{percent} %");
    sandbox.ok(&["run", "-d", "--name", "idle", IMAGE, "sleep", "1000"]).unwrap();
    let percent = read(&shown(&sandbox, "idle", "{{.CPUPerc}}"));
    assert!(percent < 1.0, "{percent} % of one that sleeps");
}

#[tokio::test]
async fn memory_is_what_was_filled_and_the_limit_what_was_set() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "head -c 24m /dev/zero > /dev/shm/full; echo filled; exec sleep 1000";
    sandbox.ok(&["run", "-d", "--name", "full", "-m", "64m", IMAGE, "sh", "-c", script]).unwrap();
    sandbox.ok(&["run", "-d", "--name", "empty", "-m", "64m", IMAGE, "sleep", "1000"]).unwrap();
    prints(&sandbox, "full", "filled").await;
    for (name, least, most) in [("full", 24.0, 34.0), ("empty", 0.01, 10.0)] {
        let line = shown(&sandbox, name, "{{.MemUsage}}|{{.MemPerc}}");
        let (usage, percent) = line.split_once('|').unwrap();
        let (used, limit) = both(usage);
        assert!((least * MIB..most * MIB).contains(&used), "{name}: {line}");
        assert!((limit - 64.0 * MIB).abs() < 1.0, "{name}: {line}");
        assert!((read(percent) - used / limit * 100.0).abs() < 0.2, "{name}: {line}");
    }
    // What is only in the file cache is not counted as used, but it is told.
    let script = "head -c 16m /dev/zero > /file; cat /file > /dev/null; echo read; exec sleep 1000";
    sandbox.ok(&["run", "-d", "--name", "cache", "-m", "64m", IMAGE, "sh", "-c", script]).unwrap();
    prints(&sandbox, "cache", "read").await;
    let told = now(&sandbox, "cache").await;
    assert!(number(&told, "/memory_stats/stats/cache") >= 15.0 * MIB, "{told}");
    let (used, _) = both(&shown(&sandbox, "cache", "{{.MemUsage}}"));
    assert!(used < number(&told, "/memory_stats/usage"), "{used}: {told}");
    // Without a limit it is the machine's.
    sandbox.ok(&["run", "-d", "--name", "open", IMAGE, "sleep", "1000"]).unwrap();
    let info = std::fs::read_to_string("/proc/meminfo").unwrap();
    let all = info.lines().find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")).unwrap();
    let limit = number(&now(&sandbox, "open").await, "/memory_stats/limit");
    assert!((limit - all.parse::<f64>().unwrap() * 1024.0).abs() < 1.0, "{limit}");
}

#[tokio::test]
async fn processes_are_counted() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "for i in 1 2 3 4; do sleep 1000 & done; echo begun; wait";
    sandbox.ok(&["run", "-d", "--name", "five", "--pids-limit", "20", IMAGE, "sh", "-c", script]).unwrap();
    prints(&sandbox, "five", "begun").await;
    assert_eq!(shown(&sandbox, "five", "{{.PIDs}}"), "5");
    let told = now(&sandbox, "five").await;
    assert!((number(&told, "/pids_stats/limit") - 20.0).abs() < 0.1, "{told}");
}

#[tokio::test]
async fn bytes_of_the_network_are_counted_on_both_ends() {
    let sandbox = Sandbox::networked().await.unwrap();
    let serve = "mkdir /www; head -c 3000000 /dev/zero > /www/file; exec httpd -f -p 80 -h /www";
    sandbox.ok(&["network", "create", "yard"]).unwrap();
    sandbox.ok(&["run", "-d", "--name", "web", "--network", "yard", IMAGE, "sh", "-c", serve]).unwrap();
    let fetch = "until wget -qO /file http://web/file; do sleep 0.1; done; echo fetched; exec sleep 1000";
    sandbox.ok(&["run", "-d", "--name", "asker", "--network", "yard", IMAGE, "sh", "-c", fetch]).unwrap();
    prints(&sandbox, "asker", "fetched").await;
    let (came, went) = both(&shown(&sandbox, "asker", "{{.NetIO}}"));
    assert!((3e6..4e6).contains(&came) && went < 1e6, "asker: {came} / {went}");
    let (came, went) = both(&shown(&sandbox, "web", "{{.NetIO}}"));
    assert!((3e6..4e6).contains(&went) && came < 1e6, "web: {came} / {went}");
    let told = now(&sandbox, "web").await;
    assert!(number(&told, "/networks/eth0/tx_packets") >= 3e6 / 65_536.0, "{told}");
}
