//! Promise: systemd takes the units of `packaging/systemd/` without a word of complaint.

use std::path::Path;
use std::process::Command;

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=no", "--generators=no"])
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()));
    let mut units = 0;
    for entry in std::fs::read_dir(packaged).unwrap() {
        let name = entry.as_ref().unwrap().file_name();
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // Where the programs will be installed they are not yet: those of this build stand in for them.
        let programs = sandlot_tests::program("sandlot").unwrap();
        let text = text.replace("/usr/local/bin", programs.parent().unwrap().to_str().unwrap());
        std::fs::write(folder.path().join(&name), text).unwrap();
        verify.arg(folder.path().join(name));
        units += 1;
    }
    assert!(units >= 3, "{units} units");
    let output = verify.output().expect("is the Debian package systemd installed?");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{}: {said}", output.status);
}
