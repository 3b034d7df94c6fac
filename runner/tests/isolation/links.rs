//! An image that has links where every container's own mounts and files go: they lead nowhere else.

#![allow(clippy::unwrap_used)]

use crate::attack::Walls;
use crate::spawned::{Spawned, process, sh};
use rustix::fs::{Mode, OFlags, RenameFlags, renameat_with};
use rustix::mount::{OpenTreeFlags, open_tree};
use sandlot::container::spec::{Init, Mount, MountSource, Process, Stdio};
use sandlot::spawner::client::Error;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Puts a link to `to` at `place` of a layer.
fn plant(s: &Spawned, place: &str, to: &Path) {
    let at = s.layer().join(place);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::remove_file(&at).unwrap_or_default();
    symlink(to, at).unwrap();
}

/// Whether who mounts by path, as runc did, has something at `outside` afterwards.
fn naive(what: &[&str], at: &Path, outside: &Path) -> bool {
    let script = "mount \"$@\" && grep -qF \" $0 \" /proc/self/mountinfo";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script]).arg(outside).args(what).arg(at);
    command.status().unwrap().success()
}

fn untouched(outside: &Path) {
    let names: Vec<_> = std::fs::read_dir(outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["canary"]);
    assert_eq!(std::fs::read_to_string(outside.join("canary")).unwrap(), "alive");
}

#[tokio::test]
async fn an_image_whose_own_places_are_links_changes_nothing_outside() {
    // CVE-2025-31133 and 2026's: an image's /dev as a link, in runc and crun.
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    for (place, to) in [
        ("dev", outside.path()),
        ("proc", outside.path()),
        ("sys", outside.path()),
        ("etc/hosts", &canary),
        ("etc/hostname", &canary),
        ("etc/resolv.conf", &canary),
    ] {
        let mut s = Spawned::new().await;
        plant(&s, place, to);
        let what: &[&str] = if to.is_dir() { &["-t", "tmpfs", "planted"] } else { &["--bind", "/dev/null"] };
        assert!(naive(what, &s.layer().join(place), to), "{place}: a link was not shown to lead out");
        let (spec, fds) =
            s.container(Init::Command, Some(sh("echo evil >/etc/hosts; echo evil >/dev/canary; echo ran")));
        match s.run(&spec, fds).await {
            Err(Error::Refused(failure)) => assert!(failure.step.contains(place), "{place}: {failure}"),
            Ok((_, text)) => assert!(text.contains("ran") && !to.is_dir(), "{place}: {text}"),
            Err(other) => panic!("{place}: {other}"),
        }
        untouched(outside.path());
    }
    // Links to what the kernel makes up, which would redirect what set-up writes.
    for (place, to) in [
        ("etc/hosts", "/proc/self/environ"),
        ("etc/hostname", "/proc/1/root/bin"),
        ("dev", "/proc/self"),
        ("sys", "/proc"),
    ] {
        let mut s = Spawned::new().await;
        plant(&s, place, Path::new(to));
        let (spec, fds) = s.container(Init::Command, Some(sh("grep -c ' / / ' /proc/self/mountinfo")));
        let result = s.run(&spec, fds).await;
        assert!(matches!(&result, Err(Error::Refused(_)) | Ok((_, _))), "{place}: {result:?}");
        if place != "etc/hosts" && place != "etc/hostname" {
            assert!(result.is_err(), "{place}: {result:?}");
        }
    }
}

#[tokio::test]
async fn a_volume_whose_owner_swaps_links_into_it_receives_every_mount_itself() {
    // CVE-2021-30465: another container that has the volume, too, exchanges a directory for a link while this one starts.
    const STARTS: usize = 100;
    let mut s = Spawned::new().await;
    let (volume, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("canary"), "alive").unwrap();
    std::fs::create_dir(volume.path().join("data")).unwrap();
    symlink(outside.path(), volume.path().join("link")).unwrap();
    for path in [volume.path().to_owned(), volume.path().join("data")] {
        std::os::unix::fs::chown(path, Some(s.range.base), Some(s.range.base)).unwrap();
    }
    let place = rustix::fs::open(volume.path(), OFlags::PATH, Mode::empty()).unwrap();
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::Relaxed) {
                renameat_with(&place, "data", &place, "link", RenameFlags::EXCHANGE).unwrap();
            }
        }
    });
    // Who makes what is missing by path makes it outside, sooner or later.
    let wanted = volume.path().join("data/made");
    let shown =
        (0..100_000).any(|_| std::fs::create_dir(&wanted).is_ok() && outside.path().join("made").exists());
    std::fs::remove_dir(outside.path().join("made")).unwrap_or_default();
    let mut started = 0;
    for n in 0..STARTS {
        let first = Process { cwd: format!("/volume/data/work-{n}"), ..process(&["/bin/true"], Stdio::Null) };
        let (mut spec, mut fds) = s.container(Init::Command, Some(first));
        let clone = || open_tree(rustix::fs::CWD, volume.path(), OpenTreeFlags::OPEN_TREE_CLONE).unwrap();
        fds.mounts = vec![clone(), clone()];
        let mount = |source, target: String| Mount { source, target, readonly: false };
        spec.mounts = vec![
            mount(MountSource::Detached(0), "/volume".into()),
            mount(MountSource::Tmpfs("size=4k".into()), format!("/volume/data/tmpfs-{n}")),
            mount(MountSource::Detached(1), format!("/volume/data/mount-{n}")),
        ];
        // Where the link is met, there is nothing behind it inside: that start is refused.
        started += usize::from(s.run(&spec, fds).await.is_ok());
    }
    done.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(shown, "the swapper was never fast enough to be shown");
    assert!(started > 0, "no container started");
    untouched(outside.path());
}

#[tokio::test]
async fn what_set_up_writes_to_proc_is_not_redirected_by_a_mount() {
    // CVE-2025-52881: the bound on inner namespaces would be written into a file of the volume.
    let mut s = Spawned::new().await;
    let volume = tempfile::tempdir().unwrap();
    let file = volume.path().join("max_user_namespaces");
    std::fs::write(&file, "").unwrap();
    let naive = "mount --bind \"$0\" /proc/sys/user && echo 0 >/proc/sys/user/max_user_namespaces";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", naive]).arg(volume.path());
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n");
    let (mut spec, mut fds) = s.container(Init::Command, Some(sh("true")));
    fds.mounts.push(open_tree(rustix::fs::CWD, volume.path(), OpenTreeFlags::OPEN_TREE_CLONE).unwrap());
    let source = MountSource::Detached(0);
    spec.mounts.push(Mount { source, target: "/proc/sys/user".into(), readonly: false });
    match s.run(&spec, fds).await {
        Err(Error::Refused(f)) => assert_eq!(f.step, "setting the sysctl user.max_mnt_namespaces to 0"),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_planted_multiplexer_or_null_takes_in_whoever_trusts_the_path() {
    // CVE-2025-52565, CVE-2025-31133; that ours notices it is in `paths`.
    let mut s = Spawned::new().await;
    let (_, planter) = Walls::Namespaces(sandlot::container::spec::Profile::Nested).around(sh(
        "umount /dev/pts; mkdir -p /dev/pts; echo >/dev/pts/ptmx; rm /dev/null; echo >/dev/null; \
         echo typed >/dev/pts/ptmx; echo hidden >/dev/null; cat /dev/pts/ptmx /dev/null",
    ));
    let (spec, fds) = s.container(Init::Command, Some(planter));
    assert_eq!(s.run(&spec, fds).await.unwrap().1, "typed\nhidden\n");
}
