//! A container and its networks, from before its start to after its end.

use super::directory::{Named, Outside, Place};
use super::ports::{self, Ports, Proxy, Published};
use super::{Endpoint, Live, Network, Way, dns};
use crate::container::network::{bridge, nameserver};
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::error::{Doing, Error};
use crate::engine::record::Record;
use crate::engine::view;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};

/// Addresses that a container holds which is being started; dropping gives them back.
#[derive(Debug)]
pub(in crate::engine) struct Reserved {
    engine: Engine,
    pub(in crate::engine) endpoints: Vec<Endpoint>,
    pub(in crate::engine) published: Vec<Published>,
    ports: Ports,
}

impl Reserved {
    /// The container runs: they are its own until its end.
    pub(in crate::engine) fn keep(mut self) -> (Vec<Endpoint>, Vec<Published>) {
        (std::mem::take(&mut self.endpoints), std::mem::take(&mut self.published))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.engine.networks.release(&self.endpoints);
    }
}

impl super::Networks {
    /// Gives the addresses of endpoints back.
    pub(super) fn release(&self, endpoints: &[Endpoint]) {
        for live in endpoints.iter().filter_map(|e| e.live.as_ref()) {
            self.give_back(&live.network, live.address);
        }
    }

    /// The endpoint with an address and an identity, as a container's interface `index`.
    pub(super) fn enliven(&self, endpoint: &Endpoint, index: u8) -> Result<Endpoint, Error> {
        let network = self.find(&endpoint.network)?;
        if endpoint.wanted.is_some() && !network.chosen {
            return Err(Error::invalid(
                "user specified IP address is supported only when connecting to networks with user configured subnets",
            ));
        }
        if index >= bridge::INTERFACES {
            return Err(Error::invalid(format!("a container is in at most {} networks", bridge::INTERFACES)));
        }
        let id = crate::engine::create::identifier()?;
        let address = self.take(&network, endpoint.wanted)?;
        let [a, b, c, d] = address.octets();
        let hardware = endpoint.hardware.unwrap_or([2, 0x42, a, b, c, d]);
        let live = Some(Live { id, network: network.id, index, address, hardware });
        Ok(Endpoint { network: network.name, live, ..endpoint.clone() })
    }

    /// The interfaces of endpoints, for the container in `slot`. The first whose network leads outside is the way to
    /// everything else.
    pub(super) fn interfaces(&self, endpoints: &[Endpoint], slot: u32) -> Result<Vec<bridge::Port>, Error> {
        let (mut ports, mut default) = (Vec::new(), bridge::Default::Here);
        for live in endpoints.iter().filter_map(|e| e.live.as_ref()) {
            let network = self.find(&live.network)?;
            let port = interface(&network, live, slot, default);
            if port.reach == bridge::Reach::Outside {
                default = bridge::Default::Elsewhere;
            }
            ports.push(port);
        }
        Ok(ports)
    }
}

pub(super) fn interface(network: &Network, live: &Live, slot: u32, default: bridge::Default) -> bridge::Port {
    bridge::Port {
        slot,
        index: live.index,
        network: network.number,
        reach: network.reach(),
        neighbours: network.neighbours(),
        address: live.address,
        subnet: (network.subnet.network(), network.subnet.prefix_len()),
        gateway: network.gateway,
        hardware: live.hardware,
        mtu: network.mtu(),
        default,
    }
}

impl Engine {
    /// Takes an address in each of a container's networks.
    ///
    /// # Errors
    /// [`Error::NoNetwork`], and what an address is refused for.
    pub(in crate::engine) fn reserve(&self, record: &Record) -> Result<Reserved, Error> {
        let mut reserved = Reserved {
            engine: self.clone(),
            endpoints: Vec::new(),
            published: Vec::new(),
            ports: Ports::default(),
        };
        for (index, endpoint) in (0..).zip(&record.endpoints) {
            reserved.endpoints.push(self.networks.enliven(endpoint, index)?);
        }
        // Ports lead to the first network that leads outside; without one nothing is published.
        for endpoint in &reserved.endpoints {
            let Some(network) = endpoint.network(&self.networks).filter(|n| !n.internal) else { continue };
            let address = network.binding().unwrap_or(self.settings.publish_address);
            let wanted = ports::wanted(&record.config, &record.host, address)?;
            let id = endpoint.live.as_ref().map_or("", |l| l.id.as_str());
            reserved.ports = Ports::bind(&wanted).map_err(|e| {
                let what = "driver failed programming external connectivity on endpoint";
                Error::Network(format!("{what} {} ({id}): {e}", record.name))
            })?;
            reserved.published = reserved.ports.published();
            break;
        }
        Ok(reserved)
    }

    /// Gives a container that waits for it its interfaces and its name server.
    ///
    /// # Errors
    /// [`Error::Network`] with the step that failed.
    pub(in crate::engine) async fn plug(
        &self,
        container: &Arc<Container>,
        reserved: &mut Reserved,
        pid: i32,
    ) -> Result<(), Error> {
        let ports = self.networks.interfaces(&reserved.endpoints, container.slot.number())?;
        let (engine, base) = (self.clone(), container.slot.range().base);
        let plugged = move || {
            let bridges = engine.networks.bridges()?;
            let netns = view::netns(pid, base)?;
            let sockets = bridges.connect(&ports, netns.as_fd(), nameserver::open).map_err(failed)?;
            Ok((sockets, netns))
        };
        let reached = waited_for(plugged).await?;
        self.networks.serve(&container.record(), &reserved.endpoints, reached)?;
        self.networks.lead(&container.id, std::mem::take(&mut reserved.ports))
    }

    /// Tells of the networks that a container came into, or left.
    pub(in crate::engine) fn tell_of(&self, action: &str, container: &Container, endpoints: &[Endpoint]) {
        for live in endpoints.iter().filter_map(|e| e.live.as_ref()) {
            if let Ok(network) = self.networks.find(&live.network) {
                self.tell_network(action, &network, Some(&container.id));
            }
        }
    }

    /// Gives back what a container that has ended had in its networks. Its network namespace took the interfaces along.
    pub(in crate::engine) fn unplug(&self, container: &Container) {
        let endpoints = container.record().endpoints;
        self.networks.withdraw(&container.id);
        self.networks.release(&endpoints);
        self.tell_of("disconnect", container, &endpoints);
    }

    /// Takes up the networks of a container that an earlier engine started and that still runs.
    pub(in crate::engine) async fn plug_again(&self, container: &Arc<Container>) {
        let record = container.record();
        let (way, alive) = (Way::of(&record.host.network_mode), record.state.alive());
        let (Ok(Way::Networks), Some((pid, _))) = (way, alive) else { return };
        for live in record.endpoints.iter().filter_map(|e| e.live.as_ref()) {
            self.networks.retake(live);
        }
        let (engine, base) = (self.clone(), container.slot.range().base);
        let again = move || {
            engine.networks.bridges()?;
            let netns = view::netns(pid, base)?;
            Ok((nameserver::open_in(netns.as_fd()).map_err(failed)?, netns))
        };
        let served = waited_for(again)
            .await
            .and_then(|reached| self.networks.serve(&record, &record.endpoints, reached))
            .and_then(|()| self.networks.lead(&record.id, Ports::bind_again(&record.published)));
        if let Err(e) = served {
            tracing::warn!(container = container.id, "its networks: {e}");
        }
    }
}

fn failed(e: impl std::fmt::Display) -> Error {
    Error::Network(e.to_string())
}

/// Does what takes a moment on a thread that may wait.
pub(in crate::engine) async fn waited_for<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other).doing(|| "connecting".into())?
}

impl super::Networks {
    fn retake(&self, live: &Live) {
        self.lock().taken.entry(live.network.clone()).or_default().insert(live.address);
    }

    /// Lists a container's names where its neighbours look.
    pub(in crate::engine) fn enlist(&self, record: &Record, endpoints: &[Endpoint]) {
        let place = |endpoint: &Endpoint| {
            let live = endpoint.live.as_ref()?;
            let network = self.find(&live.network).ok()?;
            Some(Place {
                network_name: network.name.to_ascii_lowercase(),
                named: if network.predefined() { Named::No } else { Named::Yes },
                outside: if network.internal { Outside::Shut } else { Outside::Open },
                address: live.address,
                names: endpoint.names(record).iter().map(|name| name.to_ascii_lowercase()).collect(),
                links: endpoint.names_of_neighbours(),
                network: network.id,
            })
        };
        self.directory.put(&record.id, endpoints.iter().filter_map(place).collect());
    }

    /// Starts a container's name server.
    fn serve(
        &self,
        record: &Record,
        endpoints: &[Endpoint],
        (sockets, netns): (nameserver::Sockets, OwnedFd),
    ) -> Result<(), Error> {
        self.enlist(record, endpoints);
        let servers: Vec<_> = record.host.dns.iter().filter_map(|server| server.parse().ok()).collect();
        let upstream = match servers.as_slice() {
            [] => dns::Upstream::Host,
            _ => dns::Upstream::Inside { netns: Arc::new(netns), servers },
        };
        let directory = Arc::clone(&self.directory);
        let server = dns::Server::start(sockets, &record.id, directory, upstream, &self.questions);
        let server = server.map_err(failed)?;
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id.clone(), server);
        Ok(())
    }

    /// Leads what comes in at ports to a container.
    fn lead(&self, container: &str, ports: Ports) -> Result<(), Error> {
        let proxy = Proxy::start(ports, container, &self.directory, &self.places).map_err(failed)?;
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner).insert(container.to_owned(), proxy);
        Ok(())
    }

    /// Ends a container's ports and its name server, and forgets its names.
    pub(in crate::engine) fn withdraw(&self, container: &str) {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
        self.directory.remove(container);
    }
}
