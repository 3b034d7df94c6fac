//! From a container's description to the flat list of steps that set it up: pure, so that it can be read and tested.
//!
//! The order is the point. Fresh filesystems are made (detached) while the host's `/proc` and `/sys` can still be seen,
//! for the kernel allows new ones only then; the root is entered and the old one let go; only then is anything
//! attached by a path, which can therefore lead nowhere but into the container.

use super::spec::{Container, Init, MountSource, Network, Profile};
use super::target::Links;

/// One thing to be done by the child that becomes the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a filesystem, not yet attached anywhere.
    Make(Filesystem),
    /// Make the given root the root, and let go of the old one.
    EnterRoot,
    /// Attach a mount below the root.
    Attach {
        /// What.
        what: Attached,
        /// Where: an absolute path in the container.
        target: String,
        /// Whether the mount is made read-only.
        access: Access,
        /// What a link on the way to the target means.
        links: Links,
    },
    /// `sethostname(2)`.
    HostName(String),
    /// `setdomainname(2)`.
    DomainName(String),
    /// Write a sysctl of the container's own namespaces: path below `/proc/sys`, value.
    Sysctl(String, String),
    /// The loopback device.
    LoopbackUp,
    /// Wait until the engine has moved an interface in.
    AwaitNetwork,
    /// The root becomes read-only.
    SealRoot,
}

/// A filesystem of the container's own namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// Its type.
    pub kind: &'static str,
    /// Its options.
    pub options: Vec<(String, String)>,
    /// Whether the container does without where the kernel refuses it.
    pub need: Need,
}

/// Whether a filesystem must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it the container does not start.
    Must,
    /// Without it something less important is missing.
    May,
}

/// What is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    /// The n-th filesystem that was made.
    Made(usize),
    /// The small tmpfs that becomes `/dev`.
    Volatile,
    /// A file of that tmpfs.
    File(&'static str),
    /// The n-th mount that the engine sent along.
    Sent(usize),
}

/// Whether an attached mount can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can.
    Write,
    /// It cannot.
    Read,
}

/// The most terminals of a container: the host has 4,096 in all.
const PTYS: u32 = 64;

/// How many namespaces of each kind may be made below a container of the nested profile.
const NESTED_NAMESPACES: u32 = 64;

/// How many inotify instances and watches a container may have: less than `fs.inotify.max_user_instances` (128 by default), which
/// bounds all that its root, the maker of its user namespace, has.
const INOTIFY: [(&str, u32); 2] = [("instances", 64), ("watches", 8192)];

/// The files that every container gets an own version of, in `/etc`.
pub const FILES: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// What every container makes first; the number of each is its name in [`Attached::Made`].
const FIRST: [(&str, Need); 5] = [
    ("proc", Need::Must),
    ("sysfs", Need::May),
    ("cgroup2", Need::May),
    ("devpts", Need::Must),
    ("mqueue", Need::May),
];
/// `/proc`, by which sysctls are written.
pub const PROC: usize = 0;
/// Where a nested session has another `/proc`, of which nothing is covered.
pub const WHOLE_PROC: &str = "/dev/.proc";
const SYS: usize = 1;
const CGROUP: usize = 2;
const PTS: usize = 3;
const MQUEUE: usize = 4;

/// The steps that need to know nothing but the profile: they are done while the rest is still being assembled.
#[must_use]
pub fn prelude(profile: Profile) -> Vec<Step> {
    let pts = [
        ("newinstance", ""),
        ("ptmxmode", "0666"),
        ("mode", "0620"),
        ("gid", "5"),
        ("max", &PTYS.to_string()),
    ];
    let mut steps: Vec<Step> = FIRST
        .into_iter()
        .map(|(kind, need)| filesystem(kind, if kind == "devpts" { &pts } else { &[] }, need))
        .map(Step::Make)
        .collect();
    steps.push(Step::LoopbackUp);
    steps.extend(sysctls(profile).into_iter().map(|(name, value)| Step::Sysctl(name, value)));
    steps
}

/// The steps for `spec` that follow [`prelude`].
#[must_use]
pub fn plan(spec: &Container) -> Vec<Step> {
    let mut list = List::default();
    let refused = Links::Refused;
    list.attach(Attached::Made(PROC), ("/proc", refused), Access::Write);
    if spec.profile == Profile::Nested {
        // Beneath the other: `ip netns exec` takes that one away, and may make its own only while one can be seen.
        list.make("sysfs", &[], Need::May, ("/sys", refused), Access::Read);
    }
    list.attach(Attached::Made(SYS), ("/sys", refused), Access::Read);
    list.attach(Attached::Made(CGROUP), ("/sys/fs/cgroup", refused), cgroup_access(spec.profile));
    list.attach(Attached::Volatile, ("/dev", refused), Access::Write);
    if spec.profile == Profile::Nested && spec.init == Init::Only {
        // Files of the other are covered by the session's own figures, and a new one may be mounted in an inner user
        // namespace only while one can be seen whole.
        list.make("proc", &[], Need::Must, (WHOLE_PROC, refused), Access::Write);
    }
    for name in FILES {
        list.attach(Attached::File(name), (&format!("/etc/{name}"), Links::Inside), Access::Write);
    }
    // It covers the place where these files lie.
    list.attach(Attached::Made(PTS), ("/dev/pts", refused), Access::Write);
    if spec.shm_size > 0 {
        let options = [("mode", "1777"), ("size", &spec.shm_size.to_string())];
        list.make("tmpfs", &options, Need::Must, ("/dev/shm", refused), Access::Write);
    }
    list.attach(Attached::Made(MQUEUE), ("/dev/mqueue", refused), Access::Write);
    for mount in &spec.mounts {
        let access = if mount.readonly { Access::Read } else { Access::Write };
        match &mount.source {
            MountSource::Detached(n) => {
                list.attach(Attached::Sent(*n), (&mount.target, Links::Inside), access);
            }
            MountSource::Tmpfs(options) => {
                list.make("tmpfs", &split(options), Need::Must, (&mount.target, Links::Inside), access);
            }
        }
    }
    list.into_steps(spec)
}

fn cgroup_access(profile: Profile) -> Access {
    match profile {
        Profile::Standard => Access::Read,
        Profile::Nested => Access::Write,
    }
}

/// `size=64m,mode=1777` as pairs.
fn split(options: &str) -> Vec<(&str, &str)> {
    options.split(',').filter(|o| !o.is_empty()).map(|o| o.split_once('=').unwrap_or((o, ""))).collect()
}

#[derive(Default)]
struct List {
    make: Vec<Filesystem>,
    attach: Vec<(Attached, String, Access, Links)>,
}

fn filesystem(kind: &'static str, options: &[(&str, &str)], need: Need) -> Filesystem {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Filesystem { kind, options, need }
}

impl List {
    fn attach(&mut self, what: Attached, (target, links): (&str, Links), access: Access) {
        self.attach.push((what, target.to_owned(), access, links));
    }

    fn make(
        &mut self,
        kind: &'static str,
        options: &[(&str, &str)],
        need: Need,
        target: (&str, Links),
        access: Access,
    ) {
        self.attach(Attached::Made(FIRST.len() + self.make.len()), target, access);
        self.make.push(filesystem(kind, options, need));
    }

    fn into_steps(self, spec: &Container) -> Vec<Step> {
        let mut steps: Vec<Step> = self.make.into_iter().map(Step::Make).collect();
        steps.push(Step::EnterRoot);
        steps.extend(self.attach.into_iter().map(|(what, target, access, links)| Step::Attach {
            what,
            target,
            access,
            links,
        }));
        steps.push(Step::HostName(spec.hostname.clone()));
        if !spec.domainname.is_empty() {
            steps.push(Step::DomainName(spec.domainname.clone()));
        }
        steps.extend(late_sysctls(spec).into_iter().map(|(name, value)| Step::Sysctl(name, value)));
        if spec.network == Network::Routed {
            steps.push(Step::AwaitNetwork);
        }
        if spec.readonly {
            steps.push(Step::SealRoot);
        }
        steps
    }
}

/// All settings of a container's namespaces, for one that is put on its feet in another way: path below `/proc/sys`, value.
#[must_use]
pub fn settings(spec: &Container) -> Vec<(String, String)> {
    sysctls(spec.profile).into_iter().chain(late_sysctls(spec)).collect()
}

/// Those that come when nothing is mounted any more.
fn late_sysctls(spec: &Container) -> Vec<(String, String)> {
    // A detached mount is in a namespace of its own, and a session gets one of time after the prelude.
    let most = inner_namespaces(spec.profile).to_string();
    let mut all: Vec<(String, String)> =
        ["mnt", "time"].map(|kind| (format!("user/max_{kind}_namespaces"), most.clone())).into();
    all.extend(spec.sysctls.iter().map(|(name, value)| (name.replace('.', "/"), value.clone())));
    all
}

fn inner_namespaces(profile: Profile) -> u32 {
    match profile {
        Profile::Standard => 0,
        Profile::Nested => NESTED_NAMESPACES,
    }
}

/// The limits on inner namespaces, but for those of mounts and time, and what Docker sets.
fn sysctls(profile: Profile) -> Vec<(String, String)> {
    let most = inner_namespaces(profile);
    let kinds = ["user", "pid", "net", "ipc", "uts", "cgroup"];
    let mut all: Vec<(String, String)> =
        kinds.iter().map(|kind| (format!("user/max_{kind}_namespaces"), most.to_string())).collect();
    all.extend(INOTIFY.map(|(what, most)| (format!("user/max_inotify_{what}"), most.to_string())));
    all.push(("net/ipv4/ip_unprivileged_port_start".into(), "0".into()));
    all.push(("net/ipv4/ping_group_range".into(), "0 65535".into()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::spec::{IdRange, Mount};

    fn spec() -> Container {
        Container {
            id: "0".repeat(64),
            range: IdRange { base: 1 << 20, count: 65_536 },
            hostname: "box".into(),
            domainname: String::new(),
            init: Init::Only,
            profile: Profile::Standard,
            network: Network::None,
            readonly: false,
            shm_size: 1 << 20,
            mounts: vec![],
            sysctls: vec![],
            process: None,
            engine: None,
        }
    }

    fn position(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> usize {
        steps.iter().position(wanted).unwrap()
    }

    #[test]
    fn filesystems_are_made_before_the_old_root_goes_and_attached_after() {
        let steps: Vec<Step> = prelude(Profile::Standard).into_iter().chain(plan(&spec())).collect();
        let enter = position(&steps, |s| *s == Step::EnterRoot);
        for (i, step) in steps.iter().enumerate() {
            match step {
                Step::Make(_) => assert!(i < enter),
                Step::Attach { .. } => assert!(i > enter),
                _ => {}
            }
        }
    }

    #[test]
    fn a_standard_container_may_make_no_namespaces() {
        let steps: Vec<Step> = prelude(Profile::Standard).into_iter().chain(plan(&spec())).collect();
        for kind in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"] {
            assert!(
                steps.contains(&Step::Sysctl(format!("user/max_{kind}_namespaces"), "0".into())),
                "{kind}"
            );
        }
    }

    #[test]
    fn mounts_keep_their_order_and_their_access() {
        let mut spec = spec();
        let tmpfs = MountSource::Tmpfs("size=1m".into());
        spec.mounts = vec![
            Mount { source: MountSource::Detached(0), target: "/data".into(), readonly: true },
            Mount { source: tmpfs, target: "/data/tmp".into(), readonly: false },
        ];
        let steps = plan(&spec);
        let data = position(
            &steps,
            |s| matches!(s, Step::Attach { target, access: Access::Read, .. } if target == "/data"),
        );
        let tmp = position(&steps, |s| matches!(s, Step::Attach { target, .. } if target == "/data/tmp"));
        assert!(data < tmp);
    }

    #[test]
    fn the_network_is_awaited_and_the_root_sealed_last() {
        let spec = Container { network: Network::Routed, readonly: true, ..spec() };
        let steps = plan(&spec);
        assert_eq!(steps[steps.len() - 2..], [Step::AwaitNetwork, Step::SealRoot]);
    }
}
