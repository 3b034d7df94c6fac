//! `sandlot engine`: the process that controls all containers.

use super::values;
use crate::engine::Settings;
use crate::engine::settings::{DefaultNetwork, OnStop};
use crate::spawner::Ensured;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run the container engine: serve the Docker Engine API on a unix socket.
#[derive(Debug, Parser)]
#[command(name = "sandlot engine", version)]
pub struct Arguments {
    /// Where images, containers and volumes are kept
    #[arg(long, env = "SANDLOT_STATE", default_value = "/var/lib/sandlot", value_name = "DIR")]
    state: PathBuf,
    /// Where sockets and terminals' rings are kept
    #[arg(long, env = "SANDLOT_RUN", default_value = "/run/sandlot", value_name = "DIR")]
    run: PathBuf,
    /// Where root is served [default: RUN/engine.sock]
    #[arg(long, env = "SANDLOT_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where the web server is served, sessions only [default: RUN/server.sock]
    #[arg(long, env = "SANDLOT_SERVER_SOCKET", value_name = "PATH")]
    server_socket: Option<PathBuf>,
    #[command(flatten)]
    registry: super::registry_options::RegistryOptions,
    /// Who the web server runs as: a name or a uid [default: sandlot, else nobody]
    #[arg(long, env = "SANDLOT_SERVER_USER", value_name = "USER")]
    server_user: Option<String>,
    /// Where the spawner listens; one is started if none does [default: RUN/spawner.sock]
    #[arg(long, env = "SANDLOT_SPAWNER", value_name = "PATH")]
    spawner: Option<PathBuf>,
    /// The control group below which containers have theirs
    #[arg(long, env = "SANDLOT_CGROUP_PARENT", default_value = "sandlot", value_name = "NAME")]
    cgroup_parent: String,
    /// The first host uid (and gid) that containers are mapped to
    #[arg(long, env = "SANDLOT_FIRST_ID", default_value_t = 1 << 24, value_name = "ID")]
    first_id: u32,
    /// How many containers there may be, 65,536 ids each
    #[arg(long, env = "SANDLOT_SLOTS", default_value_t = 8192, value_name = "N")]
    slots: u32,
    /// A directory below which bind mounts are allowed; may be repeated
    #[arg(long = "bind-root", env = "SANDLOT_BIND_ROOTS", value_delimiter = ':', value_name = "DIR")]
    bind_roots: Vec<PathBuf>,
    /// A registry that may be reached by plain HTTP; may be repeated
    #[arg(
        long = "insecure-registry",
        env = "SANDLOT_INSECURE_REGISTRIES",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    insecure_registries: Vec<String>,
    /// The most that all files of a container's log have together
    #[arg(
        long,
        env = "SANDLOT_LOG_LIMIT",
        value_parser = values::bytes,
        default_value = "64m",
        value_name = "BYTES"
    )]
    log_limit: i64,
    /// The most that one layer of an image may have, unpacked, and all of its layers together, packed
    #[arg(
        long,
        env = "SANDLOT_IMAGE_LIMIT",
        value_parser = values::bytes,
        default_value = "32g",
        value_name = "BYTES"
    )]
    image_limit: i64,
    /// The most that a volume holds for which no size is said (0: as much as there is)
    #[arg(
        long,
        env = "SANDLOT_VOLUME_SIZE",
        value_parser = values::bytes,
        default_value = "1g",
        value_name = "BYTES"
    )]
    volume_size: i64,
    /// How many containers are begun before anybody asks for one (0: none)
    #[arg(long, env = "SANDLOT_BLANKS", default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=64))]
    blanks: u16,
    /// The network of containers for which none is named
    #[arg(long, env = "SANDLOT_DEFAULT_NETWORK", value_enum, default_value_t = DefaultNetwork::Bridge)]
    default_network: DefaultNetwork,
    /// A range that is not public and that containers may reach all the same, as 10.1.0.0/16; may be repeated
    #[arg(long = "allow-range", env = "SANDLOT_ALLOW_RANGES", value_delimiter = ',', value_name = "CIDR")]
    allowed_ranges: Vec<ipnet::Ipv4Net>,
    /// Where published ports listen for which no address is named
    #[arg(long, env = "SANDLOT_PUBLISH_ADDRESS", default_value = "0.0.0.0", value_name = "ADDRESS")]
    publish_address: std::net::IpAddr,
    /// Be the engine of the container that this runs in, whose init has the socket: it is standard input
    #[arg(long, hide = true)]
    inside: bool,
    /// What becomes of running containers when the engine is told to stop
    #[arg(long, env = "SANDLOT_ON_STOP", value_enum, default_value_t = OnStop::Keep)]
    on_stop: OnStop,
}

impl Arguments {
    /// The settings that were asked for.
    ///
    /// # Errors
    /// What cannot be: a user that is not there, a relative path.
    pub fn settings(self) -> Result<Settings, String> {
        let server_uid = uid(self.server_user.as_deref())?;
        if let Some(relative) = self.bind_roots.iter().find(|p| p.is_relative()) {
            return Err(format!("--bind-root {}: an absolute path is needed", relative.display()));
        }
        let or_below = |path: Option<PathBuf>, name| path.unwrap_or_else(|| self.run.join(name));
        let image_limit = u64::try_from(self.image_limit).unwrap_or_default();
        if image_limit == 0 {
            return Err("--image-limit: a positive number of bytes is needed".to_owned());
        }
        let log_limit = u64::try_from(self.log_limit).unwrap_or_default();
        if log_limit < 1 << 20 {
            return Err("--log-limit: at least 1m is needed".to_owned());
        }
        let volume = u64::try_from(self.volume_size).unwrap_or_default();
        if (1..crate::container::disk::SMALLEST).contains(&volume) {
            return Err("--volume-size: at least 16m is needed, or 0 for no bound".to_owned());
        }
        Ok(Settings {
            image_limit,
            volume: Some(volume).filter(|bytes| *bytes > 0),
            log_limit,
            socket: or_below(self.socket, "engine.sock"),
            server: Some((or_below(self.server_socket, "server.sock"), server_uid)),
            registry: self.registry.settings(&self.run, &self.insecure_registries)?,
            spawner: or_below(self.spawner, "spawner.sock"),
            state: self.state,
            cgroup_parent: self.cgroup_parent,
            first_id: self.first_id,
            slots: self.slots,
            bind_roots: self.bind_roots,
            insecure_registries: self.insecure_registries,
            default_network: self.default_network,
            allowed_ranges: self.allowed_ranges,
            publish_address: self.publish_address,
            on_stop: self.on_stop,
            blanks: usize::from(self.blanks),
            run: self.run,
            ..Settings::system()
        })
    }
}

/// The uid of a user by name or number; without one, that of `sandlot`, else that of nobody.
fn uid(user: Option<&str>) -> Result<u32, String> {
    const NOBODY: u32 = 65_534;
    let known = |name: &str| {
        let passwd = crate::container::user::read("/etc/passwd");
        crate::container::user::find(name, &[], &passwd, "").map(|u| u.uid)
    };
    match user {
        Some(user) => known(user).map_err(|e| format!("--server-user: {e}")),
        None => Ok(known("sandlot").unwrap_or(NOBODY)),
    }
}

/// Runs an engine until it is told to stop.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("SANDLOT_LOG").unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let served = match arguments.inside {
        true => super::inside::serve(),
        false => arguments.settings().map_err(anyhow::Error::msg).and_then(serve),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("sandlot: engine: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: Settings) -> anyhow::Result<()> {
    // Before the first thread is made.
    let spawner = crate::spawner::ensure(&settings.spawner)?;
    let on_stop = settings.on_stop;
    sandlot_sys::memory::keep_trimmed()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { Ok::<(), anyhow::Error>(crate::api::run(settings, told_to_stop()?).await?) })?;
    if let (OnStop::End, Ensured::Started(mut spawner)) = (on_stop, spawner) {
        spawner.kill()?;
        spawner.wait()?;
    }
    Ok(())
}

/// Becomes true when the process is told to end.
pub(super) fn told_to_stop() -> std::io::Result<tokio::sync::watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        stop.send_replace(true);
    });
    Ok(stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_images_is_a_positive_size() {
        let settings = |limit: &str| {
            let arguments = ["engine", "--server-user", "0", "--image-limit", limit];
            Arguments::try_parse_from(arguments).map_err(|e| e.to_string()).and_then(Arguments::settings)
        };
        assert_eq!(settings("3m").unwrap().image_limit, 3 << 20);
        for wrong in ["0", "many"] {
            let words = settings(wrong).unwrap_err();
            assert!(words.contains("--image-limit"), "{words}");
        }
    }
}
