//! User ids, capabilities and what would widen them.

#![allow(clippy::unwrap_used)]

use crate::attack::{
    Walls, are_denied, armed, bare, chrooted, interpreted, python, script, shell, succeed_only_without_walls,
};
use crate::spawned::{CAPABILITIES, Spawned, sh};
use rustix::mount::{OpenTreeFlags, open_tree};
use sandlot::container::spec::{IdRange, Init, Mount, MountSource};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

#[tokio::test]
async fn a_setuid_program_gains_nothing() {
    let mut s = Spawned::new().await;
    let secret = "echo secret >/secret && chmod 600 /secret && cp /usr/bin/cat /tmp/gain && chmod 4755 /tmp/gain && \
                  /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups";
    let attacks = [shell("setuid", format!("{secret} /tmp/gain /secret"))];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
    // It is no_new_privs that keeps it from it: not having that is all that `bare` has more.
    assert!(bare(&s, &format!("{secret} --no-new-privs /tmp/gain /secret")).contains("Permission denied"));
}

/// What a container with these ids can do with other people's files in a directory that it is given.
async fn read_by(range: IdRange, shared: &Path) -> Vec<String> {
    let mut s = Spawned::of(Path::new(env!("CARGO_BIN_EXE_sandlot")), range).await;
    let attacks = [
        shell("read_root", "cat /shared/root"),
        shell("read_other", "cat /shared/other"),
        shell("take_root", "chown 0 /shared/root && chmod 600 /shared/root"),
        shell("take_other", "chown 0:0 /shared/other && chmod 600 /shared/other"),
        shell("write", "touch /shared/new"),
    ];
    let (_, process) = Walls::EACH[1].around(sh(&script(&attacks)));
    let (mut spec, mut fds) = armed(&s, Init::Command, Some(process));
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    fds.mounts.push(open_tree(rustix::fs::CWD, shared, flags).unwrap());
    spec.mounts.push(Mount { source: MountSource::Detached(1), target: "/shared".into(), readonly: false });
    let (_, text) = s.run(&spec, fds).await.unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn files_of_the_host_and_of_another_container_are_not_a_containers_own() {
    let base = 1_000_000 + std::process::id() % 30_000 * 65_536;
    let shared = tempfile::tempdir().unwrap();
    for (name, owner) in [("root", 0), ("other", base + 65_536)] {
        let file = shared.path().join(name);
        std::fs::write(&file, "secret").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        chown(file, Some(owner), Some(owner)).unwrap();
    }
    let own = IdRange { base, count: 65_536 };
    assert_eq!(read_by(own, shared.path()).await, ["end"]);
    let others = IdRange { base: base + 65_536, count: 65_536 };
    assert_eq!(read_by(others, shared.path()).await, ["read_other", "take_other", "end"]);
    let hosts = IdRange { base: 0, count: 65_536 };
    assert_eq!(read_by(hosts, shared.path()).await, ["read_root", "take_root", "write", "end"]);
}

#[tokio::test]
async fn climbing_out_of_a_changed_root_ends_in_the_containers_own() {
    let mut s = Spawned::new().await;
    let canary = s.dir.path().join("spawner.sock");
    let climb = python(
        "climb",
        &format!(
            "
os.mkdir(\"/tmp/below\")
top = os.open(\"/\", 0)
os.chroot(\"/tmp/below\")
os.fchdir(top)
for n in range(64):
    os.chdir(\"..\")
os.chroot(\".\")
sys.exit(not os.path.exists(\"{}\"))",
            canary.display()
        ),
    );
    // chroot(2) alone is no wall.
    assert_eq!(chrooted(&s, &script(std::slice::from_ref(&climb))), "climb\nend\n");
    are_denied(&mut s, &[climb], &Walls::EACH).await;
    // The climb itself is possible there: it ends at the container's root.
    let own = interpreted("os.chdir(\"/..\"); os.chroot(\"..\"); print(sorted(os.listdir(\"/\"))[:3])");
    assert_eq!(crate::attack::inside(&mut s, Walls::EACH[0], &own).await, "['attack.py', 'bin', 'dev']\n");
}

#[tokio::test]
async fn the_bounding_set_and_no_new_privs_hold() {
    let mut s = Spawned::new().await;
    let (_, text) = s.sh("grep -E 'Cap|NoNewPrivs' /proc/self/status").await;
    for line in ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(text.contains(line), "{text}");
    }
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(text.contains(&format!("{set}:\t{CAPABILITIES:016x}")), "{text}");
    }
}
