//! Which capabilities a container's processes keep, in the container's own user namespace.
//!
//! Knows the names and the two profiles' defaults. Taking capabilities away is `become_process`'s business. None of them
//! reaches beyond the user namespace: what the kernel asks of the host's (`CAP_SYS_MODULE`, `CAP_SYS_TIME`, …) stays
//! refused whatever is added here.

use super::spec::Profile;

/// `CAP_SYS_CHROOT`
pub const SYS_CHROOT: u64 = 1 << 18;
/// `CAP_SYS_PTRACE`
pub const SYS_PTRACE: u64 = 1 << 19;
/// `CAP_SYS_ADMIN`
pub const SYS_ADMIN: u64 = 1 << 21;
/// `CAP_SYS_BOOT`
pub const SYS_BOOT: u64 = 1 << 22;
/// `CAP_SYS_NICE`
pub const SYS_NICE: u64 = 1 << 23;

/// Every capability by its number, as in `linux/capability.h`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All that the kernel knows.
const ALL: u64 = (1 << NAMES.len()) - 1;

/// Docker's default: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
/// sys_chroot, mknod, audit_write, setfcap.
const STANDARD: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | SYS_CHROOT
    | 1 << 27
    | 1 << 29
    | 1 << 31;

/// What containers inside a container need beside [`STANDARD`]: mounts and namespaces (sys_admin), devices and routes of
/// own network namespaces (net_admin), and looking into own processes' `/proc` (sys_ptrace).
const NESTED: u64 = SYS_ADMIN | 1 << 12 | SYS_PTRACE;

/// Why there is no set of capabilities.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A name that the kernel does not have.
    #[error("invalid {list}: unknown capability: \"CAP_{}\"", short(.name))]
    Unknown {
        /// The list that has it: `CapAdd`, `CapDrop`.
        list: &'static str,
        /// The name.
        name: String,
    },
}

/// The capabilities (a bit each, `1 << CAP_…`) of a container of `profile` with `add` and `drop` as Docker's `--cap-add` and
/// `--cap-drop` take them: names in any case, with or without `CAP_`, or `ALL`. What is both added and dropped is kept if
/// everything was dropped by `ALL`, else not.
///
/// # Errors
/// [`Error::Unknown`] names the first name that is none.
pub fn effective(profile: Profile, add: &[String], drop: &[String]) -> Result<u64, Error> {
    let default = match profile {
        Profile::Standard => STANDARD,
        Profile::Nested => STANDARD | NESTED,
    };
    let (added, dropped) = (bits("CapAdd", add)?, bits("CapDrop", drop)?);
    if dropped == ALL {
        return Ok(added);
    }
    Ok((default | added) & !dropped)
}

/// The names (`CAP_CHOWN`, …) of a set, by number.
#[must_use]
pub fn names(set: u64) -> Vec<String> {
    NAMES
        .iter()
        .enumerate()
        .filter(|(n, _)| set & (1 << n) != 0)
        .map(|(_, name)| format!("CAP_{name}"))
        .collect()
}

fn bits(list: &'static str, names: &[String]) -> Result<u64, Error> {
    names.iter().try_fold(0, |set, name| {
        let bit = bit(name).ok_or_else(|| Error::Unknown { list, name: name.clone() })?;
        Ok(set | bit)
    })
}

fn bit(name: &str) -> Option<u64> {
    let short = short(name);
    if short == "ALL" && name.len() == 3 {
        return Some(ALL);
    }
    NAMES.iter().position(|known| *known == short).map(|n| 1 << n)
}

/// A name in capitals, without `CAP_`.
fn short(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").map(ToOwned::to_owned).unwrap_or(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(profile: Profile, add: &[&str], drop: &[&str]) -> Result<u64, Error> {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        effective(profile, &own(add), &own(drop))
    }

    #[test]
    fn the_default_is_dockers() {
        let expected = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP \
             CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP";
        assert_eq!(names(set(Profile::Standard, &[], &[]).unwrap()).join(" "), expected);
        assert_eq!(STANDARD, 0xa804_25fb, "what `docker run` shows as CapBnd");
    }

    #[test]
    fn nested_adds_what_containers_inside_need() {
        let extra = set(Profile::Nested, &[], &[]).unwrap() & !STANDARD;
        assert_eq!(names(extra), ["CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]);
    }

    #[test]
    fn adding_and_dropping_by_any_spelling() {
        assert_eq!(set(Profile::Standard, &["cap_sys_time"], &[]).unwrap(), STANDARD | 1 << 25);
        assert_eq!(
            set(Profile::Standard, &["Net_Admin"], &["CAP_CHOWN"]).unwrap(),
            (STANDARD | 1 << 12) & !1
        );
        assert_eq!(set(Profile::Standard, &[], &["all"]).unwrap(), 0);
        assert_eq!(set(Profile::Standard, &["KILL"], &["ALL"]).unwrap(), 1 << 5);
        assert_eq!(set(Profile::Standard, &["ALL"], &["MKNOD"]).unwrap(), ALL & !(1 << 27));
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        for name in ["FLY", "CAP_", "", "CAP_CAP_KILL", "5"] {
            let error = set(Profile::Standard, &[], &[name]).unwrap_err();
            assert_eq!(error, Error::Unknown { list: "CapDrop", name: name.to_owned() });
            assert!(error.to_string().contains(&short(name)), "{error}");
        }
    }
}
