//! One container's group, in every hierarchy at once.

use super::apply::{self, Setting};
use super::{
    Controller, Error, Limits, MAX_DEPTH, MAX_DESCENDANTS, Roots, SESSION, Stats, failed, stats, tree,
};
use crate::container::spec::IdRange;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long freezing, killing and removing are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked.
const PAUSE: Duration = Duration::from_millis(1);

/// A group that exists. Dropping it changes nothing: a group outlives the engine.
#[derive(Debug)]
pub struct Group {
    v1: Vec<(PathBuf, BTreeSet<Controller>)>,
    v2: Option<PathBuf>,
    v2_controllers: BTreeSet<Controller>,
}

impl Group {
    pub(super) fn at(roots: &Roots, parent: &str, id: &str) -> Self {
        let below = |root: &Path| root.join(parent).join(id);
        Self {
            v1: roots.v1.iter().map(|(root, controllers)| (below(root), controllers.clone())).collect(),
            v2: roots.v2.as_deref().map(below),
            v2_controllers: roots.v2_controllers.clone(),
        }
    }

    fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.v1.iter().map(|(directory, _)| directory).chain(&self.v2)
    }

    /// The version 1 directory of a controller.
    pub(super) fn v1(&self, controller: Controller) -> Option<&Path> {
        self.v1.iter().find(|(_, list)| list.contains(&controller)).map(|(directory, _)| directory.as_path())
    }

    /// The version 2 directory, if there is one and the controller is on that side.
    pub(super) fn v2(&self, controller: Controller) -> Option<&Path> {
        self.v2.as_deref().filter(|_| self.v2_controllers.contains(&controller))
    }

    pub(super) fn make(&self, limits: &Limits, delegate: Option<IdRange>) -> Result<(), Error> {
        for directory in self.directories() {
            std::fs::create_dir(directory).map_err(failed("making", directory))?;
        }
        self.update(limits)?;
        for (directory, controllers) in &self.v1 {
            ready_v1(directory.parent().unwrap_or(directory), directory, controllers)?;
        }
        let Some(range) = delegate else { return Ok(()) };
        for (directory, controllers) in &self.v1 {
            // A session finds the groups that it makes as the kernel makes them: without processors and nodes.
            if controllers.contains(&Controller::Cpuset) && directory.join(CLONE_CHILDREN).exists() {
                put(directory, CLONE_CHILDREN, "0")?;
            }
            let session = directory.join(SESSION);
            make_directory(&session)?;
            ready_v1(directory, &session, controllers)?;
            give(&session, &["cgroup.procs", "tasks"], range)?;
        }
        if let Some(directory) = &self.v2 {
            enable(directory, &self.v2_controllers)?;
            put(directory, "cgroup.max.descendants", MAX_DESCENDANTS)?;
            put(directory, "cgroup.max.depth", MAX_DEPTH)?;
            let session = directory.join(SESSION);
            make_directory(&session)?;
            give(&session, &["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"], range)?;
        }
        Ok(())
    }

    /// Descriptors by which a process moves itself into the group: it writes `0` to each. A process of one thread may, at
    /// once; version 1's `tasks` would leave other threads behind.
    ///
    /// # Errors
    /// What opening answers.
    pub fn join(&self) -> Result<Vec<OwnedFd>, Error> {
        self.open(self.v2.as_deref().map(leaf))
    }

    /// The same for a process that joins others, whose first is `first` (the host's number): where a delegated version 2
    /// group's owner has passed controllers on, it may hold no processes itself, and the newcomer goes where the first is.
    ///
    /// # Errors
    /// What opening answers.
    pub fn join_beside(&self, first: i32) -> Result<Vec<OwnedFd>, Error> {
        self.open(
            self.v2.as_deref().map(|directory| beside(directory, first).unwrap_or_else(|| leaf(directory))),
        )
    }

    fn open(&self, v2: Option<PathBuf>) -> Result<Vec<OwnedFd>, Error> {
        let v1 = self.v1.iter().map(|(directory, _)| leaf(directory).join("tasks"));
        let v2 = v2.map(|directory| directory.join("cgroup.procs"));
        let open = |path: PathBuf| {
            let file =
                std::fs::OpenOptions::new().write(true).open(&path).map_err(failed("opening", &path))?;
            Ok(OwnedFd::from(file))
        };
        v1.chain(v2).map(open).collect()
    }

    /// Sets what `limits` names; the rest stays. What this host does not have is left out
    /// ([`super::Hierarchy::warnings`] tells).
    ///
    /// # Errors
    /// [`Error::Limit`] names the limit that the kernel refused, such as memory below what is in use.
    pub fn update(&self, limits: &Limits) -> Result<(), Error> {
        // Memory never exceeds memory and swap: whether one goes up or down decides which has to be first. So whatever
        // fails is tried once more after the others.
        let again: Vec<Setting> =
            apply::settings(limits).into_iter().filter(|s| self.set(s).is_err()).collect();
        again.iter().try_for_each(|setting| self.set(setting))
    }

    fn set(&self, setting: &Setting) -> Result<(), Error> {
        let refused = |value: &String| {
            let (limit, value) = (setting.limit, value.clone());
            move |source| Error::Limit { limit, value, source }
        };
        if let Some(directory) = self.v1(setting.controller) {
            for (file, value) in setting.v1.iter().filter(|(file, _)| directory.join(file).exists()) {
                std::fs::write(directory.join(file), value).map_err(refused(value))?;
            }
        } else if let Some(directory) = self.v2(setting.controller)
            && let Some((file, value)) = setting.v2.iter().find(|(file, _)| directory.join(file).exists())
        {
            std::fs::write(directory.join(file), value).map_err(refused(value))?;
        }
        Ok(())
    }

    /// Stops every process of the group until [`Group::thaw`].
    ///
    /// # Errors
    /// [`Error::Stuck`] if they do not stop (one sleeps uninterruptibly); the group is thawed again then.
    pub fn freeze(&self) -> Result<(), Error> {
        let frozen = if let Some(directory) = self.v1(Controller::Freezer) {
            let file = directory.join("freezer.state");
            wait(directory, "is not frozen", || {
                // A task that was forked meanwhile needs the order again.
                std::fs::write(&file, "FROZEN").map_err(failed("writing", &file))?;
                Ok(read(directory, "freezer.state")?.trim() == "FROZEN")
            })
        } else if let Some(directory) = &self.v2 {
            put(directory, "cgroup.freeze", "1")?;
            wait(directory, "is not frozen", || Ok(read(directory, "cgroup.events")?.contains("frozen 1")))
        } else {
            Ok(())
        };
        if frozen.is_err() {
            // The reason why freezing failed is the one to tell.
            drop(self.thaw());
        }
        frozen
    }

    /// Lets the processes go on.
    ///
    /// # Errors
    /// What writing answers.
    pub fn thaw(&self) -> Result<(), Error> {
        match (self.v1(Controller::Freezer), &self.v2) {
            (Some(directory), _) => put(directory, "freezer.state", "THAWED"),
            (None, Some(directory)) => put(directory, "cgroup.freeze", "0"),
            (None, None) => Ok(()),
        }
    }

    /// Whether the group is (being) frozen by [`Group::freeze`].
    ///
    /// # Errors
    /// What reading answers.
    pub fn frozen(&self) -> Result<bool, Error> {
        match (self.v1(Controller::Freezer), &self.v2) {
            (Some(directory), _) => Ok(read(directory, "freezer.state")?.trim() != "THAWED"),
            (None, Some(directory)) => Ok(read(directory, "cgroup.freeze")?.trim() == "1"),
            (None, None) => Ok(false),
        }
    }

    /// SIGKILL to every process in the group and below it, also to frozen ones. They may still be ending on return;
    /// [`Group::remove`] waits for that.
    ///
    /// # Errors
    /// [`Error::Stuck`] if new processes appear faster than they end.
    pub fn kill(&self) -> Result<(), Error> {
        if let Some(directory) = self.v2.as_deref().filter(|d| d.join("cgroup.kill").exists()) {
            put(directory, "cgroup.kill", "1")?;
            return self.thaw_all();
        }
        let Some(any) = self.directories().next() else { return Ok(()) };
        wait(any, "has processes that do not end", || {
            // Frozen, so that nobody forks away, and so that no number can meanwhile become another process's.
            let frozen = self.freeze();
            let pids = self.pids()?;
            for pid in pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid)) {
                match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
                    Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                    Err(e) => return Err(failed("killing a process of", any)(e.into())),
                }
            }
            self.thaw_all()?;
            frozen.map(|()| pids.is_empty())
        })
    }

    /// Thaws also what a delegated group's owner froze below: a frozen process does not even die.
    fn thaw_all(&self) -> Result<(), Error> {
        let Some(directory) = self.v1(Controller::Freezer) else { return Ok(()) };
        tree::walk(directory, &mut |group| tree::write(group, "freezer.state", "THAWED"))
            .map_err(failed("thawing", directory))
    }

    /// The host's numbers of all processes in the group and below it.
    ///
    /// # Errors
    /// What reading answers.
    pub fn pids(&self) -> Result<Vec<i32>, Error> {
        let first = self.v1(Controller::Freezer).or_else(|| self.directories().next().map(PathBuf::as_path));
        let Some(directory) = first else { return Ok(Vec::new()) };
        let mut pids = Vec::new();
        tree::walk(directory, &mut |group| match tree::read(group, "cgroup.procs") {
            Ok(text) => {
                pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
                Ok(())
            }
            // A threaded group: the group above lists its processes.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()) => Ok(()),
            Err(e) => Err(e),
        })
        .map_err(failed("reading", directory))?;
        Ok(pids)
    }

    /// What the group uses and has used.
    ///
    /// # Errors
    /// What reading answers; what a kernel does not count is zero or `None`.
    pub fn stats(&self) -> Result<Stats, Error> {
        stats::read(self)
    }

    /// How many processors its quota is worth, rounded up; `None`: it has none.
    #[must_use]
    pub fn processors(&self) -> Option<u64> {
        stats::processors(self)
    }

    /// How many processes were killed for want of memory.
    ///
    /// # Errors
    /// What reading answers.
    pub fn oom_killed(&self) -> Result<u64, Error> {
        stats::oom_killed(self)
    }

    /// Removes the group and all below it, and kills whatever keeps it: also what is just on its way in, and is where a kill looks
    /// only a moment after it is in others of the group's directories.
    ///
    /// # Errors
    /// [`Error::Stuck`] if it stays busy.
    pub(super) fn end(self) -> Result<(), Error> {
        for directory in self.directories() {
            wait(directory, "is busy", || match tree::remove(directory) {
                Ok(()) => Ok(true),
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                    // Where it looks may be removed already: then what comes cannot enter either.
                    self.kill().unwrap_or_default();
                    Ok(false)
                }
                Err(e) => Err(failed("removing", directory)(e)),
            })?;
        }
        Ok(())
    }

    /// Removes the group and all below it, waiting for processes that are ending.
    ///
    /// # Errors
    /// [`Error::Stuck`] if it stays busy: kill it first.
    pub fn remove(self) -> Result<(), Error> {
        for directory in self.directories() {
            wait(directory, "is busy", || match tree::remove(directory) {
                Ok(()) => Ok(true),
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => Ok(false),
                Err(e) => Err(failed("removing", directory)(e)),
            })?;
        }
        Ok(())
    }
}

/// Where the processes are.
fn leaf(directory: &Path) -> PathBuf {
    let session = directory.join(SESSION);
    if session.is_dir() { session } else { directory.to_owned() }
}

/// The version 2 group of a process, if it is where the processes of `directory` are or below that.
fn beside(directory: &Path, process: i32) -> Option<PathBuf> {
    let text = std::fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let own = Path::new(text.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let plain = own.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let within = leaf(directory);
    let mut roots = directory.ancestors().skip(1).filter(|_| plain);
    roots.find_map(|root| Some(root.join(own)).filter(|path| path.starts_with(&within) && path.is_dir()))
}

fn wait(path: &Path, what: &'static str, mut done: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let start = Instant::now();
    while !done()? {
        if start.elapsed() > PATIENCE {
            return Err(Error::Stuck { path: path.to_owned(), what, seconds: PATIENCE.as_secs() });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Makes a directory that may be there.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(failed("making", path)),
    }
}

/// Makes groups below a version 1 group take its processors and nodes over: cheaper than writing them to each.
const CLONE_CHILDREN: &str = "cgroup.clone_children";

/// Readies a version 1 group that others are made below.
pub(super) fn ready_parent(from: &Path, to: &Path, controllers: &BTreeSet<Controller>) -> Result<(), Error> {
    ready_v1(from, to, controllers)?;
    if controllers.contains(&Controller::Cpuset) && from == to && to.join(CLONE_CHILDREN).exists() {
        put(to, CLONE_CHILDREN, "1")?;
    }
    Ok(())
}

/// Gives a fresh version 1 group what it does not inherit: processors and nodes, and on old kernels the hierarchy itself.
pub(super) fn ready_v1(from: &Path, to: &Path, controllers: &BTreeSet<Controller>) -> Result<(), Error> {
    if controllers.contains(&Controller::Cpuset) && from != to {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if read(to, file)?.trim().is_empty() {
                put(to, file, read(from, file)?.trim())?;
            }
        }
    }
    let file = "memory.use_hierarchy";
    if controllers.contains(&Controller::Memory) && read(to, file).is_ok_and(|text| text.trim() == "0") {
        put(to, file, "1")?;
    }
    Ok(())
}

/// Passes version 2 controllers on to the children of a group.
pub(super) fn enable(directory: &Path, controllers: &BTreeSet<Controller>) -> Result<(), Error> {
    let (offered, passed) =
        (read(directory, "cgroup.controllers")?, read(directory, "cgroup.subtree_control")?);
    let has = |list: &str, name: &str| list.split_whitespace().any(|n| n == name);
    for name in controllers.iter().filter_map(|c| c.v2()).filter(|n| has(&offered, n) && !has(&passed, n)) {
        put(directory, "cgroup.subtree_control", &format!("+{name}"))?;
    }
    Ok(())
}

fn give(directory: &Path, files: &[&str], range: IdRange) -> Result<(), Error> {
    let own = |path: &Path| {
        std::os::unix::fs::chown(path, Some(range.base), Some(range.base)).map_err(failed("delegating", path))
    };
    own(directory)?;
    files.iter().try_for_each(|file| own(&directory.join(file)))
}

pub(super) fn read(directory: &Path, file: &str) -> Result<String, Error> {
    let path = directory.join(file);
    std::fs::read_to_string(&path).map_err(failed("reading", &path))
}

fn put(directory: &Path, file: &str, value: &str) -> Result<(), Error> {
    let path = directory.join(file);
    std::fs::write(&path, value).map_err(failed("writing", &path))
}
