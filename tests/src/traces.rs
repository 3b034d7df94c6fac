//! What containers leave on a host when nobody clears up: mounts, control groups, processes, files.

use anyhow::Result;
use std::path::Path;

/// Everything of the host that carries `mark` (a state folder, a group's prefix): one line each.
///
/// # Errors
/// When `/proc` or the groups cannot be read.
pub fn of(mark: &str) -> Result<Vec<String>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let mut found: Vec<String> =
        mounts.lines().filter(|line| line.contains(mark)).map(|line| format!("mount: {line}")).collect();
    groups(Path::new("/sys/fs/cgroup"), mark, &mut found);
    Ok(found)
}

/// The ids of `/proc/PID/uid_map` of every process whose ids are mapped into `base..base + count`.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes_of_ids(base: u64, count: u64) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(map) = std::fs::read_to_string(path.join("uid_map")) else { continue };
        let outside = map.split_whitespace().nth(1).and_then(|id| id.parse::<u64>().ok());
        if outside.is_some_and(|id| (base..base + count).contains(&id)) {
            found.push(format!("process: {} {}", path.display(), map.trim()));
        }
    }
    Ok(found)
}

fn groups(folder: &Path, mark: &str, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_string_lossy().contains(mark) {
            found.push(format!("group: {}", entry.path().display()));
        }
        groups(&entry.path(), mark, found);
    }
}
