//! Where an engine keeps things, and what it may hand out.

use super::slots::Slots;
use crate::image::distribution::{Bounds, Mirror};
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// The class's registry as a session reaches it, on its loopback, by plain HTTP.
const REGISTRY: &str = "registry:5000";

/// An engine's settings, checked by whoever builds them (the command line).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Images, containers, volumes: what outlives a restart of the machine.
    pub state: PathBuf,
    /// Sockets and rings: what does not.
    pub run: PathBuf,
    /// Where the Docker Engine API is served to root.
    pub socket: PathBuf,
    /// Where the narrow interface is served to the web server, and to which uid beside root.
    pub server: Option<(PathBuf, u32)>,
    /// The registry side of the images.
    pub registry: Registry,
    /// Where the spawner listens.
    pub spawner: PathBuf,
    /// The control group, in each hierarchy, below which containers have theirs.
    pub cgroup_parent: String,
    /// The first host uid (and gid) that containers' ids are mapped to.
    pub first_id: u32,
    /// How many ranges of 65,536 ids there are from there on: the most containers at once.
    pub slots: u32,
    /// Bytes of the disks that are kept ready.
    pub disk: u64,
    /// How many are kept ready.
    pub disks_ready: usize,
    /// The most bytes of a volume for which no size was said; `None`: as many as there are.
    pub volume: Option<u64>,
    /// How much of the free space may be promised to disks; 100: all of it.
    pub overcommit_percent: u64,
    /// How many containers are begun before anybody asks for one.
    pub blanks: usize,
    /// The /16 that containers with a way to the internet get their addresses from.
    pub internet_pool: Ipv4Addr,
    /// The network of containers for which none was named.
    pub default_network: DefaultNetwork,
    /// Ranges that are not public and that containers reach all the same.
    pub allowed_ranges: Vec<Ipv4Net>,
    /// Where published ports listen for which no address was named.
    pub publish_address: IpAddr,
    /// What becomes of running containers when the engine is told to stop.
    pub on_stop: OnStop,
    /// Directories below which bind mounts are allowed.
    pub bind_roots: Vec<PathBuf>,
    /// Registries that may be reached by plain HTTP, beside loopback.
    pub insecure_registries: Vec<String>,
    /// The most bytes of a container's log.
    pub log_limit: u64,
    /// The most bytes of one layer, unpacked, and of all layers of an image, packed.
    pub image_limit: u64,
}

/// The registry side of an engine's images.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Where it is served to the web server; `None`: nowhere.
    pub socket: Option<PathBuf>,
    /// What it may take.
    pub bounds: Bounds,
    /// Name spaces that are copies of other registries.
    pub mirrors: Vec<Mirror>,
}

/// What becomes of running containers when an engine is told to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnStop {
    /// They go on; a later engine takes them up.
    #[default]
    Keep,
    /// They are ended, and sessions removed.
    End,
}

/// The network of containers for which none was named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DefaultNetwork {
    /// No network.
    None,
    /// The network `bridge`: neighbours and public addresses.
    #[default]
    Bridge,
    /// Public addresses, no neighbours.
    Internet,
}

impl DefaultNetwork {
    /// Puts its name where none stands.
    pub(super) fn settle(self, mode: &mut String) {
        let name = match self {
            Self::None => super::networks::NONE,
            Self::Bridge => super::networks::BRIDGE,
            Self::Internet => super::networks::INTERNET,
        };
        if matches!(mode.as_str(), "" | "default") {
            name.clone_into(mode);
        }
    }
}

impl Settings {
    /// The settings of a system-wide engine.
    #[must_use]
    pub fn system() -> Self {
        let run = PathBuf::from("/run/sandlot");
        Self {
            state: PathBuf::from("/var/lib/sandlot"),
            socket: run.join("engine.sock"),
            server: None,
            registry: Registry::default(),
            spawner: run.join("spawner.sock"),
            run,
            cgroup_parent: "sandlot".to_owned(),
            first_id: 1 << 24,
            slots: 8192,
            disk: 512 << 20,
            disks_ready: 2,
            volume: Some(1 << 30),
            overcommit_percent: 400,
            blanks: 2,
            internet_pool: Ipv4Addr::new(10, 87, 0, 0),
            default_network: DefaultNetwork::default(),
            allowed_ranges: Vec::new(),
            publish_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            on_stop: OnStop::Keep,
            bind_roots: Vec::new(),
            insecure_registries: Vec::new(),
            log_limit: 64 << 20,
            image_limit: crate::image::Limits::default().bytes,
        }
    }

    /// The settings of an engine within a container of the host's engine: its container's own bounds are the bounds.
    #[must_use]
    pub fn inside() -> Self {
        Self {
            slots: 64,
            disks_ready: 0,
            volume: None,
            blanks: 0,
            bind_roots: vec![PathBuf::from("/")],
            insecure_registries: vec![REGISTRY.to_owned()],
            log_limit: 16 << 20,
            ..Self::system()
        }
    }

    /// The ranges of ids that containers get.
    pub(super) fn slots(&self) -> Slots {
        match sandlot_sys::userns::within() {
            true => Slots::shared(self.slots),
            false => Slots::new(self.first_id, self.slots),
        }
    }
}
