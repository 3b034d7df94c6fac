//! What the kernel has once for everybody: no container takes it all, and none takes its own bound away.

#![allow(clippy::unwrap_used)]

use crate::attack::{
    Walls, are_denied, armed, interpreted, python, script, shell, succeed_only_without_walls,
};
use crate::spawned::{Spawned, process, sh};
use sandlot::container::spec::{IdRange, Init, Profile, Stdio};
use sandlot::spawner::client::StdioFds;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Makes one more namespace of a kind than a container of the nested profile may have, and holds them all.
fn namespaces(flag: u32) -> String {
    format!(
        "
ready, go = os.pipe(), os.pipe()
for n in range(65):
    if os.fork() == 0:
        try:
            call(\"unshare\", {flag})
            os.write(ready[1], b\"y\")
        except OSError:
            os.write(ready[1], b\"n\")
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(0)
answers = [os.read(ready[0], 1) for n in range(65)]
os.close(go[1])
sys.exit(b\"n\" in answers)"
    )
}

/// In memory, because an ext4 takes half a minute to remove as many.
const WATCHES: &str = "
import tempfile
LIBC.inotify_add_watch.restype = ctypes.c_int
own, place = call(\"inotify_init1\", 0), tempfile.TemporaryDirectory(dir=\"/dev/shm\")
for n in range(8193):
    file = f\"{place.name}/{n}\"
    os.close(os.open(file, os.O_CREAT))
    LIBC.inotify_add_watch(own, file.encode(), 2) == -1 and sys.exit(1)";

#[tokio::test]
async fn what_is_counted_by_namespace_ends_at_its_bound() {
    let mut s = Spawned::new().await;
    let attacks = [
        python("instances", "held = [call(\"inotify_init1\", 0) for n in range(65)]"),
        python("watches", WATCHES),
        python("terminals", "held = [os.openpty() for n in range(65)]"),
        python("user", &namespaces(0x1000_0000)),
        python("pid", &namespaces(0x2000_0000)),
        python("mnt", &namespaces(0x0002_0000)),
        python("net", &namespaces(0x4000_0000)),
        python("ipc", &namespaces(0x0800_0000)),
        python("uts", &namespaces(0x0400_0000)),
        python("cgroup", &namespaces(0x0200_0000)),
        python("time", &namespaces(0x80)),
    ];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
}

#[tokio::test]
async fn loop_devices_are_nobodys_to_take() {
    let mut s = Spawned::new().await;
    let free = |path: &str| format!("fcntl.ioctl(os.open(\"{path}\", 2), 0x4c82)");
    let made = interpreted(&free("/tmp/loop-control"));
    let attacks = [
        python("control", &free("/dev/loop-control")),
        shell("made", format!("rm -f /tmp/loop-control; mknod /tmp/loop-control c 10 237 && {made}")),
    ];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
}

#[tokio::test]
async fn a_bound_cannot_be_lifted_from_inside() {
    let mut s = Spawned::new().await;
    let mut attacks = Vec::new();
    for name in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"] {
        attacks.push(shell(name, format!("echo 65 >/proc/sys/user/max_{name}_namespaces")));
    }
    for name in ["instances", "watches"] {
        attacks.push(shell(name, format!("echo 99999 >/proc/sys/user/max_inotify_{name}")));
    }
    // With every capability, sys_resource among them, it can: a bound holds for who was not given that.
    let (profile, process) = Walls::Namespaces(Profile::Nested).around(sh(&script(&attacks)));
    let (mut spec, fds) = s.container(Init::Command, Some(process));
    spec.profile = profile;
    assert_eq!(s.run(&spec, fds).await.unwrap().1.lines().count(), attacks.len() + 1);
    are_denied(&mut s, &attacks, &Walls::REAL).await;
}

/// Takes until there is no more, of everything that the kernel counts for a user and their user namespaces; prints how many of each.
const TAKE: &str = "
def count(take):
    for n in range(MOST):
        if take(n) == -1:
            return n
    return MOST
LIBC.mmap.restype = ctypes.c_void_p
queues = count(lambda n: LIBC.mq_open(f\"/{n}\".encode(), 0o102, 0o600, struct.pack(\"llllllll\", 0, 10, 8192, 0, 0, 0, 0, 0)))
locked = count(lambda n: LIBC.shmctl(LIBC.shmget(0, 1 << 18, 0o1600), 11, 0))
timers = count(lambda n: LIBC.timer_create(1, None, ctypes.byref(ctypes.c_void_p())))
held = count(lambda n: LIBC.inotify_init1(0)), count(lambda n: LIBC.posix_openpt(2))
print(queues, locked, timers, *held, flush=True)
sys.stdin.read()";

/// A container that takes up to `most` of each pool, and how many it got.
async fn taken(s: &mut Spawned, most: u32) -> (Vec<u32>, StdioFds) {
    let code = TAKE.replace("MOST", &most.to_string());
    let stdio = Stdio::Pipes { stdin: true };
    let process = process(&["/bin/sh", "-c", &interpreted(&code)], stdio);
    let (spec, fds) = armed(s, Init::Command, Some(process));
    let started = s.start(&spec, fds).await.unwrap();
    let StdioFds::Pipes { stdout, .. } = &started.stdio else { panic!("no pipes") };
    let mut line = String::new();
    BufReader::new(File::from(stdout.try_clone().unwrap())).read_line(&mut line).unwrap();
    (line.split_whitespace().map(|n| n.parse().unwrap()).collect(), started.stdio)
}

#[tokio::test]
async fn a_container_that_took_all_it_may_leaves_the_others_theirs() {
    let base = 1_000_000 + std::process::id() % 30_000 * 65_536;
    let mut greedy = Spawned::new().await;
    let program = Path::new(env!("CARGO_BIN_EXE_sandlot"));
    let mut modest = Spawned::of(program, IdRange { base: base + 65_536, count: 65_536 }).await;
    let (all, _held) = taken(&mut greedy, 200_000).await;
    let (some, _held) = taken(&mut modest, 8).await;
    assert!(all.iter().all(|n| *n < 200_000), "{all:?}");
    assert_eq!(some, [8; 5], "the other took {all:?}");
    // Who shares the ids of a greedy one shares its pools: it is the own range that keeps them apart.
    let (shared, _held) = taken(&mut Spawned::new().await, 8).await;
    assert!(shared[0] == 0 && shared[2] == 0, "{shared:?}");
}
