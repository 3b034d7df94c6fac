//! Control groups: limits, accounting, freezing and killing, by whichever of the kernel's versions a host mounts.
//!
//! A container is one group, `<parent>/<id>`, in every hierarchy that is used. A nested container's processes live in its
//! child `session`, which is delegated: what they may change lies below what limits them. Knows no container but by its id.
//!
//! Version 1 controllers are used where they are mounted, version 2 for the rest. With both (the mixed layout) a version 2
//! group is made only for who is delegated one, and where version 1 has no freezer: moving into it through `cgroup.procs`
//! waits for an RCU grace period now and then (20 ms seen), writing `0` to a version 1 `tasks` never does.
//!
//! Deliberately absent: the devices controller. A container lives in a user namespace, where mknod(2) makes no device and
//! where every mount but the engine's own is nodev. `memory.oom.group` stays 0: the kernel kills the process that is
//! to blame, and the session's shell goes on and tells. Version 1 cannot bound the groups that a session makes below its
//! own; each is charged to its memory (about 10 KiB), so its memory limit is the bound. Version 2 has bounds, set here.

mod apply;
mod group;
mod limits;
mod mounts;
pub mod own;
mod stats;
mod tree;

pub use group::Group;
pub use limits::{DeviceRate, Invalid, Limits, Machine, Wanted};
pub use stats::{Block, Cpu, Memory, Pids, Stats};

use super::spec::IdRange;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of the delegated child.
const SESSION: &str = "session";
/// The most groups below a delegated one (version 2).
const MAX_DESCENDANTS: &str = "256";
/// How deep they may lie (version 2).
const MAX_DEPTH: &str = "16";

/// A controller that Sandlot uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Bandwidth and shares.
    Cpu,
    /// Accounting of version 1; part of `cpu` in version 2.
    Cpuacct,
    /// Processors and memory nodes.
    Cpuset,
    /// Memory and swap.
    Memory,
    /// Block devices.
    Io,
    /// Numbers of processes.
    Pids,
    /// Freezing of version 1; built into version 2.
    Freezer,
}

impl Controller {
    const ALL: [Self; 7] =
        [Self::Cpu, Self::Cpuacct, Self::Cpuset, Self::Memory, Self::Io, Self::Pids, Self::Freezer];

    /// Its name as a mount option of version 1.
    #[must_use]
    pub fn v1(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Cpuset => "cpuset",
            Self::Memory => "memory",
            Self::Io => "blkio",
            Self::Pids => "pids",
            Self::Freezer => "freezer",
        }
    }

    /// Its name in version 2's `cgroup.controllers`.
    #[must_use]
    pub fn v2(self) -> Option<&'static str> {
        match self {
            Self::Cpuacct | Self::Freezer => None,
            Self::Io => Some("io"),
            other => Some(other.v1()),
        }
    }
}

/// Which versions a host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Version 1 alone.
    V1,
    /// Version 2 alone.
    V2,
    /// Controllers in version 1, version 2 beside them.
    Mixed,
}

/// What went wrong with a group.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cgroup filesystem is mounted.
    #[error(
        "no control groups are mounted: mount cgroup2 at /sys/fs/cgroup, or let the system do it at boot"
    )]
    NotMounted,
    /// A name that would lead elsewhere.
    #[error("\"{0}\" is no name of a control group")]
    Name(String),
    /// A group of this name is there already.
    #[error("there is a control group {0} already")]
    Exists(String),
    /// No hierarchy has a group of this name.
    #[error("there is no control group {0}")]
    Missing(String),
    /// Reading, making or writing failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A limit that the kernel did not take.
    #[error("the kernel refuses {limit} = {value}: {source}")]
    Limit {
        /// Docker's name of the limit.
        limit: &'static str,
        /// What was written.
        value: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A group that stays busy.
    #[error("the control group {} {what} after {seconds} s", path.display())]
    Stuck {
        /// Which.
        path: PathBuf,
        /// What it still does.
        what: &'static str,
        /// How long that was waited for.
        seconds: u64,
    },
}

pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

/// What this host has.
#[derive(Debug)]
pub struct Hierarchy {
    v1: BTreeMap<Controller, PathBuf>,
    v2: Option<PathBuf>,
    /// What version 2 offers at its root, without what version 1 holds.
    v2_controllers: BTreeSet<Controller>,
    /// Parents that are made and ready.
    ready: Mutex<HashSet<PathBuf>>,
}

impl Hierarchy {
    /// Finds what is mounted, by `/proc/self/mountinfo`.
    ///
    /// # Errors
    /// [`Error::NotMounted`], or what reading answers.
    pub fn detect() -> Result<Self, Error> {
        let path = Path::new("/proc/self/mountinfo");
        Self::detect_at(&std::fs::read_to_string(path).map_err(failed("reading", path))?)
    }

    /// The same by the text of a mountinfo (proc_pid_mountinfo(5)).
    ///
    /// # Errors
    /// [`Error::NotMounted`], or what reading version 2's `cgroup.controllers` answers.
    pub fn detect_at(mountinfo: &str) -> Result<Self, Error> {
        let mounts = mounts::parse(mountinfo);
        let mut v2_controllers = BTreeSet::new();
        if let Some(root) = &mounts.v2 {
            let file = root.join("cgroup.controllers");
            let text = std::fs::read_to_string(&file).map_err(failed("reading", &file))?;
            let offered =
                |c: &Controller| c.v2().is_some_and(|name| text.split_whitespace().any(|n| n == name));
            v2_controllers =
                Controller::ALL.into_iter().filter(|c| offered(c) && !mounts.v1.contains_key(c)).collect();
        }
        if mounts.v2.is_none() && mounts.v1.is_empty() {
            return Err(Error::NotMounted);
        }
        Ok(Self { v1: mounts.v1, v2: mounts.v2, v2_controllers, ready: Mutex::default() })
    }

    /// Which versions are in use.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match (&self.v2, self.v1.is_empty()) {
            (None, _) => Layout::V1,
            (Some(_), true) => Layout::V2,
            (Some(_), false) => Layout::Mixed,
        }
    }

    /// Whether a controller is there, in either version.
    #[must_use]
    pub fn has(&self, controller: Controller) -> bool {
        self.v1.contains_key(&controller) || self.v2_controllers.contains(&controller)
    }

    /// The parent under which groups should be made: `name` at the root, or, where systemd has delegated our own unit's
    /// group to us (`Delegate=yes`), `name` below that one. systemd marks such a group by an extended attribute.
    #[must_use]
    pub fn parent(&self, name: &str) -> String {
        let delegated = || {
            let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
            let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
            let root = self.v2.as_ref()?;
            let marked = Path::new(&own)
                .ancestors()
                .find(|a| !a.as_os_str().is_empty() && own::marked(&root.join(a)))?;
            Some(format!("{}/{name}", marked.display()))
        };
        delegated().unwrap_or_else(|| name.to_owned())
    }

    /// Makes the group `<parent>/<id>` with `limits`; with `delegate`, its child `session` belongs to the root of that
    /// range, and is what [`Group::join`] leads to.
    ///
    /// # Errors
    /// Nothing is left behind by a failure, beside the parent.
    pub fn create(
        &self,
        parent: &str,
        id: &str,
        limits: &Limits,
        delegate: Option<IdRange>,
    ) -> Result<Group, Error> {
        check(parent, id)?;
        if self.open(parent, id).is_ok() {
            return Err(Error::Exists(format!("{parent}/{id}")));
        }
        let roots = self.roots(delegate.is_some());
        for (root, controllers) in &roots.v1 {
            self.prepare(root, parent, |from, to| group::ready_parent(from, to, controllers))?;
        }
        if let Some(root) = &roots.v2 {
            self.prepare(root, parent, |from, _| group::enable(from, &self.v2_controllers))?;
        }
        let group = Group::at(&roots, parent, id);
        match group.make(limits, delegate) {
            Ok(()) => Ok(group),
            Err(error) => {
                // What is left is found by the next sweep; the first error is the one to tell.
                drop(group.remove());
                Err(error)
            }
        }
    }

    /// The group `<parent>/<id>`, as it is there.
    ///
    /// # Errors
    /// [`Error::Missing`] if no hierarchy has it.
    pub fn open(&self, parent: &str, id: &str) -> Result<Group, Error> {
        check(parent, id)?;
        let mut roots = self.roots(true);
        let there = |root: &Path| root.join(parent).join(id).is_dir();
        roots.v1.retain(|root, _| there(root));
        roots.v2 = roots.v2.filter(|root| there(root));
        if roots.v1.is_empty() && roots.v2.is_none() {
            return Err(Error::Missing(format!("{parent}/{id}")));
        }
        Ok(Group::at(&roots, parent, id))
    }

    /// Ends and removes every group below `parent` whose id `keep` does not want; answers how many there were.
    ///
    /// # Errors
    /// The first group that could not be removed; the others are tried all the same.
    pub fn sweep(&self, parent: &str, keep: &dyn Fn(&str) -> bool) -> Result<usize, Error> {
        check(parent, "any")?;
        let roots = self.roots(true);
        let mut ids = BTreeSet::new();
        for root in roots.v1.keys().chain(&roots.v2) {
            let Ok(entries) = std::fs::read_dir(root.join(parent)) else { continue };
            let directories = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
            ids.extend(directories.filter_map(|e| e.file_name().into_string().ok()).filter(|id| !keep(id)));
        }
        let mut first = Ok(());
        for id in &ids {
            let done = self.open(parent, id).and_then(|group| group.kill().and_then(|()| group.end()));
            first = first.and(done);
        }
        first.map(|()| ids.len())
    }

    /// Removes the parent itself wherever nothing is left below it.
    pub fn leave(&self, parent: &str) {
        let roots = self.roots(true);
        for root in roots.v1.keys().chain(&roots.v2) {
            // One that still holds groups is not empty, and stays.
            std::fs::remove_dir(root.join(parent)).unwrap_or_default();
        }
    }

    /// What of `limits` this host cannot do, in words for its user: those limits are left out.
    #[must_use]
    pub fn warnings(&self, limits: &Limits) -> Vec<String> {
        let mut unknown: Vec<&str> =
            apply::settings(limits).iter().filter(|s| !self.knows(s)).map(|s| s.limit).collect();
        unknown.dedup();
        let warning = |limit| format!("this kernel does not support {limit}: limit discarded");
        unknown.into_iter().map(warning).collect()
    }

    /// Whether swap can be limited.
    #[must_use]
    pub fn limits_swap(&self) -> bool {
        apply::settings(&Limits { swap: Some(limits::Bound::Unlimited), ..Limits::default() })
            .iter()
            .all(|setting| self.knows(setting))
    }

    /// Whether block i/o can be weighed.
    #[must_use]
    pub fn weighs_io(&self) -> bool {
        apply::settings(&Limits { weight: Some(500), ..Limits::default() }).iter().all(|s| self.knows(s))
    }

    fn knows(&self, setting: &apply::Setting) -> bool {
        match self.v1.get(&setting.controller) {
            Some(root) => setting.v1.iter().all(|(file, _)| root.join(file).exists()),
            // A version 2 root lacks its children's files: the controller decides.
            None => self.v2_controllers.contains(&setting.controller),
        }
    }

    /// The roots in which a group lies, each once, with its controllers.
    fn roots(&self, delegated: bool) -> Roots {
        let mut v1: BTreeMap<PathBuf, BTreeSet<Controller>> = BTreeMap::new();
        for (controller, root) in &self.v1 {
            v1.entry(root.clone()).or_default().insert(*controller);
        }
        let needed =
            delegated || !self.v2_controllers.is_empty() || !self.v1.contains_key(&Controller::Freezer);
        let v2 = self.v2.clone().filter(|_| needed);
        Roots { v1, v2, v2_controllers: self.v2_controllers.clone() }
    }

    /// Makes the directories of `parent` one by one below `root`, once; `each` readies a step from one to the next.
    fn prepare(
        &self,
        root: &Path,
        parent: &str,
        each: impl Fn(&Path, &Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let whole = root.join(parent);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.contains(&whole) && whole.is_dir() {
            return Ok(());
        }
        let mut from = root.to_owned();
        for component in Path::new(parent) {
            let to = from.join(component);
            group::make_directory(&to)?;
            each(&from, &to)?;
            from = to;
        }
        // In version 2 the parent itself passes its controllers on, too; in version 1 its processors.
        each(&from, &from)?;
        ready.insert(whole);
        Ok(())
    }
}

/// Where a group lies.
#[derive(Debug)]
pub(crate) struct Roots {
    v1: BTreeMap<PathBuf, BTreeSet<Controller>>,
    v2: Option<PathBuf>,
    v2_controllers: BTreeSet<Controller>,
}

fn check(parent: &str, id: &str) -> Result<(), Error> {
    let bad = |name: &str| name.is_empty() || name == "." || name == ".." || name.contains(['\0', '\n']);
    match parent.split('/').chain([id]).find(|name| bad(name) || name.contains('/')) {
        Some(name) => Err(Error::Name(name.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod real_tests;
