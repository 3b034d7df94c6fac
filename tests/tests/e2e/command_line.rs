//! The command line `sandlot` itself, against a real engine: what it prints, and what it ends with.

use portable_pty::CommandBuilder;
use sandlot_tests::image::{Compression, Layout};
use sandlot_tests::registry::{PASSWORD, Registry, USER};
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::terminal::Person;
use std::io::Write;
use std::process::Stdio;

const IMAGE: &str = "sandlot/starter";

/// Somebody at a terminal who types `sandlot …`.
fn person(sandbox: &Sandbox, arguments: &[&str]) -> Person {
    let mut command = CommandBuilder::new(sandlot_tests::program("sandlot").unwrap());
    command.args(arguments);
    command.env("SANDLOT_HOST", sandbox.host());
    command.env("DOCKER_CONFIG", sandbox.dir());
    Person::start(command, 100, 30).unwrap()
}

/// A container that runs until it is removed.
fn boxed(sandbox: &Sandbox, name: &str) {
    sandbox.sandlot(&["run", "-d", "--name", name, IMAGE, "sleep", "1000"]).unwrap();
}

#[tokio::test]
async fn a_container_starts_again_and_keeps_what_it_wrote() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "[ -e /root/seen ] && echo again; echo 1 > /root/seen";
    for flags in [&[][..], &["--storage-opt", "size=32m"]] {
        let mut run = vec!["run", "--name", "limited"];
        run.extend(flags);
        run.extend([IMAGE, "sh", "-c", script]);
        assert_eq!(sandbox.sandlot(&run).unwrap(), "");
        assert_eq!(sandbox.sandlot(&["start", "-a", "limited"]).unwrap(), "again", "{flags:?}");
        sandbox.sandlot(&["rm", "limited"]).unwrap();
    }
}

#[tokio::test]
async fn a_terminal_has_a_size_and_passes_keys_and_the_exit_code_on() {
    let sandbox = Sandbox::engine().await.unwrap();
    let mut person = person(&sandbox, &["run", "-it", "--rm", "--name", "box", IMAGE, "sh"]);
    person.until("# ").unwrap();
    person.type_in("stty size; tty\n").unwrap();
    person.until("30 100").unwrap();
    person.until("/dev/pts/0").unwrap();
    person.resize(120, 40).unwrap();
    // The signal of the new size takes a moment to arrive; the shell sees it when it did.
    person.type_in("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo resi''zed\n").unwrap();
    person.until("resized").unwrap();
    person.type_in("exit 7\n").unwrap();
    assert_eq!(person.end().unwrap(), 7);
    assert_eq!(sandbox.sandlot(&["ps", "-aq"]).unwrap(), "");
}

#[tokio::test]
async fn keys_detach_and_attach_comes_back() {
    let sandbox = Sandbox::engine().await.unwrap();
    let mut first = person(&sandbox, &["run", "-it", "--name", "box", IMAGE, "sh"]);
    first.until("# ").unwrap();
    first.type_in("x=kept\n\x10\x11").unwrap();
    assert_eq!(first.end().unwrap(), 0);
    assert_eq!(sandbox.sandlot(&["ps", "--format", "{{.Names}} {{.State}}"]).unwrap(), "box running");
    let mut second = person(&sandbox, &["attach", "box"]);
    second.type_in("echo still $x\n").unwrap();
    second.until("still kept").unwrap();
    second.type_in("exit 3\n").unwrap();
    assert_eq!(second.end().unwrap(), 3);
    assert_eq!(sandbox.sandlot(&["wait", "box"]).unwrap(), "3");
}

#[tokio::test]
async fn exit_codes_tell_who_failed() {
    let sandbox = Sandbox::engine().await.unwrap();
    for (arguments, code) in [
        (&["run", "--rm", IMAGE, "sh", "-c", "exit 9"][..], 9),
        (&["run", "--rm", IMAGE, "/no/such"], 127),
        (&["run", "--rm", IMAGE, "/etc/passwd"], 126),
        (&["run", "--rm", "--pull", "never", "no/such/image", "true"], 125),
        (&["run", "--no-such-option"], 125),
        (&["run", "--rm", IMAGE, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
        (&["rmi", "no/such/image"], 1),
    ] {
        let (found, said) = sandbox.said(arguments).unwrap();
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
    }
    boxed(&sandbox, "box");
    for (command, code) in [("true", 0), ("false", 1), ("/no/such", 127), ("/etc/passwd", 126)] {
        assert_eq!(sandbox.said(&["exec", "box", command]).unwrap().0, Some(code), "{command}");
    }
}

#[tokio::test]
async fn one_that_fails_does_not_keep_the_others_from_it() {
    let sandbox = Sandbox::engine().await.unwrap();
    boxed(&sandbox, "box");
    for verb in [&["stop", "-t", "0"][..], &["wait"], &["inspect", "--format", "{{.Name}}"], &["rm"]] {
        let arguments = [verb, &["nobody", "box"]].concat();
        let (code, said) = sandbox.said(&arguments).unwrap();
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("nobody") && (said.contains("box") || verb == ["wait"]),
            "{arguments:?}: {said}"
        );
    }
    sandbox.sandlot(&["tag", IMAGE, "other/name:1"]).unwrap();
    let (code, said) = sandbox.said(&["rmi", "nobody", "other/name:1"]).unwrap();
    assert!(code == Some(1) && said.contains("Untagged"), "{said}");
    assert_eq!(sandbox.sandlot(&["ps", "-aq"]).unwrap(), "");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let sandbox = Sandbox::engine().await.unwrap();
    let run = ["run", "-d", "--name", "box", "-m", "64m", "--cpu-shares", "512", IMAGE, "sleep", "1000"];
    sandbox.sandlot(&run).unwrap();
    sandbox.sandlot(&["update", "--pids-limit", "20", "--restart", "on-failure:3", "box"]).unwrap();
    let shown =
        "{{with .HostConfig}}{{.Memory}} {{.CpuShares}} {{.PidsLimit}} {{.RestartPolicy.Name}}{{end}}";
    let found = sandbox.sandlot(&["inspect", "--format", shown, "box"]).unwrap();
    assert_eq!(found, "67108864 512 20 on-failure");
    let script = "for i in $(seq 40); do sleep 60 & done; echo made all";
    let (_, said) = sandbox.said(&["exec", "box", "sh", "-c", script]).unwrap();
    assert!(said.contains("can't fork") && !said.contains("made all"), "{said}");
    let (code, said) = sandbox.said(&["update", "box"]).unwrap();
    assert!(code == Some(1) && said.contains("one or more flags"), "{said}");
    assert_eq!(sandbox.said(&["update", "-m", "1", "box"]).unwrap().0, Some(1));
}

#[tokio::test]
async fn a_restart_policy_starts_again_as_often_as_it_says() {
    let sandbox = Sandbox::engine().await.unwrap();
    let flags = ["run", "-d", "--name", "box", "--restart", "on-failure:2", IMAGE];
    sandbox.sandlot(&[&flags[..], &["sh", "-c", "echo run >> /root/runs; exit 1"]].concat()).unwrap();
    let restarts =
        || sandbox.sandlot(&["inspect", "--format", "{{.RestartCount}} {{.State.Status}}", "box"]).unwrap();
    sandlot_tests::wait::until("the last try", || async { (restarts() == "2 exited").then_some(()) })
        .await
        .unwrap();
    let started = sandbox.sandlot(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=start",
        "--format",
        "{{.Action}}",
    ]);
    assert_eq!(started.unwrap().lines().count(), 3);
}

#[tokio::test]
async fn events_are_told_as_they_happen_and_afterwards() {
    let sandbox = Sandbox::engine().await.unwrap();
    let mut live = person(&sandbox, &["events", "--since", "1m", "--filter", "container=box"]);
    boxed(&sandbox, "box");
    live.until("container start").unwrap();
    sandbox.sandlot(&["rename", "box", "other"]).unwrap();
    sandbox.sandlot(&["pause", "other"]).unwrap();
    sandbox.sandlot(&["unpause", "other"]).unwrap();
    sandbox.sandlot(&["kill", "-s", "TERM", "other"]).unwrap();
    sandbox.sandlot(&["rm", "-f", "other"]).unwrap();
    let past =
        sandbox.sandlot(&["events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}"]).unwrap();
    let past: Vec<&str> = past.lines().collect();
    for action in ["create", "start", "rename", "pause", "unpause", "kill", "die", "destroy"] {
        assert!(past.contains(&action), "{action} in {past:?}");
    }
}

#[tokio::test]
async fn volumes_are_made_shown_kept_while_used_and_pruned() {
    let sandbox = Sandbox::engine().await.unwrap();
    assert_eq!(sandbox.sandlot(&["volume", "create", "--label", "k=v", "data"]).unwrap(), "data");
    let drawn = sandbox.sandlot(&["volume", "create"]).unwrap();
    let write = ["run", "--name", "box", "-v", "data:/data", IMAGE, "sh", "-c", "echo kept > /data/file"];
    sandbox.sandlot(&write).unwrap();
    assert_eq!(sandbox.said(&["volume", "rm", "data"]).unwrap().0, Some(1));
    sandbox.sandlot(&["rm", "box"]).unwrap();
    let read = ["run", "--rm", "-v", "data:/data:ro", IMAGE, "cat", "/data/file"];
    assert_eq!(sandbox.sandlot(&read).unwrap(), "kept");
    assert_eq!(sandbox.sandlot(&["volume", "inspect", "-f", "{{.Labels.k}}", "data"]).unwrap(), "v");
    assert!(sandbox.sandlot(&["volume", "prune", "-f"]).unwrap().contains(&drawn));
    assert_eq!(sandbox.sandlot(&["volume", "ls", "-q"]).unwrap(), "data");
    assert_eq!(sandbox.said(&["volume", "prune"]).unwrap().0, Some(1), "nobody was asked");
    sandbox.sandlot(&["volume", "rm", "data"]).unwrap();
    sandbox.sandlot(&["volume", "rm", "-f", "data"]).unwrap();
    assert_eq!(sandbox.sandlot(&["volume", "ls", "-q"]).unwrap(), "");
}

#[tokio::test]
async fn what_is_there_is_shown() {
    let sandbox = Sandbox::engine().await.unwrap();
    boxed(&sandbox, "box");
    let stats =
        sandbox.sandlot(&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.CPUPerc}}"]).unwrap();
    assert!(stats.starts_with("box 1 ") && stats.ends_with('%'), "{stats}");
    let mut live = person(&sandbox, &["stats", "box"]);
    live.until("MEM USAGE / LIMIT").unwrap();
    live.until("MEM USAGE / LIMIT").unwrap();
    assert!(sandbox.sandlot(&["top", "box"]).unwrap().contains("sleep 1000"));
    assert_eq!(sandbox.sandlot(&["port", "box"]).unwrap(), "");
    assert_eq!(sandbox.said(&["port", "box", "80"]).unwrap().0, Some(1));
    let sizes = sandbox.sandlot(&["system", "df"]).unwrap();
    assert!(
        sizes.contains("Images") && sizes.contains("Containers") && sizes.contains("Local Volumes"),
        "{sizes}"
    );
    assert_eq!(sandbox.sandlot(&["system", "info", "-f", "{{.ContainersRunning}}"]).unwrap(), "1");
    assert_eq!(sandbox.sandlot(&["info", "-f", "{{.Images}}"]).unwrap(), "1");
    let version = sandbox.sandlot(&["version", "-f", "{{.Client.Version}}={{.Server.Version}}"]).unwrap();
    assert_eq!(version.split_once('=').map(|(ours, theirs)| ours == theirs), Some(true), "{version}");
    let history = sandbox.sandlot(&["history", IMAGE]).unwrap();
    assert!(history.starts_with("IMAGE"), "{history}");
    let table =
        sandbox.sandlot(&["container", "ls", "--format", "table {{.Names}}\\t{{.CreatedAt}}"]).unwrap();
    assert!(table.starts_with("NAMES     CREATED AT\nbox       20"), "{table}");
    assert_eq!(sandbox.said(&["inspect", "--type", "image", "box"]).unwrap().0, Some(1));
    sandbox.sandlot(&["container", "stop", "-t", "0", "box"]).unwrap();
    assert!(sandbox.sandlot(&["container", "prune", "-f"]).unwrap().starts_with("Deleted Containers:"));
    assert_eq!(sandbox.sandlot(&["image", "ls", "--format", "{{.Repository}}"]).unwrap(), IMAGE);
}

#[tokio::test]
async fn standard_input_reaches_the_process_and_archives_reach_the_engine() {
    let sandbox = Sandbox::engine().await.unwrap();
    let fed = |arguments: &[&str], input: &[u8]| {
        let mut command = sandbox.own_command(arguments).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    assert_eq!(fed(&["run", "-i", "--rm", IMAGE, "wc", "-c"], &[b'x'; 100_000]).trim(), "100000");
    let root = sandbox.dir().join("root");
    sandlot_tests::image::busybox(&root).unwrap();
    let tar = std::process::Command::new("tar").arg("-C").arg(&root).args(["-c", "."]).output().unwrap();
    assert!(fed(&["import", "-", "made/here:1"], &tar.stdout).starts_with("sha256:"));
    assert_eq!(sandbox.sandlot(&["run", "--rm", "made/here:1", "/bin/echo", "runs"]).unwrap(), "runs");
    let (code, said) = sandbox.said(&["load", "-i", "/etc/passwd"]).unwrap();
    assert!(code == Some(1) && said.contains("unpacking the layer"), "{said}");
}

#[tokio::test]
async fn a_guarded_registry_is_used_by_who_logged_in() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::guarded().await.unwrap();
    let root = sandbox.dir().join("root");
    sandlot_tests::image::busybox(&root).unwrap();
    let layout = Layout::new(&sandbox.dir().join("layout")).unwrap().layer(&root, Compression::Gzip).unwrap();
    let layout = layout.finish(&serde_json::json!({ "Cmd": ["/bin/echo", "guarded"] })).unwrap();
    let name = registry.push(&layout, "busybox:latest").unwrap();
    let (code, said) = sandbox.said(&["pull", &name]).unwrap();
    assert!(code == Some(1), "without a login: {said}");
    let login = |password: &str| {
        let arguments = ["login", "-u", USER, "--password-stdin", &registry.host()];
        let mut command = sandbox.own_command(&arguments).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(login("wrong\n").0, Some(1));
    assert_eq!(login(&format!("{PASSWORD}\n")), (Some(0), "Login Succeeded\n".to_owned()));
    // What is not here is pulled by `run`, and its lines do not get among the container's output.
    assert_eq!(sandbox.sandlot(&["run", "--rm", &name]).unwrap(), "guarded");
    sandbox.sandlot(&["rmi", &name]).unwrap();
    assert!(sandbox.sandlot(&["pull", &name]).unwrap().ends_with(&name));
    // The real client finds the same credentials in the same file.
    sandbox.ok(&["pull", &name]).unwrap();
    sandbox.sandlot(&["logout", &registry.host()]).unwrap();
    assert_eq!(sandbox.said(&["run", "--rm", "--pull", "always", &name]).unwrap().0, Some(125));
    // Typed at a terminal, the password is not shown.
    let mut typed = person(&sandbox, &["login", &registry.host()]);
    typed.until("Username: ").unwrap();
    typed.type_in(&format!("{USER}\n")).unwrap();
    typed.until("Password: ").unwrap();
    typed.type_in(&format!("{PASSWORD}\n")).unwrap();
    assert!(!typed.until("Login Succeeded").unwrap().contains(PASSWORD));
    assert_eq!(typed.end().unwrap(), 0);
}

#[tokio::test]
async fn logs_are_kept_and_followed() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "echo one; echo two >&2; while [ ! -e /go ]; do sleep 0.05; done; echo three";
    sandbox.sandlot(&["run", "-d", "--name", "box", IMAGE, "sh", "-c", script]).unwrap();
    let mut follower = person(&sandbox, &["logs", "-f", "box"]);
    follower.until("two").unwrap();
    sandbox.sandlot(&["exec", "box", "touch", "/go"]).unwrap();
    follower.until("three").unwrap();
    assert_eq!(follower.end().unwrap(), 0);
    assert_eq!(sandbox.sandlot(&["logs", "-n", "1", "box"]).unwrap(), "three");
    assert_eq!(sandbox.sandlot(&["logs", "--since", "1h", "box"]).unwrap(), "one\nthree");
    assert_eq!(sandbox.sandlot(&["logs", "--until", "1h", "box"]).unwrap(), "");
    sandbox.sandlot(&["restart", "-t", "0", "box"]).unwrap();
    assert_eq!(sandbox.sandlot(&["wait", "box"]).unwrap(), "0");
    assert!(sandbox.sandlot(&["doctor"]).unwrap().contains("FEATURE"));
}

#[tokio::test]
async fn an_executions_exit_code_is_there_when_its_output_ends() {
    let sandbox = Sandbox::engine().await.unwrap();
    boxed(&sandbox, "box");
    // It came by another way than the output, and sometimes later.
    for _ in 0..40 {
        assert_eq!(sandbox.said(&["exec", "box", "false"]).unwrap().0, Some(1));
    }
    let late = ["exec", "box", "sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 6"];
    assert_eq!(sandbox.said(&late).unwrap().0, Some(6));
}

#[tokio::test]
async fn a_second_terminal_opens_in_a_running_container() {
    let sandbox = Sandbox::engine().await.unwrap();
    boxed(&sandbox, "box");
    let mut person = person(&sandbox, &["exec", "-it", "-e", "X=given", "-w", "/tmp", "box", "sh"]);
    person.until("# ").unwrap();
    person.type_in("stty size; echo $X-$PWD\n").unwrap();
    person.until("30 100").unwrap();
    person.until("given-/tmp").unwrap();
    person.resize(70, 20).unwrap();
    person.type_in("until [ \"$(stty size)\" = '20 70' ]; do :; done; echo resi''zed\n").unwrap();
    person.until("resized").unwrap();
    person.type_in("exit 3\n").unwrap();
    assert_eq!(person.end().unwrap(), 3);
    assert_eq!(
        sandbox.said(&["exec", "-it", "box", "true"]).unwrap().0,
        Some(1),
        "there is no terminal here"
    );
    assert_eq!(sandbox.sandlot(&["exec", "-d", "box", "touch", "/made"]).unwrap(), "");
    sandlot_tests::wait::until("the file", || async {
        sandbox.said(&["exec", "box", "ls", "/made"]).ok().filter(|(code, _)| *code == Some(0))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_pull_shows_bars_on_a_terminal_and_lines_elsewhere() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::start().await.unwrap();
    let root = sandbox.dir().join("root");
    sandlot_tests::image::busybox(&root).unwrap();
    let layout = Layout::new(&sandbox.dir().join("layout")).unwrap().layer(&root, Compression::Zstd).unwrap();
    let layout = layout.finish(&serde_json::json!({ "Cmd": ["/bin/true"] })).unwrap();
    let name = registry.push(&layout, "busybox:latest").unwrap();
    let lines = sandbox.sandlot(&["pull", &name]).unwrap();
    assert!(lines.contains(": Pull complete\n") && !lines.contains('['), "{lines}");
    assert_eq!(sandbox.sandlot(&["pull", "-q", &name]).unwrap(), name);
    sandbox.sandlot(&["rmi", &name]).unwrap();
    let mut person = person(&sandbox, &["pull", &name]);
    person.until("Pull complete").unwrap();
    person.until("[███").unwrap();
    person.until(&name).unwrap();
    assert_eq!(person.end().unwrap(), 0);
}
