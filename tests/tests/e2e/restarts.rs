//! Restart policies by the real `docker` client, also over the death of engine and spawner.

use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;

const IMAGE: &str = "sandlot/starter";

fn run(sandbox: &Sandbox, name: &str, policy: &str, script: &str) {
    let arguments =
        ["run", "-d", "--stop-timeout", "1", "--name", name, "--restart", policy, IMAGE, "sh", "-c", script];
    sandbox.ok(&arguments).unwrap();
}

fn of(sandbox: &Sandbox, name: &str, what: &str) -> String {
    sandbox.ok(&["inspect", "-f", what, name]).unwrap()
}

fn state(sandbox: &Sandbox, name: &str) -> String {
    of(sandbox, name, "{{.State.Status}}")
}

async fn becomes(sandbox: &Sandbox, name: &str, what: &str, wanted: &str) {
    let seen = || async { (of(sandbox, name, what) == wanted).then_some(()) };
    let waited = until(&format!("{what} of {name} to be {wanted}"), seen).await;
    assert!(waited.is_ok(), "{waited:?}: {}", of(sandbox, name, "{{json .State}} {{.RestartCount}}"));
}

#[tokio::test]
async fn each_policy_restarts_what_it_says_and_no_more() {
    let sandbox = Sandbox::engine().await.unwrap();
    run(&sandbox, "never", "no", "exit 1");
    run(&sandbox, "thrice", "on-failure:3", "echo run; exit 3");
    run(&sandbox, "good", "on-failure", "exit 0");
    run(&sandbox, "always", "always", "exit 0");
    becomes(&sandbox, "thrice", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "3 exited 3")
        .await;
    assert_eq!(sandbox.ok(&["logs", "thrice"]).unwrap(), "run\nrun\nrun\nrun");
    for name in ["never", "good"] {
        assert_eq!(of(&sandbox, name, "{{.RestartCount}} {{.State.Status}}"), "0 exited", "{name}");
    }
    // In the pause it counts as running, and says what it is in.
    becomes(
        &sandbox,
        "always",
        "{{.State.Status}} {{.State.Running}} {{.State.Restarting}}",
        "restarting true true",
    )
    .await;
    let listed =
        sandbox.ok(&["ps", "--filter", "status=restarting", "--format", "{{.Names}} {{.Status}}"]).unwrap();
    assert!(listed.is_empty() || listed.starts_with("always Restarting (0) "), "{listed}");
    // The first pause is 100 ms, and each is twice as long as the one before.
    becomes(&sandbox, "always", "{{ge .RestartCount 4}}", "true").await;
    let events =
        sandbox.events_as("{{.TimeNano}}", &["container=always", "event=start", "event=die"]).unwrap();
    let times: Vec<u64> = events.lines().map(|line| line.parse().unwrap()).collect();
    let pauses: Vec<u64> =
        times[1..].chunks(2).filter(|p| p.len() == 2).map(|p| (p[1] - p[0]) / 1_000_000).collect();
    assert!(pauses.len() >= 3, "{events}");
    for (n, pause) in pauses.iter().take(4).enumerate() {
        assert!(*pause >= 100 << n, "{pauses:?}");
    }
    // Stopping ends it for good; removing wants that first, or force.
    becomes(&sandbox, "always", "{{.State.Status}}", "restarting").await;
    let (_, said) = sandbox.refused(&["exec", "always", "true"]).unwrap();
    assert!(said.contains("is restarting, wait until the container is running"), "{said}");
    sandbox.ok(&["stop", "always"]).unwrap();
    assert_eq!(state(&sandbox, "always"), "exited");
    sandbox.ok(&["start", "always"]).unwrap();
    assert_eq!(of(&sandbox, "always", "{{le .RestartCount 1}}"), "true", "a start by hand counts anew");
    sandbox.ok(&["rm", "-f", "always"]).unwrap();
}

#[tokio::test]
async fn a_stop_by_hand_and_an_update_are_obeyed() {
    let sandbox = Sandbox::engine().await.unwrap();
    run(&sandbox, "box1", "unless-stopped", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done");
    let ready = || async { (sandbox.ok(&["logs", "box1"]).unwrap() == "ready").then_some(()) };
    until("it to be ready", ready).await.unwrap();
    let running = || of(&sandbox, "box1", "{{.State.Status}} {{.State.Pid}}");
    let first = running();
    // A signal that is not the one it is stopped with does not mean that it is to stay away.
    sandbox.ok(&["kill", "-s", "USR1", "box1"]).unwrap();
    let again = || async {
        let now = running();
        (now.starts_with("running ") && now != first).then_some(())
    };
    until("it to run again", again).await.unwrap();
    sandbox.ok(&["kill", "box1"]).unwrap();
    becomes(&sandbox, "box1", "{{.State.Status}} {{.State.ExitCode}}", "exited 137").await;
    sandbox.ok(&["update", "--restart", "on-failure:2", "box1"]).unwrap();
    assert_eq!(of(&sandbox, "box1", "{{.HostConfig.RestartPolicy}}"), "{on-failure 2}");
    sandbox.ok(&["create", "--rm", "--name", "gone", IMAGE, "true"]).unwrap();
    for (arguments, words) in [
        (&["update", "--restart", "always", "gone"][..], "cannot be updated because AutoRemove is enabled"),
        (&["update", "--restart", "ever", "box1"], "unknown policy 'ever'"),
        (&["create", "--restart", "always:3", IMAGE, "true"], "maximum retry count"),
        (
            &["run", "--rm", "--restart", "always", IMAGE, "true"],
            "conflicting options: cannot specify both --restart and --rm",
        ),
    ] {
        let (_, said) = sandbox.refused(arguments).unwrap();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // In the foreground the client sees the last end alone.
    let output = sandbox.docker(&["run", "--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 4"]).unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[tokio::test]
async fn what_was_to_go_on_goes_on_after_everything_died() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    for (name, policy) in [
        ("never", "no"),
        ("always", "always"),
        ("held", "always"),
        ("unless", "unless-stopped"),
        ("stopped", "unless-stopped"),
    ] {
        run(&sandbox, name, policy, "echo begun; sleep 1000");
    }
    run(&sandbox, "loops", "always", "exit 1");
    sandbox.ok(&["stop", "-t", "0", "held", "stopped"]).unwrap();
    // An engine alone may die: what runs runs on, what restarts restarts.
    let pid = of(&sandbox, "always", "{{.State.Pid}}");
    becomes(&sandbox, "loops", "{{.State.Status}}", "restarting").await;
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(of(&sandbox, "always", "{{.State.Pid}} {{.RestartCount}}"), format!("{pid} 0"));
    let before: u32 = of(&sandbox, "loops", "{{.RestartCount}}").parse().unwrap();
    becomes(&sandbox, "loops", &format!("{{{{gt .RestartCount {before}}}}}"), "true").await;
    sandbox.kill(Part::Engine).unwrap();
    sandbox.kill(Part::Spawner).unwrap();
    sandbox.start(Part::Spawner).await.unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    for name in ["always", "held", "unless"] {
        becomes(&sandbox, name, "{{.State.Status}}", "running").await;
    }
    assert_eq!(state(&sandbox, "stopped"), "exited");
    assert_eq!(of(&sandbox, "never", "{{.State.Status}} {{.State.ExitCode}}"), "exited 255");
}
