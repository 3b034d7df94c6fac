//! The own group of an engine that was given one: by systemd, or, for an engine within a container, as the delegated root of what
//! its cgroup namespace shows. There it makes its containers' groups, below the limits of its own container.

use super::{Controller, Error, failed, group, mounts};
use rustix::fs::{Access, access};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::path::Path;

/// The version 2 group that what runs in the container already goes to: a group that passes controllers on holds no processes.
const OTHERS: &str = "init";
/// How often processes are moved that others have made meanwhile.
const TRIES: usize = 100;

/// Whether systemd has delegated a group: it marks such a one by an extended attribute.
pub(super) fn marked(group: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].into_iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, name, &mut value).is_ok_and(|n| value[..n] == *b"1")
    })
}

/// Makes the groups of the container that this process runs in ready for groups below: mounts version 1 hierarchies below
/// `directory`, in the calling process's own mount namespace, and empties the version 2 group. A controller that cannot be had is
/// left out: [`super::Hierarchy::warnings`] tells of it when its limit is asked for.
///
/// # Errors
/// What reading or making answers.
pub fn settle(directory: &Path) -> Result<(), Error> {
    let path = Path::new("/proc/self/cgroup");
    let text = std::fs::read_to_string(path).map_err(failed("reading", path))?;
    for controllers in text.lines().filter_map(version_1) {
        let place = directory.join(controllers);
        std::fs::create_dir_all(&place).map_err(failed("making", &place))?;
        let Ok(options) = CString::new(controllers) else { continue };
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let mounted = mount("cgroup", &place, "cgroup", flags, Some(options.as_c_str()));
        if mounted.is_ok() && access(&place, Access::WRITE_OK).is_err() {
            // It was not delegated.
            unmount(&place, UnmountFlags::DETACH).unwrap_or_default();
        }
    }
    let path = Path::new("/proc/self/mountinfo");
    let mounts = mounts::parse(&std::fs::read_to_string(path).map_err(failed("reading", path))?);
    match mounts.v2 {
        Some(root) if !group::read(&root, "cgroup.controllers")?.trim().is_empty() => clear(&root),
        _ => Ok(()),
    }
}

/// The controllers of a line `number:controllers:group` of proc_pid_cgroup(5), if it is of a hierarchy that is used.
fn version_1(line: &str) -> Option<&str> {
    let controllers = line.split(':').nth(1)?;
    controllers.split(',').any(|name| Controller::ALL.iter().any(|c| c.v1() == name)).then_some(controllers)
}

/// Moves all processes of a group into one below it.
fn clear(root: &Path) -> Result<(), Error> {
    let others = root.join(OTHERS);
    group::make_directory(&others)?;
    for _ in 0..TRIES {
        let text = group::read(root, "cgroup.procs")?;
        // 0 is one that this process cannot see.
        let pids: Vec<&str> = text.lines().filter(|pid| *pid != "0").collect();
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            // One that has ended meanwhile needs no place.
            std::fs::write(others.join("cgroup.procs"), pid).unwrap_or_default();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::version_1;

    #[test]
    fn hierarchies_that_are_used_are_told_from_others() {
        assert_eq!(version_1("4:memory:/"), Some("memory"));
        assert_eq!(version_1("2:cpu,cpuacct:/a:b"), Some("cpu,cpuacct"));
        for none in ["0::/", "1:name=systemd:/", "9:devices:/", ""] {
            assert_eq!(version_1(none), None, "{none}");
        }
    }
}
