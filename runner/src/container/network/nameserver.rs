//! Sockets of a name server that is reached inside a container's network namespace and held outside.

use super::{Error, within};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::BorrowedFd;

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

/// Opens them in the network namespace of the calling thread, whose loopback device must be up.
///
/// # Errors
/// `AddrInUse` if a program there has the port.
pub fn open() -> io::Result<Sockets> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let at = SocketAddr::from((ADDRESS, PORT));
    let udp = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    // A name server of the container's own may want the port on all of its addresses.
    sockopt::set_socket_reuseaddr(&udp, true)?;
    bind(&udp, &at)?;
    let tcp = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&tcp, true)?;
    bind(&tcp, &at)?;
    rustix::net::listen(&tcp, BACKLOG)?;
    Ok(Sockets { udp: udp.into(), tcp: tcp.into() })
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
