//! What has no number of its own that bounds it, but is memory: the memory of whoever takes it, within their limit.

#![allow(clippy::unwrap_used)]

use crate::attack::{Attack, Walls, armed, interpreted, python, script, shell};
use crate::spawned::{Spawned, sh};
use sandlot::container::cgroup::{Group, Hierarchy, Layout, Limits, Machine, Wanted};
use sandlot::container::spec::{IdRange, Init, Profile};

/// Groups of the test's own; gone with what runs in them when dropped.
pub struct Groups {
    hierarchy: Hierarchy,
    parent: String,
}

impl Groups {
    pub fn new(name: &str) -> Self {
        let parent = format!("sandlot-test-{}-{name}", std::process::id());
        Self { hierarchy: Hierarchy::detect().unwrap(), parent }
    }

    pub fn group(&self, id: &str, memory: i64, delegate: Option<IdRange>) -> Group {
        let wanted = Wanted { memory, memory_swap: memory, pids: PROCESSES, ..Wanted::default() };
        let limits = Limits::new(&wanted, &Machine::read()).unwrap();
        self.hierarchy.create(&self.parent, id, &limits, delegate).unwrap()
    }

    /// Takes the bound on version 2 groups away.
    fn unbounded(&self, id: &str) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let root = mounts.lines().find(|l| l.contains(" - cgroup2 ")).unwrap().split(' ').nth(4).unwrap();
        std::fs::write(format!("{root}/{}/{id}/cgroup.max.descendants", self.parent), "max").unwrap();
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let swept = self.hierarchy.sweep(&self.parent, &|_| false);
        self.hierarchy.leave(&self.parent);
        assert!(std::thread::panicking() || swept.is_ok(), "{swept:?}");
    }
}

const MEMORY: i64 = 32 << 20;
const PROCESSES: i64 = 50;

/// File locks and terminals are absent: Linux does not charge them (see `docs/security.md`). Each takes 60 MiB of the kernel's memory or more, in a way of its own; the last one takes processes.
fn attacks() -> Vec<Attack> {
    // Each process may have a limited number of files; the children end with their parent's pipe.
    let files = "
ready, go = os.pipe(), os.pipe()
for n in range(16):
    if os.fork() == 0:
        held = [os.open(\"/\", 0) for n in range(15000)]
        os.write(ready[1], b\"y\")
        os.close(go[1])
        os.read(go[0], 1)
        os._exit(0)
os.close(ready[1])
sys.exit(sum(len(os.read(ready[0], 1)) for n in range(16)) != 16)";
    let pipes = "
for n in range(1000):
    end = os.pipe()[1]
    os.set_blocking(end, False)
    os.write(end, bytes(1 << 16))";
    let sockets = "
held = []
for n in range(600):
    held.append(socket.socketpair())
    held[-1][0].setblocking(False)
    try:
        while True: held[-1][0].send(bytes(4096))
    except BlockingIOError: pass";
    let shared = "
LIBC.shmat.restype = ctypes.c_void_p
for n in range(60):
    ctypes.memset(LIBC.shmat(LIBC.shmget(0, 1 << 20, 0o1600), None, 0), 1, 1 << 20)";
    let queues = "
for n in range(4000):
    LIBC.msgsnd(LIBC.msgget(0, 0o1600), struct.pack(\"l\", 1) + bytes(8000), 8000, 0o4000) == -1 and sys.exit(1)
    LIBC.msgsnd(LIBC.msgget(0, 0o1600), struct.pack(\"l\", 1) + bytes(8000), 8000, 0o4000) == -1 and sys.exit(1)";
    let memory = "
for n in range(60):
    os.write(os.memfd_create(\"m\"), bytes(1 << 20))";
    // Within the namespace, on its loopback device. Past the limit each connection still has its 64 KiB, but no megabytes.
    let connections = "
server, held, sent = socket.create_server((\"127.0.0.1\", 0)), [], 0
while sent < 60 << 20 and len(held) < 100:
    one = socket.create_connection(server.getsockname())
    held.append((one, server.accept()[0]))
    one.setblocking(False)
    try:
        while True: sent += one.send(bytes(1 << 16))
    except BlockingIOError: pass
sys.exit(sent < 60 << 20)";
    let inodes = "
for n in range(80000):
    os.close(os.open(f\"/tmp/t/{n}\", os.O_CREAT))";
    let mounts = "mkdir /tmp/m && mount -t tmpfs m /tmp/m && mkdir /tmp/m/a && for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do \
                  mkdir /tmp/m/$n && /usr/bin/mount --rbind /tmp/m /tmp/m/$n || exit; done && /usr/bin/unshare -m /usr/bin/unshare -m true";
    vec![
        python("connections", connections),
        shell(
            "inodes",
            format!("mkdir /tmp/t && mount -t tmpfs -o nr_inodes=0 t /tmp/t && {}", interpreted(inodes)),
        ),
        shell("mounts", mounts),
        python("files", files),
        python("pipes", pipes),
        python("sockets", sockets),
        python("shared", shared),
        python("queues", queues),
        python("memfd", memory),
        shell(
            "tmpfs",
            "mkdir /tmp/t && mount -t tmpfs t /tmp/t && dd if=/dev/zero of=/tmp/t/x bs=1M count=60",
        ),
        shell("processes", "n=0; while [ $n -lt 60 ]; do sleep 3 & n=$((n + 1)); done"),
    ]
}

/// Whether one attack succeeds in a container of its own, in a group or in none.
async fn succeeds(s: &mut Spawned, attack: &Attack, group: Option<&Group>) -> bool {
    let (profile, process) = Walls::All(Profile::Nested).around(sh(&script(std::slice::from_ref(attack))));
    let (mut spec, fds) = armed(s, Init::Command, Some(process));
    spec.profile = profile;
    let join = group.map(|g| g.join().unwrap()).unwrap_or_default();
    let (_, text) = s.run_in(&spec, fds, &join).await.unwrap();
    text.lines().any(|line| line == attack.name)
}

#[tokio::test]
async fn what_the_kernel_keeps_for_a_container_is_charged_to_it() {
    let mut s = Spawned::new().await;
    let groups = Groups::new("charged");
    let mut faults = Vec::new();
    for attack in attacks() {
        let group = groups.group(attack.name, MEMORY, None);
        let (free, limited) =
            (succeeds(&mut s, &attack, None).await, succeeds(&mut s, &attack, Some(&group)).await);
        if (free, limited) != (true, false) {
            faults.push(format!("{}: without a limit {free}, with one {limited}", attack.name));
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}

#[tokio::test]
async fn groups_below_the_own_one_end_at_a_bound() {
    let mut s = Spawned::new().await;
    let groups = Groups::new("below");
    // Version 2 counts them. Version 1 charges each, with its 10 KiB, to the memory of whoever made it.
    let count = shell("count", "cd /sys/fs/cgroup && seq 1 257 | xargs mkdir");
    let memory = shell(
        "memory",
        "mkdir /tmp/m && mount -t cgroup -o memory m /tmp/m && cd /tmp/m && seq 1 2000 | xargs mkdir",
    );
    let small = groups.group("small", 12 << 20, Some(s.range));
    let large = groups.group("large", 256 << 20, Some(s.range));
    if groups.hierarchy.layout() != Layout::V1 {
        assert!(!succeeds(&mut s, &count, Some(&small)).await);
        groups.unbounded("large");
        assert!(succeeds(&mut s, &count, Some(&large)).await);
    }
    if groups.hierarchy.layout() != Layout::V2 {
        assert!(succeeds(&mut s, &memory, Some(&large)).await);
        assert!(!succeeds(&mut s, &memory, Some(&small)).await);
    }
}
