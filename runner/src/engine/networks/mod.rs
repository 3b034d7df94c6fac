//! Networks: which there are, who has which address in them, and what connects a container with them.
//!
//! What a network is stands in its record below `STATE/networks`; which networks a container is in, and under which
//! addresses while it runs, in the container's own record. What is here in memory is made from those two.

mod attach;
mod create;
mod directory;
mod dns;
mod endpoint;
mod files;
mod internet;
mod live;
pub mod ports;
pub mod request;
mod subnets;

pub(super) use attach::waited_for;
pub(super) use endpoint::wanted;
pub use endpoint::{Endpoint, Live, Way};
pub(super) use files::files;
use files::resolvers;

use super::error::{Doing, Error};
use crate::container::network::bridge::{self, Bridges, Neighbours, Reach};
use directory::Directory;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The network that containers are in which ask for none.
pub const BRIDGE: &str = "bridge";
/// No network.
pub const NONE: &str = "none";
/// Public addresses and no neighbours.
pub const INTERNET: &str = "internet";

/// A network's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// What tells its interfaces from those of others.
    pub number: u32,
    /// Its addresses.
    pub subnet: Ipv4Net,
    /// Whether a person chose them.
    pub chosen: bool,
    /// The host's address.
    pub gateway: Ipv4Addr,
    /// Those that containers get that ask for none.
    #[serde(default)]
    pub range: Option<Ipv4Net>,
    /// Those that no container gets, by what has them.
    #[serde(default)]
    pub kept: BTreeMap<String, Ipv4Addr>,
    /// Whether it leads nowhere.
    pub internal: bool,
    /// As it was asked for; without a meaning here.
    pub attachable: bool,
    /// Options of the driver.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Options of the addresses' driver; without a meaning here.
    #[serde(default)]
    pub ipam_options: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Network {
    /// Whether it was there before anybody made one.
    #[must_use]
    pub fn predefined(&self) -> bool {
        self.name == BRIDGE
    }

    fn reach(&self) -> Reach {
        if self.internal { Reach::Internal } else { Reach::Outside }
    }

    fn neighbours(&self) -> Neighbours {
        let shut = self.options.get(request::NEIGHBOURS).is_some_and(|v| v == "false");
        if shut { Neighbours::Shut } else { Neighbours::Open }
    }

    /// Where ports listen for which no address was named, if it is not the engine's.
    fn binding(&self) -> Option<std::net::IpAddr> {
        self.options.get(request::BINDING)?.parse().ok()
    }

    fn mtu(&self) -> Option<u32> {
        self.options.get(request::MTU)?.parse().ok()
    }
}

/// The networks of an engine.
#[derive(Debug)]
pub struct Networks {
    dir: PathBuf,
    settings: bridge::Settings,
    known: Mutex<Known>,
    /// Loaded when the first container is connected.
    bridges: Mutex<Option<Arc<Bridges>>>,
    /// Who is called what.
    directory: Arc<Directory>,
    /// The name servers of containers that run, by their ids.
    servers: Mutex<HashMap<String, dns::Server>>,
    /// The published ports of containers that run.
    proxies: Mutex<HashMap<String, ports::Proxy>>,
    places: ports::Places,
    questions: dns::Places,
    internet: internet::Loading,
    /// Stands for a loaded firewall, also when the engine that loaded it is gone.
    mark: PathBuf,
}

#[derive(Debug, Default)]
struct Known {
    networks: BTreeMap<String, Network>,
    /// By the network's id.
    taken: BTreeMap<String, BTreeSet<Ipv4Addr>>,
}

impl Networks {
    /// Takes up the networks of a state directory; the default one is made where it is missing. `run` is gone after a
    /// restart of the machine.
    pub(super) fn open(state: &Path, run: &Path, allowed: &[Ipv4Net]) -> Result<Self, Error> {
        let dir = state.join("networks");
        std::fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
        let settings = bridge::Settings {
            tag: tag(&std::fs::canonicalize(state).unwrap_or_else(|_| state.to_owned())),
            allowed: allowed.iter().map(ToString::to_string).collect(),
        };
        let mut known = Known::default();
        for entry in std::fs::read_dir(&dir).doing(|| format!("reading {}", dir.display()))?.flatten() {
            match load(&entry.path()) {
                Some(network) => {
                    known.networks.insert(network.id.clone(), network);
                }
                // Half written, by an engine that was killed.
                None => std::fs::remove_file(entry.path()).unwrap_or_default(),
            }
        }
        let networks = Self {
            dir,
            settings,
            known: Mutex::new(known),
            bridges: Mutex::default(),
            directory: Arc::default(),
            servers: Mutex::default(),
            proxies: Mutex::default(),
            places: ports::Places::default(),
            questions: dns::Places::default(),
            internet: internet::Loading::new(run.join("internet")),
            mark: run.join("bridges"),
        };
        networks.default_network()?;
        Ok(networks)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All networks that are a driver's, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Network> {
        let mut all: Vec<Network> = self.lock().networks.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// A network by its id, its name, or the unique beginning of its id.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::Conflict`] for a beginning that several have.
    pub fn find(&self, key: &str) -> Result<Network, Error> {
        let known = self.lock();
        let all = || known.networks.values();
        if let Some(found) = known.networks.get(key).or_else(|| all().find(|n| n.name == key)) {
            return Ok(found.clone());
        }
        let hex = !key.is_empty() && key.bytes().all(|b| b.is_ascii_hexdigit());
        let mut matching = all().filter(|n| hex && n.id.starts_with(key));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(_), Some(_)) => {
                Err(Error::Conflict(format!("network {key} is ambiguous: several ids begin so")))
            }
            (None, _) => Err(Error::NoNetwork(key.to_owned())),
        }
    }

    /// The loaded firewall; loading takes a moment, so this is for a thread that may wait.
    fn bridges(&self) -> Result<Arc<Bridges>, Error> {
        let mut bridges = self.bridges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bridges) = &*bridges {
            return Ok(Arc::clone(bridges));
        }
        std::fs::write(&self.mark, &self.settings.tag)
            .doing(|| format!("writing {}", self.mark.display()))?;
        let started = Bridges::start(&self.settings).map_err(|e| Error::Network(e.to_string()))?;
        Ok(Arc::clone(bridges.insert(Arc::new(started))))
    }

    /// Unloads the firewall; for an engine that ends when no container runs.
    pub(super) fn close(&self) {
        if !self.mark.exists() {
            return;
        }
        let gone = self.bridges().and_then(|_| {
            let bridges = self.bridges.lock().unwrap_or_else(PoisonError::into_inner).take();
            bridges.map_or(Ok(()), |b| b.stop()).map_err(|e| Error::Network(e.to_string()))
        });
        match gone {
            Ok(()) => std::fs::remove_file(&self.mark).unwrap_or_default(),
            Err(e) => tracing::warn!("the firewall stays: {e}"),
        }
    }

    /// Takes an address of a network: the one that is asked for, or the first that is free.
    fn take(&self, network: &Network, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Error> {
        let mut known = self.lock();
        let taken = known.taken.entry(network.id.clone()).or_default();
        let kept = |address: &Ipv4Addr| network.kept.values().any(|kept| kept == address);
        let address = match wanted {
            Some(address) if !subnets::usable(network.subnet, network.gateway, address) => {
                return Err(Error::invalid(format!(
                    "invalid address {address}: it does not belong to any of this network's subnets, or is the gateway's"
                )));
            }
            Some(address) if taken.contains(&address) || kept(&address) => {
                return Err(Error::Forbidden("Address already in use".into()));
            }
            Some(address) => address,
            None => {
                let free = |address: &Ipv4Addr| !taken.contains(address) && !kept(address);
                subnets::next(network.subnet, network.gateway, network.range, free).ok_or_else(|| {
                    Error::Forbidden(format!(
                        "no available IPv4 addresses on this network's address pools: {}",
                        network.name
                    ))
                })?
            }
        };
        taken.insert(address);
        Ok(address)
    }

    /// Gives an address back.
    fn give_back(&self, network: &str, address: Ipv4Addr) {
        if let Some(taken) = self.lock().taken.get_mut(network) {
            taken.remove(&address);
        }
    }
}

/// What tells this engine's interfaces from those of another on the same host: five letters or digits of a sum over the
/// place of its state.
fn tag(state: &Path) -> String {
    use sha2::Digest;
    use std::os::unix::ffi::OsStrExt;
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let sum = sha2::Sha256::digest(state.as_os_str().as_bytes());
    sum.iter().take(5).map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}

fn load(path: &Path) -> Option<Network> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests;
