//! What the kernel has once for everybody: no container takes it all, and none takes its own bound away.

#![allow(clippy::unwrap_used)]

use crate::attack::{
    Walls, are_denied, armed, inside, interpreted, python, script, shell, succeed_only_without_walls,
};
use crate::spawned::{Spawned, process, sh};
use sandlot::container::spec::{Init, Profile, Stdio};
use sandlot::spawner::client::StdioFds;

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

#[tokio::test]
async fn a_container_that_took_all_it_may_leaves_the_others_theirs() {
    let mut s = Spawned::new().await;
    let take = "
held = [call(\"inotify_init1\", 0) for n in range(64)], [os.openpty() for n in range(64)]
print(\"taken\", flush=True)
sys.stdin.read()";
    let greedy = process(&["/bin/sh", "-c", &interpreted(take)], Stdio::Pipes { stdin: true });
    let (spec, fds) = armed(&s, Init::Command, Some(greedy));
    let started = s.client.start(&spec, fds).await.unwrap();
    let StdioFds::Pipes { stdin, stdout, .. } = started.stdio else { panic!("no pipes") };
    let mut text = [0; 6];
    rustix::io::read(&stdout, &mut text).unwrap();
    assert_eq!(&text, b"taken\n");
    let modest = "held = [call(\"inotify_init1\", 0) for n in range(32)], [os.openpty() for n in range(32)]";
    let script = format!("{} && echo enough", interpreted(modest));
    assert_eq!(inside(&mut s, Walls::REAL[0], &script).await, "enough\n");
    drop(stdin);
}
