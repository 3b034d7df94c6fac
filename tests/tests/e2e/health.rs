//! Health checks by the real `docker` client: from starting to well, to not well and back; bounded in time and output.

use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;

const IMAGE: &str = "sandlot/starter";

fn run(sandbox: &Sandbox, name: &str, flags: &[&str], image: &str) {
    let mut arguments = vec!["run", "-d", "--name", name, "--stop-timeout", "0"];
    arguments.extend(flags);
    arguments.extend([image, "sleep", "1000"]);
    sandbox.ok(&arguments).unwrap();
}

fn of(sandbox: &Sandbox, name: &str, what: &str) -> String {
    sandbox.ok(&["inspect", "-f", &format!("{{{{{what}}}}}"), name]).unwrap()
}

async fn becomes(sandbox: &Sandbox, name: &str, status: &str) {
    let seen = || async { (of(sandbox, name, ".State.Health.Status") == status).then_some(()) };
    until(&format!("{name} to be {status}"), seen).await.unwrap();
}

#[tokio::test]
async fn a_container_is_starting_then_healthy_then_not_and_says_so() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    let check = ["--health-cmd", "test -f /ok", "--health-interval", "50ms", "--health-retries", "2"];
    let grace = ["--health-start-period", "1h", "--health-start-interval", "50ms"];
    run(&sandbox, "box1", &[&check[..], &grace[..]].concat(), IMAGE);
    let status = || sandbox.ok(&["ps", "--format", "{{.Status}}", "--filter", "name=box1"]).unwrap();
    assert!(status().ends_with("(health: starting)"), "{}", status());
    // Failures within the grace count nothing.
    let tried = || async { (of(&sandbox, "box1", "len .State.Health.Log") == "5").then_some(()) };
    until("five checks", tried).await.unwrap();
    assert_eq!(of(&sandbox, "box1", ".State.Health.FailingStreak"), "0");
    sandbox.ok(&["exec", "box1", "touch", "/ok"]).unwrap();
    becomes(&sandbox, "box1", "healthy").await;
    assert!(status().ends_with("(healthy)"), "{}", status());
    let listed = |health: &str| {
        sandbox.ok(&["ps", "-q", "--no-trunc", "--filter", &format!("health={health}")]).unwrap()
    };
    assert_eq!((listed("healthy").len(), listed("unhealthy").len(), listed("none").len()), (64, 0, 0));
    sandbox.ok(&["exec", "box1", "rm", "/ok"]).unwrap();
    becomes(&sandbox, "box1", "unhealthy").await;
    assert!(status().ends_with("(unhealthy)"), "{}", status());
    let events = sandbox.events(&["container=box1"]).unwrap();
    let order = [
        "start",
        "exec_create: /bin/sh -c test -f /ok",
        "exec_start: ",
        "exec_die",
        "health_status: healthy",
        "health_status: unhealthy",
    ];
    let places: Vec<usize> =
        order.iter().map(|word| events.find(word).unwrap_or_else(|| panic!("{word}: {events}"))).collect();
    assert!(places.is_sorted(), "{places:?} {events}");
    // What was known is known after a restart of the engine, and looked at again.
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(of(&sandbox, "box1", ".State.Health.Status"), "unhealthy");
    sandbox.ok(&["exec", "box1", "touch", "/ok"]).unwrap();
    becomes(&sandbox, "box1", "healthy").await;
    // A frozen container is not asked; one that was thawed is.
    sandbox.ok(&["pause", "box1"]).unwrap();
    sandbox.ok(&["unpause", "box1"]).unwrap();
    sandbox.ok(&["exec", "box1", "rm", "/ok"]).unwrap();
    becomes(&sandbox, "box1", "unhealthy").await;
    // A restart begins anew.
    sandbox.ok(&["restart", "-t", "0", "box1"]).unwrap();
    assert_eq!(of(&sandbox, "box1", ".State.Health.Status"), "starting");
}

#[tokio::test]
async fn a_check_that_hangs_or_floods_is_bounded() {
    let sandbox = Sandbox::engine().await.unwrap();
    let often = ["--health-interval", "50ms", "--health-retries", "1", "--health-timeout"];
    run(
        &sandbox,
        "hangs",
        &[&often[..], &["500ms", "--health-cmd", "echo begun; sleep 77 & sleep 78"]].concat(),
        IMAGE,
    );
    run(&sandbox, "floods", &[&often[..], &["20s", "--health-cmd", "yes; false"]].concat(), IMAGE);
    run(
        &sandbox,
        "large",
        &[&often[..], &["20s", "--health-cmd", "head -c 100000 /dev/zero | tr '\\0' x; exit 3"]].concat(),
        IMAGE,
    );
    becomes(&sandbox, "hangs", "unhealthy").await;
    let first = |name: &str, what: &str| of(&sandbox, name, &format!("(index .State.Health.Log 0).{what}"));
    assert_eq!(first("hangs", "Output").trim(), "Health check exceeded timeout (500ms): begun");
    assert_eq!(first("hangs", "ExitCode"), "-1");
    becomes(&sandbox, "large", "unhealthy").await;
    assert_eq!((first("large", "Output").len(), first("large", "ExitCode").as_str()), (4096 + 3, "3"));
    // Of checks that were killed nothing is left but, perhaps, the one that runs now.
    let sleepers = || sandbox.ok(&["exec", "hangs", "sh", "-c", "ps | grep -c '[s]leep 7' || true"]).unwrap();
    let few = || async { (sleepers().parse::<u32>().unwrap() <= 2).then_some(()) };
    until("what hung to go", few).await.unwrap();
    assert_eq!(of(&sandbox, "floods", ".State.Health.Status"), "starting");
}

#[tokio::test]
async fn the_images_check_is_taken_changed_or_left_out() {
    let sandbox = Sandbox::engine().await.unwrap();
    let cmd = ["--health-cmd", "true", "--health-interval", "50ms"];
    run(&sandbox, "made", &cmd, IMAGE);
    sandbox.ok(&["commit", "made", "checked"]).unwrap();
    run(&sandbox, "takes", &[], "checked");
    becomes(&sandbox, "takes", "healthy").await;
    run(&sandbox, "changes", &["--health-retries", "9", "--health-timeout", "2s"], "checked");
    let shown = of(&sandbox, "changes", "json .Config.Healthcheck");
    for word in
        [r#""CMD-SHELL","true""#, r#""Interval":50000000"#, r#""Retries":9"#, r#""Timeout":2000000000"#]
    {
        assert!(shown.contains(word), "{shown}");
    }
    run(&sandbox, "leaves", &["--no-healthcheck"], "checked");
    assert_eq!(of(&sandbox, "leaves", "json .State.Health"), "null");
    assert_eq!(sandbox.ok(&["ps", "--filter", "health=none", "--format", "{{.Names}}"]).unwrap(), "leaves");
}

/// The pipes that a process holds.
fn pipes(pid: u32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let to = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    to.filter(|to| to.to_string_lossy().starts_with("pipe:")).count()
}

/// Two descriptors for each, and one container took them all from every other.
#[tokio::test]
async fn what_checks_leave_behind_holds_nothing_of_the_engines() {
    let sandbox = Sandbox::engine().await.unwrap();
    let leaves = ["--health-interval", "50ms", "--health-cmd", "setsid sleep 1000 & true"];
    run(&sandbox, "leaves", &leaves, IMAGE);
    let before = pipes(sandbox.engine_pid());
    let sleepers = || sandbox.ok(&["exec", "leaves", "sh", "-c", "ps | grep -c '[s]leep 1000'"]).unwrap();
    let many = || async { (sleepers().parse::<usize>().unwrap() > 12).then_some(()) };
    until("what is left of twelve checks", many).await.unwrap();
    // Those are there, with their ends of the pipes; the engine has at most those of the check that runs now.
    let now = pipes(sandbox.engine_pid());
    assert!(now < before + 12, "{before} before, {now} now");
    // A check that hangs ends at its time though all that it started left its session.
    let hangs = ["--health-timeout", "200ms", "--health-retries", "1", "--health-interval", "50ms"];
    let cmd = ["--health-cmd", "setsid sh -c 'yes & sleep 1000' & wait"];
    run(&sandbox, "hangs", &[&hangs[..], &cmd].concat(), IMAGE);
    becomes(&sandbox, "hangs", "unhealthy").await;
}
