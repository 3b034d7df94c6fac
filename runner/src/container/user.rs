//! Who a process is to be: `name|uid[:group|gid]`, looked up in the container's own `/etc/passwd` and `/etc/group`.
//!
//! Numbers never meet `/etc/passwd` as names, and must fit (CVE-2024-40635): `4294967296` is an error, never root.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use std::fs::File;
use std::io::Read;

/// The most that is read of `/etc/passwd` or `/etc/group`.
const LIMIT: u64 = 1 << 20;

/// A user as the process will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Name, if there is one.
    pub name: Option<String>,
}

/// Why there is no such user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that the container does not know.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    User(String),
    /// A group that the container does not know.
    #[error("unable to find group {0}: no matching entries in group file")]
    Group(String),
    /// A number that no id can be.
    #[error("{0} is no user or group id: ids go from 0 to 4294967294")]
    Range(String),
}

/// Looks `user` up in the text of the two files; `groups` are more groups by name or number.
///
/// # Errors
/// See [`Error`].
pub fn find(user: &str, groups: &[String], passwd: &str, group: &str) -> Result<User, Error> {
    let (who, primary) = match user.split_once(':') {
        Some((who, primary)) => (who, Some(primary).filter(|p| !p.is_empty())),
        None => (user, None),
    };
    let who = if who.is_empty() { "0" } else { who };
    let number = id(who)?;
    let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| {
        f.len() >= 7
            && match number {
                Some(uid) => f[2].parse() == Ok(uid),
                None => f[0] == who,
            }
    });
    let uid = match (&entry, number) {
        (_, Some(uid)) => uid,
        (Some(f), None) => id(f[2])?.ok_or_else(|| Error::User(who.to_owned()))?,
        (None, None) => return Err(Error::User(who.to_owned())),
    };
    let name = entry.as_ref().map(|f| f[0].to_owned());
    let gid = match primary {
        Some(wanted) => group_id(wanted, group)?,
        None => match &entry {
            Some(f) => id(f[3])?.ok_or_else(|| Error::Range(f[3].to_owned()))?,
            None => 0,
        },
    };
    let mut more = Vec::new();
    if primary.is_none()
        && let Some(name) = &name
    {
        more.extend(memberships(name, group));
    }
    for wanted in groups {
        more.push(group_id(wanted, group)?);
    }
    // A file's permissions for a group hold for its members, also when they take away (CVE-2022-36109).
    more.push(gid);
    more.sort_unstable();
    more.dedup();
    let text = |n: usize, default: &str| {
        entry.as_ref().map(|f| f[n]).filter(|t| t.starts_with('/')).unwrap_or(default).to_owned()
    };
    Ok(User { uid, gid, groups: more, home: text(5, "/"), shell: text(6, "/bin/sh"), name })
}

/// Reads one of the files of the root that the calling process is in; what cannot be read is empty. Whoever writes there may put
/// anything in its place: a pipe is not waited for, a link of the kernel's own not followed.
#[must_use]
pub fn read(path: &str) -> String {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
        .map(|file| text(file.into()))
        .unwrap_or_default()
}

/// What of a file is looked at: nothing of what is none, and no line that was cut off.
#[must_use]
pub fn text(file: File) -> String {
    let mut text = Vec::new();
    let plain = file.metadata().is_ok_and(|m| m.is_file());
    if !plain || file.take(LIMIT).read_to_end(&mut text).is_err() {
        return String::new();
    }
    if text.len() as u64 == LIMIT {
        text.truncate(text.iter().rposition(|b| *b == b'\n').unwrap_or(0));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// `Some` for digits alone, `None` for a name.
fn id(text: &str) -> Result<Option<u32>, Error> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        // 4294967295 is (uid_t) -1: "leave it as it is" to the kernel.
        Ok(u32::MAX) | Err(_) => Err(Error::Range(text.to_owned())),
        Ok(id) => Ok(Some(id)),
    }
}

fn group_id(wanted: &str, group: &str) -> Result<u32, Error> {
    if let Some(gid) = id(wanted)? {
        return Ok(gid);
    }
    let fields = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|f| f.len() >= 3 && f[0] == wanted);
    let gid = found.map(|f| id(f[2])).transpose()?.flatten();
    gid.ok_or_else(|| Error::Group(wanted.to_owned()))
}

fn memberships(name: &str, group: &str) -> Vec<u32> {
    let fields = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields
        .filter(|f| f.len() >= 4 && f[3].split(',').any(|member| member == name))
        .filter_map(|f| id(f[2]).ok().flatten())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/ash\nann:x:1000:1000::/home/ann:/bin/sh\n1000:x:0:0::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nann:x:1000:\nwheel:x:10:root,ann\ndocker:x:99:ann\n";

    fn look(user: &str) -> Result<User, Error> {
        find(user, &[], PASSWD, GROUP)
    }

    #[test]
    fn names_and_numbers() {
        let ann = look("ann").unwrap();
        assert_eq!(
            (ann.uid, ann.gid, ann.groups, ann.home.as_str()),
            (1000, 1000, vec![10, 99, 1000], "/home/ann")
        );
        assert_eq!(look("").unwrap().shell, "/bin/ash");
        assert_eq!((look("77:wheel").unwrap().uid, look("77:wheel").unwrap().gid), (77, 10));
        assert_eq!(look("77").unwrap().gid, 0);
    }

    #[test]
    fn digits_never_meet_passwd_as_a_name() {
        assert_eq!(look("1000").unwrap().uid, 1000);
    }

    #[test]
    fn what_is_not_there_or_does_not_fit_is_an_error() {
        assert_eq!(look("bob"), Err(Error::User("bob".into())));
        assert_eq!(look("ann:nope"), Err(Error::Group("nope".into())));
        assert_eq!(look("4294967296"), Err(Error::Range("4294967296".into())));
        assert_eq!(look("4294967295"), Err(Error::Range("4294967295".into())));
        assert_eq!(look("0:99999999999"), Err(Error::Range("99999999999".into())));
        assert_eq!(look("-1"), Err(Error::User("-1".into())));
    }

    #[test]
    fn a_hostile_file_makes_nobody_root() {
        let passwd = "a:x:4294967296:1::/:/bin/sh\nb:x:1:4294967296::/:/bin/sh\nc:x:2:::/:/bin/sh\nd:x:-1:1::/:/bin/sh\n\
                      e:x:0\n5:x:0:0::/:/bin/sh\ng:x:7:7::/:/bin/sh\n";
        let group = "g:x:4294967296:\nmore:x:4294967295:g\nmore:x:-1:g\nlarge:x:18446744073709551617:g\n";
        let look = |user: &str| find(user, &[], passwd, group);
        for user in ["a", "b", "c", "d", "e", "g:g", "g:large", "\u{0}", "0x0", " 0", "+0", "٠"] {
            assert!(look(user).is_err(), "{user}: {:?}", look(user));
        }
        let digits = look("5").unwrap();
        assert_eq!((digits.uid, digits.gid), (5, 0));
        let g = look("g").unwrap();
        assert_eq!((g.uid, g.gid, g.groups), (7, 7, vec![7]));
    }

    #[test]
    fn a_line_that_was_cut_off_counts_for_nothing() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &vec![b'\n'; usize::try_from(LIMIT).unwrap() - 10]).unwrap();
        std::io::Write::write_all(&mut file, b"ann:x:1000:").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        assert!(!text(file).contains("ann"));
        assert_eq!(read("/proc/self/fd/0"), "");
    }
}
