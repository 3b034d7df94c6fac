//! The walls of a session's own engine, tried from its root and from two levels down: no right on the host, no limit lifted, nothing
//! written, nothing left.

use crate::inner::{session, student};
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::traces;
use sandlot_tests::wait::until;
use std::path::{Path, PathBuf};

const IMAGE: &str = "sandlot/starter";

#[tokio::test]
async fn the_program_is_written_to_by_nobody() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let path = sandlot_tests::program("sandlot").unwrap();
    let before = std::fs::read(&path).unwrap();
    let write = |file: &str| format!("(echo x >>{file}) 2>/dev/null && echo WRITTEN {file}");
    let exe = "(cat /tmp/own >/proc/$p/exe) 2>/dev/null && echo WRITTEN exe";
    let attempts = [
        // A file of one's own can be written in the same way: the attempts are real ones.
        "cp /bin/busybox /tmp/own; ".to_owned() + &write("/tmp/own"),
        write("/usr/local/bin/sandlot"),
        "mount -o remount,bind,rw /usr/local/bin/sandlot; mount -o remount,rw /usr/local/bin/sandlot"
            .to_owned(),
        "chmod 777 /usr/local/bin/sandlot; chown 0 /usr/local/bin/sandlot".to_owned(),
        write("/usr/local/bin/sandlot"),
        write("/usr/local/bin/docker"),
        // The engine and its spawner, which run from it (CVE-2019-5736).
        "docker ps >/dev/null".to_owned(),
        format!("for p in $(pidof sandlot) $(pidof sandlot-spawner); do {exe}; done"),
        "mv /tmp/own /usr/local/bin/sandlot 2>/dev/null && echo WRITTEN by mv".to_owned(),
        // From a container whose first process is for a moment that very program.
        format!(
            "docker run --rm -v /tmp:/tmp sandlot/starter sh -c 'for p in $(seq 100); do p=1; {exe}; done'"
        ),
        "docker run --name five --entrypoint /proc/self/exe sandlot/starter; docker rm -f five".to_owned(),
    ];
    let said = student(&sandbox, &attempts.join("\n"));
    let written: Vec<&str> = said.lines().filter(|line| line.starts_with("WRITTEN")).collect();
    assert_eq!(written, ["WRITTEN /tmp/own"], "{said}");
    assert!(std::fs::read(path).unwrap() == before, "the host's program is another");
    assert!(student(&sandbox, "docker run --rm sandlot/starter echo on").ends_with("on"));
}

#[tokio::test]
async fn two_levels_down_nothing_of_the_session_or_the_host_is_reached() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let canary = sandbox.dir().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    let (path, host) = (canary.display().to_string(), std::process::id());
    student(&sandbox, "echo secret >/root/secret; docker run -d --name other sandlot/starter sleep 1000");
    let attacks = [
        (
            "read",
            format!("cat {path} /root/secret || cat /proc/1/cwd/../../../root/secret || cat /root/secret"),
        ),
        ("enter", format!("nsenter -t {host} -m true")),
        ("mount", "mkdir -p /m; mount -t tmpfs m /m".into()),
        ("namespaces", "unshare -Urm true".into()),
        ("group", "mkdir /sys/fs/cgroup/out".into()),
        ("limit", "echo max >/sys/fs/cgroup/pids.max || echo max >/sys/fs/cgroup/../pids.max".into()),
        (
            "sysctl",
            "cat /proc/sys/kernel/core_pattern >/tmp/p && cat /tmp/p >/proc/sys/kernel/core_pattern".into(),
        ),
        ("device", "mknod /tmp/null c 1 3 && echo x >/tmp/null".into()),
        ("disk", "mknod /tmp/loop b 7 0 && dd if=/tmp/loop of=/dev/null count=1".into()),
        ("memory", "dd if=/proc/kcore of=/dev/null bs=1 count=1".into()),
        ("socket", "ls /var/run/docker.sock".into()),
        ("log", "dmesg".into()),
    ];
    let one = |(name, command): &(&str, String)| format!("( {command} ) >/dev/null 2>&1 && echo {name}\n");
    let all: String = attacks.iter().map(one).chain(["echo end\n".to_owned()]).collect();
    let file = sandbox.dir().join("attack");
    std::fs::write(&file, all).unwrap();
    sandbox.ok(&["cp", &file.to_string_lossy(), "lab:/tmp/attack"]).unwrap();
    // Shown where there is no wall: the session's root reads its own, mounts, and makes a group.
    let shown = student(&sandbox, "sh /tmp/attack");
    for name in ["read", "mount", "namespaces", "group", "socket"] {
        assert!(shown.lines().any(|line| line == name), "{name} was not shown: {shown}");
    }
    let inner = "docker run --rm -v /tmp/attack:/attack:ro sandlot/starter sh /attack";
    assert_eq!(student(&sandbox, inner), "end");
    // With every capability that its own namespace has to give.
    let wide = inner.replace("--rm", "--rm --cap-add ALL");
    let said = student(
        &sandbox,
        &wide.replace("-v /tmp/attack:/attack:ro", "-v /tmp:/tmp").replace("/attack", "/tmp/attack"),
    );
    assert!(said.lines().all(|line| ["mount", "end"].contains(&line)), "{said}");
    // Init is the spawner's copy, never exec'd: its memory is nobody's to read.
    let own = "docker run --rm --init --cap-add ALL sandlot/starter sh -c 'cat /proc/$$/maps >/dev/null && echo OWN; cat /proc/1/maps && echo READ'";
    let said = student(&sandbox, own);
    assert!(said.contains("OWN") && !said.contains("READ"), "{said}");
    let lasting = "docker run --rm --cap-add ALL sandlot/starter sh -c 'kill -9 -1' 2>/dev/null; docker ps --format '{{.Names}}'";
    assert_eq!(student(&sandbox, lasting), "other");
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "alive");
    assert_eq!(sandbox.ok(&["ps", "--format", "{{.Names}}"]).unwrap(), "lab");
}

#[tokio::test]
async fn the_sessions_limits_are_those_of_all_its_containers_together() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    sandbox.ok(&["run", "-d", "--network", "none", "--name", "neighbour", IMAGE, "sleep", "1000"]).unwrap();
    // Processes: what is asked for is more than the session has.
    let bomb = "docker run --rm --pids-limit -1 sandlot/starter sh -c 'for i in $(seq 400); do sleep 5 & done; echo made all'";
    let said = student(&sandbox, bomb);
    assert!(!said.contains("made all"), "{said}");
    let on = || async {
        student(&sandbox, "docker run --rm sandlot/starter echo on").ends_with("on").then_some(())
    };
    until("the session to have processes again", on).await.unwrap();
    // Memory: 512 MiB are the session's. Whom the kernel kills is its choice.
    let hungry = "docker run --rm -m 2g --shm-size 1g sandlot/starter sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=900 && echo TOOK ALL'";
    let said = student(&sandbox, hungry);
    assert!(!said.contains("TOOK ALL"), "{said}");
    // Disk: 256 MiB are the session's, whoever writes.
    let full = "docker run --rm -v many:/many sandlot/starter dd if=/dev/zero of=/many/x bs=1M count=400 2>&1 | grep -o 'No space left on device'
        docker volume rm many; docker run --rm sandlot/starter echo on";
    assert_eq!(student(&sandbox, full), "No space left on device\nmany\non");
    assert_eq!(sandbox.ok(&["exec", "neighbour", "echo", "unharmed"]).unwrap(), "unharmed");
}

#[tokio::test]
async fn its_end_leaves_nothing() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let id = sandbox.ok(&["inspect", "--format", "{{.Id}}", "lab"]).unwrap();
    let run = "docker run -d --network net -p 900$i:80 -v vol$i:/v -m 32m sandlot/starter sleep 1000";
    student(&sandbox, &format!("docker network create net; for i in 1 2 3; do {run}; done"));
    assert_eq!(student(&sandbox, "docker ps -q | wc -l"), "3");
    assert!(traces::groups_below(&id).unwrap().len() > 3, "the inner containers have groups");
    let disk: PathBuf = sandbox.dir().join("state/disks").join(&id);
    assert!(disk.exists());
    sandbox.ok(&["rm", "-f", "lab"]).unwrap();
    let gone = |path: &Path| !path.exists();
    let nothing = || async {
        let (groups, mounts) = (traces::groups_named(&id).ok()?, traces::mounts(&id).ok()?);
        (groups.is_empty() && mounts.is_empty() && gone(&disk)).then_some(())
    };
    until("everything to go", nothing).await.unwrap();
}
