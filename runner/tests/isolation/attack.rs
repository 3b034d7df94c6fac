//! Attacks as commands that end with 0 only if the forbidden thing was done, and the places they are tried in: as root
//! without any wall but another root directory, and in a container. What was never seen to succeed proves nothing.

#![allow(clippy::unwrap_used)]

use crate::spawned::{CAPABILITIES, Spawned, layer, sh};
use rustix::mount::{OpenTreeFlags, open_tree};
use sandlot::container::spec::{Container, Init, Mount, MountSource, Process, Profile};
use sandlot::container::{capabilities, seccomp};
use sandlot::spawner::client::StartFds;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The program that makes system calls by name.
const PROGRAM: &str = include_str!("attack.py");

/// See the module.
pub struct Attack {
    /// What it is called in a failure.
    pub name: &'static str,
    /// What is done, for a shell.
    pub command: String,
    /// Whether this machine has what is attacked, so that it must succeed where nothing defends.
    pub offered: bool,
}

/// A shell command.
pub fn shell(name: &'static str, command: impl Into<String>) -> Attack {
    Attack { name, command: command.into(), offered: true }
}

/// Lines of Python, which may use `call(name, …)`; no single quotes.
pub fn python(name: &'static str, code: &str) -> Attack {
    shell(name, interpreted(code))
}

/// The command that runs `code` by `attack.py`.
pub fn interpreted(code: &str) -> String {
    assert!(!code.contains('\''), "{code}");
    format!("/usr/bin/python3 -S /attack.py '{code}'")
}

impl Attack {
    /// Its success can be shown only if `condition` holds; the denial is asserted anyway.
    pub fn offered_if(self, condition: bool) -> Self {
        if !condition {
            eprintln!("{}: this machine has nothing to be attacked", self.name);
        }
        Self { offered: condition, ..self }
    }
}

/// Tries all; prints the names of those that succeed, and `end`.
pub fn script(attacks: &[Attack]) -> String {
    let one = |a: &Attack| format!("( {} ) >/dev/null 2>&1 </dev/null && echo {}\n", a.command, a.name);
    attacks.iter().map(one).chain(["echo end\n".to_owned()]).collect()
}

fn names(attacks: &[Attack], wanted: impl Fn(&Attack) -> bool) -> Vec<String> {
    attacks.iter().filter(|a| wanted(a)).map(|a| a.name.to_owned()).chain(["end".to_owned()]).collect()
}

fn succeeded(output: &str) -> Vec<String> {
    output.lines().map(str::to_owned).collect()
}

/// A file tree with busybox, the attacking program and places for the host's `/usr`.
pub fn tools(root: &Path) {
    std::fs::create_dir_all(root.join("usr")).unwrap();
    for name in ["lib", "lib64"] {
        if !root.join(name).is_symlink() {
            symlink(Path::new("usr").join(name), root.join(name)).unwrap();
        }
    }
    std::fs::write(root.join("attack.py"), PROGRAM).unwrap();
}

/// Runs a shell script as the host's root, with no wall but that its root directory is another with the same tools.
pub fn bare(s: &Spawned, script: &str) -> String {
    rooted(s, "pivot_root . . && umount -l . &&", script)
}

/// The same, with the old root left where it can be reached.
pub fn rooted_beside_the_old(s: &Spawned, script: &str) -> String {
    rooted(s, "mkdir -p old && pivot_root . old &&", script)
}

/// The same, with the root directory changed by chroot(2) alone.
pub fn chrooted(s: &Spawned, script: &str) -> String {
    rooted(s, "exec /usr/sbin/chroot .", script)
}

fn rooted(s: &Spawned, change: &str, script: &str) -> String {
    let root = s.dir.path().join("bare");
    if !root.exists() {
        layer(&root);
        tools(&root);
    }
    let enter = format!(
        "mount --bind \"$1\" \"$1\" && cd \"$1\" && mkdir -p proc sys dev && \
         for d in proc sys dev usr; do mount --rbind /$d $d || exit; done; \
         export PATH=/bin:/sbin:/usr/bin:/usr/sbin; {change} /bin/sh -c \"$2\""
    );
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "/bin/sh", "-c", &enter, "bare"])
        .arg(root)
        .arg(script)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A container with the host's `/usr`, so that there are tools to attack with.
pub fn armed(s: &Spawned, init: Init, process: Option<Process>) -> (Container, StartFds) {
    tools(&s.layer());
    let (mut spec, mut fds) = s.container(init, process);
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    fds.mounts.push(open_tree(rustix::fs::CWD, "/usr", flags).unwrap());
    spec.mounts.push(Mount { source: MountSource::Detached(0), target: "/usr".into(), readonly: true });
    (spec, fds)
}

/// Which walls a container is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walls {
    /// Namespaces and ids only: every capability, no filter.
    Namespaces(Profile),
    /// Every capability, every namespace, and the filter of this profile.
    Filter(Profile),
    /// As the engine makes them.
    All(Profile),
}

impl Walls {
    /// Every kind there is.
    pub const EACH: [Self; 4] = [
        Self::Namespaces(Profile::Standard),
        Self::Namespaces(Profile::Nested),
        Self::All(Profile::Standard),
        Self::All(Profile::Nested),
    ];

    /// The kinds that the engine makes.
    pub const REAL: [Self; 2] = [Self::All(Profile::Standard), Self::All(Profile::Nested)];

    /// Puts them around a process.
    pub fn around(self, process: Process) -> (Profile, Process) {
        match self {
            Self::Namespaces(profile) => (profile, Process { capabilities: u64::MAX, ..process }),
            Self::Filter(profile) => {
                let capabilities = capabilities::effective(profile, &[], &[]).unwrap();
                let seccomp = seccomp::programs(profile, capabilities).unwrap();
                (Profile::Nested, Process { capabilities: u64::MAX, seccomp, ..process })
            }
            Self::All(profile) => {
                let capabilities = capabilities::effective(profile, &[], &[]).unwrap();
                assert!(profile == Profile::Nested || capabilities == CAPABILITIES);
                let seccomp = seccomp::programs(profile, capabilities).unwrap();
                (profile, Process { capabilities, seccomp, ..process })
            }
        }
    }
}

/// Runs a script behind `walls`, with tools.
pub async fn inside(s: &mut Spawned, walls: Walls, script: &str) -> String {
    let (profile, process) = walls.around(sh(script));
    let (mut spec, fds) = armed(s, Init::Command, Some(process));
    spec.profile = profile;
    s.run(&spec, fds).await.unwrap().1
}

/// All of the attacks succeed behind any of `walls`: what is to be allowed, or the defence to be shown is not among them.
pub async fn succeed(s: &mut Spawned, attacks: &[Attack], walls: &[Walls]) {
    for walls in walls {
        let within = inside(s, *walls, &script(attacks)).await;
        let missing: Vec<_> =
            names(attacks, |a| a.offered).into_iter().filter(|n| !succeeded(&within).contains(n)).collect();
        assert!(missing.is_empty(), "{walls:?}: {missing:?} do not succeed:\n{within}");
    }
}

/// Each attack succeeds where nothing defends, and none behind any of `walls`.
pub async fn succeed_only_without_walls(s: &mut Spawned, attacks: &[Attack], walls: &[Walls]) {
    let script = script(attacks);
    let without = bare(s, &script);
    let missing: Vec<_> =
        names(attacks, |a| a.offered).into_iter().filter(|n| !succeeded(&without).contains(n)).collect();
    assert!(missing.is_empty(), "{missing:?} were not shown to succeed:\n{without}");
    are_denied(s, attacks, walls).await;
}

/// None of the attacks succeeds behind any of `walls`.
pub async fn are_denied(s: &mut Spawned, attacks: &[Attack], walls: &[Walls]) {
    for walls in walls {
        let within = inside(s, *walls, &script(attacks)).await;
        assert_eq!(succeeded(&within), ["end"], "{walls:?}");
    }
}
