//! Volumes by the real `docker` client: what an image puts into an empty one, who shares it, what becomes of it.

use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

/// Runs a script in a container that goes; answers what it printed.
fn sh(sandbox: &Sandbox, flags: &[&str], image: &str, script: &str) -> String {
    let mut arguments = vec!["run", "--rm"];
    arguments.extend(flags);
    arguments.extend([image, "sh", "-c", script]);
    sandbox.ok(&arguments).unwrap()
}

/// An image that has something to copy in `/data`, a link that leads out at `/trap`, and a volume of its own.
fn image(sandbox: &Sandbox) -> &'static str {
    let script = "mkdir -p /data/dir && echo text > /data/dir/one && ln /data/dir/one /data/two && chmod 4751 /data/two && \
                  ln -s /etc/passwd /data/link && mkfifo /data/pipe && chown -h 1000:1001 /data/link /data/dir && \
                  touch -d '2001-02-03 04:05:06' /data/two /data/dir && chmod 1770 /data && chown 7:8 /data && \
                  ln -s ../../../../../../../../../../../tmp /trap";
    sandbox.ok(&["run", "--name", "made", IMAGE, "sh", "-c", script]).unwrap();
    sandbox.ok(&["commit", "-c", "VOLUME /own", "made", "filled"]).unwrap();
    sandbox.ok(&["rm", "made"]).unwrap();
    "filled"
}

const LOOK: &str = "cd /data && stat -c '%n %A %u %g %h %Y %N' . dir dir/one two link pipe && cat two";

#[tokio::test]
async fn an_empty_volume_gets_what_the_image_has_there_once() {
    let sandbox = Sandbox::engine().await.unwrap();
    let image = image(&sandbox);
    let wanted = sh(&sandbox, &[], image, LOOK);
    assert!(wanted.contains("-rwsr-x--x") && wanted.contains("drwxrwx--T 7 8"), "{wanted}");
    assert_eq!(sh(&sandbox, &["-v", "named:/data"], image, LOOK), wanted);
    // Another container, with ids of its own, sees the same, and what was deleted does not come back.
    let others = &["--mount", "type=volume,source=named,target=/data"];
    assert_eq!(sh(&sandbox, others, image, &format!("{LOOK}; rm /data/two")), wanted);
    assert!(!sh(&sandbox, others, image, "ls /data").contains("two"));
    assert_eq!(sh(&sandbox, &["-v", "/data"], image, LOOK), wanted);
    for nothing in
        [&["-v", "bare:/data:nocopy"][..], &["--mount", "type=volume,src=plain,dst=/data,volume-nocopy"]]
    {
        assert_eq!(sh(&sandbox, nothing, image, "ls -A /data"), "", "{nothing:?}");
    }
    // A copy is made at creation, as Docker makes it, and not of what is no directory.
    sandbox.ok(&["create", "--name", "still", "-v", "early:/data", image, "true"]).unwrap();
    let at = sandbox.ok(&["volume", "inspect", "-f", "{{.Mountpoint}}", "early"]).unwrap();
    assert!(std::path::Path::new(&at).join("dir/one").is_file());
    let (code, said) = sandbox.refused(&["run", "--rm", "-v", "file:/data/two", image, "true"]).unwrap();
    assert!(code != 0 && said.contains("/data/two"), "a directory on a file: {said}");
}

#[tokio::test]
async fn the_copy_stays_inside_the_image() {
    let sandbox = Sandbox::engine().await.unwrap();
    let image = image(&sandbox);
    let canary = tempfile::Builder::new().prefix("canary-").tempdir_in("/tmp").unwrap();
    let name = canary.path().file_name().unwrap().to_string_lossy().into_owned();
    std::fs::write(canary.path().join("secret"), "of the host").unwrap();
    // The link is followed inside the image, where nothing of the host's is.
    for target in ["/trap", "/trap/.."] {
        let output = sandbox.docker(&["run", "--rm", "-v", "out:/trap", image, "ls", "-A", target]).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!said.contains(&name) && !said.contains("secret"), "{said}");
    }
    let target = format!("/trap/{name}");
    assert_eq!(sh(&sandbox, &["-v", &format!("in:{target}")], image, &format!("ls -A {target}")), "");
    // What a link in the volume points to is nobody's business but the container's.
    let passwd = sh(&sandbox, &["-v", "v2:/data"], image, "cat /data/link");
    assert!(passwd.starts_with("root:") && passwd != std::fs::read_to_string("/etc/passwd").unwrap().trim());
    // A part of a volume is looked up inside the volume: a link there that leads out leads back in.
    sh(&sandbox, &["-v", "v3:/v"], image, &format!("ln -s {} /v/up; mkdir /v/sub", canary.path().display()));
    let part = |path: &str| format!("type=volume,src=v3,dst=/m,volume-subpath={path}");
    assert_eq!(sh(&sandbox, &["--mount", &part("sub")], image, "touch /m/x; ls /m"), "x");
    let (code, said) =
        sandbox.refused(&["run", "--rm", "--mount", &part("up"), image, "cat", "/m/secret"]).unwrap();
    assert!(code == 125 && said.contains("cannot access path"), "{code} {said}");
    let (_, said) = sandbox.refused(&["run", "--mount", &part("../x"), image, "true"]).unwrap();
    assert!(said.contains("subpath must be a relative path within the volume"), "{said}");
}

#[tokio::test]
async fn volumes_are_named_listed_filtered_and_removed() {
    let sandbox = Sandbox::engine().await.unwrap();
    let list = |filters: &[&str]| {
        let mut arguments = vec!["volume", "ls", "-q"];
        filters.iter().for_each(|f| arguments.extend(["-f", f]));
        sandbox.ok(&arguments).unwrap()
    };
    assert_eq!(sandbox.ok(&["volume", "create", "--label", "a=b", "one"]).unwrap(), "one");
    assert_eq!(sandbox.ok(&["volume", "create", "one"]).unwrap(), "one");
    let drawn = sandbox.ok(&["volume", "create"]).unwrap();
    assert_eq!(drawn.len(), 64);
    sandbox.ok(&["create", "--name", "user", "-v", "two:/x", "-v", "/y", IMAGE, "true"]).unwrap();
    assert_eq!(list(&["label=a=b"]), "one");
    assert_eq!(list(&["name=two"]), "two");
    assert_eq!(list(&["driver=local", "dangling=true", "name=o"]), "one");
    assert_eq!(list(&["dangling=false"]).lines().count(), 2);
    assert_eq!(list(&["driver=nfs"]), "");
    let (_, said) = sandbox.refused(&["volume", "ls", "-f", "dangling=maybe"]).unwrap();
    assert!(said.contains("invalid filter 'dangling=maybe'"), "{said}");
    let labels = sandbox.ok(&["volume", "inspect", "-f", "{{json .Labels}} {{.Scope}} {{.Driver}}", "one"]);
    assert_eq!(labels.unwrap(), r#"{"a":"b"} local local"#);
    for (arguments, words) in [
        (&["volume", "inspect", "none"][..], "get none: no such volume"),
        (&["volume", "rm", "none"], "get none: no such volume"),
        (&["volume", "rm", "two"], "remove two: volume is in use - ["),
        (&["volume", "create", "-d", "nfs", "x"], "plugin \"nfs\" not found"),
        (&["volume", "create", "a/b"], "includes invalid characters for a local volume name"),
        (&["run", "-v", "odd!:/x", IMAGE], "includes invalid characters for a local volume name"),
        (&["run", "-v", "two:/x", "-v", "one:/x", IMAGE, "true"], "Duplicate mount point: /x"),
        (&["run", "--volumes-from", "nobody", IMAGE, "true"], "No such container: nobody"),
        (
            &["run", "--mount", "type=bind,src=/etc,dst=/x,bind-propagation=rshared", IMAGE, "true"],
            "bind-propagation=rshared",
        ),
    ] {
        let (_, said) = sandbox.refused(arguments).unwrap();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    sandbox.ok(&["volume", "rm", "-f", "none"]).unwrap();
    sandbox.ok(&["volume", "rm", "one", &drawn]).unwrap();
    assert_eq!(list(&[]).lines().count(), 2);
}

#[tokio::test]
async fn anonymous_volumes_go_with_rm_v_and_named_ones_stay() {
    let sandbox = Sandbox::engine().await.unwrap();
    let image = image(&sandbox);
    let volumes = || sandbox.ok(&["volume", "ls", "-q"]).unwrap();
    sh(&sandbox, &["-v", "/x", "-v", "named:/n"], image, "true");
    assert_eq!(volumes(), "named", "--rm");
    sandbox.ok(&["run", "--name", "a1", "-v", "/x", "-v", "named:/n", image, "true"]).unwrap();
    let own = sandbox.ok(&["inspect", "-f", "{{range .Mounts}}{{.Destination}} {{end}}", "a1"]).unwrap();
    assert_eq!(own, "/n /own /x");
    sandbox.ok(&["create", "--name", "b1", "--volumes-from", "a1", image, "true"]).unwrap();
    sandbox.ok(&["rm", "-v", "a1"]).unwrap();
    assert_eq!(volumes().lines().count(), 3, "another container uses them");
    sandbox.ok(&["rm", "-v", "b1"]).unwrap();
    assert_eq!(volumes(), "named");
    sandbox
        .ok(&["run", "--name", "c1", "-v", "/x", image, "sh", "-c", "head -c 300000 /dev/zero > /x/f"])
        .unwrap();
    sandbox.ok(&["rm", "c1"]).unwrap();
    assert_eq!(volumes().lines().count(), 3, "rm without -v keeps them");
    let df = sandbox.ok(&["system", "df", "-v", "--format", "{{json .Volumes}}"]).unwrap();
    assert!(df.contains("300kB"), "{df}");
    let said = sandbox.ok(&["volume", "prune", "-f"]).unwrap();
    assert!(said.contains("Total reclaimed space: 300kB"), "{said}");
    assert_eq!(volumes(), "named");
    sandbox.ok(&["volume", "create", "--label", "keep", "kept"]).unwrap();
    sandbox.ok(&["volume", "prune", "-af", "--filter", "label!=keep"]).unwrap();
    assert_eq!(volumes(), "kept");
}

#[tokio::test]
async fn volumes_from_gives_what_another_has_and_inspect_says_so() {
    let sandbox = Sandbox::engine().await.unwrap();
    let mounts = "type=volume,src=long,dst=/l,readonly,volume-label=k=v";
    let tmpfs = "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1700";
    let bound = sandbox.binds().join("host/dir");
    let bind = format!("{}:/b:ro", bound.display());
    let flags = ["-v", "short:/s", "--mount", mounts, "--mount", tmpfs, "-v", &bind, "--tmpfs", "/tt"];
    let mut run = vec!["run", "-d", "--name", "a1"];
    run.extend(flags);
    run.extend([IMAGE, "sh", "-c", "echo from-a1 > /s/file; sleep 1000"]);
    sandbox.ok(&run).unwrap();
    assert!(bound.is_dir(), "-v makes what is missing on the host");
    std::fs::write(bound.join("seen"), "host").unwrap();
    let format = "{{range .Mounts}}{{.Type}}|{{.Name}}|{{.Destination}}|{{.Driver}}|{{.Mode}}|{{.RW}}|{{.Propagation}}\n{{end}}";
    let shown = sandbox.ok(&["inspect", "-f", format, "a1"]).unwrap();
    let wanted = "bind||/b||ro|false|rprivate\nvolume|long|/l|local|z|false|\nvolume|short|/s|local|z|true|\ntmpfs||/t|||true|";
    assert_eq!(shown.trim(), wanted);
    assert_eq!(sandbox.ok(&["volume", "inspect", "-f", "{{.Labels.k}}", "long"]).unwrap(), "v");
    let said =
        sandbox.ok(&["exec", "a1", "sh", "-c", "df -k /t | tail -1; stat -c %a /t; touch /l/x; echo $?"]);
    let said = said.unwrap();
    assert!(said.contains(" 1024 ") && said.contains("1700") && said.ends_with('1'), "{said}");
    let from = |mode: &str| {
        sh(
            &sandbox,
            &["--volumes-from", &format!("a1{mode}")],
            IMAGE,
            "cat /s/file /b/seen; touch /s/n; echo $?",
        )
    };
    sandlot_tests::wait::until("the file", || async {
        sandbox.docker(&["exec", "a1", "cat", "/s/file"]).ok().filter(|o| o.status.success())
    })
    .await
    .unwrap();
    assert_eq!(from(""), "from-a1\nhost0");
    assert!(from(":ro").ends_with('1'));
    let create = format!("type=bind,src={}/new,dst=/x", sandbox.binds().display());
    let (_, said) = sandbox.refused(&["run", "--rm", "--mount", &create, IMAGE, "true"]).unwrap();
    assert!(said.contains("bind source path does not exist"), "{said}");
    assert_eq!(
        sandbox.ok(&["ps", "-q", "--filter", "volume=short", "--filter", "volume=/x"]).unwrap().len(),
        12
    );
}
