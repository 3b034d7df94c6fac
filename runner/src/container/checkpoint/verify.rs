//! The walls of a restored container, looked at before it runs: what an archive says of itself is not believed.
//!
//! All its processes are stopped meanwhile, and nothing outside lets them go on. What is looked at is what the kernel says of them.

use super::mounted::{self, Held};
use crate::container::spec::Container;
use std::collections::BTreeSet;
use std::io;

/// What every process must have of its own, or of the container's.
const NAMESPACES: [&str; 7] = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];
/// All that a process may do in its user namespace stands in these lines.
const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// Why a restored container is ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A wall is not as the specification has it.
    #[error("process {pid} is not as its specification says: {what}")]
    Wall {
        /// The host's pid.
        pid: i32,
        /// What is wrong.
        what: String,
    },
    /// What the kernel says of it could not be read.
    #[error("looking at a restored process: {0}")]
    Look(#[from] io::Error),
}

/// Looks at every process of a container whose first is `first` and in whose control groups `pids` are.
///
/// # Errors
/// The first wall that is not there.
pub fn check(spec: &Container, first: i32, pids: &[i32], held: &[Held]) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::Wall { pid: first, what: what.to_owned() });
    let inside: BTreeSet<i32> = pids.iter().copied().collect();
    if family(first)? != inside {
        return wrong("its processes are not those in its control groups");
    }
    let own = namespaces(first)?;
    if namespaces(i32::try_from(std::process::id()).unwrap_or(0))?
        .iter()
        .zip(&own)
        .any(|(host, own)| host == own)
    {
        return wrong("it is in a namespace of the host");
    }
    let ids = [spec.range.base, spec.range.count].map(|n| n.to_string());
    for map in ["uid_map", "gid_map"] {
        let text = std::fs::read_to_string(format!("/proc/{first}/{map}"))?;
        if text.split_whitespace().ne(["0", &ids[0], &ids[1]]) {
            return wrong("its ids are mapped to others");
        }
    }
    mounts(spec, first, held)?;
    for pid in pids {
        process(spec, *pid, &own)?;
    }
    Ok(())
}

/// A process and all that come from it; of those that end meanwhile nothing more is found.
///
/// # Errors
/// What reading answers, also if the first process ends.
pub fn family(first: i32) -> io::Result<BTreeSet<i32>> {
    let mut all = BTreeSet::new();
    let mut waiting = vec![first];
    while let Some(pid) = waiting.pop() {
        if !all.insert(pid) {
            continue;
        }
        match children(pid) {
            Ok(found) => waiting.extend(found),
            Err(e) if pid != first && gone(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(all)
}

fn children(pid: i32) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = match std::fs::read_to_string(thread?.path().join("children")) {
            // A thread may end and its process go on.
            Err(e) if gone(&e) => continue,
            other => other?,
        };
        found.extend(text.split_whitespace().filter_map(|word| word.parse::<i32>().ok()));
    }
    Ok(found)
}

/// Whether an answer of `/proc` means that the process has ended.
fn gone(error: &io::Error) -> bool {
    let ended = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ended)
}

fn namespaces(pid: i32) -> io::Result<Vec<std::path::PathBuf>> {
    NAMESPACES.iter().map(|name| std::fs::read_link(format!("/proc/{pid}/ns/{name}"))).collect()
}

fn mounts(spec: &Container, first: i32, held: &[Held]) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::Wall { pid: first, what });
    let all = mounted::read(first)?;
    let named = match mounted::named(&all, first, held) {
        Ok(named) => named,
        Err(e) => return wrong(e.to_string()),
    };
    for mount in &all {
        // What the engine made of the host's is as it made it.
        let ours = named.iter().any(|(place, name)| *place == mount.place && name != mounted::CGROUP);
        let devices = ours || mount.kind == "devpts";
        if !devices && !mount.has("nodev") {
            return wrong(format!("{} may have devices", mount.place));
        }
        let sealed =
            matches!(mount.kind.as_str(), "sysfs" | "cgroup2") || mount.place == "/" && spec.readonly;
        if sealed && !mount.has("ro") {
            return wrong(format!("{} may be written", mount.place));
        }
    }
    Ok(())
}

fn process(spec: &Container, pid: i32, own: &[std::path::PathBuf]) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::Wall { pid, what: what.to_owned() });
    if namespaces(pid)? != own {
        return wrong("it is in other namespaces than the first");
    }
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("status"))?;
        if let Some(what) = walls(spec, &text) {
            return wrong(what);
        }
    }
    Ok(())
}

/// What of a thread's status is not as it should be.
fn walls(spec: &Container, status: &str) -> Option<&'static str> {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
            .unwrap_or("")
    };
    let allowed = spec.process.as_ref().map_or(0, |process| process.capabilities);
    let filters = spec.process.as_ref().map_or(0, |process| process.seccomp.len());
    let ids = |name: &str| {
        let mut ids = field(name).split_whitespace().map(|id| id.parse::<u32>().unwrap_or(0));
        ids.all(|id| id.wrapping_sub(spec.range.base) < spec.range.count)
    };
    let within = |name: &&str| u64::from_str_radix(field(name), 16).is_ok_and(|held| held & !allowed == 0);
    if !field("State").starts_with('T') {
        return Some("it runs already");
    }
    if field("NoNewPrivs") != "1" {
        return Some("it could gain rights by exec");
    }
    // One of its own may have come on top; a kernel before 5.9 does not count them.
    if field("Seccomp") != "2" || field("Seccomp_filters").parse::<usize>().is_ok_and(|n| n < filters) {
        return Some("its system calls are not filtered");
    }
    if !CAPABILITIES.iter().all(within) {
        return Some("it has capabilities that it was not given");
    }
    (!ids("Uid") || !ids("Gid") || !ids("Groups")).then_some("it is a user of the host")
}
