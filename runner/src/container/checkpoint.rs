//! Whether this host could put a running container on disk: CRIU, and what it says of this kernel.
//!
//! Deliberately absent: dumping and restoring themselves (see `docs/decisions.md`). A container is never made from what an archive
//! says of itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where CRIU is looked for.
const PLACES: [&str; 3] = ["/usr/local/sbin/criu", "/usr/sbin/criu", "/usr/bin/criu"];

/// What of its words is passed on.
const WORDS: usize = 200;

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
    let first = said.lines().map(str::trim).find(|line| !line.is_empty());
    let words = first.map_or_else(|| output.status.to_string(), |line| line.chars().take(WORDS).collect());
    Err(Cannot::Kernel(words))
}

#[cfg(test)]
mod tests {
    use super::*;

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
