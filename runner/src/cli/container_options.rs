//! The options of `run` and `create`, and the creation that they ask for. Knows no socket.

use super::error::Error;
use super::network_options::NetworkOptions;
use super::values;
use crate::engine::model::{Config, HostConfig, Resources, RestartPolicy, Throttle, Ulimit};
use clap::{ArgAction, Args};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// What `run` and `create` have in common.
#[derive(Debug, Default, Args)]
#[command(disable_help_flag = true)]
pub(super) struct ContainerOptions {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Keep standard input open
    #[arg(short, long)]
    pub(super) interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    pub(super) tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub(super) rm: bool,
    /// A name for the container
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Set an environment variable
    #[arg(short, long, value_parser = values::env)]
    pub(super) env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// The working directory inside
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(super) workdir: Option<String>,
    /// User, and perhaps group, by name or number: user[:group]
    #[arg(short, long)]
    pub(super) user: Option<String>,
    /// The container's host name
    #[arg(short = 'h', long)]
    hostname: Option<String>,
    /// Replace the image's entry point
    #[arg(long)]
    entrypoint: Option<String>,
    /// Mount a host directory or a named volume: source:/path[:ro]
    #[arg(short, long, value_parser = values::volume)]
    volume: Vec<String>,
    /// Mount a tmpfs: /path[:options]
    #[arg(long, value_parser = values::tmpfs)]
    tmpfs: Vec<(String, String)>,
    /// Deny writing to the root filesystem
    #[arg(long)]
    read_only: bool,
    /// Run a small init as the first process, which reaps and passes signals on
    #[arg(long)]
    init: bool,
    /// Signal that stops the container
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds after which stopping becomes killing
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<i64>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Security options
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// When to start again: no, always, unless-stopped, on-failure[:times]
    #[arg(long, value_parser = values::restart, default_value = "no")]
    pub(super) restart: RestartPolicy,
    /// Set a label: key[=value]
    #[arg(short, long, value_parser = values::pair)]
    label: Vec<(String, String)>,
    /// Set an annotation: key=value
    #[arg(long, value_parser = values::full_pair)]
    annotation: Vec<(String, String)>,
    #[command(flatten)]
    pub(super) network: NetworkOptions,
    /// The platform of the image: os/architecture[/variant]
    #[arg(long)]
    pub(super) platform: Option<String>,
    /// Options of the storage: size=512m
    #[arg(long, value_parser = values::full_pair, value_name = "KEY=VALUE")]
    storage_opt: Vec<(String, String)>,
    /// Bytes of /dev/shm
    #[arg(long, value_parser = values::bytes, value_name = "BYTES")]
    shm_size: Option<i64>,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    pub(super) cidfile: Option<PathBuf>,
    /// Whether to pull the image first: always, missing, never
    #[arg(long, default_value = "missing", value_parser = ["always", "missing", "never"])]
    pub(super) pull: String,
    /// Say nothing of pulling it
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    keeping: super::keeping::Keeping,
    /// Read labels from a file
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// A resource limit: name=soft[:hard]
    #[arg(long, value_parser = values::ulimit)]
    ulimit: Vec<Ulimit>,
    /// The image, then the command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"])]
    pub(super) words: Vec<String>,
}

/// The limits that `update` changes too.
#[derive(Debug, Default, Args)]
pub(super) struct Limits {
    /// The most memory
    #[arg(short, long, value_parser = values::bytes, value_name = "BYTES")]
    memory: Option<i64>,
    /// The most memory and swap together; -1: no limit
    #[arg(long, value_parser = values::bytes_or_unlimited, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Memory that is kept when it gets scarce
    #[arg(long, value_parser = values::bytes, value_name = "BYTES")]
    memory_reservation: Option<i64>,
    /// How many cpus: 1.5
    #[arg(long, value_parser = values::cpus)]
    cpus: Option<i64>,
    /// Weight against others: 2 to 262144
    #[arg(short, long)]
    cpu_shares: Option<i64>,
    /// Microseconds of cpu in a period; -1: no limit
    #[arg(long, allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Microseconds of a period
    #[arg(long)]
    cpu_period: Option<i64>,
    /// Which cpus: 0-2,5
    #[arg(long)]
    cpuset_cpus: Option<String>,
    /// Which memory nodes
    #[arg(long)]
    cpuset_mems: Option<String>,
    /// The most processes; -1: no limit
    #[arg(long, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Weight of disk access: 10 to 1000
    #[arg(long)]
    blkio_weight: Option<u16>,
    /// The most bytes read a second: /dev/sda:1mb
    #[arg(long, value_parser = values::device_bps)]
    device_read_bps: Vec<Throttle>,
    /// The most bytes written a second
    #[arg(long, value_parser = values::device_bps)]
    device_write_bps: Vec<Throttle>,
    /// The most reads a second: /dev/sda:1000
    #[arg(long, value_parser = values::device_iops)]
    device_read_iops: Vec<Throttle>,
    /// The most writes a second
    #[arg(long, value_parser = values::device_iops)]
    device_write_iops: Vec<Throttle>,
}

impl Limits {
    /// Those that were given, and nothing else, as `update` takes them.
    pub(super) fn given(self) -> serde_json::Map<String, Value> {
        let nothing = |value: &Value| match value {
            Value::Null => true,
            Value::Number(number) => number.as_i64() == Some(0),
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        let all = serde_json::to_value(self.resources()).unwrap_or_default();
        let all = all.as_object().cloned().unwrap_or_default();
        all.into_iter().filter(|(_, value)| !nothing(value)).collect()
    }

    /// As the engine takes them; what was not given is 0 or empty.
    pub(super) fn resources(self) -> Resources {
        Resources {
            memory: self.memory.unwrap_or_default(),
            memory_swap: self.memory_swap.unwrap_or_default(),
            memory_reservation: self.memory_reservation.unwrap_or_default(),
            nano_cpus: self.cpus.unwrap_or_default(),
            cpu_shares: self.cpu_shares.unwrap_or_default(),
            cpu_quota: self.cpu_quota.unwrap_or_default(),
            cpu_period: self.cpu_period.unwrap_or_default(),
            cpuset_cpus: self.cpuset_cpus.unwrap_or_default(),
            cpuset_mems: self.cpuset_mems.unwrap_or_default(),
            pids_limit: self.pids_limit,
            blkio_weight: self.blkio_weight.unwrap_or_default(),
            blkio_device_read_bps: self.device_read_bps,
            blkio_device_write_bps: self.device_write_bps,
            blkio_device_read_iops: self.device_read_iops,
            blkio_device_write_iops: self.device_write_iops,
        }
    }
}

/// Who takes part in a container's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attachment {
    /// This command.
    Here,
    /// Nobody, at first.
    Nobody,
}

/// The body of `POST /containers/create`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Creation {
    #[serde(flatten)]
    pub(super) config: Config,
    pub(super) host_config: HostConfig,
    pub(super) networking_config: Value,
}

impl ContainerOptions {
    /// What the engine is asked for; `--env-file`s are read.
    pub(super) fn creation(self, attachment: Attachment) -> Result<Creation, Error> {
        let mut words = self.words.into_iter();
        let image = words.next().unwrap_or_default();
        let command: Vec<String> = words.collect();
        let mut env = values::env_files(&self.env_file).map_err(Error::Invalid)?;
        env.extend(self.env);
        let attach = attachment == Attachment::Here;
        let (volumes, binds): (Vec<String>, Vec<String>) =
            self.volume.into_iter().partition(|v: &String| !v.contains(':'));
        let mut labels = values::label_files(&self.label_file).map_err(Error::Invalid)?;
        labels.extend(self.label);
        let mut config = Config {
            hostname: self.hostname.unwrap_or_default(),
            user: self.user.unwrap_or_default(),
            attach_stdin: attach && self.interactive,
            attach_stdout: attach,
            attach_stderr: attach,
            tty: self.tty,
            open_stdin: self.interactive,
            stdin_once: attach && self.interactive,
            env: values::resolve(env, |name| std::env::var(name).ok()),
            cmd: (!command.is_empty()).then_some(command),
            entrypoint: self.entrypoint.map(|e| vec![e]),
            image,
            working_dir: self.workdir.unwrap_or_default(),
            labels,
            healthcheck: self.keeping.healthcheck(),
            volumes: volumes.into_iter().map(|v: String| (v, serde_json::json!({}))).collect(),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            ..Config::default()
        };
        let mut host_config = HostConfig {
            binds,
            tmpfs: self.tmpfs.into_iter().collect(),
            annotations: self.annotation.into_iter().collect(),
            restart_policy: self.restart,
            auto_remove: self.rm,
            readonly_rootfs: self.read_only,
            init: self.init.then_some(true),
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            security_opt: self.security_opt,
            storage_opt: self.storage_opt.into_iter().collect(),
            ulimits: self.ulimit,
            shm_size: self.shm_size.unwrap_or_default(),
            resources: self.limits.resources(),
            ..self.keeping.host_config()
        };
        let networking_config = self.network.settle(&mut config, &mut host_config);
        Ok(Creation { config, host_config, networking_config })
    }
}
