//! What containers print, kept and read back by the real `docker` client: bounded, in order, over full files.

use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const IMAGE: &str = "sandlot/starter";

fn run(sandbox: &Sandbox, name: &str, flags: &[&str], script: &str) {
    let mut arguments = vec!["run", "--name", name, "--stop-timeout", "0"];
    arguments.extend(flags);
    arguments.extend([IMAGE, "sh", "-c", script]);
    sandbox.ok(&arguments).unwrap();
}

fn files(sandbox: &Sandbox, name: &str) -> Vec<(String, u64)> {
    let path = sandbox.ok(&["inspect", "-f", "{{.LogPath}}", name]).unwrap();
    let path = std::path::Path::new(&path);
    let all = std::fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap);
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    // One that is put aside at this moment is looked at the next time.
    let mut found: Vec<(String, u64)> = all
        .filter_map(|e| Some((e.file_name().to_string_lossy().into_owned(), e.metadata().ok()?.len())))
        .filter(|(n, _)| n.starts_with(&name))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn lines_have_a_stream_a_time_and_attributes() {
    let sandbox = Sandbox::engine().await.unwrap();
    let flags = [
        "--label",
        "who=me too",
        "-e",
        "WHAT=it",
        "--log-opt",
        "labels=who",
        "--log-opt",
        "env=WHAT",
        "--log-opt",
        "tag={{.Name}}",
    ];
    run(&sandbox, "box1", &flags, "echo out; echo err >&2; printf 'no end'");
    let path = sandbox.ok(&["inspect", "-f", "{{.LogPath}}", "box1"]).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let first = text.lines().find(|l| l.contains("out")).unwrap();
    assert!(first.starts_with(r#"{"log":"out\n","stream":"stdout","attrs":{"#), "{first}");
    assert!(first.contains(r#""time":"2"#) && first.ends_with("Z\"}"), "{first}");
    let output = sandbox.docker(&["logs", "box1"]).unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\nno end"[..], &b"err\n"[..]));
    let said = sandbox.ok(&["logs", "--details", "-t", "box1"]).unwrap();
    let line = said.lines().next().unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert!(words[0].len() == 30 && words[0].ends_with('Z'), "{line}");
    assert_eq!(words[1..], ["WHAT=it,tag=box1,who=me+too", "out"]);
    // A line longer than 16 KiB is kept in pieces and shown whole.
    run(&sandbox, "long", &[], "head -c 40000 /dev/zero | tr '\\0' x; echo");
    assert_eq!(sandbox.ok(&["logs", "long"]).unwrap(), "x".repeat(40_000));
    let path = sandbox.ok(&["inspect", "-f", "{{.LogPath}}", "long"]).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn what_is_wanted_is_chosen_by_number_and_time() {
    let sandbox = Sandbox::engine().await.unwrap();
    run(
        &sandbox,
        "box1",
        &["--log-opt", "max-size=2k", "--log-opt", "max-file=20"],
        "for i in $(seq 100); do echo line $i; done",
    );
    assert!(files(&sandbox, "box1").len() > 3, "{:?}", files(&sandbox, "box1"));
    let all: Vec<String> = (1..=100).map(|n| format!("line {n}")).collect();
    let logs = |flags: &[&str]| {
        let mut arguments = vec!["logs"];
        arguments.extend(flags);
        arguments.push("box1");
        sandbox.ok(&arguments).unwrap()
    };
    assert_eq!(logs(&[]), all.join("\n"));
    assert_eq!(logs(&["--tail", "3"]), all[97..].join("\n"));
    assert_eq!(logs(&["-n", "0"]), "");
    assert_eq!(logs(&["-f", "--tail", "2"]), all[98..].join("\n"), "following what has ended ends");
    let times = logs(&["-t"]);
    let time = |n: usize| times.lines().nth(n).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(logs(&["--since", &time(90)]), all[90..].join("\n"));
    assert_eq!(logs(&["--until", &time(9)]), all[..10].join("\n"));
    assert_eq!(logs(&["--since", "1h"]), all.join("\n"));
    assert_eq!(logs(&["--until", "1h"]), "");
}

#[tokio::test]
async fn a_flood_fills_no_disk() {
    let sandbox = Sandbox::engine().await.unwrap();
    let flags = ["-d", "--log-opt", "max-size=100k", "--log-opt", "max-file=3"];
    run(&sandbox, "flood", &flags, "while :; do echo and on and on; done");
    // The first of them has gone when the second of those that are there is full.
    let path = sandbox.ok(&["inspect", "-f", "{{.LogPath}}", "flood"]).unwrap();
    let first = std::fs::metadata(&path).map(|m| std::os::unix::fs::MetadataExt::ino(&m)).ok();
    let oldest = format!("{path}.2");
    let turned = || async {
        let now = std::fs::metadata(&oldest).map(|m| std::os::unix::fs::MetadataExt::ino(&m)).ok()?;
        (Some(now) != first).then_some(())
    };
    until("the log to go round", turned).await.unwrap();
    for _ in 0..50 {
        let there = files(&sandbox, "flood");
        assert!(there.len() <= 3 && there.iter().all(|(_, size)| *size <= 100 << 10), "{there:?}");
    }
}

#[tokio::test]
async fn a_follower_misses_nothing_when_a_file_is_full() {
    let sandbox = Sandbox::engine().await.unwrap();
    let flags = ["-d", "--log-opt", "max-size=1m", "--log-opt", "max-file=3"];
    let script = "i=0; while :; do i=$((i + 1)); echo number $i; [ $((i % 200)) != 0 ] || sleep 0.02; done";
    run(&sandbox, "box1", &flags, script);
    let mut command = sandbox.command(&["logs", "-f", "--tail", "1", "box1"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number =
        |line: std::io::Result<String>| line.unwrap().strip_prefix("number ").unwrap().parse().unwrap();
    let numbers: Vec<u64> = lines.map(number).take(20_000).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let gaps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(gaps.is_empty(), "{gaps:?}");
    assert!(files(&sandbox, "box1").len() > 1, "no file was full meanwhile");
}

#[tokio::test]
async fn drivers_are_kept_or_refused_with_words() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    run(&sandbox, "none", &["--log-driver", "none"], "echo seen");
    run(&sandbox, "local", &["--log-driver", "local"], "echo seen");
    assert_eq!(sandbox.ok(&["logs", "local"]).unwrap(), "seen");
    assert_eq!(sandbox.ok(&["inspect", "-f", "{{.LogPath}}", "local", "none"]).unwrap(), "");
    let format = "{{.HostConfig.LogConfig.Type}}";
    run(&sandbox, "usual", &["-d"], "echo before; sleep 1000");
    assert_eq!(sandbox.ok(&["inspect", "-f", format, "none", "usual"]).unwrap(), "none\njson-file");
    for (arguments, words) in [
        (&["logs", "none"][..], "configured logging driver does not support reading"),
        (&["create", "--log-driver", "syslog", IMAGE, "true"], "no log driver named 'syslog' is registered"),
        (&["create", "--log-opt", "odd=1", IMAGE, "true"], "unknown log opt 'odd' for json-file log driver"),
        (&["create", "--log-opt", "max-size=1t", IMAGE, "true"], "--log-limit"),
    ] {
        let (_, said) = sandbox.refused(arguments).unwrap();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // An engine that is started again goes on with the log.
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    sandbox.ok(&["restart", "-t", "0", "usual"]).unwrap();
    let twice = || async { (sandbox.ok(&["logs", "usual"]).unwrap() == "before\nbefore").then_some(()) };
    until("both starts' lines", twice).await.unwrap();
}
