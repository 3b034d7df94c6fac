//! Finding the mounted hierarchies in a mountinfo. Pure text.

use super::Controller;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is mounted where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts {
    /// Version 1, by controller; controllers that are mounted together have the same place.
    pub(super) v1: BTreeMap<Controller, PathBuf>,
    /// Version 2.
    pub(super) v2: Option<PathBuf>,
}

/// Reads a mountinfo; of several mounts of one hierarchy the first counts.
pub(super) fn parse(mountinfo: &str) -> Mounts {
    let mut mounts = Mounts::default();
    for (place, kind, options) in mountinfo.lines().filter_map(line) {
        match kind {
            "cgroup2" => {
                mounts.v2.get_or_insert_with(|| place.clone());
            }
            "cgroup" => {
                for controller in Controller::ALL {
                    if options.split(',').any(|option| option == controller.v1()) {
                        mounts.v1.entry(controller).or_insert_with(|| place.clone());
                    }
                }
            }
            _ => {}
        }
    }
    mounts
}

/// Mount point, type and the filesystem's own options: `id parent dev root PLACE options [optional…] - TYPE source OPTIONS`.
fn line(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    Some((PathBuf::from(unescape(before.split(' ').nth(4)?)), kind, options))
}

/// Blank, tab, newline and backslash are written as `\ooo`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}
