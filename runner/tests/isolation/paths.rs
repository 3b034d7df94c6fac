//! Paths that a container or an image made: none leads out of its root.

#![allow(clippy::unwrap_used)]

use crate::attack::{Walls, are_denied, armed, rooted_beside_the_old, script, shell};
use crate::spawned::{Spawned, process, sh};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, fstat, mkdirat, openat, renameat_with, symlinkat, unlinkat,
};
use rustix::mount::{OpenTreeFlags, open_tree};
use sandlot::container::rootfs;
use sandlot::container::spec::{Init, Mount, MountSource, Process, Profile, Stdio};
use sandlot::container::target::{self, Links};
use sandlot::spawner::client::Error;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test]
async fn a_mount_target_that_is_a_link_leads_nowhere_but_into_the_root() {
    // CVE-2021-30465 and its kin: the image holds links where mounts will go.
    let mut s = Spawned::new().await;
    let outside = tempfile::tempdir().unwrap();
    symlink("../../../../../../..", s.layer().join("up")).unwrap();
    symlink("/tmp", s.layer().join("in")).unwrap();
    symlink(outside.path(), s.layer().join("out")).unwrap();
    // Who joins the paths makes the directory outside.
    std::fs::create_dir(s.layer().join("out/joined")).unwrap();
    std::fs::remove_dir(outside.path().join("joined")).unwrap();
    let tmpfs = |target: &str| Mount {
        source: MountSource::Tmpfs("size=64k".into()),
        target: target.to_owned(),
        readonly: false,
    };
    let script = "grep -c ' /tmp/deep ' /proc/self/mountinfo; echo canary >/tmp/deep/canary";
    for target in ["/up/tmp/deep", "/in/deep"] {
        let (mut spec, fds) = s.container(Init::Command, Some(sh(script)));
        spec.mounts = vec![tmpfs(target)];
        assert_eq!(s.run(&spec, fds).await.unwrap(), (0, "1\n".to_owned()), "{target}");
    }
    // Inside, the link leads to nothing, and nothing is made behind a link.
    let (mut spec, fds) = s.container(Init::Command, Some(sh("true")));
    spec.mounts = vec![tmpfs("/out/deep")];
    match s.run(&spec, fds).await {
        Err(Error::Refused(failure)) => assert_eq!(failure.step, "mounting /out/deep"),
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_target_swapped_for_a_link_while_it_is_looked_up_stays_inside() {
    const ROUNDS: usize = 10_000;
    /// How many such rounds the swapper may take to be seen: it may not run at first.
    const PATIENCE: usize = 200;
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = std::fs::File::open(root.path()).unwrap();
    let there = fstat(std::fs::File::open(outside.path()).unwrap()).unwrap().st_ino;
    mkdirat(&place, "data", Mode::from_raw_mode(0o755)).unwrap();
    symlinkat(outside.path(), &place, "link").unwrap();
    let done = AtomicBool::new(false);
    let (naive, ours) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(&place, "data", &place, "link", RenameFlags::EXCHANGE).unwrap();
            }
        });
        let path = root.path().join("data");
        let look =
            |path: &std::path::Path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
        let escaped = |fd: rustix::io::Result<std::os::fd::OwnedFd>| {
            fd.is_ok_and(|fd| fstat(fd).unwrap().st_ino == there)
        };
        let naive = (0..PATIENCE * ROUNDS).filter(|_| escaped(look(&path))).take(1).count();
        let by =
            |links| (0..ROUNDS).filter(|_| escaped(target::directory(place.as_fd(), "/data", links))).count();
        let ours = by(Links::Inside) + by(Links::Refused);
        done.store(true, Ordering::Relaxed);
        (naive, ours)
    });
    assert!(naive > 0, "the swapper was never fast enough to be shown");
    assert_eq!(ours, 0);
    unlinkat(&place, "link", AtFlags::empty())
        .or_else(|_| unlinkat(&place, "link", AtFlags::REMOVEDIR))
        .unwrap();
}

#[tokio::test]
async fn the_old_root_is_gone() {
    let mut s = Spawned::new().await;
    let canary = s.dir.path().join("spawner.sock");
    let search = format!(
        "for d in / /old /.. /proc/1/root /proc/1/root/old /proc/self/cwd/..; do test -e $d{} && exit 0; done; exit 1",
        canary.display()
    );
    let search = [shell("old_root", search)];
    assert_eq!(rooted_beside_the_old(&s, &script(&search)), "old_root\nend\n");
    are_denied(&mut s, &search, &Walls::EACH).await;
    let (_, text) = s.sh("ls /../../.. | tr '\\n' ' '; echo; cat /proc/self/mountinfo").await;
    assert!(text.starts_with("attack.py bin dev etc "), "{text}");
    // One root, the overlay; every other mount hangs below it.
    let roots: Vec<&str> = text.lines().filter(|l| l.split_whitespace().nth(4) == Some("/")).collect();
    assert_eq!(roots.len(), 1, "{text}");
    assert!(roots[0].contains(" - overlay "), "{text}");
    assert!(!text.contains(" - ext4 "), "{text}");
}

#[tokio::test]
async fn an_image_whose_dev_is_a_link_gets_no_mount_elsewhere() {
    let mut s = Spawned::new().await;
    std::os::unix::fs::symlink("/proc/self", s.layer().join("dev")).unwrap();
    let (spec, fds) = s.container(Init::Command, Some(sh("ls -la /dev; cat /dev/null")));
    match s.run(&spec, fds).await {
        Err(Error::Refused(failure)) => assert!(failure.step.contains("/dev"), "{failure}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_planted_terminal_multiplexer_or_null_is_noticed() {
    // CVE-2025-52565, CVE-2025-31133: what stands at the path is checked, not trusted.
    let mut s = Spawned::new().await;
    let all = Process {
        capabilities: u64::MAX,
        ..sh(
            "umount /dev/pts; mkdir -p /dev/pts; echo evil >/dev/pts/ptmx; rm /dev/null; echo evil >/dev/null; sleep 1000",
        )
    };
    let (spec, fds) = s.container(Init::Command, Some(all));
    s.start(&spec, fds).await.unwrap();
    let ready = process(
        &["/bin/sh", "-c", "until [ -s /dev/null ]; do sleep 0.01; done"],
        Stdio::Pipes { stdin: true },
    );
    s.exec(&spec.id, "wait", ready).await.unwrap();
    let terminal = process(&["/bin/sh"], Stdio::Terminal { cols: 80, rows: 24 });
    let result = s.exec(&spec.id, "t", terminal).await;
    assert!(matches!(&result, Err(Error::Refused(f)) if f.step == "opening a terminal"), "{result:?}");
    let result = s.exec(&spec.id, "n", process(&["/bin/true"], Stdio::Null)).await;
    assert!(matches!(&result, Err(Error::Refused(f)) if f.step.contains("streams")), "{result:?}");
}

/// What of these a container can do that is given a read-only mount of a directory of its own: as it is, or sealed.
async fn written(s: &mut Spawned, walls: Walls, seal: bool) -> String {
    let shared = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(shared.path(), Some(s.range.base), Some(s.range.base)).unwrap();
    let again = "mount -o remount,bind,rw";
    let attacks = [
        shell("write", "touch /shared/new"),
        shell("remount", format!("{again} /shared && touch /shared/new")),
        shell("whole", "mount -o remount,rw /shared && touch /shared/new"),
        shell(
            "bind",
            format!("mkdir /tmp/b; mount --bind /shared /tmp/b && {again} /tmp/b && touch /tmp/b/new"),
        ),
        shell("inner", format!("unshare -Urm sh -c \"{again} /shared && touch /shared/new\"")),
    ];
    let (profile, process) = walls.around(sh(&script(&attacks)));
    let (mut spec, mut fds) = armed(s, Init::Command, Some(process));
    spec.profile = profile;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, shared.path(), flags).unwrap();
    fds.mounts.push(if seal { rootfs::sealed(mount, &s.dir.path().join("sealed")).unwrap() } else { mount });
    spec.mounts.push(Mount { source: MountSource::Detached(1), target: "/shared".into(), readonly: true });
    let (_, text) = s.run(&spec, fds).await.unwrap();
    assert_eq!(text != "end\n", shared.path().join("new").exists(), "{text}");
    text
}

#[tokio::test]
async fn a_read_only_mount_stays_so_for_who_may_mount() {
    let mut s = Spawned::new().await;
    assert_eq!(written(&mut s, Walls::All(Profile::Nested), false).await, "remount\nbind\ninner\nend\n");
    for walls in Walls::EACH {
        assert_eq!(written(&mut s, walls, true).await, "end\n", "{walls:?}");
    }
    // Who may not mount needs no seal.
    assert_eq!(written(&mut s, Walls::All(Profile::Standard), false).await, "end\n");
}
