//! How containers end, and what is said of it, by the real `docker` client: exit codes, signals, what is refused.

use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;

const IMAGE: &str = "sandlot/starter";

fn of(sandbox: &Sandbox, name: &str, what: &str) -> String {
    sandbox.ok(&["inspect", "-f", what, name]).unwrap()
}

/// A container whose shell says which signals it got, and ends with 7 at TERM.
async fn listener(sandbox: &Sandbox, name: &str, flags: &[&str]) {
    let script = "for s in USR1 HUP QUIT 37; do trap \"echo got $s\" $s; done; trap 'exit 7' TERM; echo on; \
                  while :; do sleep 0.02; done";
    let arguments = [&["run", "-d", "--name", name][..], flags, &[IMAGE, "sh", "-c", script]].concat();
    sandbox.ok(&arguments).unwrap();
    says(sandbox, name, "on").await;
}

async fn says(sandbox: &Sandbox, name: &str, line: &str) {
    let said = || async { sandbox.ok(&["logs", name]).unwrap().lines().any(|l| l == line).then_some(()) };
    until(&format!("{name} to say {line}"), said).await.unwrap();
}

#[tokio::test]
async fn codes_are_dockers() {
    let sandbox = Sandbox::engine().await.unwrap();
    for (command, code) in [
        (&["sh", "-c", "exit 42"][..], 42),
        (&["sh", "-c", "kill -9 $$; sleep 9"], 0),
        (&["/no/such"], 127),
        (&["nosuch"], 127),
        (&["/etc/passwd/x"], 127),
        (&["/etc"], 126),
        (&["/etc/passwd"], 126),
    ] {
        let output = sandbox.docker(&[&["run", "--init", IMAGE][..], command].concat()).unwrap();
        let code = if command.contains(&"kill -9 $$; sleep 9") { 137 } else { code };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    }
    for flags in [&["--network", "nosuch"][..], &["-v", "/etc:/x"], &["-m", "1k"]] {
        let output = sandbox.docker(&[&["run"], flags, &[IMAGE, "true"]].concat()).unwrap();
        assert_eq!(output.status.code(), Some(125), "{flags:?}");
    }
    sandbox.ok(&["run", "-d", "--name", "box1", IMAGE, "sleep", "1000"]).unwrap();
    for (command, code) in [(&["sh", "-c", "exit 3"][..], 3), (&["nosuch"], 127), (&["/etc"], 126)] {
        let output = sandbox.docker(&[&["exec", "box1"], command].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "exec {command:?}");
    }
    sandbox.ok(&["create", "--name", "bad", IMAGE, "/no/such"]).unwrap();
    let (code, said) = sandbox.refused(&["start", "bad"]).unwrap();
    assert!(code == 1 && said.contains("no such file or directory"), "{code} {said}");
    assert_eq!(of(&sandbox, "bad", "{{.State.ExitCode}} {{ne .State.Error \"\"}}"), "127 true");
    sandbox.ok(&["run", "--name", "a1", "-d", IMAGE, "sh", "-c", "exit 5"]).unwrap();
    sandbox.ok(&["run", "--name", "a2", "-d", IMAGE, "sh", "-c", "exit 6"]).unwrap();
    assert_eq!(sandbox.ok(&["wait", "a1", "a2"]).unwrap(), "5\n6");
    let output = sandbox.docker(&["start", "-a", "a1"]).unwrap();
    assert_eq!(output.status.code(), Some(5));
}

#[tokio::test]
async fn a_container_is_asked_first_in_its_own_way() {
    let sandbox = Sandbox::engine().await.unwrap();
    for (name, flags) in [("plain", &[][..]), ("init", &["--init"])] {
        listener(&sandbox, name, flags).await;
        for (signal, line) in [("USR1", "got USR1"), ("SIGHUP", "got HUP"), ("SIGRTMIN+3", "got 37")] {
            sandbox.ok(&["kill", "-s", signal, name]).unwrap();
            says(&sandbox, name, line).await;
        }
        sandbox.ok(&["stop", name]).unwrap();
        assert_eq!(of(&sandbox, name, "{{.State.ExitCode}}"), "7", "{name}");
    }
    listener(&sandbox, "own", &["--stop-signal", "QUIT", "--stop-timeout", "1"]).await;
    sandbox.ok(&["stop", "own"]).unwrap();
    assert_eq!(
        of(&sandbox, "own", "{{.State.ExitCode}}"),
        "137",
        "it goes on after its signal, and is killed"
    );
    assert!(sandbox.ok(&["logs", "own"]).unwrap().contains("got QUIT"));
    listener(&sandbox, "told", &[]).await;
    sandbox.ok(&["pause", "told"]).unwrap();
    sandbox.ok(&["stop", "-s", "TERM", "-t", "20", "told"]).unwrap();
    assert_eq!(of(&sandbox, "told", "{{.State.ExitCode}}"), "7", "a paused one is thawed, and hears");
    sandbox.ok(&["restart", "told"]).unwrap();
    sandbox.ok(&["kill", "told", "--signal", "TERM"]).unwrap();
    assert_eq!(sandbox.ok(&["wait", "told"]).unwrap(), "7");
    for (arguments, words) in [
        (&["kill", "told"][..], "is not running"),
        (&["pause", "told"], "is not running"),
        (&["unpause", "told"], "is not"),
        (&["exec", "told", "true"], "is not running"),
        (&["kill", "-s", "NOPE", "told"], "nvalid signal: NOPE"),
        (&["rename", "told", "init"], "already in use"),
        (&["rename", "told", "a b"], "Invalid container name"),
        (&["stop", "nobody"], "No such container: nobody"),
    ] {
        let (_, said) = sandbox.refused(arguments).unwrap();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn an_init_reaps_and_memory_that_ran_out_is_said() {
    let sandbox = Sandbox::engine().await.unwrap();
    let orphans = "for i in 1 2 3 4 5; do (sleep 0.01 &); done; sleep 0.5; ps -o stat | grep -c Z";
    let zombies = |flags: &[&str]| {
        let output =
            sandbox.docker(&[&["run", "--rm"], flags, &[IMAGE, "sh", "-c", orphans]].concat()).unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().unwrap()
    };
    assert_eq!(zombies(&["--init"]), 0);
    let eats = ["run", "--name", "eats", "-m", "32m", "--memory-swap", "32m", IMAGE, "tail", "/dev/zero"];
    let output = sandbox.docker(&eats).unwrap();
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(of(&sandbox, "eats", "{{.State.OOMKilled}}"), "true");
    assert_eq!(
        sandbox.events_as("{{.Action}}", &["container=eats", "event=oom", "event=die"]).unwrap(),
        "oom\ndie"
    );
}

#[tokio::test]
async fn what_a_container_may_be_is_obeyed_or_refused() {
    let sandbox = Sandbox::engine().await.unwrap();
    let sh = |flags: &[&str], script: &str| {
        sandbox.ok(&[&["run", "--rm"], flags, &[IMAGE, "sh", "-c", script]].concat()).unwrap()
    };
    assert_eq!(sh(&["--group-add", "77"], "id -G"), "0 77");
    assert_eq!(sh(&["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj"), "500");
    assert_eq!(sh(&["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward"), "1");
    assert_eq!(sh(&["--ulimit", "nofile=64:128"], "ulimit -n; ulimit -Hn"), "64\n128");
    assert!(sh(&["--shm-size", "1m"], "df -k /dev/shm | tail -1").contains(" 1024 "));
    assert_eq!(sh(&["--ipc", "none"], "grep -c /dev/shm /proc/mounts || true"), "0");
    assert_eq!(
        sh(&["--ipc", "private", "--cpuset-mems", "0"], "grep Mems_allowed_list /proc/self/status | cut -f2"),
        "0"
    );
    for (flags, words) in [
        (&["--runtime", "kata"][..], "unknown or invalid runtime name: kata"),
        (&["--isolation", "hyperv"], "invalid isolation (hyperv)"),
        (&["--gpus", "all"], "--gpus is never done by Sandlot"),
        (&["--cgroupns", "host"], "--cgroupns=host is never done by Sandlot"),
        (&["--ulimit", "nofile=5:1"], "ulimit"),
        (&["--oom-score-adj", "2000"], "oom score adj"),
    ] {
        let (code, said) = sandbox.refused(&[&["run", "--rm"], flags, &[IMAGE, "true"]].concat()).unwrap();
        assert!(code == 125 && said.contains(words), "{flags:?}: {code} {said}");
    }
    // The client checks it as well; the engine does not rely on that.
    let body = r#"{"Image":"sandlot/starter","Cmd":["true"],"HostConfig":{"Sysctls":{"kernel.panic":"1"}}}"#;
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "--unix-socket"]).arg(sandbox.dir().join("engine.sock"));
    curl.args(["-H", "content-type: application/json", "-d", body, "http://x/containers/create"]);
    let said = curl.output().map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap();
    assert!(said.contains("sysctl \\\"kernel.panic\\\" is not in a namespace"), "{said}");
}
