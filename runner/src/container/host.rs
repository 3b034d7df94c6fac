//! What this host offers: the findings that `sandlot doctor` and `sandlot info` show.
//!
//! A thing is tried where trying leaves nothing behind (an idmapped overlay is mounted, a user namespace made), else
//! read from what the kernel tells. Knows no output format.

use super::cgroup::{Controller, Hierarchy, Layout};
use super::rootfs;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with};
use serde::Serialize;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Open files that a few hundred sessions need, at some ten each.
const FILES: u64 = 4096;

/// Pseudo-terminals that one session of the profile nested is not to use up alone.
const TERMINALS: u64 = 16_384;

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// Whether it is there.
    pub found: bool,
    /// What exactly was found, or how it failed.
    pub detail: String,
    /// What being without it costs.
    pub without: &'static str,
    /// What to do about it: a command, or where to look.
    pub remedy: &'static str,
}

/// Looks for everything; `state` is the directory whose filesystem is asked about (or will lie on).
#[must_use]
pub fn probe(state: &Path) -> Vec<Finding> {
    let mut findings = vec![kernel()];
    findings.extend(groups());
    findings.extend(namespaces(state));
    findings.push(figures());
    findings.extend(calls());
    findings.extend(filesystems());
    findings.extend(network());
    findings.extend(tools());
    findings
}

fn finding(
    name: &'static str,
    result: Result<impl Into<String>, impl ToString>,
    without: &'static str,
    remedy: &'static str,
) -> Finding {
    let (found, detail) = match result {
        Ok(detail) => (true, detail.into()),
        Err(error) => (false, error.to_string()),
    };
    Finding { name, found, detail, without, remedy }
}

/// The kernel's release, and its first two numbers.
fn release() -> (String, (u32, u32)) {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (release, version)
}

/// What a session needs to see its own memory, processors and uptime ([`super::views`], [`super::clock`]).
fn figures() -> Finding {
    let (release, version) = release();
    let mut lacking = Vec::new();
    if version < (6, 15) {
        lacking.push(format!("{release} is older than 6.15"));
    }
    if let Err(e) = std::fs::File::options().read(true).write(true).open("/dev/fuse") {
        lacking.push(format!("/dev/fuse: {e}"));
    }
    if !Path::new("/proc/self/ns/time").exists() {
        lacking.push("no time namespaces".to_owned());
    }
    finding(
        "a session's own /proc",
        if lacking.is_empty() { Ok("FUSE, time namespaces") } else { Err(lacking.join(", ")) },
        "free, top and uptime in a session tell of the host",
        "modprobe fuse; run Linux 6.15 or newer",
    )
}

fn kernel() -> Finding {
    let (release, version) = release();
    let result = if version >= (5, 19) { Ok(release) } else { Err(format!("{release} is older than 5.19")) };
    finding(
        "kernel",
        result,
        "no idmapped layers below an overlay: containers do not start",
        "apt install linux-image-amd64",
    )
}

fn groups() -> Vec<Finding> {
    let mount = "mount -t cgroup2 none /sys/fs/cgroup";
    let hierarchy = match Hierarchy::detect() {
        Ok(hierarchy) => hierarchy,
        Err(error) => return vec![finding("cgroup", Err::<String, _>(error), "no limits at all", mount)],
    };
    let layout = match hierarchy.layout() {
        Layout::V1 => "version 1",
        Layout::V2 => "version 2",
        Layout::Mixed => "version 1 controllers, version 2 beside them",
    };
    let mut findings = vec![finding("cgroup", Ok::<_, String>(layout), "no limits at all", mount)];
    for (controller, name, without) in [
        (Controller::Memory, "cgroup memory", "memory is not limited: one session can take all of it"),
        (Controller::Cpu, "cgroup cpu", "processor time is not limited"),
        (Controller::Cpuset, "cgroup cpuset", "--cpuset-cpus and --cpuset-mems are discarded"),
        (Controller::Pids, "cgroup pids", "processes are not limited: a fork bomb reaches the host"),
        (Controller::Io, "cgroup io", "block devices are not limited or counted"),
    ] {
        let result =
            if hierarchy.has(controller) { Ok("offered") } else { Err("not offered by this kernel") };
        findings.push(finding(name, result, without, "boot without cgroup_disable=, see /proc/cgroups"));
    }
    let offered = |is: bool| if is { Ok("offered") } else { Err("not offered by this kernel") };
    findings.push(finding(
        "swap accounting",
        offered(hierarchy.limits_swap()),
        "swap is not limited apart from memory",
        "boot with swapaccount=1",
    ));
    findings.push(finding(
        "block i/o weight",
        offered(hierarchy.weighs_io()),
        "--blkio-weight is discarded: no container has precedence at a disk",
        "modprobe bfq; echo bfq > /sys/block/DEVICE/queue/scheduler",
    ));
    let systemd = Path::new("/run/systemd/system").is_dir();
    let parent = hierarchy.parent("sandlot");
    let delegated = match (systemd, parent.as_str()) {
        (false, _) => Ok("not needed: systemd does not run here".to_owned()),
        (true, "sandlot") => Err("systemd runs, and has delegated no group to this process".to_owned()),
        (true, _) => Ok(format!("groups are made in {parent}")),
    };
    findings.push(finding(
        "delegation by systemd",
        delegated,
        "groups are made beside systemd's; it does not know of them",
        "set Delegate=yes and DelegateSubgroup=engine in the unit",
    ));
    findings
}

fn namespaces(state: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let absent: Vec<&str> = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
        .into_iter()
        .filter(|name| !Path::new("/proc/self/ns").join(name).exists())
        .collect();
    let all = if absent.is_empty() { Ok("all seven") } else { Err(format!("without {}", absent.join(", "))) };
    findings.push(finding("namespaces", all, "containers do not start", "run a kernel that has them"));
    let sysctl = "sysctl -w user.max_user_namespaces=100000";
    let made = Held::new();
    let limit = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    let said = made.as_ref().map(|_| format!("at most {}", limit.trim())).map_err(ToString::to_string);
    findings.push(finding("user namespaces", said, "containers do not start", sysctl));
    let stacked = made.map_err(|e| e.to_string()).and_then(|held| stack(state, &held.namespace));
    findings.push(finding(
        "idmapped overlay on the state's filesystem",
        stacked,
        "containers do not start: layers cannot be mapped to a session's own ids",
        "put the state on ext4, xfs or btrfs: --state DIR",
    ));
    findings
}

/// A user namespace, held by a process that waits in it.
struct Held {
    child: Child,
    namespace: OwnedFd,
}

impl Held {
    fn new() -> std::io::Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "cat"]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                std::io::Error::other("not tried: the tool unshare is not in PATH (apt install util-linux)")
            }
            _ => e,
        })?;
        let opened = Self::open(&mut child);
        if opened.is_err() {
            end(&mut child);
        }
        opened.map(|namespace| Self { child, namespace })
    }

    /// What goes in comes out again as soon as the namespace is made and mapped.
    fn open(child: &mut Child) -> std::io::Result<OwnedFd> {
        let refused = || std::io::Error::other("the kernel refuses to make a user namespace");
        let (input, output) = (child.stdin.as_mut(), child.stdout.as_mut());
        input.ok_or_else(refused)?.write_all(b"x").map_err(|_| refused())?;
        output.ok_or_else(refused)?.read_exact(&mut [0]).map_err(|_| refused())?;
        Ok(std::fs::File::open(format!("/proc/{}/ns/user", child.id()))?.into())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a child whose result nobody needs.
fn end(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}

/// Mounts an overlay as a container's root is, and lets go of it.
fn stack(state: &Path, userns: &OwnedFd) -> Result<String, String> {
    let there = state.ancestors().find(|a| a.is_dir()).unwrap_or(Path::new("/"));
    let place = tempfile::Builder::new().prefix(".sandlot-doctor").tempdir_in(there);
    let place = place.map_err(|e| format!("writing to {}: {e}", there.display()))?;
    let [layer, upper, work]: [PathBuf; 3] = ["layer", "upper", "work"].map(|name| place.path().join(name));
    for directory in [&layer, &upper, &work] {
        std::fs::create_dir(directory).map_err(|e| e.to_string())?;
    }
    rootfs::assemble(&[layer], &upper, &work, userns.as_fd()).map_err(|e| e.to_string())?;
    Ok(format!("mounted in {}", there.display()))
}

fn calls() -> Vec<Finding> {
    let newer = "run a newer kernel";
    let actions = read("/proc/sys/kernel/seccomp/actions_avail").and_then(|text| {
        let has = |name: &str| text.split_whitespace().any(|action| action == name);
        if has("errno") && has("kill_process") { Ok("filters by number and argument") } else { Err(text) }
    });
    let pidfd = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
    let pidfd = pidfd.map(|_| "processes are held by descriptor").map_err(|e| e.to_string());
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let files = if files >= FILES { Ok(format!("at most {files}")) } else { Err(format!("at most {files}")) };
    let terminals = read("/proc/sys/kernel/pty/max").and_then(|text| {
        let enough = text.trim().parse::<u64>().is_ok_and(|most| most >= TERMINALS);
        let detail = format!("at most {} in all containers", text.trim());
        if enough { Ok(detail) } else { Err(detail) }
    });
    vec![
        finding(
            "pseudo-terminals",
            terminals,
            "a session of the profile nested can use up everybody's: what it mounts itself has no bound but this",
            "sysctl -w kernel.pty.max=65536",
        ),
        finding("seccomp", actions, "containers do not start: their system calls cannot be filtered", newer),
        finding("pidfd", pidfd, "containers do not start", newer),
        finding("open files", files, "few sessions at once", "ulimit -n 65536, or LimitNOFILE= in the unit"),
    ]
}

fn filesystems() -> Vec<Finding> {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has = |kind: &'static str| {
        let there = known.lines().any(|line| line.split_whitespace().next_back() == Some(kind));
        if there {
            Ok("known to the kernel")
        } else {
            Err("not known to the kernel, or its module is not loaded")
        }
    };
    let device = |path: &str| {
        if Path::new(path).exists() { Ok(format!("{path} is there")) } else { Err(format!("no {path}")) }
    };
    vec![
        finding("overlay", has("overlay"), "containers do not start", "modprobe overlay"),
        finding("ext4", has("ext4"), "no disk limits: --storage-opt size= is refused", "modprobe ext4"),
        finding(
            "loop devices",
            device("/dev/loop-control"),
            "no disk limits: --storage-opt size= is refused",
            "modprobe loop",
        ),
    ]
}

fn network() -> Vec<Finding> {
    let flags = SocketFlags::CLOEXEC;
    let netfilter = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER));
    let netfilter = netfilter.map(|_| "offered").map_err(|e| e.to_string());
    let without = "--network internet is refused; sessions with --network none are as they were";
    vec![finding("netfilter", netfilter, without, "modprobe nf_tables")]
}

fn tools() -> Vec<Finding> {
    [
        ("mkfs.ext4", "no disk limits: --storage-opt size= is refused", "apt install e2fsprogs"),
        ("nft", "--network internet is refused", "apt install nftables"),
    ]
    .map(|(tool, without, remedy)| {
        // Where the engine would find it: an engine of systemd's has another search path than a shell.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let place = std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|place| place.is_file());
        let place = place.map(|p| p.display().to_string());
        let place = place.ok_or_else(|| format!("not found in PATH ({})", path.display()));
        finding(tool, place, without, remedy)
    })
    .into_iter()
    .chain([finding(
        "checkpoints",
        super::checkpoint::possible().map(|path| format!("{} runs on this kernel", path.display())),
        "`docker checkpoint` is refused; pausing works",
        "apt install criu; where it is installed, a newer one, or a kernel that it knows",
    )])
    .collect()
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_containers_need_is_found_here_and_nothing_is_left_behind() {
        let state = tempfile::tempdir().unwrap();
        let findings = probe(&state.path().join("not/made/yet"));
        for name in ["kernel", "cgroup", "namespaces", "user namespaces", "seccomp", "pidfd", "overlay"] {
            let one = findings.iter().find(|f| f.name == name).unwrap();
            assert!(one.found, "{one:?}");
        }
        let overlay = findings.iter().find(|f| f.name.starts_with("idmapped overlay")).unwrap();
        assert!(overlay.found, "{overlay:?}");
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn every_finding_says_what_it_costs_and_what_to_do() {
        let findings = probe(Path::new("/tmp"));
        let mut names: Vec<_> = findings.iter().map(|f| f.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), findings.len(), "each name once");
        for one in findings {
            assert!(!one.detail.is_empty() && !one.without.is_empty() && !one.remedy.is_empty(), "{one:?}");
        }
    }

    #[test]
    fn a_filesystem_that_cannot_be_used_is_told() {
        let findings = namespaces(Path::new("/proc"));
        let overlay = findings.iter().find(|f| f.name.starts_with("idmapped overlay")).unwrap();
        assert!(!overlay.found && overlay.detail.contains("/proc"), "{overlay:?}");
    }
}
