//! Promise: real Dockerfiles become, file by file, what `buildah` makes of them.

use crate::build::{Context, built};
use sandlot_tests::image::busybox;
use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// What a file is: kind and mode, owner, links, and content or target.
type Files = BTreeMap<String, (u32, u32, u32, u64, String)>;

/// What `buildah` leaves of its own, and the places of volumes, which our container has when its files are taken out.
const ITS_OWN: &[&str] =
    &["etc/hostname", "etc/hosts", "etc/resolv.conf", "run", "dev", "proc", "sys", "data", "more"];

fn files(root: &Path) -> Files {
    let mut found = Files::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let metadata = path.symlink_metadata().unwrap();
            if ITS_OWN.contains(&name.as_str()) {
                continue;
            }
            let content = if metadata.is_symlink() {
                std::fs::read_link(&path).unwrap().display().to_string()
            } else if metadata.is_file() {
                sandlot_tests::image::digest(&std::fs::read(&path).unwrap())
            } else {
                open.push(path);
                String::new()
            };
            let links = if metadata.is_dir() { 0 } else { metadata.nlink() };
            found.insert(name, (metadata.mode(), metadata.uid(), metadata.gid(), links, content));
        }
    }
    found
}

fn buildah(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("buildah");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "vfs"]).args(arguments);
    String::from_utf8(run(&mut command).unwrap().stdout).unwrap().trim().to_owned()
}

/// A context with files of every kind.
fn context(dockerfile: &str) -> Context {
    let context = Context::new(&format!("FROM scratch AS base\nCOPY root /\n{dockerfile}"));
    busybox(&context.path("root")).unwrap();
    context.file("a.txt", "a");
    context.file("b.txt", "b");
    context.file("d/sub/file", "deep");
    context.file("d/run", "#!/bin/sh\n");
    // buildah takes setuid bits of the context away; Docker and we do not.
    std::fs::set_permissions(context.path("d/run"), PermissionsExt::from_mode(0o751)).unwrap();
    std::fs::set_permissions(context.path("d/sub"), PermissionsExt::from_mode(0o711)).unwrap();
    std::fs::set_permissions(context.path("a.txt"), PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::hard_link(context.path("d/sub/file"), context.path("d/second")).unwrap();
    symlink("sub/file", context.path("d/link")).unwrap();
    symlink("/nowhere", context.path("d/dangling")).unwrap();
    symlink("d/sub/file", context.path("top")).unwrap();
    symlink("d", context.path("other")).unwrap();
    for (name, option) in
        [("t.tar", "-cf"), ("t.tar.gz", "-czf"), ("t.tar.bz2", "-cjf"), ("t.tar.xz", "-cJf")]
    {
        let archive = context.path(name);
        run(Command::new("tar").arg(option).arg(archive).arg("-C").arg(context.path("d")).arg(".")).unwrap();
    }
    context
}

const CASES: &[&str] = &[
    "FROM base\nWORKDIR /w/x\nCOPY d /new/dest\nCOPY d/ /new2/dest/\nCOPY top /tl/\nCOPY other /ol/\nCOPY a.txt /n/a/b\n\
     COPY --chown=user a.txt /c/\nCOPY --chown=1000:7 d /c/d\nCOPY --chmod=750 d /m\nCOPY *.txt d /multi/\nCOPY a.txt .\nCOPY a.txt named\n\
     COPY --from=base /etc /fe\nCOPY --from=base /home /fh\nCOPY . /all/\n",
    "FROM base\nADD t.tar /t1\nADD t.tar.gz t.tar.bz2 /t2/\nADD t.tar.xz /t3/deep/\nADD a.txt /plain\nADD --chown=user b.txt /owned/\n\
     RUN mkdir -m 700 /p /q; echo 1 > /p/one; ln -s one /p/link; ln /p/one /p/hard; chmod u+s,g+s /p/one; chown -R user:user /q\n\
     RUN rm -r /t1/sub /t2; mkdir /t2; echo again > /t2/again; rm /plain; mv /p/link /q/moved; chown 5:6 /bin; chown user /home/user\n\
     COPY a.txt /t1/new\nCOPY d /t2\nUSER user\nRUN echo mine > /home/user/mine; touch -d 2001-01-01 /home/user/old\n",
    "ARG NAME=value\nFROM base AS one\nARG NAME\nENV A=$NAME B=\"two words\" C=${NONE:-else}\nRUN echo \"$A $B $C\" > /said\n\
     FROM base AS never\nRUN false\n\
     FROM one AS two\nWORKDIR /deep\nWORKDIR er\nRUN pwd > where; umask 077; mkdir private; echo x > private/x\n\
     FROM base\nCOPY --from=two /deep /said /got/\nCOPY --from=0 /etc/group /got/group\nENV PATH=/bin D=x\nLABEL one=1 \"two\"=\"2 2\"\n\
     EXPOSE 80 53/udp\nVOLUME /data /more\nUSER 1000:1000\nWORKDIR /got\nENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD echo $D\nSTOPSIGNAL SIGINT\n",
];

#[tokio::test]
async fn files_and_configuration_are_those_that_buildah_makes() {
    let sandbox = Sandbox::engine().await.unwrap();
    for (n, dockerfile) in CASES.iter().enumerate() {
        let context = context(dockerfile);
        let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
        let build = ["build", "--quiet", "--isolation=chroot", "--network=host", "--tag=peer:test"];
        let _id = buildah(folder.path(), &[&build[..], &[context.dir().to_str().unwrap()]].concat());
        let container = buildah(folder.path(), &["from", "--pull-never", "localhost/peer:test"]);
        let mounted = buildah(folder.path(), &["mount", &container]);
        let theirs = files(Path::new(&mounted));
        let name = format!("ours:{n}");
        built(&sandbox, &["-t", &name], context.dir());
        let (root, archive) = (sandbox.dir().join("root"), sandbox.dir().join("root.tar"));
        std::fs::create_dir_all(&root).unwrap();
        let id = sandbox.ok(&["create", &name, "none"]).unwrap();
        sandbox.ok(&["export", "-o", archive.to_str().unwrap(), &id]).unwrap();
        sandbox.ok(&["rm", "-v", &id]).unwrap();
        run(Command::new("tar").args(["--numeric-owner", "-xpf"]).arg(archive).arg("-C").arg(&root)).unwrap();
        let ours = files(&root);
        for name in theirs.keys().chain(ours.keys()) {
            assert_eq!(ours.get(name), theirs.get(name), "{name} of case {n}: ours, and theirs");
        }
        std::fs::remove_dir_all(root).unwrap();
        let told = buildah(folder.path(), &["inspect", "--type=image", "localhost/peer:test"]);
        let their: Value = serde_json::from_str(&told).unwrap();
        let our: Value = serde_json::from_str(&sandbox.ok(&["inspect", &name]).unwrap()).unwrap();
        for field in
            ["Env", "Cmd", "Entrypoint", "WorkingDir", "User", "ExposedPorts", "Volumes", "StopSignal"]
        {
            let (ours, theirs) = (&our[0]["Config"][field], &their["OCIv1"]["config"][field]);
            assert_eq!(said(ours), said(theirs), "{field} of case {n}: ours, and theirs");
        }
        buildah(folder.path(), &["rm", "--all"]);
        buildah(folder.path(), &["rmi", "--all", "--force"]);
    }
}

/// Docker shows an empty field where an OCI configuration leaves it out.
fn said(value: &Value) -> &Value {
    let empty = match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if empty { &Value::Null } else { value }
}
