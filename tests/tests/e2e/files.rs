//! Files of containers and images of them, by `sandlot` and by the real `docker` client: cp, diff, commit, save, export.

use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use std::fs::{create_dir_all, read_link, read_to_string, write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const IMAGE: &str = "sandlot/starter";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Containers `running` and `stopped`, which have the same files, and a folder of the host's with some.
fn prepared(sandbox: &Sandbox) -> std::path::PathBuf {
    let script = "mkdir -p /data/sub; echo inner > /data/file; ln -s file /data/link; echo deep > /data/sub/deep; \
                  chown -R 1000:1000 /data; chmod 4755 /data/file; ln -s /data /absolute; exec sleep 1000";
    for name in ["running", "stopped"] {
        sandbox.sandlot(&["run", "-d", "--name", name, IMAGE, "sh", "-c", script]).unwrap();
        let ready = ["exec", name, "sh", "-c", "until [ -L /absolute ]; do :; done"];
        sandbox.sandlot(&ready).unwrap();
    }
    sandbox.sandlot(&["stop", "-t", "0", "stopped"]).unwrap();
    let host = sandbox.dir().join("host");
    create_dir_all(host.join("from/sub")).unwrap();
    create_dir_all(host.join("to")).unwrap();
    write(host.join("from/file"), "outer\n").unwrap();
    write(host.join("from/sub/deep"), "below\n").unwrap();
    symlink("file", host.join("from/link")).unwrap();
    host
}

type Client = fn(&Sandbox, &[&str]) -> anyhow::Result<String>;

/// Either client: they must do the same.
fn clients() -> [Client; 2] {
    [Sandbox::sandlot, Sandbox::ok]
}

#[tokio::test]
async fn files_come_out_of_containers() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = prepared(&sandbox);
    for (n, client) in clients().into_iter().enumerate() {
        for name in ["running", "stopped"] {
            let to = host.join(format!("to/{name}{n}"));
            create_dir_all(&to).unwrap();
            let cp = |from: &str, to: &Path| {
                client(&sandbox, &["cp", &format!("{name}:{from}"), text(to)]).unwrap()
            };
            cp("/data", &to);
            assert_eq!(read_to_string(to.join("data/sub/deep")).unwrap(), "deep\n");
            assert_eq!(read_link(to.join("data/link")).unwrap(), Path::new("file"));
            cp("/data/file", &to.join("renamed"));
            assert_eq!(read_to_string(to.join("renamed")).unwrap(), "inner\n");
            cp("/data", &to.join("new"));
            assert_eq!(read_to_string(to.join("new/file")).unwrap(), "inner\n");
            cp("/data/.", &to.join("content"));
            assert_eq!(read_to_string(to.join("content/sub/deep")).unwrap(), "deep\n");
            cp("/absolute/file", &to.join("through"));
            assert_eq!(read_to_string(to.join("through")).unwrap(), "inner\n");
            client(&sandbox, &["cp", "-L", &format!("{name}:/data/link"), text(&to.join("followed"))])
                .unwrap();
            assert_eq!(read_to_string(to.join("followed")).unwrap(), "inner\n");
            client(&sandbox, &["cp", "-a", &format!("{name}:/data/file"), text(&to.join("owned"))]).unwrap();
            // The real client gives the copy to who calls it, here root.
            assert_eq!(to.join("owned").metadata().unwrap().uid(), [1000, 0][n]);
            assert!(client(&sandbox, &["cp", &format!("{name}:/none"), text(&to)]).is_err());
        }
    }
}

#[tokio::test]
async fn files_go_into_containers() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = prepared(&sandbox);
    let from = host.join("from");
    for (n, client) in clients().into_iter().enumerate() {
        for name in ["running", "stopped"] {
            let cp = |from: &Path, to: &str| client(&sandbox, &["cp", text(from), &format!("{name}:{to}")]);
            let base = format!("/in{n}");
            cp(&from, &base).unwrap();
            cp(&from, &format!("{base}/sub")).unwrap();
            cp(&from.join("file"), &format!("{base}/renamed")).unwrap();
            cp(&from.join("sub/."), &format!("{base}/")).unwrap();
            cp(&from.join("file"), "/absolute/new").unwrap();
            assert!(cp(&from.join("file"), "/none/file").is_err());
            assert!(cp(&from.join("file"), "/none/").is_err());
            assert!(cp(&from, "/etc/passwd").is_err(), "a directory onto a file");
            client(&sandbox, &["cp", "-a", text(&from.join("file")), &format!("{name}:/root/own")]).unwrap();
        }
        sandbox.sandlot(&["start", "stopped"]).unwrap();
        let script = format!(
            "cd /in{n}; cat file sub/from/file sub/from/sub/deep renamed deep /data/new; readlink link; stat -c %u:%g /root/own"
        );
        for name in ["running", "stopped"] {
            let said = sandbox.sandlot(&["exec", name, "sh", "-c", &script]).unwrap();
            assert_eq!(said, "outer\nouter\nbelow\nouter\nbelow\nouter\nfile\n0:0", "{name}");
        }
        sandbox.sandlot(&["stop", "-t", "0", "stopped"]).unwrap();
    }
}

#[tokio::test]
async fn archives_are_streamed_and_volumes_are_seen() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = prepared(&sandbox);
    sandbox
        .sandlot(&["create", "--name", "box", "-v", "data:/data/volume", IMAGE, "cat", "/data/volume/file"])
        .unwrap();
    sandbox.sandlot(&["cp", text(&host.join("from/file")), "box:/data/volume/file"]).unwrap();
    assert_eq!(sandbox.sandlot(&["start", "-a", "box"]).unwrap(), "outer");
    sandbox
        .sandlot(&["run", "-d", "--name", "other", "-v", "data:/v", "--tmpfs", "/t", IMAGE, "sleep", "1000"])
        .unwrap();
    for place in ["/v", "/t", "/dev/shm"] {
        sandbox.sandlot(&["cp", text(&host.join("from/file")), &format!("other:{place}/copied")]).unwrap();
        let ids = ["exec", "other", "stat", "-c", "%u:%g", &format!("{place}/copied")];
        assert_eq!(sandbox.sandlot(&ids).unwrap(), "0:0", "{place}");
    }
    let copy = "cp running:/data - | cp - other:/root";
    let [out, into] =
        copy.split(" | ").map(|c| c.split(' ').collect::<Vec<_>>()).collect::<Vec<_>>().try_into().unwrap();
    let archive = sandbox.own_command(&out).unwrap().output().unwrap().stdout;
    let file = host.join("archive.tar");
    write(&file, archive).unwrap();
    let status =
        sandbox.own_command(&into).unwrap().stdin(std::fs::File::open(&file).unwrap()).status().unwrap();
    assert!(status.success());
    let said = sandbox.sandlot(&["exec", "other", "stat", "-c", "%u %a", "/root/data/file"]).unwrap();
    assert_eq!(said, "1000 4755");
}

#[tokio::test]
async fn no_link_in_a_container_leads_to_the_host() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = prepared(&sandbox);
    let canary = host.join("canary");
    write(&canary, "alive").unwrap();
    // Links in every form to the host's canary and its folder, and one that runs between a directory and a link.
    let (folder, path) = (text(&host), text(&canary));
    let script = format!(
        "ln -s {path} /one; ln -s ../../../../../..{path} /two; ln -s /proc/1/root{path} /three; ln -s {folder} /folder; \
         ln -s /proc/1/root /four; mkdir /race /swap; \
         (while :; do ln -s {folder} /race/x 2>/dev/null; rm -f /race/x; mkdir /race/x 2>/dev/null; rmdir /race/x 2>/dev/null; done) & \
         echo ready; wait"
    );
    sandbox.sandlot(&["run", "-d", "--name", "box", IMAGE, "sh", "-c", &script]).unwrap();
    sandlot_tests::wait::until("the links", || async {
        (sandbox.sandlot(&["logs", "box"]).ok()? == "ready").then_some(())
    })
    .await
    .unwrap();
    let evil = host.join("evil");
    write(&evil, "evil").unwrap();
    let before = std::fs::read_dir(&host).unwrap().count();
    for client in clients() {
        for link in ["/one", "/two", "/three"] {
            let _may_fail =
                client(&sandbox, &["cp", "-L", &format!("box:{link}"), text(&host.join("to/stolen"))]);
            assert!(!host.join("to/stolen").exists(), "{link} was read");
            let _may_fail = client(&sandbox, &["cp", text(&evil), &format!("box:{link}")]);
        }
        for folder in ["/folder/", "/folder", "/four/tmp", "/swap/../folder"] {
            let _may_fail = client(&sandbox, &["cp", text(&evil), &format!("box:{folder}/canary")]);
        }
    }
    // What the kernel makes up is no place to write to: the engine would do it with the host's rights.
    sandbox.sandlot(&["exec", "box", "ln", "-s", "/proc/sys/kernel", "/kernel"]).unwrap();
    let panic = || read_to_string("/proc/sys/kernel/panic").unwrap();
    let (value, setting) = (panic(), host.join("panic"));
    write(&setting, "77").unwrap();
    for place in ["/kernel/", "/proc/sys/kernel/panic", "/sys/"] {
        let (code, said) = sandbox.said(&["cp", text(&setting), &format!("box:{place}")]).unwrap();
        assert!(code == Some(1) && said.contains("the kernel makes up"), "{place}: {said}");
    }
    assert_eq!(panic(), value);
    std::fs::remove_file(&setting).unwrap();
    let tar = host.join("race.tar");
    create_dir_all(host.join("tree/x")).unwrap();
    write(host.join("tree/x/canary"), "evil").unwrap();
    run(Command::new("tar").arg("-C").arg(host.join("tree")).arg("-cf").arg(&tar).arg("x")).unwrap();
    for _ in 0..150 {
        let mut put = sandbox.own_command(&["cp", "-q", "-", "box:/race"]).unwrap();
        let _may_fail = put.stdin(std::fs::File::open(&tar).unwrap()).output().unwrap();
        let _may_fail = sandbox.own_command(&["cp", "box:/race/x", "-"]).unwrap().output().unwrap();
    }
    assert_eq!(read_to_string(&canary).unwrap(), "alive");
    assert_eq!(std::fs::read_dir(&host).unwrap().count(), before + 2, "something was made on the host");
}

#[tokio::test]
async fn changes_are_told_and_become_an_image() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "echo new > /root/new; rm /etc/motd; echo more >> /etc/group; mkdir /opt; rm -r /home; mkdir /home; touch /home/x";
    sandbox.sandlot(&["run", "--name", "box", "-e", "KEPT=1", IMAGE, "sh", "-c", script]).unwrap();
    let diff = sandbox.sandlot(&["diff", "box"]).unwrap();
    for line in ["A /root/new", "D /etc/motd", "C /etc/group", "A /opt", "A /home/x", "C /etc"] {
        assert!(diff.lines().any(|l| l == line), "{line} in:\n{diff}");
    }
    let sizes = ["ps", "-a", "--format", "{{.Size}}"];
    assert!(!sandbox.sandlot(&sizes).unwrap().starts_with("0B"));
    assert!(sandbox.sandlot(&["ps", "-as"]).unwrap().contains("SIZE"));
    assert!(!diff.contains("resolv.conf") && !diff.contains("/proc"), "{diff}");
    assert_eq!(sandbox.ok(&["diff", "box"]).unwrap(), diff);
    let commit =
        ["commit", "-m", "why", "-a", "who", "-c", "CMD [\"cat\", \"/root/new\"]", "box", "made/here"];
    let id = sandbox.sandlot(&commit).unwrap();
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(sandbox.sandlot(&["run", "--rm", "made/here"]).unwrap(), "new");
    let look = "ls /etc/motd 2>/dev/null; ls /home; echo $KEPT; tail -n 1 /etc/group; ls -d /opt";
    let said = sandbox.sandlot(&["run", "--rm", "made/here", "sh", "-c", look]).unwrap();
    assert_eq!(said, "x\n1\nmore\n/opt");
    let history = sandbox
        .sandlot(&["history", "--no-trunc", "--format", "{{.Comment}} {{.Size}}", "made/here"])
        .unwrap();
    assert!(history.starts_with("why ") && !history.starts_with("why 0B"), "{history}");
    // Of one that runs, and on a disk of its own.
    sandbox
        .sandlot(&["run", "-d", "--name", "live", "--storage-opt", "size=32m", "made/here", "sleep", "1000"])
        .unwrap();
    sandbox.sandlot(&["exec", "live", "sh", "-c", "echo second > /root/second; rm /root/new"]).unwrap();
    sandbox.ok(&["commit", "live", "made/here:2"]).unwrap();
    assert_eq!(sandbox.sandlot(&["ps", "--format", "{{.Names}} {{.State}}"]).unwrap(), "live running");
    let said = sandbox.sandlot(&["run", "--rm", "made/here:2", "ls", "/root"]).unwrap();
    assert!(said.contains("second") && !said.contains("new"), "{said}");
}

#[tokio::test]
async fn an_image_that_is_saved_and_loaded_is_the_same() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox
        .sandlot(&["run", "--name", "box", IMAGE, "sh", "-c", "echo kept > /root/kept; rm /etc/motd"])
        .unwrap();
    let id = sandbox.sandlot(&["commit", "box", "made/here:1"]).unwrap();
    sandbox.sandlot(&["rm", "box"]).unwrap();
    let file = sandbox.dir().join("image.tar");
    for client in clients() {
        client(&sandbox, &["save", "-o", text(&file), "made/here:1"]).unwrap();
        sandbox.sandlot(&["rmi", "made/here:1"]).unwrap();
        assert!(sandbox.said(&["inspect", &id]).unwrap().0 == Some(1), "it is still there");
        assert!(client(&sandbox, &["load", "-i", text(&file)]).unwrap().contains("made/here:1"));
        assert_eq!(sandbox.sandlot(&["inspect", "-f", "{{.Id}}", "made/here:1"]).unwrap(), id);
        let look = ["run", "--rm", "made/here:1", "sh", "-c", "cat /root/kept; ls /etc/motd"];
        assert!(sandbox.said(&look).unwrap().1.starts_with("kept\n"));
    }
    // Both descriptions in the archive are read by a program that is not ours.
    for kind in ["docker-archive", "oci-archive"] {
        let out = sandbox.dir().join(kind);
        let source = format!("{kind}:{}", text(&file));
        run(Command::new("skopeo").args([
            "--insecure-policy",
            "copy",
            &source,
            &format!("dir:{}", text(&out)),
        ]))
        .unwrap();
        assert!(out.join("manifest.json").is_file(), "{kind}");
    }
    // Two at once, by name and by id.
    sandbox.sandlot(&["save", "-o", text(&file), IMAGE, &id]).unwrap();
    let listed = run(Command::new("tar").arg("-tf").arg(&file)).unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    assert_eq!(listed.lines().filter(|l| l.starts_with("blobs/sha256/")).count(), 6, "{listed}");
}

#[tokio::test]
async fn a_root_is_exported_whole_and_without_what_is_mounted() {
    let sandbox = Sandbox::engine().await.unwrap();
    let host = prepared(&sandbox);
    for name in ["running", "stopped"] {
        let file = host.join(format!("{name}.tar"));
        sandbox.sandlot(&["export", "-o", text(&file), name]).unwrap();
        let to = host.join(format!("{name}-root"));
        create_dir_all(&to).unwrap();
        run(Command::new("tar").arg("-xpf").arg(&file).arg("-C").arg(&to)).unwrap();
        assert_eq!(read_to_string(to.join("data/sub/deep")).unwrap(), "deep\n");
        let metadata = to.join("data/file").metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.permissions().mode() & 0o7777), (1000, 0o4755));
        assert_eq!(std::fs::read_dir(to.join("proc")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(to.join("dev")).unwrap().count(), 0);
        assert_eq!(read_link(to.join("absolute")).unwrap(), Path::new("/data"));
        sandbox
            .sandlot(&["import", "-c", "CMD [\"cat\", \"/data/file\"]", text(&file), "again/here"])
            .unwrap();
        assert_eq!(sandbox.sandlot(&["run", "--rm", "again/here"]).unwrap(), "inner");
    }
}

#[tokio::test]
async fn images_that_nobody_uses_are_pruned() {
    let sandbox = Sandbox::engine().await.unwrap();
    for name in ["one", "two"] {
        sandbox.sandlot(&["run", "--name", name, IMAGE, "touch", &format!("/{name}")]).unwrap();
    }
    let bare = sandbox.sandlot(&["commit", "one"]).unwrap();
    sandbox.sandlot(&["commit", "two", "named/one"]).unwrap();
    let count = || sandbox.sandlot(&["images", "-q"]).unwrap().lines().count();
    assert_eq!(count(), 3);
    assert!(sandbox.sandlot(&["image", "prune", "-f"]).unwrap().contains(&bare));
    assert_eq!(count(), 2);
    sandbox.sandlot(&["run", "--name", "user", "named/one", "true"]).unwrap();
    sandbox.sandlot(&["image", "prune", "-a", "-f"]).unwrap();
    assert_eq!(count(), 2, "one that is used went");
    let write = ["run", "--label", "w", IMAGE, "sh", "-c", "head -c 3000000 /dev/zero > /root/big"];
    sandbox.sandlot(&write).unwrap();
    let gone = sandbox.sandlot(&["container", "prune", "-f", "--filter", "label=w="]).unwrap();
    assert!(gone.ends_with("space: 3MB") && gone.lines().count() == 4, "{gone}");
    assert!(sandbox.sandlot(&["system", "prune", "-a", "-f"]).unwrap().contains("named/one"));
    assert_eq!(sandbox.sandlot(&["images", "--format", "{{.Repository}}"]).unwrap(), IMAGE);
    assert_eq!(sandbox.sandlot(&["ps", "-aq"]).unwrap(), "");
}
