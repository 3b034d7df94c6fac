//! What containers leave on a host when nobody clears up: mounts and control groups.

use anyhow::Result;
use std::path::{Path, PathBuf};

/// The mounts of the host that name `mark`.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn mounts(mark: &str) -> Result<Vec<String>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mounts.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect())
}

/// The control groups, in every hierarchy, below one called `parent`.
///
/// # Errors
/// When there are no control groups.
pub fn groups_below(parent: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    groups(Path::new("/sys/fs/cgroup"), &mut found)?;
    let below =
        |path: &PathBuf| path.parent().is_some_and(|p| p.components().any(|part| part.as_os_str() == parent));
    found.retain(below);
    Ok(found)
}

/// The control groups, in every hierarchy, that are called `name`.
///
/// # Errors
/// When there are no control groups.
pub fn groups_named(name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    groups(Path::new("/sys/fs/cgroup"), &mut found)?;
    found.retain(|path| path.file_name().is_some_and(|own| own == name));
    Ok(found)
}

fn groups(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder)?.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        found.push(entry.path());
        // A group that another test removes meanwhile is none of ours.
        let _gone = groups(&entry.path(), found);
    }
    Ok(())
}
