//! What is made of a container before anybody starts it: it waits, it is used, and it never stays behind.

use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::{traces, wait};

const IMAGE: &str = "sandlot/starter";

/// Waits until control groups of this sandbox are there, or until none is.
async fn groups(sandbox: &Sandbox, there: bool) {
    let found = || async {
        let groups = traces::groups_below(&sandbox.mark()).ok()?;
        (groups.is_empty() != there).then_some(())
    };
    wait::until(if there { "groups to be made" } else { "groups to go" }, found).await.unwrap();
}

#[tokio::test]
async fn what_was_begun_goes_with_its_container() {
    let sandbox = Sandbox::engine().await.unwrap();
    let container = sandbox.ok(&["create", IMAGE, "true"]).unwrap();
    groups(&sandbox, true).await;
    assert_eq!(
        sandbox.ok(&["inspect", "-f", "{{.State.Status}} {{.State.Pid}}", &container]).unwrap(),
        "created 0"
    );
    sandbox.ok(&["rm", &container]).unwrap();
    groups(&sandbox, false).await;
}

#[tokio::test]
async fn what_was_begun_goes_after_a_while_and_is_made_again() {
    let sandbox = Sandbox::engine().await.unwrap();
    let container = sandbox.ok(&["create", IMAGE, "echo", "late"]).unwrap();
    groups(&sandbox, true).await;
    groups(&sandbox, false).await;
    assert_eq!(sandbox.ok(&["start", "-a", &container]).unwrap(), "late");
}

#[tokio::test]
async fn what_was_begun_goes_with_a_killed_engine_and_is_made_again() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    let container = sandbox.ok(&["create", IMAGE, "echo", "later"]).unwrap();
    groups(&sandbox, true).await;
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    groups(&sandbox, false).await;
    assert_eq!(sandbox.ok(&["start", "-a", &container]).unwrap(), "later");
}

#[tokio::test]
async fn a_limit_that_changes_before_the_start_is_the_one_in_force() {
    let sandbox = Sandbox::engine().await.unwrap();
    let container = sandbox.ok(&["create", "-m", "64m", IMAGE, "sleep", "1000"]).unwrap();
    groups(&sandbox, true).await;
    sandbox.ok(&["update", "-m", "32m", "--memory-swap", "32m", &container]).unwrap();
    sandbox.ok(&["start", &container]).unwrap();
    let usage = sandbox.ok(&["stats", "--no-stream", "--format", "{{.MemUsage}}", &container]).unwrap();
    assert!(usage.ends_with("/ 32MiB"), "{usage}");
    sandbox.ok(&["rm", "-f", &container]).unwrap();
}

/// The ids for which there are control groups.
fn ids(sandbox: &Sandbox) -> std::collections::BTreeSet<String> {
    let all = traces::groups_below(&sandbox.mark()).unwrap();
    all.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_blank_becomes_one_container_and_is_replaced() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.kill(Part::Engine).unwrap();
    sandbox.blanks(1);
    sandbox.start(Part::Engine).await.unwrap();
    groups(&sandbox, true).await;
    let blank = ids(&sandbox);
    // What cannot be made leaves the blank to the next.
    sandbox.refused(&["create", "--log-driver", "nonsense", IMAGE, "true"]).unwrap();
    let limited = ["run", "-d", "-m", "48m", "--hostname", "own", IMAGE, "sleep", "1000"];
    let first = sandbox.ok(&limited).unwrap();
    assert_eq!(blank, [first.clone()].into());
    assert_eq!(sandbox.ok(&["exec", &first, "hostname"]).unwrap(), "own");
    let usage = sandbox.ok(&["stats", "--no-stream", "--format", "{{.MemUsage}}", &first]).unwrap();
    assert!(usage.ends_with("/ 48MiB"), "{usage}");
    let replaced = || async { (ids(&sandbox).len() == 2).then_some(()) };
    wait::until("the blank to be replaced", replaced).await.unwrap();
    let second = sandbox.ok(&["run", "-d", IMAGE, "sleep", "1000"]).unwrap();
    assert!(first != second && ids(&sandbox).contains(&second));
    let uids = |id| sandbox.ok(&["exec", id, "cat", "/proc/self/uid_map"]).unwrap();
    assert_ne!(uids(&first), uids(&second));
    sandbox.ok(&["rm", "-f", &first, &second]).unwrap();
    // An engine that is killed leaves its blank; the next one sweeps it, and has another.
    wait::until("the groups of both to go", || async { (ids(&sandbox).len() == 1).then_some(()) })
        .await
        .unwrap();
    let last = ids(&sandbox);
    sandbox.kill(Part::Engine).unwrap();
    sandbox.blanks(0);
    sandbox.start(Part::Engine).await.unwrap();
    groups(&sandbox, false).await;
    assert_eq!(last.len(), 1);
}
