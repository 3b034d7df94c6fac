//! Promise: the top-level Dockerfile builds, and what it builds runs sessions with the flags that are documented.
//!
//! Built by `buildah` on a Debian of `debootstrap`, with the programs of this build; run by a `dockerd` of the test's
//! own, in a network namespace of its own.

use anyhow::{Context, Result};
use sandlot_tests::dockerd::Dockerd;
use sandlot_tests::process::run;
use sandlot_tests::wait::until;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The flags that `docs/operations.md` gives, each with its reason there.
const FLAGS: &[&str] = &[
    "--cap-add=SYS_ADMIN",
    "--cap-add=NET_ADMIN",
    "--cap-add=SYS_PTRACE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--device-cgroup-rule=b 7:* rwm",
    "--device-cgroup-rule=c 10:237 rwm",
    "--volume=/dev:/dev",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup",
    "--volume=/var/lib/sandlot",
    "--tmpfs=/run",
];

/// Builds the Dockerfile; answers an archive of the image `localhost/sandlot:test`.
fn build(folder: &Path) -> Result<PathBuf> {
    let context = folder.join("context");
    std::fs::create_dir_all(context.join("programs"))?;
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::copy(top.join("Dockerfile"), context.join("Dockerfile"))?;
    for name in ["sandlot", "sandlot-server"] {
        let copy = context.join("programs").join(name);
        std::fs::copy(sandlot_tests::program(name)?, &copy)?;
        run(Command::new("strip").arg(copy))?;
    }
    let buildah = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
        let output = run(command.args(["--storage-driver", "vfs"]).args(arguments).current_dir(&context))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let base = buildah(&["from", "scratch"])?;
    let debian = sandlot_tests::image::debian()?;
    buildah(&["copy", "--quiet", &base, debian.to_str().context("a path in UTF-8")?, "/"])?;
    buildah(&["commit", "--quiet", "--rm", &base, "base:test"])?;
    let options = ["--quiet", "--isolation=chroot", "--network=host", "--tag=sandlot:test"];
    let given = ["--build-arg=BASE=localhost/base:test", "--build-arg=PROGRAMS=prebuilt", "."];
    buildah(&[&["build"][..], &options, &given].concat())?;
    let archive = folder.join("image.tar");
    buildah(&["push", "--quiet", "sandlot:test", &format!("docker-archive:{}", archive.display())])?;
    Ok(archive)
}

#[tokio::test]
async fn the_dockerfile_builds_and_what_it_builds_runs_sessions() {
    let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
    let archive = build(folder.path()).unwrap();
    let docker = Dockerd::start(folder.path(), &[]).await.unwrap();
    docker.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]).unwrap();
    let settings =
        [format!("--env=SANDLOT_CGROUP_PARENT={}", docker.name()), "--env=SANDLOT_ON_STOP=end".to_owned()];
    let start = ["run", "--detach", "--network=host", "--name", docker.name(), &settings[0], &settings[1]];
    docker.run(&[&start[..], FLAGS, &["localhost/sandlot:test"]].concat()).unwrap();
    let ready = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; head -1 <&3";
    let answer = until("the web server", || async {
        docker.run(&["exec", docker.name(), "bash", "-c", ready]).ok().filter(|line| line.contains(" 200 "))
    });
    answer.await.with_context(|| docker.run(&["logs", docker.name()]).unwrap_or_default()).unwrap();
    let session =
        ["sandlot", "run", "--rm", "--network", "none", "sandlot/starter", "cat", "/proc/self/uid_map"];
    let map = docker.run(&[&["exec", docker.name()][..], &session].concat()).unwrap();
    assert_eq!(map.split_whitespace().next(), Some("0"), "{map}");
    assert_ne!(
        map.split_whitespace().nth(1),
        Some("0"),
        "the container's root must not be the host's: {map}"
    );
    docker.run(&["stop", "--time=20", docker.name()]).unwrap();
    assert_eq!(sandlot_tests::traces::groups_below(docker.name()).unwrap(), Vec::<PathBuf>::new());
    drop(docker);
    let mark = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(sandlot_tests::traces::mounts(mark).unwrap(), Vec::<String>::new());
}
