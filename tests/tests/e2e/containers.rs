//! Containers by the real `docker` client: exit codes, limits, walls.

use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

async fn sh(sandbox: &Sandbox, flags: &[&str], script: &str) -> (i32, String) {
    let mut arguments = vec!["run", "--rm", "--network", "none"];
    arguments.extend(flags);
    arguments.extend([IMAGE, "sh", "-c", script]);
    let mut command = tokio::process::Command::from(sandbox.command(&arguments));
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text.into_owned())
}

#[tokio::test]
async fn exit_codes_are_the_commands_own_or_dockers() {
    let sandbox = Sandbox::engine().await.unwrap();
    assert_eq!(sh(&sandbox, &[], "echo out; echo err >&2; exit 7").await, (7, "out\nerr\n".to_owned()));
    for (command, code) in [("/no/such/thing", 127), ("/etc/passwd", 126)] {
        let output = sandbox.docker(&["run", "--rm", "--network", "none", IMAGE, command]).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[tokio::test]
async fn a_command_runs_in_a_running_container_and_the_container_ends() {
    let sandbox = Sandbox::engine().await.unwrap();
    let id =
        sandbox.ok(&["run", "-d", "--network", "none", "--name", "box", IMAGE, "sleep", "1000"]).unwrap();
    assert_eq!(id.len(), 64, "{id}");
    assert_eq!(sandbox.ok(&["exec", "box", "echo", "inside"]).unwrap(), "inside");
    assert_eq!(sandbox.ok(&["ps", "--format", "{{.Names}}"]).unwrap(), "box");
    sandbox.ok(&["rm", "-f", "box"]).unwrap();
    assert_eq!(sandbox.ok(&["ps", "-aq"]).unwrap(), "");
}

#[tokio::test]
async fn an_end_gives_everything_back() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-d", "--network", "none", "--name", "box", IMAGE, "sleep", "1000"]).unwrap();
    let group = format!("/{}/", sandbox.mark());
    let below = || sandlot_tests::traces::groups_below(&sandbox.mark()).unwrap();
    assert!(!below().is_empty(), "no control group below {group}");
    sandbox.ok(&["rm", "-f", "box"]).unwrap();
    sandlot_tests::wait::until("the groups to go", || async { below().is_empty().then_some(()) })
        .await
        .unwrap();
}

#[tokio::test]
async fn memory_past_the_limit_ends_the_container_alone() {
    let sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["run", "-d", "--network", "none", "--name", "neighbour", IMAGE, "sleep", "1000"]).unwrap();
    // `tail` keeps its one endless line in memory.
    let (code, said) = sh(&sandbox, &["-m", "32m"], "tail /dev/zero; echo survived").await;
    assert!(code == 137 || !said.contains("survived") || said.contains("Killed"), "{code}: {said}");
    assert_eq!(sandbox.ok(&["exec", "neighbour", "echo", "well"]).unwrap(), "well");
}

#[tokio::test]
async fn processes_past_the_limit_are_not_made() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "for i in $(seq 40); do sleep 60 & done; echo made all";
    let (_, said) = sh(&sandbox, &["--pids-limit", "20"], script).await;
    assert!(said.contains("can't fork") && !said.contains("made all"), "{said}");
    let (code, said) = sh(&sandbox, &["--pids-limit", "100"], script).await;
    assert_eq!((code, said.contains("made all")), (0, true), "{said}");
}

#[tokio::test]
async fn a_full_disk_is_enospc_inside() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "dd if=/dev/zero of=/root/full bs=1M count=100";
    let (code, said) = sh(&sandbox, &["--storage-opt", "size=32m"], script).await;
    assert!(code != 0 && said.contains("No space left on device"), "{code}: {said}");
}

#[tokio::test]
async fn the_host_is_out_of_reach() {
    let sandbox = Sandbox::engine().await.unwrap();
    let canary = sandbox.dir().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    let path = canary.display();
    let (_, said) = sh(
        &sandbox,
        &[],
        &format!(
            "cat {path} && echo READ; cat /proc/1/root{path} && echo READ; cat /../../..{path} && echo READ; \
             mount -t tmpfs none /mnt && echo MOUNTED; mknod /tmp/disk b 254 0 && cat /tmp/disk && echo DISK; \
             echo 1 > /proc/sys/kernel/panic && echo WROTE; dmesg && echo LOG; hostname escaped && echo NAMED; \
             ls /proc | grep -c '^[0-9]' > /tmp/n; [ $(cat /tmp/n) -lt 8 ] || echo CROWD; \
             [ \"$(ls /sys/class/net)\" = lo ] || echo ROUTED; kill -9 -1; echo end"
        ),
    )
    .await;
    for word in ["READ", "MOUNTED", "DISK", "WROTE", "LOG", "NAMED", "CROWD", "ROUTED"] {
        assert!(!said.lines().any(|line| line == word), "{word} in:\n{said}");
    }
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "alive");
}

#[tokio::test]
async fn two_containers_share_no_id() {
    let sandbox = Sandbox::engine().await.unwrap();
    let maps: Vec<String> = ["one", "two"]
        .iter()
        .map(|name| {
            sandbox.ok(&["run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000"]).unwrap();
            sandbox.ok(&["exec", name, "cat", "/proc/self/uid_map"]).unwrap()
        })
        .collect();
    let outside = |map: &str| map.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
    assert!(outside(&maps[0]).abs_diff(outside(&maps[1])) >= 65_536, "{maps:?}");
    assert!(outside(&maps[0]) > 0 && maps[0].trim().ends_with("65536"), "{maps:?}");
}

#[tokio::test]
async fn what_will_never_be_done_is_refused_with_a_reason() {
    let sandbox = Sandbox::engine().await.unwrap();
    for flags in [
        &["--privileged"][..],
        &["--pid", "host"],
        &["--network", "host"],
        &["--ipc", "host"],
        &["--device", "/dev/null:/dev/x"],
        &["-v", "/etc:/host"],
        &["-m", "1"],
        &["--cpus", "100000"],
    ] {
        let mut arguments = vec!["run", "--rm"];
        arguments.extend(flags);
        arguments.extend([IMAGE, "true"]);
        let output = sandbox.docker(&arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.len() > 30, "{flags:?}: {said}");
    }
    assert_eq!(sandbox.ok(&["ps", "-aq"]).unwrap(), "", "a refusal left a container behind");
}
