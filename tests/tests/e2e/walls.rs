//! What a container leaves behind: no user of the host gains by it, and the engine lives on.

use sandlot_tests::sandbox::{Part, Sandbox};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const IMAGE: &str = "sandlot/starter";
const NOBODY: u32 = 65_534;

/// Every file of that name below a directory.
fn named(name: &str, directory: &Path) -> Vec<PathBuf> {
    let output = Command::new("find").arg(directory).args(["-name", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// What a program prints that a user of the host runs who is nobody in particular.
fn by_nobody(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).uid(NOBODY).gid(NOBODY).current_dir("/").output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn programs_in_images_and_containers_give_no_user_of_the_host_any_right() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.engine_setting("SANDLOT_VOLUME_SIZE", "0");
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    sandbox.ok(&["volume", "create", "-o", "size=16m", "sized"]).unwrap();
    let volumes = ["-v", "shared:/data", "-v", "sized:/sized"];
    let run = [&["run", "-d", "--name", "evil"][..], &volumes, &[IMAGE, "sleep", "1000"]].concat();
    sandbox.ok(&run).unwrap();
    for to in ["/gain", "/data/gain", "/sized/gain"] {
        sandbox.ok(&["cp", "/usr/bin/id", &format!("evil:{to}")]).unwrap();
        sandbox.ok(&["exec", "evil", "sh", "-c", &format!("chown 0:0 {to}; chmod 4755 {to}")]).unwrap();
    }
    sandbox.ok(&["commit", "evil", "evil:image"]).unwrap();
    let state = sandbox.dir().join("state");
    let places = named("gain", &state);
    assert_eq!(places.len(), 4, "in the layer, the container and the volumes: {places:?}");
    for place in &places {
        assert_eq!(by_nobody(place, &["-u"]), "", "{}", place.display());
        assert!(std::fs::metadata(place).unwrap().permissions().mode() & 0o4000 != 0);
    }
    // It is the directories above that nobody may enter: open, what a layer or a volume holds is root's.
    for name in ["images", "containers", "volumes", "disks"] {
        std::fs::set_permissions(state.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let gained = places.iter().filter(|place| by_nobody(place, &["-u"]) == "0\n").count();
    assert_eq!(gained, 2, "setuid was not shown to work in the layer and the volume");
}

#[tokio::test]
async fn a_tree_of_any_depth_is_removed_and_the_engine_lives_on() {
    let sandbox = Sandbox::engine().await.unwrap();
    // Ten chains of directories, each as long as a path may be, and each below the deepest of the next.
    let deep = "p=$(printf 'd/%.0s' $(seq 2000)); mkdir top; \
                for n in $(seq 10); do mkdir -p new/$p && mv top new/$p && mv new top || exit 1; done; echo done";
    let volume = format!("cd /data; {deep}");
    for (flags, script) in [(&["--rm"][..], deep), (&["--rm", "-v", "deep:/data"][..], volume.as_str())] {
        let arguments = [&["run"], flags, &[IMAGE, "sh", "-c", script]].concat();
        assert_eq!(sandbox.ok(&arguments).unwrap(), "done");
    }
    // It can be looked at without harm, too.
    sandbox.ok(&["volume", "rm", "deep"]).unwrap();
    let containers = sandbox.dir().join("state/containers");
    let empty = || async { (std::fs::read_dir(&containers).unwrap().count() == 0).then_some(()) };
    sandlot_tests::wait::until("the trees to go", empty).await.unwrap();
    assert_eq!(sandbox.ok(&["run", "--rm", IMAGE, "echo", "alive"]).unwrap(), "alive");
}

#[tokio::test]
async fn nothing_of_a_container_is_run_to_copy_its_files() {
    // CVE-2026-41567 and its kin: archives were unpacked by the container's own tar, xz, …
    let sandbox = Sandbox::engine().await.unwrap();
    let plant = "for d in /bin /usr/bin /usr/local/bin /sbin; do mkdir -p $d; for t in tar xz gzip unpigz zstd ps id getent; do \
                 rm -f $d/$t; printf '#!/bin/busybox sh\\n/bin/busybox touch /ran\\n' >$d/$t; chmod 755 $d/$t; done; done; \
                 echo ready; exec sleep 1000";
    sandbox.ok(&["run", "-d", "--name", "box", IMAGE, "sh", "-c", plant]).unwrap();
    let ready = || async { (sandbox.ok(&["logs", "box"]).ok()? == "ready").then_some(()) };
    sandlot_tests::wait::until("the programs", ready).await.unwrap();
    // They would run: this is what is to be left alone.
    sandbox.ok(&["exec", "box", "tar"]).unwrap();
    sandbox.ok(&["exec", "box", "rm", "/ran"]).unwrap();
    let (from, to) = (sandbox.dir().join("from"), sandbox.dir().join("to"));
    std::fs::create_dir_all(&from).unwrap();
    std::fs::write(from.join("file"), "text").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    sandbox.ok(&["cp", &text(&from), "box:/tmp"]).unwrap();
    sandbox.ok(&["cp", "-a", "box:/tmp/from", &text(&to)]).unwrap();
    assert_eq!(std::fs::read_to_string(to.join("file")).unwrap(), "text");
    sandbox.ok(&["top", "box"]).unwrap();
    sandbox.ok(&["diff", "box"]).unwrap();
    sandbox.ok(&["commit", "box", "planted"]).unwrap();
    sandbox.ok(&["export", "-o", &text(&sandbox.dir().join("export.tar")), "box"]).unwrap();
    for format in ["-z", "-J", "-j"] {
        let tar = sandbox.dir().join(format!("packed{format}"));
        let packed =
            Command::new("tar").arg("-C").arg(&from).arg(format).arg("-cf").arg(&tar).arg("file").status();
        let put =
            sandbox.command(&["cp", "-", "box:/tmp"]).stdin(std::fs::File::open(&tar).unwrap()).output();
        // What is no codec of ours is refused, not handed to the container's.
        assert!(put.unwrap().status.success() || format != "-z" && packed.is_ok(), "{format}");
    }
    assert_eq!(
        sandbox.ok(&["exec", "box", "find", "/ran"]).unwrap_err().to_string().matches("No such file").count(),
        1
    );
}

#[tokio::test]
async fn what_the_kernel_makes_up_is_not_copied_out_with_the_hosts_rights() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "ln -s /proc /p; ln -s /sys/kernel /s; exec sleep 1000";
    sandbox.ok(&["run", "-d", "--name", "box", IMAGE, "sh", "-c", script]).unwrap();
    sandbox.ok(&["exec", "box", "sh", "-c", "until [ -L /s ]; do :; done"]).unwrap();
    // There is something to be read, and root of the host may.
    let size = std::fs::metadata("/proc/kcore").map(|m| m.len()).unwrap_or(0);
    assert!(size > 1 << 30 || !Path::new("/proc/kcore").exists());
    assert!(!std::fs::read("/sys/kernel/uevent_seqnum").unwrap().is_empty());
    for path in ["/proc/kcore", "/p/kcore", "/s/uevent_seqnum", "/proc/1/environ"] {
        let to = sandbox.dir().join("stolen");
        let _may_fail = sandbox.ok(&["cp", &format!("box:{path}"), to.to_str().unwrap()]);
        assert_eq!(std::fs::read(&to).unwrap_or_default().len(), 0, "{path}");
    }
}

#[tokio::test]
async fn an_image_that_wants_a_volume_in_proc_is_refused() {
    // CVE-2025-52881: what set-up writes to /proc would go to the volume, and bound nothing.
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "--name", "box", IMAGE, "true"]).unwrap();
    for target in ["/proc/sys/user", "/proc", "/sys/fs/cgroup"] {
        sandbox.ok(&["commit", "--change", &format!("VOLUME {target}"), "box", "evil"]).unwrap();
        let refused = sandbox.docker(&["run", "--rm", "evil", "true"]).unwrap();
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && words.contains(target) && words.contains("inside"), "{words}");
    }
}
