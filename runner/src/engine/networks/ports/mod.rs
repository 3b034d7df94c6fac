//! Published ports: listeners on the host that lead to a container, held by the engine.

mod tcp;
mod udp;
mod wanted;

pub(in crate::engine) use wanted::wanted;
pub use wanted::{Protocol, Published};

use super::directory::Directory;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Connections through one container's ports at once.
const CONNECTIONS: usize = 512;
/// Connections through all ports, and clients that send packets; each takes two descriptors, or one.
const ALL_CONNECTIONS: usize = 4096;

/// Where a port leads to: to a container, wherever it is at that moment.
#[derive(Debug, Clone)]
struct Target {
    directory: Arc<Directory>,
    container: String,
    port: u16,
}

impl Target {
    /// None while the container is in no network that leads outside.
    fn address(&self) -> Option<SocketAddr> {
        let address: Ipv4Addr = self.directory.published(&self.container)?;
        Some((address, self.port).into())
    }
}

/// A listener that nobody answers at yet.
#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Why a port is not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Somebody has it.
    #[error("Bind for {0} failed: port is already allocated")]
    Taken(SocketAddr),
    /// The system refused.
    #[error("failed to bind host port {at}: {source}")]
    Bind {
        /// Where.
        at: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// A container's ports, bound; dropping gives them back.
#[derive(Debug, Default)]
pub(in crate::engine) struct Ports {
    bound: Vec<(Published, Bound)>,
}

impl Ports {
    /// Binds ports, each to the first that is free of those it may have.
    pub(super) fn bind(all: &[wanted::Wanted]) -> Result<Self, Error> {
        let mut ports = Self::default();
        for one in all {
            ports.bound.push(bind_one(one)?);
        }
        Ok(ports)
    }

    /// Binds the ports of a container that runs; those that are gone are told of.
    pub(super) fn bind_again(all: &[Published]) -> Self {
        let mut ports = Self::default();
        for one in all {
            match bind_one(&one.again()) {
                Ok(bound) => ports.bound.push(bound),
                Err(e) => tracing::warn!("{e}"),
            }
        }
        ports
    }

    /// What is published, and where.
    pub(in crate::engine) fn published(&self) -> Vec<Published> {
        self.bound.iter().map(|(published, _)| published.clone()).collect()
    }
}

fn bind_one(wanted: &wanted::Wanted) -> Result<(Published, Bound), Error> {
    let mut last = None;
    for host in wanted.host.clone() {
        let at = SocketAddr::from((wanted.address, host));
        let bound = match wanted.protocol {
            Protocol::Tcp => TcpListener::bind(at).map(Bound::Tcp),
            Protocol::Udp => UdpSocket::bind(at).map(Bound::Udp),
        };
        match bound.and_then(|bound| Ok((bound.port()?, bound))) {
            Ok((host, bound)) => {
                let (container, protocol, address) = (wanted.container, wanted.protocol, wanted.address);
                return Ok((Published { container, protocol, address, host }, bound));
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => last = Some(Error::Taken(at)),
            Err(source) => return Err(Error::Bind { at, source }),
        }
    }
    let nowhere = SocketAddr::from((wanted.address, 0));
    Err(last.unwrap_or(Error::Taken(nowhere)))
}

impl Bound {
    /// Makes it ready for the runtime; its port.
    fn port(&self) -> io::Result<u16> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(listener.local_addr()?.port())
            }
            Self::Udp(socket) => {
                socket.set_nonblocking(true)?;
                Ok(socket.local_addr()?.port())
            }
        }
    }
}

/// A container's ports at work; dropping closes them, and every connection through them.
#[derive(Debug)]
pub(super) struct Proxy(Vec<AbortHandle>);

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// What all proxies of an engine share.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_CONNECTIONS)))
    }
}

impl Proxy {
    /// Leads what comes in at `ports` to a container.
    ///
    /// # Errors
    /// When the runtime does not take the sockets.
    pub(super) fn start(
        ports: Ports,
        container: &str,
        directory: &Arc<Directory>,
        all: &Places,
    ) -> io::Result<Self> {
        let own = Arc::new(Semaphore::new(CONNECTIONS));
        let clients = udp::Places { own: Arc::new(Semaphore::new(udp::CLIENTS)), all: Arc::clone(&all.0) };
        let mut tasks = Self(Vec::new());
        for (published, bound) in ports.bound {
            let target = Target {
                directory: Arc::clone(directory),
                container: container.to_owned(),
                port: published.container,
            };
            let task = match bound {
                Bound::Tcp(listener) => {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    tokio::spawn(tcp::serve(listener, target, Arc::clone(&own), Arc::clone(&all.0)))
                }
                Bound::Udp(socket) => {
                    let socket = Arc::new(tokio::net::UdpSocket::from_std(socket)?);
                    tokio::spawn(udp::serve(socket, target, clients.clone()))
                }
            };
            tasks.0.push(task.abort_handle());
        }
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests;
