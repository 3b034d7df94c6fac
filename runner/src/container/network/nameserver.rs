//! Sockets of a name server that is reached inside a container's network namespace and held outside.

use super::{Error, diversion, within};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Where it is reached.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// On which port.
const PORT: u16 = 53;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// Both of them, not blocking.
#[derive(Debug)]
pub struct Sockets {
    /// For questions of one packet.
    pub udp: UdpSocket,
    /// For longer ones.
    pub tcp: TcpListener,
}

/// Opens them in the network namespace of the calling thread, whose loopback device must be up: on ports of the kernel's choice, to
/// which the port leads. So a program there may listen at it on all of its addresses; what an earlier engine led elsewhere
/// leads here now. Where netfilter is refused, in a container, they are at the port itself.
///
/// # Errors
/// What the kernel answers; in a container `AddrInUse` if a program there has the port.
pub fn open() -> io::Result<Sockets> {
    let (udp, tcp) = (udp_at(0)?, tcp_at(0)?);
    let ports = (port(&tcp)?, port(&udp)?);
    match diversion::lead(ADDRESS, PORT, ports.0, ports.1) {
        Ok(()) => Ok(Sockets { udp: udp.into(), tcp: tcp.into() }),
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::PROTONOSUPPORT.raw_os_error()) => {
            Ok(Sockets { udp: udp_at(PORT)?.into(), tcp: tcp_at(PORT)?.into() })
        }
        Err(e) => Err(e),
    }
}

fn udp_at(port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let udp = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    bind(&udp, &SocketAddr::from((ADDRESS, port)))?;
    Ok(udp)
}

fn tcp_at(port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let tcp = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Connections of an earlier one may still be ending.
    sockopt::set_socket_reuseaddr(&tcp, true)?;
    bind(&tcp, &SocketAddr::from((ADDRESS, port)))?;
    rustix::net::listen(&tcp, BACKLOG)?;
    Ok(tcp)
}

fn port(socket: &OwnedFd) -> io::Result<u16> {
    let address = SocketAddr::try_from(rustix::net::getsockname(socket)?)?;
    Ok(address.port())
}

/// Opens them in `netns`.
///
/// # Errors
/// As [`open`]; [`Error::Enter`].
pub fn open_in(netns: BorrowedFd<'_>) -> Result<Sockets, Error> {
    within(netns, open)
}

/// A socket in `netns` that asks another server, not blocking.
///
/// # Errors
/// [`Error::Enter`] with what the system answers.
pub fn asking(netns: BorrowedFd<'_>, server: SocketAddr) -> Result<UdpSocket, Error> {
    within(netns, || {
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
        connect(&socket, &server)?;
        Ok(socket.into())
    })
}

/// A connection from `netns` to another server, not blocking, that is being made: nobody waits for a server that says nothing.
///
/// # Errors
/// [`Error::Enter`] with what the system answers.
pub fn connecting(netns: BorrowedFd<'_>, server: SocketAddr) -> Result<TcpStream, Error> {
    within(netns, || {
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        match connect(&socket, &server) {
            Err(rustix::io::Errno::INPROGRESS) => {}
            other => other?,
        }
        Ok(socket.into())
    })
}

#[cfg(test)]
mod tests;
