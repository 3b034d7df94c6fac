//! Commands where no engine listens: each runs one for itself, and leaves nothing behind but its state.

use sandlot_tests::traces;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const IMAGE: &str = "sandlot/starter";
const USUAL: &str = "/run/sandlot/engine.sock";

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(sandlot_tests::program("sandlot").unwrap());
    let parent = dir.file_name().unwrap();
    command.args(arguments).env("SANDLOT_STATE", dir.join("state")).env("SANDLOT_CGROUP_PARENT", parent);
    command.env("SANDLOT_SERVER_USER", "0").env_remove("SANDLOT_HOST").env_remove("DOCKER_HOST");
    command.stdin(Stdio::null());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(dir, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), said.trim_end().to_owned())
}

#[tokio::test]
async fn a_command_runs_an_engine_for_itself() {
    if std::os::unix::net::UnixStream::connect(USUAL).is_ok() {
        eprintln!("SKIPPED: an engine listens at {USUAL}: no command would run one of its own");
        assert!(std::env::var("SANDLOT_TESTS_STRICT").is_err());
        return;
    }
    let temporary = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let dir = temporary.path();
    let (code, said) = run(dir, &["run", "--name", "box1", IMAGE, "sh", "-c", "echo hello; exit 4"]);
    assert_eq!((code, said.as_str()), (Some(4), "hello"));
    // The next command finds what the last one left.
    assert_eq!(run(dir, &["logs", "box1"]), (Some(0), "hello".into()));
    assert_eq!(run(dir, &["ps", "-a", "--format", "{{.Names}}"]), (Some(0), "box1".into()));
    let (code, said) = run(dir, &["run", "-d", IMAGE, "sleep", "1000"]);
    assert!(code != Some(0) && said.contains("would end with this command"), "{code:?} {said}");
    // Two at once would give the same ids twice.
    let mut first = command(dir, &["run", "--rm", IMAGE, "sh", "-c", "echo on; sleep 1000"]);
    let mut first = first.stdout(Stdio::piped()).spawn().unwrap();
    let mut on = [0; 3];
    std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut on).unwrap();
    let (code, said) = run(dir, &["ps"]);
    // A kill leaves what the next command clears up.
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(code != Some(0) && said.contains("is in use by another command"), "{code:?} {said}");
    assert_eq!(run(dir, &["ps", "-q"]).0, Some(0));
    assert_eq!(run(dir, &["ps", "-q"]), (Some(0), String::new()));
    let parent = dir.file_name().unwrap().to_string_lossy().into_owned();
    sandlot_tests::wait::until("the groups to go", || async {
        traces::groups_below(&parent).ok().filter(Vec::is_empty).map(drop)
    })
    .await
    .unwrap();
    assert!(std::os::unix::net::UnixStream::connect(dir.join("state/own/spawner.sock")).is_err());
    let host = format!("unix://{}", dir.join("none.sock").display());
    let output = command(dir, &["ps"]).env("DOCKER_HOST", &host).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!(
            "Cannot connect to the Docker daemon at {host}. Is the docker daemon running?"
        )),
        "{said}"
    );
}
