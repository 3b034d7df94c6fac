//! Promise: a volume ends at its size, whoever made it; what one container writes fills up nothing of the host's or a neighbour's.

use sandlot_tests::sandbox::{Part, Sandbox};
use std::os::unix::fs::MetadataExt;

const IMAGE: &str = "sandlot/starter";
/// Writes 64 MiB, and tells how it went.
const FLOOD: &str = "dd if=/dev/zero of=/v/flood bs=1M count=64 2>&1; echo code $?";

fn sh(sandbox: &Sandbox, volume: &str, script: &str) -> String {
    sandbox.ok(&["run", "--rm", "-v", volume, IMAGE, "sh", "-c", script]).unwrap()
}

/// The bytes that all disks of volumes take on the host.
fn taken(sandbox: &Sandbox) -> u64 {
    let disks = std::fs::read_dir(sandbox.dir().join("state/disks")).unwrap().flatten();
    let volumes = disks.filter(|d| d.file_name().to_string_lossy().starts_with("volume-"));
    volumes.filter_map(|d| d.path().join("image").metadata().ok()).map(|m| m.blocks() * 512).sum()
}

async fn with_size(sandbox: &mut Sandbox, size: &'static str) {
    sandbox.engine_setting("SANDLOT_VOLUME_SIZE", size);
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
}

#[tokio::test]
async fn a_volume_ends_at_its_size_and_a_neighbour_goes_on() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    with_size(&mut sandbox, "0").await;
    assert!(
        sh(&sandbox, "endless:/v", FLOOD).ends_with("code 0"),
        "without a bound the host's disk is filled"
    );
    sandbox.ok(&["volume", "rm", "endless"]).unwrap();

    with_size(&mut sandbox, "16m").await;
    sandbox.ok(&["run", "--name", "made", IMAGE, "true"]).unwrap();
    sandbox.ok(&["commit", "-c", "VOLUME /v", "made", "greedy"]).unwrap();
    sandbox.ok(&["run", "-d", "--name", "neighbour", "-v", "own:/v", IMAGE, "sleep", "1000"]).unwrap();
    // By the image's own wish, by the command line's, by name.
    for flags in [&["greedy"][..], &["-v", "/v", IMAGE], &["-v", "named:/v", IMAGE]] {
        let run = [&["run", "--rm"], flags, &["sh", "-c", FLOOD]].concat();
        let said = sandbox.ok(&run).unwrap();
        assert!(said.contains("No space left on device") && said.ends_with("code 1"), "{flags:?}: {said}");
    }
    // Names run out as well.
    let names = sh(&sandbox, "/v", "n=0; while true 2>/dev/null >/v/$n; do n=$((n + 1)); done; echo $n");
    assert!(names.lines().last().unwrap().parse::<u32>().unwrap() < 10_000, "{names}");
    assert!(taken(&sandbox) <= 3 * (17 << 20), "{}", taken(&sandbox));
    let write = "dd if=/dev/zero of=/v/own bs=1M count=4 && cat /v/own | wc -c";
    assert_eq!(sandbox.ok(&["exec", "neighbour", "sh", "-c", write]).unwrap(), (4 << 20).to_string());
}

#[tokio::test]
async fn a_size_is_asked_for_and_what_does_not_fit_is_refused() {
    let mut sandbox = Sandbox::engine().await.unwrap();
    sandbox.ok(&["volume", "create", "-o", "size=40m", "large"]).unwrap();
    let options = ["volume", "inspect", "-f", "{{json .Options}}", "large"];
    assert_eq!(sandbox.ok(&options).unwrap(), r#"{"size":"40m"}"#);
    let most = "df -k /v | tail -1 | awk '{ print $2 }'";
    let kilobytes: u64 = sh(&sandbox, "large:/v", most).parse().unwrap();
    assert!((20 << 10..40 << 10).contains(&kilobytes), "{kilobytes}");
    let asked = "type=volume,src=other,dst=/v,volume-opt=size=20m";
    let said = sandbox.ok(&["run", "--rm", "--mount", asked, IMAGE, "sh", "-c", most]).unwrap();
    assert!(said.parse::<u64>().unwrap() < 20 << 10, "{said}");
    for (option, words) in [
        ("size=1k", "from 16 MiB to 16 TiB"),
        ("size=15t", "does not fit"),
        ("size=much", "invalid size: 'much'"),
        ("device=/etc", "it could mount anything of the host"),
        ("colour=red", "invalid option: \"colour\""),
    ] {
        let (_, said) = sandbox.refused(&["volume", "create", "-o", option, "no"]).unwrap();
        assert!(said.contains(words), "{option}: {said}");
        assert!(sandbox.refused(&["volume", "inspect", "no"]).is_ok(), "{option} left something");
    }
    // What is in it runs as it would anywhere, and is there for the next container, and for the next engine.
    sh(&sandbox, "large:/v", "cp /bin/busybox /v/busybox; chmod 4755 /v/busybox; echo kept > /v/file");
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(sh(&sandbox, "large:/v", "/v/busybox cat /v/file; ls /v"), "kept\nbusybox\nfile");
    sandbox.ok(&["volume", "rm", "large", "other"]).unwrap();
    let gone = || async { (taken(&sandbox) == 0).then_some(()) };
    sandlot_tests::wait::until("the disks' end", gone).await.unwrap();
}
