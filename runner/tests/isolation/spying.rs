//! PID 1 that was never executed is a copy of the spawner: nobody inside may look at its memory.

#![allow(clippy::unwrap_used)]

use crate::attack::{Walls, armed, interpreted};
use crate::spawned::{Spawned, sh};
use sandlot::container::spec::{IdRange, Init};
use std::path::Path;
use std::process::Command;

/// Looks for `needle` in the memory of PID 1.
const SPY: &str = "
def spy(needle):
    memory = open(\"/proc/1/mem\", \"rb\", 0)
    for line in open(\"/proc/1/maps\"):
        words = line.split()
        if words[1][0] == \"r\" and \"[v\" not in line:
            start, end = (int(word, 16) for word in words[0].split(\"-\"))
            memory.seek(start)
            if needle in memory.read(end - start):
                return 0
    return 1
";

/// The same in the test's own set-up, where PID 1 is a fork of a program that holds the needle, with the ids of the host's root
/// in a user namespace, as an inner engine maps them.
const FORKED: &str = "
needle = b\"secret-%d\" % os.getpid()
call(\"unshare\", 0x10000000 | 0x20000000 | 0x20000)
for file, text in (\"setgroups\", \"deny\"), (\"uid_map\", \"0 0 1\"), (\"gid_map\", \"0 0 1\"):
    open(\"/proc/self/\" + file, \"w\").write(text)
if os.fork() == 0:
    LIBC.mount(None, b\"/\", None, 0x44000, None)
    LIBC.mount(b\"p\", b\"/proc\", b\"proc\", 0, None)
    LIBC.prctl(4, DUMPABLE, 0, 0, 0)
    pid = os.fork()
    if pid == 0:
        os._exit(spy(needle))
    os._exit(os.waitpid(pid, 0)[1] != 0)
sys.exit(os.wait()[1] != 0)
";

fn forked(dumpable: &str) -> bool {
    let code = format!("{SPY}{}", FORKED.replace("DUMPABLE", dumpable));
    let program = include_str!("attack.py");
    Command::new("/usr/bin/python3").args(["-S", "-c", program, &code]).output().unwrap().status.success()
}

#[tokio::test]
async fn nothing_of_the_spawners_memory_is_read_at_either_level() {
    assert!(forked("1"), "spying was not shown to work");
    assert!(!forked("0"), "it is not that PID 1 is not dumpable which keeps it from it");
    let own = IdRange { base: 1_000_000 + std::process::id() % 30_000 * 65_536, count: 65_536 };
    // An inner engine's containers have the ids of the session: as here those of the host's root.
    for range in [own, IdRange { base: 0, count: 65_536 }] {
        for init in [Init::Only, Init::Reaper] {
            let mut s = Spawned::of(Path::new(env!("CARGO_BIN_EXE_sandlot")), range).await;
            let first = (init == Init::Reaper).then(|| sh("sleep 1000"));
            let (spec, fds) = armed(&s, init, first);
            s.start(&spec, fds).await.unwrap();
            let code = interpreted(&format!("{SPY}sys.exit(spy(b\"spawner\" + b\".sock\"))"));
            for (n, walls) in Walls::EACH.into_iter().enumerate() {
                let (_, spy) = walls.around(sh(&code));
                let (exit, said) = s.exec(&spec.id, &n.to_string(), spy).await.unwrap();
                assert!(
                    exit == 1 && said.contains("PermissionError"),
                    "{range:?} {init:?} {walls:?}: {exit} {said}"
                );
            }
        }
    }
}
