//! The class's registry by real clients: skopeo and docker from outside, with a login; skopeo inside sessions, without one.

use sandlot_tests::client::Visitor;
use sandlot_tests::image::{Compression, Layout, busybox};
use sandlot_tests::netns::Netns;
use sandlot_tests::process::run;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::{Part, Sandbox, TOKEN};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

/// How sessions call it.
const INSIDE: &str = "127.0.0.1:5000";

/// An image of one layer, as a layout on disk.
fn layout(sandbox: &Sandbox) -> PathBuf {
    let root = sandbox.dir().join("root");
    busybox(&root).unwrap();
    let layout = Layout::new(&sandbox.dir().join("layout")).unwrap();
    let layout = layout.layer(&root, Compression::Gzip).unwrap();
    layout.finish(&json!({ "Cmd": ["/bin/echo", "made by a classmate"] })).unwrap()
}

fn skopeo(arguments: &[&str]) -> String {
    let output = run(Command::new("skopeo").arg("--insecure-policy").args(arguments)).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn host(sandbox: &Sandbox) -> String {
    sandbox.address().to_string()
}

/// A session, and how a program is run in its network.
async fn session(sandbox: &Sandbox, visitor: &Visitor) -> (String, Netns) {
    let session = visitor.session("sandlot/starter").await.unwrap();
    let id = session["id"].as_str().unwrap().to_owned();
    let filter = format!("label=sandlot.session={id}");
    let container = sandbox.ok(&["ps", "-q", "--filter", &filter]).unwrap();
    let pid = sandbox.ok(&["inspect", "-f", "{{.State.Pid}}", &container]).unwrap();
    (id, Netns::of(pid.parse().unwrap()).unwrap())
}

fn inside(netns: &Netns, arguments: &[&str]) -> Output {
    netns.command("skopeo").arg("--insecure-policy").args(arguments).output().unwrap()
}

#[tokio::test]
async fn a_student_pushes_and_a_classmate_pulls_by_the_sessions_own_loopback() {
    let mut sandbox = Sandbox::whole(&[]).await.unwrap();
    let from = format!("oci:{}", layout(&sandbox).display());
    let (ann, bob) =
        (Visitor::new(sandbox.address()).await.unwrap(), Visitor::new(sandbox.address()).await.unwrap());
    let (session_id, hers) = session(&sandbox, &ann).await;
    let (_, his) = session(&sandbox, &bob).await;
    let name = format!("docker://{INSIDE}/class/app:1");
    let pushed = inside(&hers, &["copy", "--preserve-digests", "--dest-tls-verify=false", &from, &name]);
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    let to = format!("oci:{}", sandbox.dir().join("pulled").display());
    let pulled = inside(&his, &["copy", "--preserve-digests", "--src-tls-verify=false", &name, &to]);
    assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    let index =
        |folder: &str| std::fs::read_to_string(sandbox.dir().join(folder).join("index.json")).unwrap();
    let digest = |text: String| {
        let index: Value = serde_json::from_str(&text).unwrap();
        index["manifests"][0]["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(index("layout")), digest(index("pulled")));
    // It is hers: he may push under another name alone.
    let taken = inside(&his, &["copy", "--dest-tls-verify=false", &from, &name]);
    let words = String::from_utf8_lossy(&taken.stderr);
    assert!(!taken.status.success() && words.contains("somebody else"), "{words}");
    let elsewhere = format!("docker://{INSIDE}/other/app:1");
    let refused = inside(&his, &["copy", "--dest-tls-verify=false", &from, &elsewhere]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains("403"), "{words}");
    // The page shows it to both.
    let (status, page) = bob.call("GET", "/registry", None).await.unwrap();
    assert_eq!((status, &page["repositories"][0]["name"]), (200, &json!("class/app")), "{page}");
    assert_eq!(page["repositories"][0]["own"], false);
    let tag = &page["repositories"][0]["tags"][0];
    assert_eq!(tag["pull"], "docker pull registry:5000/class/app:1");
    assert_eq!(tag["digest"], digest(index("layout")));
    // It is in the hosts file, and there again after the server was killed.
    let terminals = ann.call("GET", &format!("/sessions/{session_id}"), None).await.unwrap().1;
    let terminal = terminals["terminals"][0]["id"].as_str().unwrap().to_owned();
    let mut attached = ann.attach(&session_id, &terminal).await.unwrap();
    attached
        .type_in("while read a b; do test \"$b\" = registry && echo is-$a-$((1+1)); done < /etc/hosts\n")
        .await
        .unwrap();
    attached.until("is-127.0.0.1-2").await.unwrap();
    drop(attached);
    sandbox.kill(Part::Server).unwrap();
    sandbox.start(Part::Server).await.unwrap();
    let list = || async {
        let output =
            inside(&hers, &["list-tags", "--tls-verify=false", &format!("docker://{INSIDE}/class/app")]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let tags = sandlot_tests::wait::until("the registry in the session", list).await.unwrap();
    assert!(tags.contains("\"1\""), "{tags}");
    // With the session goes its listener.
    let (status, _) = ann.call("DELETE", &format!("/sessions/{session_id}"), None).await.unwrap();
    assert!((200..300).contains(&status));
    let gone = || async {
        hers.inside(|| Ok(std::net::TcpStream::connect(INSIDE).is_err())).ok().filter(|gone| *gone)
    };
    sandlot_tests::wait::until("the listener to go", gone).await.unwrap();
}

#[tokio::test]
async fn skopeo_and_docker_from_outside_log_in_push_pull_and_delete() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let from = format!("oci:{}", layout(&sandbox).display());
    let host = host(&sandbox);
    let name = format!("{host}/class/app:1");
    let anonymous = Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &format!("docker://{name}")])
        .env("REGISTRY_AUTH_FILE", sandbox.dir().join("none.json"))
        .output()
        .unwrap();
    assert!(!anonymous.status.success(), "nobody pushed");
    let creds = format!("--dest-creds=teacher:{TOKEN}");
    skopeo(&[
        "copy",
        "--quiet",
        "--preserve-digests",
        "--dest-tls-verify=false",
        &creds,
        &from,
        &format!("docker://{name}"),
    ]);
    // What is pushed is usable by the engine at once: nothing is downloaded.
    sandbox.ok(&["login", "-u", "teacher", "-p", TOKEN, &host]).unwrap();
    let said = sandbox.ok(&["pull", &name]).unwrap();
    assert!(said.contains("Already exists") && !said.contains("Pull complete"), "{said}");
    assert_eq!(sandbox.ok(&["run", "--rm", &name]).unwrap(), "made by a classmate");
    // The same under another name costs nothing either way.
    let other = format!("{host}/class/other:2");
    sandbox.ok(&["tag", &name, &other]).unwrap();
    let said = sandbox.ok(&["push", &other]).unwrap();
    assert!(said.contains("Layer already exists") || said.contains("Mounted from"), "{said}");
    // What is built here is pushed, too.
    std::fs::write(sandbox.dir().join("Dockerfile"), format!("FROM {name}\nRUN echo built > /built\n"))
        .unwrap();
    let built = format!("{host}/class/built:1");
    let (file, context) = (sandbox.dir().join("Dockerfile"), sandbox.dir().join("layout"));
    let (file, context) = (file.display().to_string(), context.display().to_string());
    sandbox.sandlot(&["build", "-q", "-t", &built, "-f", &file, &context]).unwrap();
    sandbox.ok(&["push", &built]).unwrap();
    // A visitor by the login that the page shows.
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (_, page) = visitor.call("GET", "/registry", None).await.unwrap();
    let word = |key: &str| page["login"][key].as_str().unwrap().to_owned();
    let creds = format!("{}:{}", word("name"), word("password"));
    let to = format!("dir:{}", sandbox.dir().join("fetched").display());
    skopeo(&[
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        "--src-creds",
        &creds,
        &format!("docker://{built}"),
        &to,
    ]);
    let denied = Command::new("skopeo")
        .args(["delete", "--tls-verify=false", "--creds", &creds, &format!("docker://{built}")])
        .output()
        .unwrap();
    assert!(!denied.status.success(), "a visitor deleted what is the teacher's");
    skopeo(&[
        "delete",
        "--tls-verify=false",
        "--creds",
        &format!("teacher:{TOKEN}"),
        &format!("docker://{built}"),
    ]);
    sandbox.refused(&["login", "-u", &word("name"), "-p", "wrong", &host]).unwrap();
}

#[tokio::test]
async fn podman_and_buildah_push_and_pull_without_knowing_whose_it_is() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let from = format!("oci:{}", layout(&sandbox).display());
    let (name, other) =
        (format!("{}/class/app:1", host(&sandbox)), format!("{}/class/other:1", host(&sandbox)));
    let (creds, of) = (format!("teacher:{TOKEN}"), |arguments: &[&str], program: &str| {
        let (root, run_root) = (sandbox.dir().join(program), sandbox.dir().join(format!("{program}-run")));
        let mut command = Command::new(program);
        command.arg("--root").arg(root).arg("--runroot").arg(run_root).args(["--storage-driver", "vfs"]);
        run(command.args(arguments)).unwrap();
    });
    let to = format!("docker://{name}");
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", &creds, &from, &to]);
    of(&["pull", "--quiet", "--tls-verify=false", "--creds", &creds, &name], "podman");
    let to = format!("docker://{other}");
    of(&["push", "--quiet", "--tls-verify=false", "--creds", &creds, &name, &to], "podman");
    of(&["pull", "--quiet", "--tls-verify=false", "--creds", &creds, &other], "buildah");
    let to = format!("docker://{}/class/third:1", host(&sandbox));
    of(&["push", "--quiet", "--tls-verify=false", "--creds", &creds, &other, &to], "buildah");
    let tags = skopeo(&["list-tags", "--tls-verify=false", "--creds", &creds, to.trim_end_matches(":1")]);
    assert!(tags.contains("\"1\""), "{tags}");
}

#[tokio::test]
async fn an_image_of_another_registry_is_fetched_once_and_stays_when_that_is_gone() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    let upstream = Registry::start().await.unwrap();
    upstream.push(&layout(&sandbox), "library/app:1").unwrap();
    let mirror: &'static str = format!("hub={}", upstream.host()).leak();
    sandbox.engine_setting("SANDLOT_REGISTRY_MIRRORS", mirror);
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    sandbox.settings(&["--registry-shared=hub"]);
    sandbox.start(Part::Server).await.unwrap();
    let name = format!("docker://{}/hub/library/app:1", host(&sandbox));
    let creds = format!("--src-creds=teacher:{TOKEN}");
    let pull = |n: usize| {
        let to = format!("dir:{}", sandbox.dir().join(format!("pulled-{n}")).display());
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &creds, &name, &to]);
        command
    };
    let both: Vec<_> = [1, 2].map(|n| pull(n).spawn().unwrap()).into_iter().collect();
    for mut one in both {
        assert!(one.wait().unwrap().success());
    }
    drop(upstream);
    run(&mut pull(3)).unwrap();
    let refused = Command::new("skopeo")
        .args([
            "--insecure-policy",
            "copy",
            "--dest-tls-verify=false",
            &format!("--dest-creds=teacher:{TOKEN}"),
        ])
        .arg(format!("oci:{}", sandbox.dir().join("layout").display()))
        .arg(&name)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains("copy of another registry"), "{words}");
}
