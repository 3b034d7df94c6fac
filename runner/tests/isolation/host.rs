//! The host's kernel, disks, clock and log: all capabilities of a container count for nothing there.

#![allow(clippy::unwrap_used)]

use crate::attack::{Attack, Walls, python, shell, succeed_only_without_walls};
use crate::spawned::Spawned;
use std::path::Path;
use std::process::Command;

const SECRET: &str = "sandlot";

/// Writes a file's own text into it: harmless where it succeeds.
fn same(path: &str) -> String {
    format!("cp {path} /tmp/same && cat /tmp/same >{path}")
}

/// A block device of the host that holds a secret; gone when dropped.
struct Disk(String);

impl Disk {
    fn new(dir: &Path) -> Self {
        let file = dir.join("disk");
        std::fs::write(&file, SECRET.repeat(4096)).unwrap();
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    fn numbers(&self) -> (u32, u32) {
        let device = rustix::fs::stat(&self.0).unwrap().st_rdev;
        (rustix::fs::major(device), rustix::fs::minor(device))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("losetup").args(["--detach", &self.0]).status().unwrap();
    }
}

/// Whether the tests' root keeps this capability.
fn kept(capability: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() & (1 << capability) != 0
}

fn there(path: &str) -> bool {
    Path::new(path).exists()
}

fn attacks(disk: &Disk) -> Vec<Attack> {
    const SYS_RESOURCE: u32 = 24;
    let (major, minor) = disk.numbers();
    let by_handle = "handle = ctypes.create_string_buffer(struct.pack(\"Ii\", 128, 0), 136); mount = ctypes.c_int(); \
                     call(\"name_to_handle_at\", -100, b\"/tmp\", handle, ctypes.byref(mount), 0); \
                     call(\"open_by_handle_at\", os.open(\"/tmp\", 0), handle, 0)";
    vec![
        shell("panic", same("/proc/sys/kernel/panic")),
        shell("core_pattern", same("/proc/sys/kernel/core_pattern")),
        shell("swappiness", same("/proc/sys/vm/swappiness")),
        shell(
            "core_pattern_by_own_proc",
            format!(
                "mkdir -p /tmp/p && mount -t proc p /tmp/p && {}",
                same("/tmp/p/sys/kernel/core_pattern")
            ),
        ),
        shell("sysfs", format!("mount -o remount,rw /sys; {}", same("/sys/kernel/mm/ksm/pages_to_scan"))),
        shell("disk", format!("mknod /tmp/disk b {major} {minor} && grep -q {SECRET} /tmp/disk")),
        shell(
            "kmsg",
            "mknod /tmp/kmsg c 1 11 && dd if=/tmp/kmsg of=/tmp/line bs=9000 count=1 && test -s /tmp/line",
        ),
        shell("dmesg", "dmesg"),
        shell("kcore", "head -c1 /proc/kcore | grep .").offered_if(there("/proc/kcore")),
        shell("sysrq", "echo h >/proc/sysrq-trigger").offered_if(there("/proc/sysrq-trigger")),
        shell("uevent", same("/sys/kernel/uevent_helper")).offered_if(there("/sys/kernel/uevent_helper")),
        python("clock", "import time; time.clock_settime(0, time.time())"),
        python("priority", "os.setpriority(os.PRIO_PROCESS, 0, -5)"),
        shell("realtime", "chrt -r 1 true"),
        shell("oom", "echo -17 >/proc/self/oom_score_adj").offered_if(kept(SYS_RESOURCE)),
        shell("immutable", "touch /tmp/i && chattr +i /tmp/i && chattr -i /tmp/i"),
        shell("debugfs", "mkdir -p /tmp/d && mount -t debugfs d /tmp/d"),
        shell("pages", "head -c8 /proc/kpageflags | grep ."),
        python("by_handle", by_handle),
        python("syslog", "call(\"syslog\", 10, 0, 0)"),
        python("bpf", "call(\"bpf\", 0, struct.pack(\"IIIIIIIIIIII\", 2, 4, 4, 1, *[0] * 8), 48)"),
        python("fanotify", "call(\"fanotify_init\", 0, 0)"),
    ]
}

#[tokio::test]
async fn no_capability_counts_on_the_host() {
    let mut s = Spawned::new().await;
    let disk = Disk::new(s.dir.path());
    succeed_only_without_walls(&mut s, &attacks(&disk), &Walls::EACH).await;
}
