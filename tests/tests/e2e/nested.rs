//! The profile `nested`: a student makes containers by hand, without any right on the host, and reaches nothing of it.

use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use std::process::Command;

const IMAGE: &str = "sandlot/starter";

/// A session's container of that profile, with limits to be lifted.
fn session(sandbox: &Sandbox) {
    let flags = "run -d --network none --security-opt profile=nested -m 256m --pids-limit 60 -v lessons:/lessons:ro --name lab";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([IMAGE, "sleep", "1000"]);
    sandbox.ok(&arguments).unwrap();
}

fn student(sandbox: &Sandbox, user: &str, script: &str) -> String {
    let output = sandbox.docker(&["exec", "-u", user, "lab", "sh", "-c", script]).unwrap();
    (String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr)).into_owned()
}

/// Names and commands; what succeeds has its name printed, and `end` comes last.
fn script(attempts: &[(&str, String)]) -> String {
    let one = |(name, command): &(&str, String)| format!("( {command} ) >/dev/null 2>&1 && echo {name}\n");
    attempts.iter().map(one).chain(["echo end\n".to_owned()]).collect()
}

#[tokio::test]
async fn a_student_makes_namespaces_mounts_and_groups() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox);
    let inner = "[ $$ = 1 ] && [ $(ls /proc | grep -c ^[0-9]) -lt 5 ] && [ $(id -u) = 0 ]";
    let overlay = "mount -t tmpfs t /tmp && cd /tmp && mkdir low up work all && echo low >low/file && \
                   mount -t overlay -o lowerdir=low,upperdir=up,workdir=work o all && echo up >all/file && \
                   grep -q low low/file && grep -q up up/file";
    let common = vec![
        ("container", format!("unshare -Urmpf --mount-proc sh -c '{inner}'")),
        ("overlay", format!("unshare -Urm sh -c '{overlay}'")),
        ("network", "unshare -Urn sh -c 'ip link set lo up && ping -c1 -w2 127.0.0.1'".into()),
        ("two_deep", format!("unshare -Urmpnf --mount-proc unshare -Urmpf --mount-proc sh -c '{inner}'")),
        ("name", "unshare -Uru sh -c 'hostname inner && [ $(hostname) = inner ]'".into()),
    ];
    let root = "mkdir -p /tmp/r/bin /tmp/r/old && cp /bin/busybox /tmp/r/bin && ln -s busybox /tmp/r/bin/sh";
    let own = vec![
        ("chroot", format!("{root} && chroot /tmp/r /bin/busybox test ! -e /etc")),
        (
            "pivot",
            "unshare -mpf sh -c 'mount --bind /tmp/r /tmp/r && cd /tmp/r && pivot_root . old && \
             exec chroot . /bin/busybox test -d /old/etc'"
                .into(),
        ),
        ("tmpfs", "mkdir /tmp/t && mount -t tmpfs t /tmp/t && echo x >/tmp/t/x && umount /tmp/t".into()),
        // What `ip netns exec` does.
        (
            "sysfs",
            "unshare -nm sh -c 'umount -l /sys && mount -t sysfs -o ro s /sys && [ -d /sys/class/net/lo ]'"
                .into(),
        ),
        ("group", "mkdir /sys/fs/cgroup/lab; sleep 9 & echo $! >/sys/fs/cgroup/lab/cgroup.procs".into()),
    ];
    for (user, attempts) in [("1000", &common), ("0", &common), ("0", &own)] {
        let expected: Vec<&str> = attempts.iter().map(|(name, _)| *name).chain(["end"]).collect();
        let said = student(&sandbox, user, &script(attempts));
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "as {user}");
    }
}

#[tokio::test]
async fn a_version_1_group_is_made_below_the_own_one() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox);
    if !std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - cgroup ") {
        eprintln!("this host mounts no version 1 hierarchy: there is none to make a group in");
        return;
    }
    let lab = "mkdir /tmp/c && mount -t cgroup -o cpuset cpuset /tmp/c && mkdir /tmp/c/Charlie && cd /tmp/c/Charlie && \
               cat ../cpuset.cpus >cpuset.cpus && cat ../cpuset.mems >cpuset.mems && echo $$ >tasks && \
               grep cpuset:/Charlie /proc/self/cgroup";
    assert!(student(&sandbox, "0", lab).contains("cpuset:/Charlie"));
}

#[tokio::test]
async fn a_student_reaches_nothing_of_the_host() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox);
    sandbox.ok(&["run", "-d", "--network", "none", "--name", "other", IMAGE, "sleep", "1000"]).unwrap();
    let canary = sandbox.dir().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    let (path, victim) = (canary.display(), std::process::id());
    let attacks = |scratch: &str| {
        let same = |file: &str| format!("cat {file} >{scratch}/same && cat {scratch}/same >{file}");
        let mounted = |kind: &str, file: &str| {
            let (option, file) = (kind, format!("{scratch}/m{file}"));
            format!("mkdir -p {scratch}/m; mount -t {option} m {scratch}/m; {}", same(&file))
        };
        vec![
            ("read", format!("cat {path} || cat /proc/1/root{path} || cat /proc/1/cwd/../../..{path}")),
            ("enter", format!("nsenter -t {victim} -m ls {path} || nsenter -t 1 -m ls {path}")),
            ("signal", format!("kill -0 {victim}")),
            ("sysctl", same("/proc/sys/kernel/core_pattern")),
            ("own_proc", mounted("proc", "/sys/kernel/core_pattern")),
            ("kernel", mounted("sysfs", "/kernel/mm/ksm/pages_to_scan")),
            ("agent", mounted("cgroup -o memory", "/release_agent")),
            ("device", format!("mknod {scratch}/null c 1 3 && echo x >{scratch}/null")),
            ("log", "dmesg".into()),
            ("debugfs", format!("mkdir -p {scratch}/d && mount -t debugfs d {scratch}/d")),
        ]
    };
    let host = ["--mount", "--propagation", "private", "busybox", "sh", "-c"];
    let alone = format!("mount -t tmpfs t /mnt\n{}", script(&attacks("/mnt")));
    let shown = run(Command::new("unshare").args(host).arg(alone)).unwrap();
    let attacks = attacks("/tmp");
    for (name, _) in &attacks {
        assert!(
            String::from_utf8_lossy(&shown.stdout).lines().any(|line| line == *name),
            "{name} was not shown"
        );
    }
    // As themselves, and with all the capabilities that a namespace of their own gives.
    assert_eq!(student(&sandbox, "0", &script(&attacks)), "end\n");
    let within = format!("unshare -Urmpf --mount-proc sh -c '{}'", script(&attacks));
    for user in ["0", "1000"] {
        assert_eq!(student(&sandbox, user, &within), "end\n");
    }
    let write =
        "mount -o remount,bind,rw /lessons; mount -o remount,rw /lessons; touch /lessons/new && echo WRITTEN";
    assert!(!student(&sandbox, "0", write).contains("WRITTEN"));
    let again = "run --rm --network none --security-opt profile=nested -v lessons:/lessons";
    let again: Vec<&str> = again.split(' ').chain([IMAGE, "touch", "/lessons/lesson"]).collect();
    sandbox.ok(&again).unwrap();
    assert_eq!(student(&sandbox, "0", "ls /lessons"), "lesson\n");
    student(&sandbox, "0", "kill -9 -1");
    assert_eq!(sandbox.ok(&["ps", "-q", "--filter", "name=other"]).unwrap().len(), 12);
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "alive");
}

#[tokio::test]
async fn a_student_does_not_lift_the_sessions_limits() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox);
    let bomb = "n=0; while [ $n -lt 100 ]; do sleep 30 & n=$((n+1)); done; echo made all";
    let lift = "for f in /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; do echo max >$f; done; \
                for c in pids memory; do mkdir -p /tmp/$c; mount -t cgroup -o $c $c /tmp/$c; \
                for f in /tmp/$c/pids.max /tmp/$c/memory.limit_in_bytes /tmp/$c/../pids.max; do \
                [ -e $f ] && { echo max >$f || echo -1 >$f; } && echo LIFTED $f; done; \
                echo $$ >/tmp/$c/../tasks; done";
    let said = student(&sandbox, "0", &format!("({lift}) 2>/dev/null; {bomb}"));
    assert!(!said.contains("made all") && !said.contains("LIFTED"), "{said}");
    let unlimited = ["run", "--rm", "--network", "none", "--pids-limit", "200", IMAGE, "sh", "-c", bomb];
    assert_eq!(sandbox.ok(&unlimited).unwrap(), "made all");
}
