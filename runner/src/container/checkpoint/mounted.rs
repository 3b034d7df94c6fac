//! What is mounted in a container, and which of it CRIU is told to leave to us.
//!
//! The container's own filesystems (proc, sysfs, devpts, mqueue, tmpfs) CRIU makes again. All that comes from outside has a name, under
//! which it is found in the dump and offered for the restore.

use crate::container::plan::FILES;
use crate::container::rootfs::FILES_PLACE;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The name of the directory with the device nodes.
pub const DEV: &str = "dev";
/// The name of the view of the container's own control groups.
pub const CGROUP: &str = "cgroup";

/// One mount, as the kernel tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where, in the container.
    pub place: String,
    /// What of the filesystem.
    root: String,
    /// Which filesystem.
    device: String,
    /// Its type.
    pub kind: String,
    options: Vec<String>,
}

/// A directory or file of the host's that is mounted in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The device of its filesystem.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Whether writing is denied.
    pub readonly: bool,
}

impl Mounted {
    /// Whether it is mounted with that option.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }
}

/// All mounts of a process.
///
/// # Errors
/// What reading answers; `InvalidData` for a line that is none.
pub fn read(pid: i32) -> io::Result<Vec<Mounted>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
    text.lines().map(|line| parse(line).ok_or_else(|| io::ErrorKind::InvalidData.into())).collect()
}

fn parse(line: &str) -> Option<Mounted> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(2);
    let (device, root, place, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some(Mounted {
        place: unescaped(place),
        root: unescaped(root),
        device: device.to_owned(),
        kind: filesystem.split(' ').next()?.to_owned(),
        options: options.split(',').map(str::to_owned).collect(),
    })
}

/// The kernel writes blanks and the like as `\040`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                all.push(char::from(byte));
                all.push_str(&part[3..]);
            }
            None => all.push_str(part),
        }
    }
    all
}

/// The names of those that come from outside, each with its place; `held` are what the engine mounts of the host's, whose names are `m0`,
/// `m1` and so on.
///
/// # Errors
/// `InvalidData` for a mount that nobody knows, or for one that is missing.
pub fn named(all: &[Mounted], pid: i32, held: &[Held]) -> io::Result<Vec<(String, String)>> {
    let bad = |words: String| io::Error::new(io::ErrorKind::InvalidData, words);
    let root = openat(CWD, format!("/proc/{pid}/root"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let volatile = all.iter().find(|m| m.place == "/dev" && m.kind == "tmpfs").map(|m| m.device.clone());
    let mut left: Vec<Option<Held>> = held.iter().copied().map(Some).collect();
    let mut names = Vec::new();
    for mount in all.iter().filter(|m| m.place != "/") {
        let name = match mount.kind.as_str() {
            "proc" | "sysfs" | "devpts" | "mqueue" => continue,
            "cgroup2" => CGROUP.to_owned(),
            "tmpfs" if Some(&mount.device) == volatile.as_ref() => of_volatile(mount)
                .ok_or_else(|| bad(format!("what is mounted at {} is not known", mount.place)))?,
            kind => match position(&mut left, mount, &root)? {
                Some(n) => format!("m{n}"),
                None if kind == "tmpfs" && mount.root == "/" => continue,
                None => return Err(bad(format!("what is mounted at {} is not known", mount.place))),
            },
        };
        if mount.place.contains([']', ':']) {
            return Err(bad(format!("the name {} cannot be told to criu", mount.place)));
        }
        names.push((mount.place.clone(), name));
    }
    match left.iter().position(Option::is_some) {
        Some(n) => Err(bad(format!("mount {n} is missing"))),
        None => Ok(names),
    }
}

fn of_volatile(mount: &Mounted) -> Option<String> {
    if mount.root == "/" {
        return Some(DEV.to_owned());
    }
    let file = mount.root.strip_prefix('/')?.strip_prefix(FILES_PLACE)?.strip_prefix('/')?;
    FILES.contains(&file).then(|| file.to_owned())
}

/// Which of `left` is mounted there; it is taken.
fn position(left: &mut [Option<Held>], mount: &Mounted, root: &OwnedFd) -> io::Result<Option<usize>> {
    if left.is_empty() {
        return Ok(None);
    }
    let plain = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let there = openat2(root.as_fd(), mount.place.as_str(), flags, Mode::empty(), plain)?;
    let stat = rustix::fs::fstat(&there)?;
    let seen = Held { device: stat.st_dev, inode: stat.st_ino, readonly: mount.has("ro") };
    let found = left.iter().position(|held| *held == Some(seen));
    if let Some(n) = found {
        left[n] = None;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "62 29 0:33 / / rw,nodev,relatime - overlay sandlot rw\n\
        52 62 0:29 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
        54 53 0:24 /sandlot/88 /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n\
        59 62 0:35 / /dev rw,nosuid,noexec - tmpfs dev rw,size=1024k\n\
        63 59 0:36 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw\n\
        30 62 0:35 /pts/hosts /etc/hosts rw,nosuid,noexec - tmpfs dev rw";

    fn all(text: &str) -> Vec<Mounted> {
        text.lines().map(|line| parse(line).unwrap()).collect()
    }

    #[test]
    fn what_comes_from_outside_has_a_name() {
        let own = i32::try_from(std::process::id()).unwrap();
        let names = named(&all(LINES), own, &[]).unwrap();
        let expected = [("/sys/fs/cgroup", "cgroup"), ("/dev", "dev"), ("/etc/hosts", "hosts")];
        assert_eq!(names, expected.map(|(place, name)| (place.to_owned(), name.to_owned())));
    }

    #[test]
    fn what_nobody_knows_or_what_is_missing_is_an_error() {
        let own = i32::try_from(std::process::id()).unwrap();
        let strange = format!("{LINES}\n70 62 8:1 /etc /mnt rw - ext4 /dev/sda1 rw");
        let error = named(&all(&strange), own, &[]).unwrap_err().to_string();
        assert!(error.contains("/mnt is not known"), "{error}");
        let held = Held { device: 1, inode: 2, readonly: true };
        let error = named(&all(LINES), own, &[held]).unwrap_err().to_string();
        assert!(error.contains("mount 0 is missing"), "{error}");
    }

    #[test]
    fn one_of_the_hosts_is_found_by_what_it_is_and_by_its_access() {
        let own = i32::try_from(std::process::id()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let stat = rustix::fs::stat(&path).unwrap();
        let held = |readonly| Held { device: stat.st_dev, inode: stat.st_ino, readonly };
        let line = format!("{LINES}\n70 62 8:1 /x {} ro,nodev - ext4 /dev/sda1 rw", path.display());
        let names = named(&all(&line), own, &[held(true)]).unwrap();
        assert_eq!(names.last().unwrap().1, "m0");
        assert!(named(&all(&line), own, &[held(false)]).is_err());
    }

    #[test]
    fn blanks_in_names_are_read() {
        assert_eq!(unescaped(r"/a\040b\134c"), r"/a b\c");
    }
}
