//! Promise: neither a context nor a Dockerfile, a base image or a command reaches the host or another build, and what fails,
//! hangs or floods hurts its own build alone, says why, and leaves nothing.

use crate::build::{BASE, Context, built, docker_build, nothing_is_left, said};
use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// A file of the host's that nobody may read, change or delete.
fn canary(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.dir().join("host");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("canary"), "of the host").unwrap();
    folder
}

fn unharmed(folder: &Path) {
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["canary"]);
    assert_eq!(std::fs::read_to_string(folder.join("canary")).unwrap(), "of the host");
}

#[tokio::test]
async fn what_cannot_be_built_is_said_in_dockers_words() {
    let sandbox = Sandbox::engine().await.unwrap();
    for (dockerfile, code, words) in [
        (format!("FROM {BASE}\n\nRUNN x\n"), 1, "dockerfile parse error line 3: unknown instruction: RUNN"),
        (
            format!("FROM {BASE}\nRUN exit 42\n"),
            42,
            "The command '/bin/sh -c exit 42' returned a non-zero code: 42",
        ),
        (format!("FROM {BASE}\nRUN exit 42\n"), 42, "Dockerfile:2: RUN exit 42"),
        (format!("FROM {BASE}\nRUN [\"/none\"]\n"), 1, "/none"),
        (
            format!("FROM {BASE}\nCOPY ../x /\n"),
            1,
            "COPY failed: forbidden path outside the build context: ../x ()",
        ),
        (
            format!("FROM {BASE}\nCOPY none /\n"),
            1,
            "COPY failed: file not found in build context or excluded by .dockerignore: stat none: file does not exist",
        ),
        (format!("FROM {BASE}\nCOPY a b /to\n"), 1, "the destination must be a directory and end with a /"),
        (
            format!("FROM {BASE}\nCOPY --chown=nobody_here a /to\n"),
            1,
            "unable to convert uid/gid chown string",
        ),
        (format!("FROM {BASE}\nCOPY --chmod=9 a /to\n"), 1, "invalid chmod parameter"),
        (format!("FROM {BASE}\nCOPY a /etc/passwd/x\n"), 1, "cannot copy to non-directory"),
        (format!("FROM {BASE}\nCOPY --from=7 a /\n"), 1, "invalid from flag value 7"),
        (format!("FROM {BASE}\nUSER 4294967296\nRUN true\n"), 1, "4294967296"),
        ("FROM localhost:1/none\n".to_owned(), 1, "localhost:1"),
        ("FROM scratch\nRUN true\n".to_owned(), 1, "nothing can be run in an empty image"),
        ("FROM ${NONE}\n".to_owned(), 1, "should not be blank"),
        (
            format!("FROM {BASE} AS a\nCOPY --from=b /x /x\nFROM {BASE} AS b\nCOPY --from=a /x /x\n"),
            1,
            "circular dependency detected on stage: a",
        ),
        (format!("FROM {BASE} AS a\nCOPY --from=a /x /x\n"), 1, "circular dependency detected on stage: a"),
        (format!("FROM {BASE}\nRUN --mount=type=ssh true\n"), 1, "type=ssh is refused"),
        (
            format!("FROM {BASE}\nRUN --mount=type=secret,id=none,required true\n"),
            1,
            "secret none: not found",
        ),
        (format!("FROM {BASE}\nENV A=\"${{NONE:?must be}}\"\n"), 1, "NONE: must be"),
    ] {
        let context = Context::new(&dockerfile);
        context.file("a", "a");
        context.file("b", "b");
        let (found, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(found == Some(code) && text.contains(words), "{dockerfile}: {found:?} {text}");
    }
    let context = Context::new(&format!("FROM {BASE}\nCOPY . /all\nRUN ls -A /all\n"));
    context.file(".dockerignore", "Dockerfile\n.dockerignore\nsecret*\n");
    context.file("secret.key", "x");
    let text = built(&sandbox, &[], context.dir());
    assert!(!text.contains("secret.key") && !text.contains(".dockerignore"), "{text}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn links_of_a_context_or_of_a_stage_lead_nowhere_else() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = canary(&sandbox);
    let context = Context::new("");
    let out = host.join("canary");
    symlink(&out, context.path("absolute")).unwrap();
    symlink(format!("../../../../../../..{}", out.display()), context.path("relative")).unwrap();
    symlink(&host, context.path("folder")).unwrap();
    for source in ["absolute", "relative", "folder/canary", "folder", "fold*/canary"] {
        context.file("Dockerfile", &format!("FROM {BASE}\nCOPY {source} /got\n"));
        let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(code == Some(1) && text.contains("COPY failed"), "{source}: {text}");
    }
    // Planted by a command: as a source, as a target, as a target of a mount, as the place of an archive.
    let planted = host.display();
    run(Command::new("tar")
        .arg("-cf")
        .arg(context.path("a.tar"))
        .arg("-C")
        .arg(context.dir())
        .arg("absolute"))
    .unwrap();
    context.file("file", "of the context");
    context.file(
        "Dockerfile",
        &format!(
            "FROM {BASE} AS bad\nRUN ln -s {planted} /out; ln -s {planted}/canary /one; ln -s / /self\n\
             FROM bad\nCOPY file /out/new\nCOPY file /one\nADD a.tar /out/\nWORKDIR /out/deep\n\
             RUN --mount=type=tmpfs,target=/out/mounted --mount=type=cache,target=/self/out/cached true\n\
             RUN --mount=type=bind,from=bad,source=/etc,target=/in test ! -e /in/../{planted}/canary\n\
             RUN cat /out/new /one; test ! -e /out/canary\n"
        ),
    );
    let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
    // Where the image has no such directory a dangling link is no place; where it is made, it is made inside.
    assert!(code == Some(0) || text.contains("COPY failed") || text.contains("non-directory"), "{text}");
    unharmed(&host);
    for source in ["/out", "/one", "/out/canary"] {
        context.file(
            "Dockerfile",
            &format!("FROM {BASE} AS bad\nRUN ln -s {planted} /out; ln -s {planted}/canary /one\nFROM {BASE}\nCOPY --from=bad {source} /got\n"),
        );
        let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(code == Some(1) && text.contains("COPY failed"), "{source}: {text}");
    }
    for source in ["/out", "/one"] {
        context.file(
            "Dockerfile",
            &format!("FROM {BASE} AS bad\nRUN ln -s {planted} /out; ln -s {planted}/canary /one\nFROM {BASE}\nRUN --mount=from=bad,source={source},target=/t ls /t\n"),
        );
        let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(code == Some(1) && !text.contains("of the host"), "{source}: {text}");
    }
    unharmed(&host);
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn a_context_that_is_hostile_is_refused_or_stays_inside() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = canary(&sandbox);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("Dockerfile"), format!("FROM {BASE}\nCOPY . /all\nRUN ls -lR /all\n")).unwrap();
    std::fs::write(path("evil"), "x").unwrap();
    symlink(&host, path("link")).unwrap();
    let tar = |arguments: &[&str]| {
        let archive = path("context.tar");
        let mut command = Command::new("tar");
        command.arg("-P").arg("-cf").arg(&archive).args(arguments).current_dir(folder.path());
        run(&mut command).unwrap();
        let mut build = sandbox.command(&["build", "-"]);
        build.env("DOCKER_BUILDKIT", "0").stdin(std::fs::File::open(archive).unwrap());
        said(&mut build)
    };
    let up = format!("--transform=s|^evil$|../../../../../../../..{}/evil|", host.display());
    let (code, text) = tar(&[&up, "Dockerfile", "evil"]);
    assert!(code == Some(1) && text.contains("leads out"), "{text}");
    // Absolute names are meant from the context's own root.
    let absolute = format!("--transform=s|^evil$|{}/evil|", host.display());
    let (code, text) = tar(&[&absolute, "Dockerfile", "evil"]);
    assert_eq!(code, Some(0), "{text}");
    // A link, then a file through it.
    let through = "--transform=s|^evil$|link/evil|";
    let (_, text) = tar(&[through, "Dockerfile", "link", "evil"]);
    assert!(!text.contains("of the host"), "{text}");
    // A hard link to the host's file.
    std::fs::hard_link(host.join("canary"), path("hard")).unwrap();
    std::fs::hard_link(path("hard"), path("second")).unwrap();
    let hard = format!("--transform=s|^hard$|{}/canary|h", host.display());
    let (_, text) = tar(&[&hard, "Dockerfile", "hard", "second"]);
    assert!(!text.contains("of the host"), "{text}");
    std::fs::remove_file(path("hard")).unwrap();
    std::fs::remove_file(path("second")).unwrap();
    // A device is left out.
    let (code, text) = tar(&["Dockerfile", "/dev/null"]);
    assert!(code == Some(0) && !text.contains("crw"), "{text}");
    // Garbage, and a bomb.
    std::fs::write(path("garbage"), vec![7; 5000]).unwrap();
    run(Command::new("sh")
        .arg("-c")
        .arg(format!("head -c 400000000 /dev/zero | gzip -9 > {}", path("bomb").display())))
    .unwrap();
    for name in ["garbage", "bomb"] {
        let client =
            reqwest::Client::builder().unix_socket(sandbox.dir().join("engine.sock")).build().unwrap();
        let body = std::fs::read(path(name)).unwrap();
        let answer = client.post("http://engine/build").body(body).send().await.unwrap();
        assert!(!answer.status().is_success(), "{name}: {}", answer.text().await.unwrap());
    }
    unharmed(&host);
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn what_commands_plant_is_removed_and_not_followed() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = canary(&sandbox);
    let context = Context::new(&format!(
        "FROM {BASE}\nRUN --mount=type=cache,target=/c ln -s {0} /c/out; mkdir -p /c/d /layer; ln -s {0} /c/d/out; ln -s {0} /layer/out\n\
         RUN --mount=type=cache,target=/c rm -rf /c/d; mv /c/out /c/moved\n\
         RUN mkdir -p /deep; cd /deep; i=0; while [ $i -lt 200 ]; do mkdir d; cd d; i=$((i+1)); done; ln -s {0} out\n",
        host.display()
    ));
    built(&sandbox, &["-t", "planted"], context.dir());
    sandbox.ok(&["rmi", "planted"]).unwrap();
    sandbox.ok(&["builder", "prune", "--all", "--force"]).unwrap();
    unharmed(&host);
    let left = std::fs::read_dir(sandbox.dir().join("state/build/caches")).unwrap().count();
    assert_eq!(left, 0, "a cache stayed");
    // Deeper than a layer may be: an error, and it is cleared away.
    let context = Context::new(&format!(
        "FROM {BASE}\nRUN i=0; while [ $i -lt 400 ]; do mkdir d && cd d; i=$((i+1)); done\n"
    ));
    let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
    assert!(code == Some(1) && text.contains("deep"), "{text}");
    unharmed(&host);
}

#[tokio::test]
async fn a_base_images_triggers_can_do_no_more_than_any_step() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = canary(&sandbox);
    for (trigger, words) in [
        ("COPY ../../etc/passwd /got", "forbidden path outside the build context"),
        ("RUN --mount=type=bind,source=/etc/passwd,target=/t cat /t", "file not found in build context"),
        ("COPY --from=none:5000/x /a /b", "none:5000"),
    ] {
        let base = Context::new(&format!("FROM {BASE}\nONBUILD {trigger}\n"));
        built(&sandbox, &["-t", "trap"], base.dir());
        let context = Context::new("FROM trap\n");
        let (code, text) = said(&mut docker_build(&sandbox, &[], context.dir()));
        assert!(code == Some(1) && text.contains(words), "{trigger}: {text}");
    }
    let base =
        Context::new(&format!("FROM {BASE}\nONBUILD RUN echo triggered > /by\nONBUILD COPY file /from\n"));
    built(&sandbox, &["-t", "trigger"], base.dir());
    let context = Context::new("FROM trigger\nRUN cat /by /from\n");
    context.file("file", "of the context\n");
    let text = built(&sandbox, &["-t", "fired"], context.dir());
    assert!(
        text.contains("# Executing 2 build triggers") && text.contains("triggered\nof the context\n"),
        "{text}"
    );
    // They are spent.
    let onbuild = ["inspect", "-f", "{{json .Config.OnBuild}}", "fired"];
    assert_eq!(sandbox.ok(&onbuild).unwrap(), "null");
    unharmed(&host);
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn who_goes_away_ends_the_build_and_a_flood_is_borne() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new(&format!("FROM {BASE}\nRUN sleep 100000\n"));
    let mut child = docker_build(&sandbox, &[], context.dir()).stdout(Stdio::null()).spawn().unwrap();
    let running = || async { (!sandbox.ok(&["ps", "-q"]).unwrap().is_empty()).then_some(()) };
    until("the command", running).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || async { sandbox.ok(&["ps", "-aq"]).unwrap().is_empty().then_some(()) };
    until("the end of the command", gone).await.unwrap();
    let cleared = || async {
        let contexts = std::fs::read_dir(sandbox.dir().join("state/build/contexts")).unwrap();
        (contexts.count() == 0).then_some(())
    };
    until("the end of the context", cleared).await.unwrap();
    // Asked by name.
    let client = reqwest::Client::builder().unix_socket(sandbox.dir().join("engine.sock")).build().unwrap();
    let archive = context.path("context.tar");
    run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(context.dir()).arg("Dockerfile")).unwrap();
    let body = std::fs::read(archive).unwrap();
    let building = client.post("http://engine/build?buildid=mine").body(body).send().await.unwrap();
    until("the command", running).await.unwrap();
    client.post("http://engine/build/cancel?id=mine").send().await.unwrap();
    let text = building.text().await.unwrap();
    assert!(text.contains("build canceled"), "{text}");
    until("the end of the command", gone).await.unwrap();
    // 40 MB of output arrive.
    let flood = Context::new(&format!("FROM {BASE}\nRUN yes 0123456789 | head -c 40000000\n"));
    let text = built(&sandbox, &[], flood.dir());
    assert!(text.len() > 40_000_000, "{}", text.len());
    nothing_is_left(&sandbox);
}
