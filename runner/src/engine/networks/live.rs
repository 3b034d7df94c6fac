//! Networks that a container comes into, and leaves, while it runs or not.

use super::attach::{interface, waited_for};
use super::request::EndpointRequest;
use super::{Endpoint, INTERNET, Live, NONE, Network, Way, files};
use crate::container::network::bridge;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::error::{Doing, Error};
use crate::engine::view;
use crate::image::place::open_inside;
use rustix::fs::OFlags;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

/// The longest `/etc/hosts` that is changed.
const HOSTS: u64 = 256 << 10;

/// What becomes of a line of `/etc/hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Added,
    Removed,
}

impl Engine {
    /// Puts a container into a network.
    ///
    /// # Errors
    /// [`Error::NoNetwork`], [`Error::NotFound`], [`Error::Forbidden`] if it is in it already.
    pub async fn connect_network(
        &self,
        network: &str,
        key: &str,
        request: &EndpointRequest,
    ) -> Result<(), Error> {
        let container = self.find(key)?;
        several(network)?;
        let network = self.networks.find(network)?;
        let busy = container.busy.lock().await;
        let record = container.record();
        if Way::of(&record.host.network_mode)? != Way::Networks {
            several(&record.host.network_mode)?;
            several(NONE)?;
        }
        if record.endpoints.iter().any(|e| e.is_in(&network)) {
            return Err(Error::Forbidden(format!(
                "endpoint with name {} already exists in network {}",
                record.name, network.name
            )));
        }
        let mut endpoint = Endpoint::new(&network.name, request)?;
        let Some((pid, _)) = record.state.alive() else {
            return container.change(|record| record.endpoints.push(endpoint));
        };
        let used: Vec<u8> =
            record.endpoints.iter().filter_map(|e| e.live.as_ref()).map(|l| l.index).collect();
        let index = (0..u8::MAX).find(|n| !used.contains(n)).unwrap_or(u8::MAX);
        endpoint = self.networks.enliven(&endpoint, index)?;
        let mut all = record.endpoints.clone();
        all.push(endpoint.clone());
        let plugged = self.plug_in(&container, pid, all).await;
        if let Err(e) = plugged {
            self.networks.release(std::slice::from_ref(&endpoint));
            return Err(e);
        }
        container.change(|record| record.endpoints.push(endpoint.clone()))?;
        let record = container.record();
        self.networks.enlist(&record, &record.endpoints);
        drop(busy);
        if let Some(live) = &endpoint.live {
            self.tell_network("connect", &network, Some(&container.id));
            self.rewrite(&container, live, Line::Added).await;
        }
        Ok(())
    }

    /// Makes the last of these interfaces; the others are there.
    async fn plug_in(&self, container: &Arc<Container>, pid: i32, all: Vec<Endpoint>) -> Result<(), Error> {
        let mut ports = self.networks.interfaces(&all, container.slot.number())?;
        let Some(port) = ports.pop() else { return Ok(()) };
        let (engine, base) = (self.clone(), container.slot.range().base);
        let connect = move || {
            let netns = view::netns(pid, base)?;
            let done = engine.networks.bridges()?.connect(&[port], netns.as_fd(), || Ok(()));
            done.map_err(|e| Error::Network(e.to_string()))
        };
        tokio::task::spawn_blocking(connect)
            .await
            .map_err(std::io::Error::other)
            .doing(|| "connecting".into())?
    }

    /// Takes a container out of a network.
    ///
    /// # Errors
    /// [`Error::NoNetwork`], [`Error::NotFound`], [`Error::Forbidden`] if it is not in it.
    pub async fn disconnect_network(&self, network: &str, key: &str) -> Result<(), Error> {
        let container = self.find(key)?;
        let network = match network {
            NONE | INTERNET => return Err(not_connected(&container, network)),
            other => self.networks.find(other)?,
        };
        let busy = container.busy.lock().await;
        let record = container.record();
        let Some(place) = record.endpoints.iter().position(|e| e.is_in(&network)) else {
            return Err(not_connected(&container, &network.name));
        };
        let mut left = record.endpoints.clone();
        let gone = left.remove(place);
        let (Some((pid, _)), Some(live)) = (record.state.alive(), &gone.live) else {
            return container.change(|record| record.endpoints = left);
        };
        // Nobody is led to an address that is another's, or nobody's, in a moment.
        self.networks.enlist(&record, &left);
        if let Err(e) = self.pull_out(&container, pid, live, &left).await {
            self.networks.enlist(&record, &record.endpoints);
            return Err(e);
        }
        self.networks.release(std::slice::from_ref(&gone));
        container.change(|record| record.endpoints = left)?;
        let record = container.record();
        self.networks.enlist(&record, &record.endpoints);
        drop(busy);
        self.tell_network("disconnect", &network, Some(&container.id));
        self.rewrite(&container, live, Line::Removed).await;
        Ok(())
    }

    /// Removes an interface, and leads everything else by another one.
    async fn pull_out(
        &self,
        container: &Arc<Container>,
        pid: i32,
        gone: &Live,
        left: &[Endpoint],
    ) -> Result<(), Error> {
        let (slot, index) = (container.slot.number(), gone.index);
        let next = self.networks.interfaces(left, slot)?;
        let next = next.into_iter().find(|p| p.reach == bridge::Reach::Outside);
        let gone = interface(&self.networks.find(&gone.network)?, gone, slot, bridge::Default::Here);
        let (engine, base) = (self.clone(), container.slot.range().base);
        let disconnect = move || {
            let failed = |e: bridge::Error| Error::Network(e.to_string());
            let bridges = engine.networks.bridges()?;
            bridges.disconnect(slot, index).map_err(failed)?;
            let netns = view::netns(pid, base)?;
            match next {
                Some(next) if gone.reach == bridge::Reach::Outside => {
                    bridges.make_default(&next, netns.as_fd()).map_err(failed)
                }
                _ => Ok(()),
            }
        };
        waited_for(disconnect).await
    }

    /// Changes the container's own line of `/etc/hosts`. A container whose file is no more what it was is left alone.
    async fn rewrite(&self, container: &Arc<Container>, live: &Live, what: Line) {
        let line = files::line(live.address, &container.record());
        let work = move |root: std::os::fd::BorrowedFd<'_>, _| {
            let doing = || "changing /etc/hosts".to_owned();
            // It may have become anything; nothing that one can get stuck in.
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            let mut file =
                std::fs::File::from(open_inside(root, Path::new("/etc/hosts"), flags).doing(doing)?);
            if !file.metadata().doing(doing)?.is_file() {
                return Err(Error::Conflict("/etc/hosts is no file any more".into()));
            }
            let mut text = String::new();
            (&file).take(HOSTS).read_to_string(&mut text).doing(doing)?;
            let mut new: String = text.lines().map(|l| format!("{l}\n")).filter(|l| *l != line).collect();
            if what == Line::Added {
                new.push_str(&line);
            }
            file.rewind().doing(doing)?;
            file.write_all(new.as_bytes()).doing(doing)?;
            file.set_len(new.len() as u64).doing(doing)
        };
        if let Err(e) = self.with_root(Arc::clone(container), work).await {
            tracing::debug!(container = container.id, "{e}");
        }
    }
}

/// The networks that stand for themselves.
fn several(name: &str) -> Result<(), Error> {
    match name {
        NONE | INTERNET => Err(Error::Forbidden(format!(
            "container cannot be connected to multiple networks with one of the networks in private ({name}) mode"
        ))),
        _ => Ok(()),
    }
}

fn not_connected(container: &Container, network: &str) -> Error {
    Error::Forbidden(format!("container {} is not connected to network {network}", container.id))
}

/// The networks of [`super::Networks`] as a container's record shows them.
impl Endpoint {
    /// The network, if the container is in it now.
    #[must_use]
    pub fn network(&self, all: &super::Networks) -> Option<Network> {
        all.find(self.live.as_ref().map_or(self.network.as_str(), |l| l.network.as_str())).ok()
    }
}
