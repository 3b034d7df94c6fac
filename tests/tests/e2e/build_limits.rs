//! Promise: what a build's commands write is bounded while they run, and what stands where a Dockerfile is looked for is read only
//! if it is a file of the context's own.

use crate::build::{BASE, Context, built, docker_build, nothing_is_left, said};
use sandlot_tests::process::run;
use sandlot_tests::sandbox::{Part, Sandbox};
use std::os::unix::fs::symlink;
use std::process::Command;

#[tokio::test]
async fn a_command_is_ended_long_before_it_fills_the_disk() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    let flood = "dd if=/dev/zero bs=1M count=100 of=";
    let fill = |flags: &str, to: &str, then: &str| {
        Context::new(&format!("FROM {BASE}\nRUN {flags} {flood}{to} 2>&1; sync; {then}\n"))
    };
    let text = built(&sandbox, &[], fill("", "/flood", "echo all of it").dir());
    assert!(text.contains("all of it"), "with a bound that is far away it is all written: {text}");
    sandbox.ok(&["builder", "prune", "--all", "--force"]).unwrap();

    sandbox.engine_setting("SANDLOT_IMAGE_LIMIT", "32m");
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    for (flags, to, words) in [
        ("", "/flood", "its command would have more than 33554432 bytes"),
        (
            "--mount=type=cache,target=/c",
            "/c/flood",
            "the caches of builds would have more than 33554432 bytes",
        ),
    ] {
        // It would go on for ever, and with it the disk.
        let context = fill(flags, to, "sleep 100000");
        let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(code == Some(1) && text.contains(words), "{flags}: {code:?} {text}");
        sandbox.ok(&["builder", "prune", "--all", "--force"]).unwrap();
    }
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn a_dockerfile_or_its_ignore_file_that_is_a_link_out_or_a_pipe_is_not_read() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = tempfile::tempdir().unwrap();
    let secret = host.path().join("Dockerfile");
    std::fs::write(&secret, format!("FROM {BASE}\nRUN echo of the host\n")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let build = || {
        let archive = host.path().join("context.tar");
        let mut tar = Command::new("tar");
        run(tar.arg("-cf").arg(&archive).arg("-C").arg(folder.path()).arg(".")).unwrap();
        let mut build = sandbox.command(&["build", "-"]);
        build.env("DOCKER_BUILDKIT", "0").stdin(std::fs::File::open(archive).unwrap());
        said(&mut build)
    };
    let place = |name: &str, kind: &str| {
        std::fs::remove_file(path(name)).unwrap_or_default();
        match kind {
            "pipe" => run(Command::new("mkfifo").arg(path(name))).map(drop).unwrap(),
            "absolute" => symlink(&secret, path(name)).unwrap(),
            _ => symlink(format!("../../../../../../../..{}", secret.display()), path(name)).unwrap(),
        }
    };
    for kind in ["absolute", "relative", "pipe"] {
        place("Dockerfile", kind);
        if kind != "pipe" {
            let text = std::fs::read_to_string(path("Dockerfile")).unwrap_or_default();
            assert!(kind == "relative" || text.contains("of the host"), "who opens it by its path reads it");
        }
        let (code, text) = build();
        assert!(code == Some(1) && text.contains("Cannot locate specified Dockerfile"), "{kind}: {text}");
        assert!(!text.contains("of the host"), "{kind}: {text}");
    }
    std::fs::remove_file(path("Dockerfile")).unwrap();
    std::fs::write(path("Dockerfile"), format!("FROM {BASE}\nCOPY . /all\nRUN echo built\n")).unwrap();
    for kind in ["absolute", "relative", "pipe"] {
        place(".dockerignore", kind);
        let (code, text) = build();
        assert!(code == Some(0) && text.contains("built"), "{kind}: {text}");
    }
    nothing_is_left(&sandbox);
}
