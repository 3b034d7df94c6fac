//! Ends and removes what a killed test left: see `sandlot_tests::reaper`. Hears lines `+process PID`, `+folder PATH`, and the
//! same with `-` for what has ended in the usual way; acts when there are no more.

#![forbid(unsafe_code)]

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use sandlot_tests::traces;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long processes may take to end and their groups to be freed.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let (mut processes, mut folders) = (BTreeMap::<String, OwnedFd>::new(), Vec::<PathBuf>::new());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("+process", pid)) => {
                if let Some(process) = opened(pid) {
                    processes.insert(pid.to_owned(), process);
                }
            }
            Some(("-process", pid)) => drop(processes.remove(pid)),
            Some(("+folder", path)) => folders.push(path.into()),
            Some(("-folder", path)) => folders.retain(|folder| folder != Path::new(path)),
            _ => {}
        }
    }
    for process in processes.values() {
        let _already_gone = pidfd_send_signal(process, Signal::KILL);
    }
    folders.iter().for_each(|folder| remove(folder));
}

/// By a descriptor, for its number may be another's by then.
fn opened(pid: &str) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.parse().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn remove(folder: &Path) {
    let mark = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A mark that is no name of ours would be found in others' names.
    if !mark.starts_with("sandlot-") {
        return;
    }
    let started = Instant::now();
    while started.elapsed() < PATIENCE && !emptied(&mark) {
        std::thread::sleep(Duration::from_millis(50));
    }
    for mount in traces::mounts(&mark).unwrap_or_default().iter().rev() {
        if let Some(place) = mount.split(' ').nth(4) {
            let _already_gone = unmount(place, UnmountFlags::DETACH);
        }
    }
    let _already_gone = std::fs::remove_dir_all(folder);
}

/// Whether there is no group of that mark any more; ends what runs in those that there are.
fn emptied(mark: &str) -> bool {
    let mut groups = traces::groups_named(mark).unwrap_or_default();
    groups.extend(traces::groups_below(mark).unwrap_or_default());
    for group in groups.iter().rev() {
        for state in ["freezer.state", "cgroup.freeze"] {
            let file = group.join(state);
            if file.exists() {
                let _it_is_gone = std::fs::write(file, if state == "freezer.state" { "THAWED" } else { "0" });
            }
        }
        let members = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _already_gone = kill_process(pid, Signal::KILL);
        }
        let _not_yet = std::fs::remove_dir(group);
    }
    groups.is_empty()
}
