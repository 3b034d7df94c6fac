//! The policy: which system calls are allowed, in groups that each have one reason, and what is asked about arguments.
//!
//! An allow-list: what no group names answers `EPERM`, and what is newer than the table `ENOSYS`. Nowhere wider than
//! Moby's default profile; `docs/security.md` prints the groups.

use super::bpf::{Match, Question, Verdict};
use super::{ENOSYS, EPERM};
use crate::container::capabilities as cap;
use crate::container::spec::Profile;

/// Calls that are allowed together, and why.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Why a container may make them.
    pub reason: &'static str,
    /// When: always, or to whom.
    pub given: Given,
    /// Their names, separated by spaces.
    pub calls: &'static str,
}

/// Who may make the calls of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Everyone.
    Always,
    /// The nested profile, and whoever was given `CAP_SYS_ADMIN`.
    Nested,
    /// Who keeps this capability (a bit).
    With(u64),
}

/// Every group of the policy.
#[must_use]
pub fn groups() -> &'static [Group] {
    GROUPS
}

const GROUPS: &[Group] = &[
    Group {
        reason: "reading, writing and moving data through descriptors",
        given: Given::Always,
        calls: "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile splice tee \
                vmsplice copy_file_range readahead fadvise64 fsync fdatasync sync syncfs sync_file_range fallocate \
                ftruncate truncate close close_range dup dup2 dup3 fcntl flock pipe pipe2 memfd_secret cachestat",
    },
    Group {
        reason: "names, directories and attributes of files",
        given: Given::Always,
        calls: "open openat openat2 creat access faccessat faccessat2 stat fstat lstat newfstatat statx statfs fstatfs \
                getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir link linkat symlink symlinkat unlink unlinkat \
                rename renameat renameat2 readlink readlinkat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat \
                utime utimes utimensat futimesat mknod mknodat umask name_to_handle_at getxattr lgetxattr fgetxattr \
                setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr \
                setxattrat getxattrat listxattrat removexattrat",
    },
    Group {
        reason: "waiting for events; the pools behind these are bounded by user id or user namespace",
        given: Given::Always,
        calls: "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 \
                eventfd eventfd2 signalfd signalfd4 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch \
                fanotify_mark",
    },
    Group {
        reason: "memory of the own process",
        given: Given::Always,
        calls: "brk munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall \
                remap_file_pages membarrier pkey_alloc pkey_free pkey_mprotect mseal map_shadow_stack",
    },
    Group {
        reason: "processes, threads and signals, within the pid namespace",
        given: Given::Always,
        calls: "fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open pidfd_send_signal \
                process_mrelease getpid getppid gettid getpgid getpgrp getsid setpgid setsid set_tid_address \
                set_robust_list get_robust_list futex futex_waitv futex_wake futex_wait futex_requeue rseq \
                restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
                rt_sigtimedwait rt_tgsigqueueinfo sigaltstack pause prctl arch_prctl uretprobe",
    },
    Group {
        reason: "identity and capabilities, within the user namespace",
        given: Given::Always,
        calls: "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid \
                setresgid setfsuid setfsgid setgroups capget capset",
    },
    Group {
        reason: "scheduling and limits: only downwards without a capability on the host",
        given: Given::Always,
        calls: "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam \
                sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min \
                sched_rr_get_interval getpriority setpriority ioprio_get ioprio_set getrlimit setrlimit prlimit64 \
                getrusage getcpu times",
    },
    Group {
        reason: "clocks and timers; setting a clock takes a capability on the host",
        given: Given::Always,
        calls: "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep adjtimex clock_adjtime alarm \
                getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime \
                timerfd_create timerfd_gettime timerfd_settime",
    },
    Group {
        reason: "sockets that are there; which can be made is asked at socket(2)",
        given: Given::Always,
        calls: "accept accept4 bind connect listen shutdown getsockname getpeername getsockopt sendto \
                recvfrom sendmsg recvmsg sendmmsg recvmmsg",
    },
    Group {
        reason: "System V and POSIX queues, semaphores and shared memory, within the IPC namespace",
        given: Given::Always,
        calls: "msgget msgsnd msgrcv msgctl semget semop semtimedop semctl shmat shmdt shmctl mq_open mq_unlink \
                mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
    },
    Group {
        reason: "debuggers, on processes of the own user namespace",
        given: Given::Always,
        calls: "ptrace process_vm_readv process_vm_writev",
    },
    Group {
        reason: "what the machine is, and walls that a program builds around itself",
        given: Given::Always,
        calls: "uname sysinfo getrandom seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    },
    Group {
        reason: "chroot, the first example of the course",
        given: Given::With(cap::SYS_CHROOT),
        calls: "chroot",
    },
    Group {
        reason: "debuggers that look into other processes",
        given: Given::With(cap::SYS_PTRACE),
        calls: "kcmp pidfd_getfd process_madvise",
    },
    Group {
        reason: "ending the own pid namespace: reboot(2) does no more there",
        given: Given::With(cap::SYS_BOOT),
        calls: "reboot",
    },
    Group {
        reason: "placing memory on nodes",
        given: Given::With(cap::SYS_NICE),
        calls: "get_mempolicy set_mempolicy mbind set_mempolicy_home_node",
    },
    Group {
        reason: "namespaces of one's own: `unshare`, `nsenter`, an inner engine's containers and their entry",
        given: Given::Nested,
        calls: "unshare setns clone3",
    },
    Group {
        reason: "mounting proc, tmpfs, overlay and cgroup in one's own mount namespace",
        given: Given::Nested,
        calls: "mount umount2",
    },
    Group { reason: "an inner container's root", given: Given::Nested, calls: "pivot_root" },
    Group {
        reason: "mounts by descriptor, which an inner engine needs against swapped links",
        given: Given::Nested,
        calls: "fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr statmount listmount",
    },
    Group {
        reason: "an inner container's host name, in its own UTS namespace",
        given: Given::Nested,
        calls: "sethostname setdomainname",
    },
];

/// What answers `ENOSYS`, because programs then take the older way.
const AS_IF_ABSENT: &str = "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_uring_setup \
    io_uring_enter io_uring_register clone3 statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules \
    modify_ldt";

/// `CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET`
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const TIOCSETD: u32 = 0x5423;

const MAP_HUGETLB: u32 = 0x4_0000;
const MFD_HUGETLB: u32 = 0x4;
const SHM_HUGETLB: u32 = 0x800;
/// What a host answers that has set none aside.
const ENOMEM: u16 = 12;

const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const AF_NETLINK: u32 = 16;
const AF_PACKET: u32 = 17;
const EAFNOSUPPORT: u16 = 97;
const EPROTONOSUPPORT: u16 = 93;
const ENOPROTOOPT: u16 = 92;
const SOL_IP: u32 = 0;
const SOL_IPV6: u32 = 41;
/// `{IPT,ARPT,EBT}_SO_SET_…`: replacing a table, adding to its counters. IPv6 has the first two.
const TABLES: [u32; 6] = [64, 65, 96, 97, 128, 129];

const NETLINK_ROUTE: u32 = 0;
const NETLINK_SOCK_DIAG: u32 = 4;
const NETLINK_KOBJECT_UEVENT: u32 = 15;
const NETLINK_GENERIC: u32 = 16;

/// `PER_LINUX` and `PER_LINUX32`, each with and without `UNAME26`, and the question which one it is.
const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// The verdict on each call that is not refused with `EPERM`; a later one replaces an earlier one of the same name.
pub(super) fn verdicts(profile: Profile, capabilities: u64) -> Vec<(&'static str, Verdict)> {
    let wide = profile == Profile::Nested || capabilities & cap::SYS_ADMIN != 0;
    let mut verdicts: Vec<(&str, Verdict)> =
        AS_IF_ABSENT.split_ascii_whitespace().map(|name| (name, Verdict::Refuse(ENOSYS))).collect();
    for group in GROUPS {
        let given = match group.given {
            Given::Always => true,
            Given::Nested => wide,
            Given::With(capability) => capabilities & capability != 0,
        };
        if given {
            verdicts.extend(group.calls.split_ascii_whitespace().map(|name| (name, Verdict::Allow)));
        }
    }
    let clone = if wide {
        Verdict::Allow
    } else {
        ask(0, [(Match::AnyBit(NEW_NAMESPACES), refuse())], Verdict::Allow)
    };
    verdicts.push(("clone", clone));
    // Two put input or a command into a terminal that somebody else reads; the third loads line disciplines, drivers that
    // hardly anybody uses or looks after.
    let terminal = [TIOCSTI, TIOCLINUX, TIOCSETD].map(|request| (Match::Equal(request), refuse()));
    verdicts.push(("ioctl", ask(1, terminal, Verdict::Allow)));
    verdicts
        .push(("personality", ask(0, PERSONALITIES.map(|p| (Match::Equal(p), Verdict::Allow)), refuse())));
    // Huge pages are few, set aside by the administrator, and charged to nobody but by a controller that few hosts have.
    for (name, argument, huge) in
        [("mmap", 3, MAP_HUGETLB), ("memfd_create", 1, MFD_HUGETLB), ("shmget", 2, SHM_HUGETLB)]
    {
        let none = Verdict::Refuse(ENOMEM);
        verdicts.push((name, ask(argument, [(Match::AnyBit(huge), none)], Verdict::Allow)));
    }
    verdicts.push(("socket", sockets(profile)));
    verdicts.push(("setsockopt", socket_options()));
    let pair = [(Match::Equal(AF_UNIX), Verdict::Allow)];
    verdicts.push(("socketpair", ask(0, pair, Verdict::Refuse(EAFNOSUPPORT))));
    verdicts
}

/// Families by list: AF_VSOCK talks to the hypervisor, AF_ALG and the rare protocols are the kernel's least tried code.
/// Of netlink, netfilter stays shut in both profiles.
fn sockets(profile: Profile) -> Verdict {
    let mut netlink = vec![NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT];
    let mut families = vec![AF_UNIX, AF_INET, AF_INET6];
    if profile == Profile::Nested {
        netlink.push(NETLINK_GENERIC);
        families.push(AF_PACKET);
    }
    let allow = |list: Vec<u32>| list.into_iter().map(|value| (Match::Equal(value), Verdict::Allow));
    let protocols = ask(2, allow(netlink), Verdict::Refuse(EPROTONOSUPPORT));
    let families = allow(families).chain([(Match::Equal(AF_NETLINK), protocols)]);
    ask(0, families, Verdict::Refuse(EAFNOSUPPORT))
}

/// The older doors to netfilter, for iptables, arptables and ebtables, are socket options: as shut as the netlink one.
fn socket_options() -> Verdict {
    let shut = |options: &[u32]| {
        let cases = options.iter().map(|option| (Match::Equal(*option), Verdict::Refuse(ENOPROTOOPT)));
        ask(2, cases.collect::<Vec<_>>(), Verdict::Allow)
    };
    let levels = [(Match::Equal(SOL_IP), shut(&TABLES)), (Match::Equal(SOL_IPV6), shut(&TABLES[..2]))];
    ask(1, levels, Verdict::Allow)
}

fn ask(argument: u32, cases: impl IntoIterator<Item = (Match, Verdict)>, otherwise: Verdict) -> Verdict {
    Verdict::Ask(Question { argument, cases: cases.into_iter().collect(), otherwise: Box::new(otherwise) })
}

fn refuse() -> Verdict {
    Verdict::Refuse(EPERM)
}
