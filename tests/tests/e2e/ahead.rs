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
