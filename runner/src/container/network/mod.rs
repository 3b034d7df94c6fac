//! Ways into and out of a container's network namespace.
//!
//! With the policy `none` there is no routed interface: what a container may reach appears on its loopback
//! ([`listen`]), and what of it is shown outside is reached by [`dial`]. Bringing the loopback device up is `setup`'s
//! business. An interface with a route is [`internet`], one
//! with neighbours [`bridge`]. Knows no container: it is given network namespaces.

mod diversion;
mod netlink;

pub mod bridge;
pub mod firewall;
pub mod internet;
pub mod nameserver;
pub mod neighbours;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How long a connection may take: on loopback it is made at once, or the program's backlog is full.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process, or its network namespace, is gone.
    #[error("the network namespace of a process that has just ended cannot be opened: {0}")]
    Namespace(io::Error),
    /// The namespace could not be entered, or no socket made there.
    #[error("no socket could be made in the container's network namespace: {0}")]
    Enter(io::Error),
    /// Port 0 is none.
    #[error("0 is no port: from 1 to 65535 are")]
    Port,
    /// Nothing listens there, or it does not answer.
    #[error("port {port} of the container: {source}")]
    Dial {
        /// Which port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The port is taken.
    #[error("listening on port {port} in the container: {source}")]
    Listen {
        /// Which port.
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// The network namespace of a process, by a descriptor of its `/proc/PID`: a number could be another's by now. It stays
/// while the descriptor is open.
///
/// # Errors
/// [`Error::Namespace`] if the process is gone.
pub fn namespace(process: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    rustix::fs::openat(process, "ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::Namespace(e.into()))
}

/// Connects to `port` on the loopback device of `netns`, by IPv4 or else by IPv6; a non-blocking stream. Waits up to 5 s.
///
/// # Errors
/// [`Error::Dial`]: `ConnectionRefused` if nothing listens, `TimedOut` if it does not accept.
pub fn dial(netns: BorrowedFd<'_>, port: u16) -> Result<OwnedFd, Error> {
    checked(port)?;
    let by_4 = socket(netns, AddressFamily::INET)?;
    if let Err(source) = reach(&by_4, (Ipv4Addr::LOCALHOST, port).into()) {
        let by_6 = socket(netns, AddressFamily::INET6)?;
        // What IPv4 answered is what there is to tell.
        reach(&by_6, (Ipv6Addr::LOCALHOST, port).into()).map_err(|_| Error::Dial { port, source })?;
        return Ok(by_6);
    }
    Ok(by_4)
}

/// Listens on `port` of 127.0.0.1 in `netns`; a non-blocking socket that goes on listening until it is closed, also for a
/// container that did not exist yet when it was made.
///
/// # Errors
/// [`Error::Listen`]: `AddrInUse` if a program there has the port.
pub fn listen(netns: BorrowedFd<'_>, port: u16) -> Result<OwnedFd, Error> {
    checked(port)?;
    let failed = |e: rustix::io::Errno| Error::Listen { port, source: e.into() };
    let socket = socket(netns, AddressFamily::INET)?;
    sockopt::set_socket_reuseaddr(&socket, true).map_err(failed)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(failed)?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed)?;
    Ok(socket)
}

fn checked(port: u16) -> Result<(), Error> {
    if port == 0 { Err(Error::Port) } else { Ok(()) }
}

fn reach(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    match connect(socket, &address) {
        Err(rustix::io::Errno::INPROGRESS) => {}
        other => return Ok(other?),
    }
    let patience = PATIENCE.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    if poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&patience))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(sockopt::socket_error(socket)??)
}

fn socket(netns: BorrowedFd<'_>, family: AddressFamily) -> Result<OwnedFd, Error> {
    within(netns, || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(socket_with(family, SocketType::STREAM, flags, None)?)
    })
}

/// Runs `make` on a thread of its own that has entered `netns`: a socket belongs to the namespace that it was made in, and
/// the thread ends with it.
///
/// # Errors
/// [`Error::Enter`] with what entering or `make` answers.
pub fn within<T: Send>(
    netns: BorrowedFd<'_>,
    make: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, || {
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            make()
        });
        let joined = thread.map(std::thread::ScopedJoinHandle::join);
        joined.and_then(|done| done.unwrap_or_else(|_| Err(io::Error::other("the thread panicked"))))
    })
    .map_err(Error::Enter)
}

#[cfg(test)]
mod tests;
