//! `docker checkpoint`: a host that can does it, one that cannot says why. That containers go on where they were is tried in a guest
//! whose kernel Debian's CRIU knows: `tests/guest/checkpoint`.

use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

#[tokio::test]
async fn a_checkpoint_is_made_or_refused_with_the_true_reason() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-d", "--name", "box", "--network", "none", IMAGE, "sleep", "1000"]).unwrap();
    sandbox.ok(&["create", "--name", "stopped", IMAGE, "true"]).unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let output = sandbox.docker(arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
        said
    };
    let doctor = sandbox.said(&["doctor"]).unwrap().1;
    let row = doctor.lines().find(|line| line.contains("checkpoints")).unwrap();
    let create = ["checkpoint", "create", "--leave-running", "box", "one"];
    if row.contains("runs on this kernel") {
        assert_eq!(sandbox.ok(&create).unwrap(), "one");
        assert_eq!(sandbox.ok(&["checkpoint", "ls", "box"]).unwrap(), "CHECKPOINT NAME\none");
        refused(&create, "already exists");
        sandbox.ok(&["checkpoint", "rm", "box", "one"]).unwrap();
    } else {
        let said = refused(&create, "this host can not make a checkpoint, because ");
        let reason = said.trim().rsplit("because ").next().unwrap();
        assert!(reason.contains("criu") && doctor.contains(reason.get(..20).unwrap()), "{reason}: {doctor}");
    }
    refused(&["checkpoint", "create", "stopped", "one"], "is not running");
    refused(&["checkpoint", "create", "none", "one"], "No such container: none");
    refused(&["checkpoint", "create", "box", "../one"], "Invalid checkpoint ID");
    let elsewhere = ["checkpoint", "create", "--checkpoint-dir", "/tmp", "box", "one"];
    refused(&elsewhere, "custom checkpointdir is not supported");
    refused(&["checkpoint", "rm", "box", "one"], "checkpoint one does not exist for container box");
    refused(
        &["start", "--checkpoint", "one", "stopped"],
        "checkpoint one does not exist for container stopped",
    );
    assert_eq!(sandbox.ok(&["checkpoint", "ls", "box"]).unwrap(), "CHECKPOINT NAME");
    assert_eq!(sandbox.ok(&["ps", "--format", "{{.Names}}"]).unwrap(), "box");
}
