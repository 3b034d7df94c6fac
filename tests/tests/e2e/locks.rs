//! File locks, which the kernel charges to nobody and bounds for nobody: who takes them without end is ended, and told why.

use super::networks::IMAGE;
use sandlot_tests::sandbox::Sandbox;
use std::path::Path;
use std::process::Command;

/// Takes locks of a byte each until it is stopped, a thousand of each file; by numbers, for it has no library.
const DRAIN: &str = r#"for (my $f = 0; ; $f++) {
    open($held[$f], "+>", "/tmp/f$f") or sleep 1000;
    for (my $at = 0; $at < 2000; $at += 2) {
        my $one = pack("s s x4 q q l x4", 1, 0, $at, 1, 0);
        fcntl($held[$f], 6, $one) or die "$!";
    }
}"#;

/// One lock.
const ONE: &str = r#"open(my $f, "+>", "/tmp/x"); my $one = pack("s s x4 q q l x4", 1, 0, 0, 1, 0); print "locked" if fcntl($f, 6, $one);"#;

/// Perl, which is on every Debian, and its libraries, in a running container.
fn with_perl(sandbox: &Sandbox, name: &str) {
    let listed = Command::new("ldd").arg("/usr/bin/perl").output().unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.chain(["/usr/bin/perl"]) {
        let parent = Path::new(path).parent().unwrap().to_str().unwrap();
        sandbox.ok(&["exec", name, "mkdir", "-p", parent]).unwrap();
        sandbox.ok(&["cp", "-L", path, &format!("{name}:{path}")]).unwrap();
    }
}

#[tokio::test]
async fn who_takes_locks_without_end_is_ended_and_a_neighbour_goes_on() {
    let sandbox = Sandbox::engine().await.unwrap();
    let run = |name: &str| {
        sandbox.ok(&["run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000"]).unwrap();
    };
    run("greedy");
    run("modest");
    with_perl(&sandbox, "greedy");
    with_perl(&sandbox, "modest");
    let works = || sandbox.ok(&["exec", "modest", "/usr/bin/perl", "-e", ONE]).unwrap();
    assert_eq!(works(), "locked");
    sandbox.ok(&["exec", "-d", "greedy", "/usr/bin/perl", "-e", DRAIN]).unwrap();
    assert_eq!(sandbox.ok(&["wait", "greedy"]).unwrap(), "137");
    let why = sandbox.ok(&["inspect", "--format", "{{.State.Error}}", "greedy"]).unwrap();
    let held = why.strip_prefix("ended by the engine: it held ").and_then(|rest| rest.split_once(' '));
    let (held, pool) = held.unwrap_or_else(|| panic!("{why}"));
    assert!(held.parse::<u32>().unwrap() > 16_384 && pool.starts_with("file locks of the 65536"), "{why}");
    assert_eq!(works(), "locked");
    // It may begin anew: nothing is held against it.
    sandbox.ok(&["start", "greedy"]).unwrap();
}
