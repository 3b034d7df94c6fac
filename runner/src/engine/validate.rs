//! From what was asked for to what will be done: every field is looked at once, here, and an error names it.

mod walls;

pub use walls::Own;

use super::error::Error;
use super::model::{Config, HostConfig, Ulimit};
use super::networks::Way;
use super::settings::Settings;
use crate::container::capabilities;
use crate::container::spec::{Init, Profile, Rlimit};

/// What [`check`] found out beside that all is well.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Walls.
    pub profile: Profile,
    /// What PID 1 is.
    pub init: Init,
    /// Whether it has an engine of its own.
    pub own: Own,
    /// Capabilities of the first process.
    pub capabilities: u64,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// Bytes of the disk limit.
    pub disk: Option<u64>,
    /// How it is connected with the world.
    pub way: Way,
}

/// The most arguments and variables together; the kernel's own limit is 2 MiB.
const WORDS: usize = 1 << 20;
/// The longest host name that Linux takes.
const HOST_NAME: usize = 64;
/// The largest `/dev/shm`.
const SHM: i64 = 1 << 30;

/// Looks at everything that was asked for.
///
/// # Errors
/// [`Error::Invalid`] that names the field.
pub fn check(config: &Config, host: &HostConfig, settings: &Settings) -> Result<Checked, Error> {
    never(host)?;
    words(config)?;
    let (profile, own) = walls::profile(host)?;
    let init = walls::init(config, host, own)?;
    let capabilities = capabilities::effective(profile, &host.cap_add, &host.cap_drop)
        .map_err(|e| Error::invalid(e.to_string()))?;
    if !(0..=SHM).contains(&host.shm_size) {
        return Err(Error::invalid(format!("SHM size is from 0 to 1 GiB: {} is not", host.shm_size)));
    }
    if let Some(name) = host.sysctls.keys().find(|name| !namespaced(name)) {
        return Err(Error::invalid(format!(
            "sysctl \"{name}\" is not in a namespace of the container's own"
        )));
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(Error::invalid(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            host.oom_score_adj
        )));
    }
    Ok(Checked {
        profile,
        init,
        own,
        capabilities,
        rlimits: host.ulimits.iter().map(rlimit).collect::<Result<_, _>>()?,
        disk: disk(host)?,
        way: network(config, host, settings)?,
    })
}

/// Whether a sysctl belongs to the container's own namespaces, and its name to no other path.
fn namespaced(name: &str) -> bool {
    const OWN: [&str; 8] =
        ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let own = name.strip_prefix("kernel.").is_some_and(|rest| OWN.contains(&rest));
    plain && !name.contains("..") && (own || name.starts_with("net.") || name.starts_with("fs.mqueue."))
}

/// What Docker's API can say and Sandlot never does.
fn never(host: &HostConfig) -> Result<(), Error> {
    let refuse =
        |what: &str, why: &str| Err(Error::invalid(format!("{what} is never done by Sandlot: {why}")));
    if host.privileged {
        return refuse(
            "--privileged",
            "no container gets rights on the host; ask for the profile `nested` instead",
        );
    }
    if !host.devices.is_empty() {
        return refuse("--device", "a device of the host belongs to no container");
    }
    for (flag, mode) in [
        ("--pid", &host.pid_mode),
        ("--ipc", &host.ipc_mode),
        ("--uts", &host.uts_mode),
        ("--userns", &host.userns_mode),
    ] {
        let none = flag == "--ipc" && mode == "none";
        if !none && !matches!(mode.as_str(), "" | "private" | "shareable") {
            return refuse(&format!("{flag}={mode}"), "every container has namespaces of its own");
        }
    }
    if !host.device_requests.is_empty() || !host.device_cgroup_rules.is_empty() {
        return refuse("--gpus", "a device of the host belongs to no container");
    }
    if host.cgroupns_mode == "host" {
        return refuse("--cgroupns=host", "every container has namespaces of its own");
    }
    if !matches!(host.runtime.as_str(), "" | "sandlot" | "runc" | "io.containerd.runc.v2") {
        return Err(Error::invalid(format!("unknown or invalid runtime name: {}", host.runtime)));
    }
    if !matches!(host.isolation.as_str(), "" | "default") {
        return Err(Error::invalid(format!(
            "invalid isolation ({}): linux only supports 'default'",
            host.isolation
        )));
    }
    if !host.cgroup_parent.is_empty() {
        return refuse("--cgroup-parent", "containers' control groups lie below the engine's own");
    }
    Ok(())
}

fn words(config: &Config) -> Result<(), Error> {
    let lists = [config.cmd.as_deref(), config.entrypoint.as_deref(), Some(&config.env)];
    let all = || lists.iter().flatten().flat_map(|l| l.iter());
    if all().map(String::len).sum::<usize>() > WORDS {
        return Err(Error::invalid("command and environment are longer than 1 MiB"));
    }
    if all().any(|w| w.contains('\0')) {
        return Err(Error::invalid("a NUL byte in the command or the environment"));
    }
    if let Some(bad) = config.env.iter().find(|e| e.starts_with('=') || e.is_empty()) {
        return Err(Error::invalid(format!("invalid environment variable: {bad}")));
    }
    if config.hostname.len() > HOST_NAME || config.domainname.len() > HOST_NAME {
        return Err(Error::invalid(format!("host and domain names have at most {HOST_NAME} bytes")));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !config.hostname.chars().chain(config.domainname.chars()).all(plain) {
        return Err(Error::invalid(format!("invalid host name: {:?}", config.hostname)));
    }
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    if let Some(name) = &config.stop_signal {
        signal(name)?;
    }
    Ok(())
}

/// The kernel's number of a limit's name (setrlimit(2)).
fn rlimit(limit: &Ulimit) -> Result<Rlimit, Error> {
    let names = [
        "cpu",
        "fsize",
        "data",
        "stack",
        "core",
        "rss",
        "nproc",
        "nofile",
        "memlock",
        "as",
        "locks",
        "sigpending",
        "msgqueue",
        "nice",
        "rtprio",
        "rttime",
    ];
    let bad = |why: &str| Error::invalid(format!("--ulimit {}: {why}", limit.name));
    let resource =
        names.iter().position(|n| *n == limit.name).ok_or_else(|| bad("there is no such limit"))?;
    let value = |v: i64| match v {
        -1 => Ok(u64::MAX),
        v => u64::try_from(v).map_err(|_| bad("a limit is a number from 0, or -1 for none")),
    };
    let (soft, hard) = (value(limit.soft)?, value(limit.hard)?);
    if soft > hard {
        return Err(bad("the soft limit is above the hard limit"));
    }
    Ok(Rlimit { resource: u32::try_from(resource).unwrap_or(u32::MAX), soft, hard })
}

fn disk(host: &HostConfig) -> Result<Option<u64>, Error> {
    let mut size = None;
    if !host.storage_opt.is_empty() && sandlot_sys::userns::within() {
        return Err(Error::invalid(
            "--storage-opt is refused: this engine makes no disks, for it runs within a container, whose own disk bounds all",
        ));
    }
    for (key, value) in &host.storage_opt {
        match key.as_str() {
            "size" => {
                size =
                    Some(bytes(value).ok_or_else(|| Error::invalid(format!("--storage-opt size={value}")))?)
            }
            other => return Err(Error::invalid(format!("--storage-opt {other}: only size is known"))),
        }
    }
    match size {
        Some(size) if size < 8 << 20 => Err(Error::invalid("--storage-opt size: at least 8m")),
        size => Ok(size),
    }
}

/// `10m`, `1G`, `512`: bytes.
pub(in crate::engine) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.trim_end_matches('b').trim_end_matches('i');
    let digits = text.trim_end_matches(['k', 'm', 'g', 't']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn network(config: &Config, host: &HostConfig, settings: &Settings) -> Result<Way, Error> {
    super::networks::ports::wanted(config, host, settings.publish_address)?;
    if let Some(extra) = host.extra_hosts.iter().find(|e| e.ends_with("host-gateway")) {
        return Err(Error::invalid(format!(
            "--add-host {extra}: host-gateway is never done by Sandlot: no container reaches the host"
        )));
    }
    match Way::of(&host.network_mode)? {
        Way::Internet if sandlot_sys::userns::within() => Err(Error::invalid(
            "--network internet is refused: this engine runs within a container, and gives nobody a way out of it; choose bridge or none",
        )),
        way => Ok(way),
    }
}

/// The number of a signal by its name, with or without `SIG`, or by its number.
///
/// # Errors
/// [`Error::Invalid`].
pub fn signal(name: &str) -> Result<i32, Error> {
    use std::str::FromStr;
    let bad = || Error::invalid(format!("Invalid signal: {name}"));
    if let Ok(number) = name.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { Err(bad()) };
    }
    let full = name.to_ascii_uppercase();
    let full = if full.starts_with("SIG") { full } else { format!("SIG{full}") };
    // As libc numbers them: two are its own.
    let real_time = match full.strip_prefix("SIGRT").unwrap_or_default() {
        "MIN" => Some(34),
        "MAX" => Some(64),
        rest => match (rest.strip_prefix("MIN+"), rest.strip_prefix("MAX-")) {
            (Some(n), _) => n.parse::<i32>().ok().filter(|n| (1..=15).contains(n)).map(|n| 34 + n),
            (_, Some(n)) => n.parse::<i32>().ok().filter(|n| (1..=14).contains(n)).map(|n| 64 - n),
            _ => None,
        },
    };
    if let Some(number) = real_time {
        return Ok(number);
    }
    nix::sys::signal::Signal::from_str(&full).map(|s| s as i32).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config { cmd: Some(vec!["true".into()]), ..Config::default() }
    }

    fn refused(config: &Config, host: &HostConfig) -> String {
        check(config, host, &Settings::system()).unwrap_err().to_string()
    }

    #[test]
    fn what_sandlot_never_does_is_refused_with_the_reason() {
        let c = config();
        for (host, word) in [
            (HostConfig { privileged: true, ..HostConfig::default() }, "--privileged"),
            (HostConfig { pid_mode: "host".into(), ..HostConfig::default() }, "--pid=host"),
            (HostConfig { ipc_mode: "host".into(), ..HostConfig::default() }, "--ipc=host"),
            (HostConfig { userns_mode: "host".into(), ..HostConfig::default() }, "--userns=host"),
            (HostConfig { network_mode: "host".into(), ..HostConfig::default() }, "--network host"),
            (HostConfig { devices: vec![serde_json::json!({})], ..HostConfig::default() }, "--device"),
            (HostConfig { device_requests: vec![serde_json::json!({})], ..HostConfig::default() }, "--gpus"),
            (HostConfig { cgroupns_mode: "host".into(), ..HostConfig::default() }, "--cgroupns=host"),
            (HostConfig { runtime: "kata".into(), ..HostConfig::default() }, "runtime name: kata"),
            (HostConfig { isolation: "hyperv".into(), ..HostConfig::default() }, "isolation (hyperv)"),
            (
                HostConfig { security_opt: vec!["seccomp=unconfined".into()], ..HostConfig::default() },
                "seccomp=unconfined",
            ),
        ] {
            let words = refused(&c, &host);
            assert!(words.contains(word), "{words}");
        }
    }

    #[test]
    fn sysctls_are_the_containers_own() {
        for own in ["net.ipv4.ip_forward", "kernel.shmmax", "fs.mqueue.msg_max"] {
            assert!(namespaced(own), "{own}");
        }
        for other in
            ["kernel.panic", "vm.swappiness", "net..x", "net/../kernel/panic", "user.max_user_namespaces"]
        {
            assert!(!namespaced(other), "{other}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let c = config();
        let host = HostConfig::default;
        let limit = |name: &str, soft, hard| Ulimit { name: name.into(), soft, hard };
        for (host, word) in [
            (HostConfig { ulimits: vec![limit("files", 1, 1)], ..host() }, "--ulimit files"),
            (HostConfig { ulimits: vec![limit("nofile", 2, 1)], ..host() }, "above the hard"),
            (HostConfig { cap_add: vec!["FLY".into()], ..host() }, "FLY"),
            (HostConfig { storage_opt: [("size".to_owned(), "big".into())].into(), ..host() }, "size=big"),
            (HostConfig { storage_opt: [("size".to_owned(), "1k".into())].into(), ..host() }, "at least 8m"),
            (HostConfig { shm_size: -1, ..host() }, "SHM size"),
            (
                HostConfig { annotations: [("sandlot.profile".to_owned(), "root".into())].into(), ..host() },
                "profile root",
            ),
        ] {
            let words = refused(&c, &host);
            assert!(words.contains(word), "{words}");
        }
        assert!(refused(&Config::default(), &host()).contains("no command specified"));
        assert!(refused(&Config { hostname: "a b".into(), ..config() }, &host()).contains("host name"));
        assert!(
            refused(&Config { working_dir: "rel".into(), ..config() }, &host()).contains("absolute path")
        );
        assert!(
            refused(&Config { stop_signal: Some("SIGNOPE".into()), ..config() }, &host()).contains("SIGNOPE")
        );
    }

    #[test]
    fn sizes_and_signals() {
        assert_eq!(
            (bytes("10m"), bytes("1GiB"), bytes("7"), bytes("x")),
            (Some(10 << 20), Some(1 << 30), Some(7), None)
        );
        assert_eq!((signal("SIGRTMIN+3").unwrap(), signal("rtmax-14").unwrap()), (37, 50));
        assert!(signal("RTMIN+31").is_err() && signal("RTMIN-1").is_err() && signal("0").is_err());
        assert_eq!((signal("TERM").unwrap(), signal("sigkill").unwrap(), signal("10").unwrap()), (15, 9, 10));
    }
}
