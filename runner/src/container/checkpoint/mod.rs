//! A running container put on disk, and put on its feet again from there: by CRIU, where the host has one that runs on its kernel.
//!
//! ```text
//! running ──dump──▶ images ──restore──▶ stopped ──verify──▶ running
//! ```
//! What a restored container is stands in the engine's record, never in the images: its mounts and its groups are made anew, and nothing
//! of it runs before its walls have been looked at (`verify`). The program is called by its path, with fixed arguments and an
//! environment of its own; no shell is in between.

pub mod dump;
pub mod hook;
pub mod mounted;
pub mod restore;
pub mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where CRIU is looked for.
const PLACES: [&str; 3] = ["/usr/local/sbin/criu", "/usr/sbin/criu", "/usr/bin/criu"];

/// What of its words is passed on.
const WORDS: usize = 200;
/// How many of its last errors are.
const ERRORS: usize = 3;
/// The only variable that it gets: it looks for `tar` there, which packs what lies in a container's tmpfs.
const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// Why this host can not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cannot {
    /// There is no CRIU.
    #[error("criu is not installed: apt install criu")]
    Absent,
    /// It is there, and does not run on this kernel.
    #[error("`criu check` says: {0}")]
    Kernel(String),
}

/// What `criu check` answers; tried anew each time, for it may be installed meanwhile. Takes some milliseconds.
///
/// # Errors
/// [`Cannot`].
pub fn possible() -> Result<PathBuf, Cannot> {
    let found = PLACES.into_iter().map(Path::new).find(|path| path.is_file()).ok_or(Cannot::Absent)?;
    check(found)
}

fn check(criu: &Path) -> Result<PathBuf, Cannot> {
    let output = Command::new(criu).arg("check").env_clear().current_dir("/").stdin(Stdio::null()).output();
    let output = output.map_err(|e| Cannot::Kernel(e.to_string()))?;
    if output.status.success() {
        return Ok(criu.to_owned());
    }
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    // What a helper of its ended with says nothing.
    let tells = |line: &&str| !line.is_empty() && !line.ends_with("exited, status=1");
    let first = said.lines().map(str::trim).find(tells);
    let words = first.map_or_else(|| output.status.to_string(), |line| line.chars().take(WORDS).collect());
    Err(Cannot::Kernel(words))
}

/// The last errors in a log of CRIU's, in one line. It is a file of the engine's, in which stands what a container is called inside.
#[must_use]
pub fn last_errors(log: &Path) -> String {
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let told = |line: &str| {
        line.split_once("Error (").and_then(|(_, rest)| Some(rest.split_once("): ")?.1.to_owned()))
    };
    let errors: Vec<String> = text.lines().filter_map(told).collect();
    let last = &errors[errors.len().saturating_sub(ERRORS)..];
    let joined = last.join("; ").chars().filter(|c| !c.is_control()).take(2 * WORDS).collect::<String>();
    if joined.is_empty() { "it says nothing of why".to_owned() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_errors_of_a_log_are_told_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(last_errors(&log), "it says nothing of why");
        std::fs::write(&log, "(00.1) Warn  (criu/a.c:1): none\n(00.2) Error (criu/b.c:2): sk: first\n(00.3) Error (criu/c.c:3): Dumping FAILED.\n").unwrap();
        assert_eq!(last_errors(&log), "sk: first; Dumping FAILED.");
    }

    #[test]
    fn why_a_host_can_not_is_said() {
        assert_eq!(check(Path::new("/bin/true")), Ok("/bin/true".into()));
        assert_eq!(check(Path::new("/bin/false")), Err(Cannot::Kernel("exit status: 1".into())));
        assert!(check(Path::new("/nowhere")).unwrap_err().to_string().contains("No such file"));
        // Whatever it is here, it is said in one line.
        let words = possible().map_or_else(|e| e.to_string(), |path| path.display().to_string());
        assert!(words.contains("criu") && words.lines().count() == 1, "{words}");
    }
}
