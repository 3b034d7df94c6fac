//! Promise: `sandlot build` does what Docker's client does, and what that cannot: secrets, outputs.

use crate::build::{BASE, Context, nothing_is_left};
use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use std::path::Path;
use std::process::Command;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn sandlot_builds_too() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context =
        Context::new(&format!("FROM {BASE}\nARG V\nCOPY . /in\nRUN cd /in; find . | sort; echo \"V=$V\"\n"));
    context.file(".dockerignore", "*.o\n!keep.o\n**/drop\nDockerfile\n.dockerignore\n");
    for name in ["a", "b.o", "keep.o", "sub/drop", "sub/kept"] {
        context.file(name, name);
    }
    std::fs::hard_link(context.path("a"), context.path("same")).unwrap();
    let said = sandbox.sandlot(&["build", "-t", "own:1", "--build-arg", "V=7", text(context.dir())]).unwrap();
    assert!(said.contains("\n.\n./a\n./keep.o\n./same\n./sub\n./sub/kept\nV=7\n"), "{said}");
    assert!(said.contains("Successfully tagged own:1"), "{said}");
    // The patterns beside the Dockerfile go first; the Dockerfile from elsewhere.
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("D");
    std::fs::copy(context.path("Dockerfile"), &file).unwrap();
    std::fs::write(other.path().join("D.dockerignore"), "sub\n").unwrap();
    let said = sandbox.sandlot(&["build", "-f", text(&file), text(context.dir())]).unwrap();
    assert!(said.contains("./b.o\n") && !said.contains("./sub") && !said.contains(".dockerfile."), "{said}");
    // By standard input: a Dockerfile, and an archive.
    let archive = other.path().join("context.tgz");
    run(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(context.dir()).arg(".")).unwrap();
    let alone = other.path().join("alone");
    std::fs::write(&alone, format!("FROM {BASE}\nRUN echo alone\n")).unwrap();
    for (input, words) in [(archive, "./sub/kept"), (alone, "alone")] {
        let mut command = sandbox.own_command(&["build", "-"]).unwrap();
        let output = command.stdin(std::fs::File::open(input).unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(words), "{output:?}");
    }
    let (code, said) = sandbox.said(&["build", text(&other.path().join("none"))]).unwrap();
    assert!(code == Some(1) && said.contains("unable to prepare context"), "{code:?} {said}");
    let failing = Context::new(&format!("FROM {BASE}\nRUN exit 3\n"));
    let (code, said) = sandbox.said(&["build", text(failing.dir())]).unwrap();
    assert!(code == Some(3) && said.contains("returned a non-zero code: 3"), "{code:?} {said}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn a_secret_is_seen_by_its_command_alone() {
    let sandbox = Sandbox::engine().await.unwrap();
    let hush = "hush-hush-4711";
    let context = Context::new(&format!(
        "FROM {BASE}\nRUN --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY,target=/other,mode=0444 \
         [ \"$(cat /run/secrets/key)\" = \"$KEY\" ] && grep -q 4711 /other && stat -c %a /run/secrets/key && \
         ! echo x > /run/secrets/key\n\
         RUN test ! -e /run/secrets && test ! -e /other && test -z \"$KEY\" && echo gone\n"
    ));
    let file = sandbox.dir().join("key");
    std::fs::write(&file, hush).unwrap();
    let secret = format!("id=key,src={}", text(&file));
    let said = sandbox.sandlot(&["build", "-t", "secret", "--secret", &secret, text(context.dir())]).unwrap();
    assert!(said.contains("400\n") && said.contains("gone\n"), "{said}");
    std::fs::remove_file(&file).unwrap();
    // Neither in the image, nor anywhere below the state or the run directory.
    let archive = sandbox.dir().join("image.tar");
    sandbox.sandlot(&["save", "-o", text(&archive), "secret"]).unwrap();
    let found = Command::new("grep").args(["-rlaF", hush]).arg(sandbox.dir()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    let said = sandbox.sandlot(&["history", "--no-trunc", "secret"]).unwrap();
    assert!(!said.contains(hush), "{said}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn what_was_built_goes_where_it_is_wanted() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new("FROM scratch\nCOPY file /in/\nCMD [\"none\"]\n");
    context.file("file", "content");
    let path = |name: &str| sandbox.dir().join(name);
    let build = |output: &str| {
        let output = output.replace("@", text(sandbox.dir()));
        sandbox.sandlot(&["build", "-o", &output, text(context.dir())]).unwrap();
    };
    build("type=oci,dest=@/oci.tar");
    build("type=docker,dest=@/docker.tar");
    for (kind, name) in [("oci-archive", "oci.tar"), ("docker-archive", "docker.tar")] {
        let (from, to) = (format!("{kind}:{}", text(&path(name))), format!("dir:{}", text(&path(kind))));
        run(Command::new("skopeo").args(["--insecure-policy", "copy", &from, &to])).unwrap();
    }
    build("type=tar,dest=@/files.tar");
    let listed = run(Command::new("tar").arg("-tf").arg(path("files.tar"))).unwrap().stdout;
    assert!(String::from_utf8_lossy(&listed).contains("in/file"), "{listed:?}");
    build("@/folder");
    assert_eq!(std::fs::read_to_string(path("folder/in/file")).unwrap(), "content");
    // It was wanted there alone.
    assert_eq!(sandbox.sandlot(&["images", "-q"]).unwrap().lines().count(), 1);
    let iid = path("iid");
    let said = sandbox
        .sandlot(&["build", "-q", "--iidfile", text(&iid), "-t", "kept", text(context.dir())])
        .unwrap();
    assert_eq!(said, std::fs::read_to_string(iid).unwrap());
    assert_eq!(sandbox.sandlot(&["inspect", "-f", "{{.Id}}", "kept"]).unwrap(), said);
    nothing_is_left(&sandbox);
}
