//! The filter's promises: by an interpreter of classic BPF for both architectures, and installed for real on a thread.

use super::bpf::{ALLOW, ERRNO, Instruction, KILL};
use super::*;
use std::os::fd::AsFd;

const BOTH: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];

/// What the kernel would answer to a call.
fn run(program: &[Instruction], architecture: u32, number: u32, arguments: &[u64]) -> u32 {
    let mut data = [0; 64];
    data[..4].copy_from_slice(&number.to_le_bytes());
    data[4..8].copy_from_slice(&architecture.to_le_bytes());
    for (to, value) in data[16..].chunks_exact_mut(8).zip(arguments) {
        to.copy_from_slice(&value.to_le_bytes());
    }
    let (mut at, mut a) = (0, 0);
    loop {
        let i = program[at];
        at += 1;
        let holds = match i.code {
            bpf::RETURN => return i.k,
            bpf::JUMP => {
                at += usize::try_from(i.k).unwrap();
                continue;
            }
            bpf::LOAD => {
                let from = usize::try_from(i.k).unwrap();
                a = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                continue;
            }
            bpf::JUMP_EQUAL => a == i.k,
            bpf::JUMP_NOT_BELOW => a >= i.k,
            bpf::JUMP_ANY_BIT => a & i.k != 0,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { i.jt } else { i.jf });
    }
}

/// The answer to a call by name; `None` where the architecture has no such call.
fn answer(
    architecture: Architecture,
    profile: Profile,
    caps: u64,
    name: &str,
    arguments: &[u64],
) -> Option<u32> {
    let number = numbers(architecture).unwrap()[name]?;
    Some(run(&compile(architecture, profile, caps).unwrap(), architecture.audit(), number, arguments))
}

#[track_caller]
fn check(profile: Profile, caps: u64, name: &str, arguments: &[u64], expected: u32) {
    for architecture in BOTH {
        if let Some(found) = answer(architecture, profile, caps, name, arguments) {
            assert_eq!(found, expected, "{name}{arguments:x?} on {architecture:?} in {profile:?}");
        }
    }
}

const DENIED: u32 = ERRNO | 1;
const ABSENT: u32 = ERRNO | 38;
const NO_FAMILY: u32 = ERRNO | 97;
const NO_PROTOCOL: u32 = ERRNO | 93;
use Profile::{Nested, Standard};

#[test]
fn every_name_of_the_policy_is_in_the_table_and_nothing_is_named_twice() {
    let numbers = numbers(Architecture::X86_64).unwrap();
    let mut seen = std::collections::HashSet::new();
    for name in groups().iter().flat_map(|g| g.calls.split_ascii_whitespace()) {
        assert!(numbers.contains_key(name), "{name}");
        assert!(seen.insert(name), "{name} twice");
    }
}

#[test]
fn the_document_prints_the_policy() {
    let page = include_str!("../../../../docs/security.md");
    for group in groups() {
        let calls = group.calls.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", group.reason)));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| {calls} |"))), "{}: {row:?}", group.reason);
    }
}

#[test]
fn what_is_dangerous_is_denied_in_both_profiles_with_every_capability() {
    let never = "bpf perf_event_open userfaultfd keyctl add_key request_key kexec_load kexec_file_load init_module \
                 finit_module delete_module open_by_handle_at swapon swapoff acct iopl ioperm settimeofday clock_settime \
                 quotactl quotactl_fd syslog vhangup nfsservctl lookup_dcookie fanotify_init move_pages migrate_pages \
                 ustat sysfs uselib _sysctl create_module";
    for name in never.split_ascii_whitespace() {
        check(Standard, 0, name, &[], DENIED);
        check(Nested, u64::MAX, name, &[], DENIED);
    }
    for name in
        ["io_setup", "io_submit", "io_uring_setup", "io_uring_enter", "io_uring_register", "modify_ldt"]
    {
        check(Standard, 0, name, &[], ABSENT);
        check(Nested, u64::MAX, name, &[], ABSENT);
    }
}

#[test]
fn namespaces_and_mounts_are_for_the_nested_profile() {
    let nested = groups().iter().filter(|g| g.given == rules::Given::Nested);
    for name in nested.flat_map(|g| g.calls.split_ascii_whitespace()) {
        let refused = if matches!(name, "clone3" | "statmount" | "listmount") { ABSENT } else { DENIED };
        check(Standard, 0, name, &[], refused);
        check(Nested, 0, name, &[], ALLOW);
        check(Standard, capabilities::SYS_ADMIN, name, &[], ALLOW);
    }
    for flag in [0x2_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        check(Standard, 0, "clone", &[flag | 17], DENIED);
        check(Nested, 0, "clone", &[flag | 17], ALLOW);
    }
    // What threads are made with.
    check(Standard, 0, "clone", &[0x003d_0f00], ALLOW);
    check(Standard, 0, "clone", &[17], ALLOW);
}

#[test]
fn terminals_are_not_typed_into_whatever_the_upper_half_says() {
    for high in [0, 1 << 32, 0xffff_ffff << 32] {
        for request in [0x5412, 0x541c, 0x5423] {
            check(Standard, 0, "ioctl", &[0, high | request], DENIED);
            check(Nested, u64::MAX, "ioctl", &[0, high | request], DENIED);
        }
        check(Standard, 0, "ioctl", &[0, high | 0x5413], ALLOW);
    }
}

#[test]
fn sockets_by_family_and_protocol() {
    for family in [1, 2, 10] {
        check(Standard, 0, "socket", &[family, 1, 0], ALLOW);
        check(Standard, 0, "socket", &[family | 1 << 32, 1, 0], ALLOW);
    }
    for family in [40, 38, 17, 44, 29, 31, 0, 4, 30] {
        check(Standard, !capabilities::SYS_ADMIN, "socket", &[family, 1, 0], NO_FAMILY);
        check(Standard, 0, "socket", &[family | 7 << 32, 1, 0], NO_FAMILY);
    }
    check(Nested, 0, "socket", &[17, 3, 0], ALLOW);
    for family in [40, 38] {
        check(Nested, u64::MAX, "socket", &[family, 1, 0], NO_FAMILY);
    }
    check(Standard, 0, "socket", &[16, 3, 0], ALLOW);
    check(Standard, 0, "socket", &[16, 3, 16], NO_PROTOCOL);
    check(Nested, 0, "socket", &[16, 3, 16], ALLOW);
    for profile in [Standard, Nested] {
        check(profile, u64::MAX, "socket", &[16, 3, 12], NO_PROTOCOL);
        check(profile, u64::MAX, "socket", &[16, 3, 12 | 1 << 32], NO_PROTOCOL);
        check(profile, 0, "socketpair", &[1, 1, 0], ALLOW);
        check(profile, 0, "socketpair", &[40, 1, 0], NO_FAMILY);
    }
}

#[test]
fn the_older_doors_to_netfilter_are_shut() {
    let closed = ERRNO | 92;
    for profile in [Standard, Nested] {
        for option in [64, 65, 96, 97, 128, 129] {
            check(profile, u64::MAX, "setsockopt", &[3, 0, option, 0, 0], closed);
            check(profile, u64::MAX, "setsockopt", &[3, 1 << 32, option | 1 << 32, 0, 0], closed);
        }
        check(profile, u64::MAX, "setsockopt", &[3, 41, 64, 0, 0], closed);
        // IPV6_RECVTCLASS, SO_REUSEADDR, IP_TTL, and SO_… of the same numbers as a table's.
        for (level, option) in [(41, 66), (1, 2), (0, 2), (1, 64), (6, 65)] {
            check(profile, 0, "setsockopt", &[3, level, option, 0, 0], ALLOW);
        }
    }
}

#[test]
fn personalities_of_the_list_only() {
    for value in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        check(Standard, 0, "personality", &[value], ALLOW);
    }
    for value in [0x40000, 0x0040_0000, 6] {
        check(Standard, 0, "personality", &[value], DENIED);
        check(Nested, 0, "personality", &[value], DENIED);
    }
}

#[test]
fn capabilities_open_their_own_calls_only() {
    for (capability, name) in [
        (capabilities::SYS_CHROOT, "chroot"),
        (capabilities::SYS_PTRACE, "pidfd_getfd"),
        (capabilities::SYS_BOOT, "reboot"),
        (capabilities::SYS_NICE, "mbind"),
    ] {
        check(Standard, capability, name, &[], ALLOW);
        check(Standard, !capability, name, &[], DENIED);
    }
}

#[test]
fn foreign_architectures_end_the_process_and_new_calls_do_not_exist() {
    for architecture in BOTH {
        let program = compile(architecture, Nested, u64::MAX).unwrap();
        for foreign in [0x4000_0003, 0x4000_0028, 0, architecture.audit() ^ 0xffff] {
            assert_eq!(run(&program, foreign, 0, &[]), KILL);
        }
        assert_eq!(run(&program, architecture.audit(), 467, &[]), ABSENT);
        assert_eq!(run(&program, architecture.audit(), 9999, &[]), ABSENT);
        assert_eq!(run(&program, architecture.audit(), u32::MAX, &[]), ABSENT);
    }
    let program = compile(Architecture::X86_64, Standard, 0).unwrap();
    for number in [0, 1, 59, 512, 547] {
        assert_eq!(run(&program, Architecture::X86_64.audit(), 0x4000_0000 | number, &[]), KILL);
    }
}

#[test]
fn what_every_shell_needs_is_allowed() {
    let needed = "read write openat execve fork vfork exit_group wait4 mmap brk rt_sigaction ioctl kill pipe2 dup2 fcntl \
                  getdents64 newfstatat statx futex set_robust_list rseq prlimit64 getrandom ptrace prctl clock_gettime \
                  epoll_wait accept4 sendmsg unlinkat mknodat landlock_create_ruleset seccomp arch_prctl";
    for name in needed.split_ascii_whitespace() {
        check(Standard, 0, name, &[], ALLOW);
    }
}

#[test]
fn the_program_is_short_and_compiled_once() {
    for (architecture, profile) in BOTH.into_iter().flat_map(|a| [(a, Standard), (a, Nested)]) {
        let length = compile(architecture, profile, 0xa804_25fb).unwrap().len();
        assert!(length < 400, "{length} instructions on {architecture:?}");
    }
    assert_eq!(programs(Standard, 1).unwrap(), programs(Standard, 2).unwrap());
    assert_ne!(programs(Standard, 0).unwrap(), programs(Nested, 0).unwrap());
}

/// Runs `attempt` on a thread of its own under the filter: seccomp filters are per thread.
fn under<T: Send>(profile: Profile, attempt: impl FnOnce() -> T + Send) -> T {
    let programs = programs(profile, 0).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            rustix::thread::set_no_new_privs(true).unwrap();
            for program in &programs {
                sandlot_sys::seccomp::install(program).unwrap();
            }
            attempt()
        });
        thread.join().unwrap()
    })
}

#[test]
fn the_kernel_takes_the_program_and_does_what_it_says() {
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with};
    let made = |family, kind, protocol| socket_with(family, kind, SocketFlags::CLOEXEC, protocol).map(drop);
    under(Standard, || {
        assert_eq!(made(AddressFamily::INET, SocketType::STREAM, None), Ok(()));
        assert_eq!(made(AddressFamily::NETLINK, SocketType::RAW, None), Ok(()));
        assert_eq!(
            made(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::NETFILTER)),
            Err(Errno::PROTONOSUPPORT)
        );
        assert_eq!(made(AddressFamily::VSOCK, SocketType::STREAM, None), Err(Errno::AFNOSUPPORT));
        assert_eq!(rustix::system::sethostname(b"never"), Err(Errno::PERM));
        let memory = rustix::fs::memfd_create("still", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        assert_eq!(rustix::io::write(memory.as_fd(), b"allowed"), Ok(7));
    });
    // Without the filter the same call succeeds: it is the filter that denies.
    assert_eq!(made(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::NETFILTER)), Ok(()));
}
