//! System calls: what namespaces and ids alone would allow, the filter denies.

#![allow(clippy::unwrap_used)]

use crate::attack::{Attack, Walls, are_denied, interpreted, python, shell, succeed};
use crate::spawned::Spawned;
use rustix::net::{AddressFamily, SocketType};
use sandlot::container::spec::Profile::{Nested, Standard};

fn number(path: &str) -> Option<i64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Gets as far as to have a table of rules read, which is empty here (`EINVAL`).
fn table(level: u32) -> String {
    let family = if level == 0 { "AF_INET" } else { "AF_INET6" };
    format!(
        "
own = socket.socket(socket.{family}, socket.SOCK_RAW, 255)
answer = LIBC.setsockopt(own.fileno(), {level}, 64, bytes(8), 8)
sys.exit(answer == -1 and ctypes.get_errno() != 22)"
    )
}

fn there(path: &str) -> bool {
    std::path::Path::new(path).exists()
}

/// Whether the kernel knows huge pages at all.
fn huge() -> bool {
    there("/sys/kernel/mm/hugepages/hugepages-2048kB")
}

/// Denied whatever the profile: each opens a part of the kernel, or a pool, that a session has no use for.
fn dangerous() -> Vec<Attack> {
    let tiocsti = |request: &str| {
        format!(
            "inner = os.openpty()[1]; os.setsid(); fcntl.ioctl(inner, 0x540E, 0); call(\"ioctl\", inner, {request}, b\"x\")"
        )
    };
    let typing = number("/proc/sys/dev/tty/legacy_tiocsti") != Some(0);
    // Whether this kernel has the family at all: many are built without.
    let alg = rustix::net::socket(AddressFamily::from_raw(38), SocketType::SEQPACKET, None).is_ok();
    vec![
        python("typing", &tiocsti("0x5412")).offered_if(typing),
        python("typing_with_high_bits", &tiocsti("0x700005412")).offered_if(typing),
        python("key", "call(\"add_key\", b\"user\", b\"k\", b\"v\", 1, -2)"),
        python("keyring", "call(\"keyctl\", 0, -2, 1)"),
        python("aio", "call(\"io_setup\", 1, ctypes.byref(ctypes.c_ulong()))"),
        python("io_uring", "call(\"io_uring_setup\", 1, ctypes.create_string_buffer(120))")
            .offered_if(number("/proc/sys/kernel/io_uring_disabled") == Some(0)),
        python("perf", "call(\"perf_event_open\", struct.pack(\"IIQQQQQ\", 1, 112, 0, 0, 0, 0, 0x60) + bytes(64), 0, -1, -1, 0)")
            .offered_if(number("/proc/sys/kernel/perf_event_paranoid").is_some_and(|n| n <= 2)),
        python("userfaultfd", "call(\"userfaultfd\", 1)"),
        python("alg", "socket.socket(38, socket.SOCK_SEQPACKET)").offered_if(alg),
        python("vsock", "socket.socket(40, socket.SOCK_STREAM)"),
        python("netfilter", "socket.socket(16, socket.SOCK_RAW, 12)"),
        python("iptables", &table(0)).offered_if(there("/proc/net/ip_tables_names")),
        python("ip6tables", &table(41)).offered_if(there("/proc/net/ip6_tables_names")),
        python("fixed_addresses", "call(\"personality\", 0x40000)"),
        python("fanotify", "call(\"fanotify_init\", 0x200, 0)"),
        python("discipline", "fcntl.ioctl(os.openpty()[1], 0x5423, struct.pack(\"i\", 0))"),
        // Asks for none that would have to be there: on most machines no administrator has set any aside.
        python("huge_pages", "call(\"mmap\", 0, 1 << 21, 3, 0x64022, -1, 0)").offered_if(huge()),
        python("huge_file", "os.memfd_create(\"h\", 4)").offered_if(huge()),
        other_entry("i386", I386),
        other_entry("x32", "sys.exit(LIBC.syscall(ctypes.c_long(0x40000000 | 39)) != os.getpid())"),
    ]
}

/// getpid by the door of 32-bit programs, `int 0x80`, where it has another number.
const I386: &str = "
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
sys.exit(ctypes.CFUNCTYPE(ctypes.c_int)(address)() != os.getpid())";

/// A system call by a door that not every kernel has.
fn other_entry(name: &'static str, code: &str) -> Attack {
    let program = include_str!("attack.py");
    let mut here = std::process::Command::new("/usr/bin/python3");
    let offered = here.args(["-S", "-c", program, code]).output().is_ok_and(|o| o.status.success());
    // The end by a signal is told by the inner shell.
    shell(name, format!("{}; exit $?", interpreted(code))).offered_if(offered)
}

/// What a lab about containers needs and nobody else.
fn nested() -> Vec<Attack> {
    vec![
        shell("mount", "mkdir /tmp/m && mount -t tmpfs m /tmp/m"),
        python("fsopen", "call(\"fsopen\", b\"tmpfs\", 0)"),
        shell("unshare", "unshare -m true"),
        shell("user", "unshare -U true"),
        python("clone", "call(\"clone\", 0x10000000 | 17, 0, 0, 0, 0) == 0 and os._exit(0)"),
        python(
            "clone3",
            "call(\"clone3\", struct.pack(\"QQQQQQQQ\", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64) == 0 and os._exit(0)",
        ),
        shell("enter", "nsenter -t 1 -n true"),
        shell("name", "hostname other"),
        python("packets", "socket.socket(17, socket.SOCK_RAW)"),
        python("generic_netlink", "socket.socket(16, socket.SOCK_RAW, 16)"),
    ]
}

#[tokio::test]
async fn dangerous_calls_succeed_without_the_filter_and_fail_with_it() {
    let mut s = Spawned::new().await;
    succeed(&mut s, &dangerous(), &[Walls::Namespaces(Nested)]).await;
    are_denied(&mut s, &dangerous(), &[Walls::Filter(Standard), Walls::Filter(Nested)]).await;
    are_denied(&mut s, &dangerous(), &Walls::REAL).await;
}

#[tokio::test]
async fn a_shell_and_its_tools_work_under_the_filter() {
    let mut s = Spawned::new().await;
    let ordinary = [
        shell("pipe", "(sleep 0 | cat; wait) && echo x | grep x"),
        shell("root", "chroot / true"),
        python(
            "socket",
            "own = socket.create_server((\"127.0.0.1\", 0)); socket.create_connection(own.getsockname())",
        ),
        python("threads", "import threading; t = threading.Thread(target=print); t.start(); t.join()"),
    ];
    succeed(&mut s, &ordinary, &Walls::REAL).await;
}

#[tokio::test]
async fn only_the_nested_profile_makes_namespaces_and_mounts() {
    let mut s = Spawned::new().await;
    succeed(&mut s, &nested(), &[Walls::Namespaces(Nested), Walls::Filter(Nested), Walls::All(Nested)]).await;
    are_denied(&mut s, &nested(), &[Walls::Filter(Standard), Walls::All(Standard)]).await;
}
