//! The description of a container and of a process in it: plain data, checked by whoever builds it.
//!
//! These types cross the wire between engine and spawner; nothing here touches the system.

use serde::{Deserialize, Serialize};

/// A contiguous range of host uids (and the same of gids) that a container's ids `0..count` are mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdRange {
    /// The host id that id 0 of the container stands for.
    pub base: u32,
    /// How many ids; 65,536 usually.
    pub count: u32,
}

/// Which walls a container gets beside its namespaces (see `docs/security.md`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The strict one: a shell and tools.
    #[default]
    Standard,
    /// For labs about containers: namespaces, mounts and a delegated cgroup may be made inside.
    Nested,
}

/// What PID 1 of the container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Init {
    /// The first process itself, as with Docker.
    #[default]
    Command,
    /// Sandlot's init, which starts the first process, forwards signals to it and reaps.
    Reaper,
    /// Sandlot's init with no first process: a session, whose terminals are opened later.
    Only,
}

/// What the container's network namespace holds beside the loopback device, which is always up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nothing: no routed interface.
    #[default]
    None,
    /// An interface that the engine moves in after [`crate::spawner`] reported the container set up and before
    /// its first process runs.
    Routed,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// The descriptor with this index among those sent along (a detached mount made by the engine: bind mounts,
    /// volumes).
    Detached(usize),
    /// A fresh tmpfs with these mount options (`size=64m,mode=1777`).
    Tmpfs(String),
}

/// One mount that the container's creator asked for, on top of those every container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Absolute path in the container; made if it is not there; never followed out of the root.
    pub target: String,
    /// Whether writing is denied.
    pub readonly: bool,
}

/// A soft and a hard limit of one resource, by its `RLIMIT_…` number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_NOFILE` and its like, as the kernel numbers them.
    pub resource: u32,
    /// Soft limit; `u64::MAX` is none.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is none.
    pub hard: u64,
}

/// What a process's standard streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdio {
    /// A terminal of the container's own `/dev/pts`; its master is kept by the spawner.
    Terminal {
        /// Columns at start.
        cols: u16,
        /// Rows at start.
        rows: u16,
    },
    /// Two or three pipes; their outer ends are kept by the spawner.
    Pipes {
        /// Whether standard input is a pipe; else it is `/dev/null`.
        stdin: bool,
    },
    /// `/dev/null` for all three.
    Null,
}

/// A process to be run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The command and its arguments; found by `PATH` of `env` when it has no slash. With [`Stdio::Terminal`] an
    /// empty list means the user's login shell.
    pub argv: Vec<String>,
    /// `NAME=value`; `PATH` and `HOME` are added when absent.
    pub env: Vec<String>,
    /// Absolute working directory in the container.
    pub cwd: String,
    /// `name|uid[:group|gid]`, looked up in the container; empty: root. Digits never meet `/etc/passwd`.
    pub user: String,
    /// Names or numbers of more groups.
    pub groups: Vec<String>,
    /// Standard streams.
    pub stdio: Stdio,
    /// Capabilities (a bit each, `1 << CAP_…`) that the process keeps in the container's user namespace.
    pub capabilities: u64,
    /// Compiled seccomp programs (`struct sock_filter` as bytes, native endian), installed in this order.
    pub seccomp: Vec<Vec<u8>>,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// `oom_score_adj`, if it is to be changed.
    pub oom_score_adj: Option<i32>,
}

/// A container to be cloned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The id, 64 hexadecimal digits.
    pub id: String,
    /// The ids that it is mapped to.
    pub range: IdRange,
    /// Host name, at most 64 bytes.
    pub hostname: String,
    /// NIS domain name; empty: none.
    pub domainname: String,
    /// What PID 1 is.
    pub init: Init,
    /// Walls.
    pub profile: Profile,
    /// Network.
    pub network: Network,
    /// Whether the root filesystem is read-only.
    pub readonly: bool,
    /// Bytes of `/dev/shm`; 0: there is none.
    pub shm_size: u64,
    /// More mounts, in this order.
    pub mounts: Vec<Mount>,
    /// Namespaced sysctls, `net.ipv4.ip_forward` and its like.
    pub sysctls: Vec<(String, String)>,
    /// The first process; `None` only with [`Init::Only`], whose later processes are started as executions.
    pub process: Option<Process>,
    /// The container's own engine: init runs it when somebody first connects to `/var/run/docker.sock`.
    pub engine: Option<Process>,
}
