//! Making networks and removing them.

use super::request::NetworkRequest;
use super::subnets::{self, Plan};
use super::{BRIDGE, INTERNET, Known, NONE, Network, Networks};
use crate::container::network::bridge::NETWORKS;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::error::{Doing, Error};
use std::collections::BTreeMap;

impl Networks {
    /// The network that is there before anybody makes one.
    pub(super) fn default_network(&self) -> Result<(), Error> {
        if self.find(BRIDGE).is_ok() {
            return Ok(());
        }
        let request = NetworkRequest { name: BRIDGE.into(), ..NetworkRequest::default() };
        self.make(&request, None).map(drop)
    }

    fn make(&self, request: &NetworkRequest, plan: Option<Plan>) -> Result<Network, Error> {
        let routes = subnets::routes(&format!("sl{}", self.settings.tag));
        let mut known = self.lock();
        if known.networks.values().any(|n| n.name == request.name) {
            return Err(Error::Conflict(format!("network with name {} already exists", request.name)));
        }
        let number = number(&known)?;
        let mut taken: Vec<_> = known.networks.values().map(|n| n.subnet).collect();
        taken.extend(routes);
        let chosen = plan.is_some();
        let Plan { subnet, gateway, range, kept } = match plan {
            Some(plan) if taken.iter().any(|t| subnets::overlap(t, &plan.subnet)) => {
                return Err(Error::Forbidden(
                    "invalid pool request: Pool overlaps with other one on this address space".into(),
                ));
            }
            Some(plan) => plan,
            None => {
                let subnet = subnets::free(&taken).ok_or_else(|| {
                    Error::Forbidden("all predefined address pools have been fully subnetted".into())
                })?;
                Plan { subnet, gateway: None, range: None, kept: BTreeMap::new() }
            }
        };
        let gateway = gateway.unwrap_or_else(|| subnets::first(subnet));
        if let Some((name, address)) = kept.iter().find(|(_, address)| **address == gateway) {
            return Err(Error::Network(format!(
                "failed to allocate secondary ip address ({name}:{address}): Address already in use"
            )));
        }
        let network = Network {
            id: crate::engine::create::identifier()?,
            name: request.name.clone(),
            created: jiff::Timestamp::now(),
            number,
            subnet,
            chosen,
            gateway,
            range,
            kept,
            internal: request.internal,
            attachable: request.attachable,
            options: request.options.clone(),
            ipam_options: request.ipam.options.clone(),
            labels: request.labels.clone(),
        };
        self.save(&network)?;
        known.networks.insert(network.id.clone(), network.clone());
        Ok(network)
    }

    fn save(&self, network: &Network) -> Result<(), Error> {
        let path = self.dir.join(&network.id);
        let what = || format!("writing {}", path.display());
        let text = serde_json::to_vec(network).map_err(std::io::Error::other).doing(what)?;
        let new = self.dir.join(format!("{}.new", network.id));
        std::fs::write(&new, text).doing(what)?;
        std::fs::rename(&new, &path).doing(what)
    }

    fn forget(&self, network: &Network) -> Result<(), Error> {
        let path = self.dir.join(&network.id);
        std::fs::remove_file(&path).doing(|| format!("removing {}", path.display()))?;
        let mut known = self.lock();
        known.networks.remove(&network.id);
        known.taken.remove(&network.id);
        Ok(())
    }
}

/// The lowest number that no network has.
fn number(known: &Known) -> Result<u32, Error> {
    (0..NETWORKS)
        .find(|n| known.networks.values().all(|network| network.number != *n))
        .ok_or_else(|| Error::Conflict(format!("there are {NETWORKS} networks: remove some")))
}

impl Engine {
    /// Makes a network.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be, [`Error::Conflict`] for a name, [`Error::Forbidden`] for addresses that are taken.
    pub fn create_network(&self, request: &NetworkRequest) -> Result<Network, Error> {
        let plan = request.check()?;
        if matches!(request.name.as_str(), NONE | INTERNET | BRIDGE | "host" | "default" | "container") {
            return Err(Error::Forbidden(format!(
                "operation is not permitted on predefined {} network",
                request.name
            )));
        }
        let network = self.networks.make(request, plan)?;
        self.tell_network("create", &network, None);
        Ok(network)
    }

    /// The containers that are in a network and run.
    #[must_use]
    pub fn running_in(&self, network: &Network) -> Vec<std::sync::Arc<Container>> {
        let inside = |container: &Container| {
            let record = container.record();
            record.state.alive().is_some()
                && record.endpoints.iter().any(|e| e.live.as_ref().is_some_and(|l| l.network == network.id))
        };
        self.containers().into_iter().filter(|c| inside(c)).collect()
    }

    /// Removes a network that no running container is in.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if one is, or if it was always there.
    pub fn remove_network(&self, key: &str) -> Result<Network, Error> {
        if matches!(key, NONE | INTERNET) {
            return Err(Error::Forbidden(format!("{key} is a pre-defined network and cannot be removed")));
        }
        let network = self.networks.find(key)?;
        if network.predefined() {
            return Err(Error::Forbidden(format!("{key} is a pre-defined network and cannot be removed")));
        }
        if !self.running_in(&network).is_empty() || self.networks.in_use(&network) {
            return Err(Error::Forbidden(format!(
                "error while removing network: network {} id {} has active endpoints",
                network.name, network.id
            )));
        }
        self.networks.forget(&network)?;
        self.tell_network("destroy", &network, None);
        Ok(network)
    }

    /// Removes every network that no container is in, running or not, and that `chosen` names: their names.
    pub fn prune_networks(&self, chosen: impl Fn(&Network) -> bool) -> Vec<String> {
        let used = |network: &Network| {
            let of = |c: &std::sync::Arc<Container>| c.record().endpoints.iter().any(|e| e.is_in(network));
            self.containers().iter().any(of)
        };
        let all = self.networks.all().into_iter().filter(|n| !n.predefined() && chosen(n) && !used(n));
        let gone: Vec<String> =
            all.filter(|n| self.remove_network(&n.id).is_ok()).map(|network| network.name).collect();
        self.events.pruned("network", 0);
        gone
    }

    /// Something happened to a network, or to a container in it.
    pub(super) fn tell_network(&self, action: &str, network: &Network, container: Option<&str>) {
        let mut attributes =
            BTreeMap::from([("name".into(), network.name.clone()), ("type".into(), "bridge".into())]);
        attributes.extend(container.map(|id| ("container".to_owned(), id.to_owned())));
        self.events.tell("network", action, network.id.clone(), attributes);
    }
}

impl Networks {
    /// Whether a container that is just starting has an address in it.
    fn in_use(&self, network: &Network) -> bool {
        self.lock().taken.get(&network.id).is_some_and(|taken| !taken.is_empty())
    }
}
