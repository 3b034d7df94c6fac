//! `docker checkpoint`: this host is asked, and what it answers is passed on.

use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

#[tokio::test]
async fn a_checkpoint_is_refused_with_the_reason_and_nothing_is_restored() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-d", "--name", "box", IMAGE, "sleep", "1000"]).unwrap();
    sandbox.ok(&["create", "--name", "stopped", IMAGE, "true"]).unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let output = sandbox.docker(arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
        said
    };
    let said = refused(&["checkpoint", "create", "box", "one"], "checkpoint");
    let doctor = sandbox.said(&["doctor"]).unwrap().1;
    if said.contains("because") {
        assert!(
            said.contains("this host can not make a checkpoint, because") && said.contains("criu"),
            "{said}"
        );
        let reason = said.trim().rsplit("because ").next().unwrap();
        assert!(doctor.contains(reason.get(..20).unwrap()), "{reason}: {doctor}");
    } else {
        assert!(said.contains("makes no checkpoints yet"), "{said}");
    }
    assert!(doctor.contains("checkpoints"), "{doctor}");
    refused(&["checkpoint", "create", "stopped", "one"], "is not running");
    refused(&["checkpoint", "create", "none", "one"], "No such container: none");
    refused(&["checkpoint", "create", "box", "../one"], "invalid checkpoint name");
    refused(&["checkpoint", "rm", "box", "one"], "checkpoint one does not exist for container box");
    refused(
        &["start", "--checkpoint", "one", "stopped"],
        "checkpoint one does not exist for container stopped",
    );
    assert_eq!(sandbox.ok(&["checkpoint", "ls", "box"]).unwrap(), "CHECKPOINT NAME");
    assert_eq!(sandbox.ok(&["ps", "--format", "{{.Names}}"]).unwrap(), "box");
}
