//! More options of `run` and `create`: mounts in the long form, health checks, logs.

use super::values;
use crate::engine::model::{
    BindOptions, Healthcheck, HostConfig, LogConfig, MountRequest, TmpfsOptions, VolumeOptions,
};
use clap::Args;

/// What is kept, and how a container is looked after.
#[derive(Debug, Default, Args)]
pub(super) struct Keeping {
    /// Mount something: type=volume|bind|tmpfs,source=…,target=…[,readonly][,volume-nocopy]…
    #[arg(long, value_parser = mount)]
    mount: Vec<MountRequest>,
    /// Mount what another container has: container[:ro]
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
    /// How output is kept: json-file, local or none
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Options of that: max-size=10m, max-file=3, labels=…, env=…, tag=…
    #[arg(long, value_parser = values::full_pair, value_name = "KEY=VALUE")]
    log_opt: Vec<(String, String)>,
    /// Command that tells whether the container is well
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks: 30s
    #[arg(long, value_parser = values::nanoseconds, value_name = "TIME")]
    health_interval: Option<i64>,
    /// How long a check may take
    #[arg(long, value_parser = values::nanoseconds, value_name = "TIME")]
    health_timeout: Option<i64>,
    /// How long after the start failures count nothing
    #[arg(long, value_parser = values::nanoseconds, value_name = "TIME")]
    health_start_period: Option<i64>,
    /// Time between two checks in that time
    #[arg(long, value_parser = values::nanoseconds, value_name = "TIME")]
    health_start_interval: Option<i64>,
    /// So many failures on end make it unhealthy
    #[arg(long, value_name = "N")]
    health_retries: Option<i64>,
    /// Do without the image's check
    #[arg(long, conflicts_with = "health_cmd")]
    no_healthcheck: bool,
    /// More groups of the user, by name or number
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// How willingly the kernel kills it for memory: -1000 to 1000
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    oom_score_adj: Option<i32>,
    /// A sysctl of the container's own namespaces
    #[arg(long, value_parser = values::full_pair, value_name = "KEY=VALUE")]
    sysctl: Vec<(String, String)>,
    /// Shared memory: private, or none
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
}

impl Keeping {
    /// The health check that was asked for, if any was.
    pub(super) fn healthcheck(&self) -> Option<Healthcheck> {
        let test = match &self.health_cmd {
            _ if self.no_healthcheck => vec!["NONE".to_owned()],
            Some(command) => vec!["CMD-SHELL".to_owned(), command.clone()],
            None => Vec::new(),
        };
        let asked = Healthcheck {
            test,
            interval: self.health_interval.unwrap_or_default(),
            timeout: self.health_timeout.unwrap_or_default(),
            start_period: self.health_start_period.unwrap_or_default(),
            start_interval: self.health_start_interval.unwrap_or_default(),
            retries: self.health_retries.unwrap_or_default(),
        };
        (asked != Healthcheck::default()).then_some(asked)
    }

    /// The rest of it, as the engine takes it.
    pub(super) fn host_config(self) -> HostConfig {
        HostConfig {
            mounts: self.mount,
            volumes_from: self.volumes_from,
            log_config: LogConfig {
                kind: self.log_driver.unwrap_or_default(),
                config: self.log_opt.into_iter().collect(),
            },
            group_add: self.group_add,
            oom_score_adj: self.oom_score_adj.unwrap_or_default(),
            sysctls: self.sysctl.into_iter().collect(),
            ipc_mode: self.ipc.unwrap_or_default(),
            ..HostConfig::default()
        }
    }
}

/// `type=volume,source=data,target=/data,readonly`.
fn mount(text: &str) -> Result<MountRequest, String> {
    let mut mount = MountRequest { kind: "volume".into(), ..MountRequest::default() };
    let (mut bind, mut volume, mut tmpfs) =
        (BindOptions::default(), VolumeOptions::default(), TmpfsOptions::default());
    for part in text.split(',') {
        let (key, value) = part.split_once('=').unwrap_or((part, "true"));
        let on = || match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(format!("{key}={other}: true or false is needed")),
        };
        match key {
            "type" => value.clone_into(&mut mount.kind),
            "source" | "src" => value.clone_into(&mut mount.source),
            "target" | "dst" | "destination" => value.clone_into(&mut mount.target),
            "readonly" | "ro" => mount.read_only = on()?,
            "consistency" => {}
            "bind-propagation" => value.clone_into(&mut bind.propagation),
            "bind-create-src" => bind.create_mountpoint = on()?,
            "bind-nonrecursive" => bind.non_recursive = on()?,
            "volume-nocopy" => volume.no_copy = on()?,
            "volume-subpath" => value.clone_into(&mut volume.subpath),
            "volume-label" => volume.labels.extend([values::pair(value)?]),
            "volume-driver" => volume.driver_config.get_or_insert_default().name = value.to_owned(),
            "tmpfs-size" => tmpfs.size_bytes = values::bytes(value)?,
            "tmpfs-mode" => {
                tmpfs.mode = u32::from_str_radix(value, 8)
                    .map_err(|_| format!("{part}: a mode like 1770 is needed"))?;
            }
            other => return Err(format!("unexpected key '{other}' in '{part}'")),
        }
    }
    if mount.target.is_empty() {
        return Err("target is required".into());
    }
    let set = (
        bind != BindOptions::default(),
        volume != VolumeOptions::default(),
        tmpfs != TmpfsOptions::default(),
    );
    match (mount.kind.as_str(), set) {
        ("bind", (_, false, false)) => mount.bind_options = Some(bind),
        ("volume", (false, _, false)) => mount.volume_options = Some(volume),
        ("tmpfs", (false, false, _)) => mount.tmpfs_options = Some(tmpfs),
        ("bind" | "volume" | "tmpfs", _) => {
            return Err(format!("{text}: options of another type than {}", mount.kind));
        }
        (other, _) => return Err(format!("mount type unknown: \"{other}\"")),
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_in_the_long_form() {
        let made = mount("src=data,dst=/d,readonly,volume-nocopy,volume-label=a=b").unwrap();
        assert_eq!((made.kind.as_str(), made.source.as_str(), made.read_only), ("volume", "data", true));
        let options = made.volume_options.unwrap();
        assert!(options.no_copy && options.labels["a"] == "b");
        let made = mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770").unwrap();
        assert_eq!(made.tmpfs_options.unwrap().mode, 0o1770);
        for bad in
            ["src=x", "type=bind,dst=/x,volume-nocopy", "type=odd,dst=/x", "dst=/x,odd=1", "dst=/x,ro=maybe"]
        {
            assert!(mount(bad).is_err(), "{bad}");
        }
    }
}
