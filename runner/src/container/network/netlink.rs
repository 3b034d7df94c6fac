//! As much of rtnetlink(7) as an interface of a container takes: messages of our own, each acknowledged by the kernel.
//!
//! A [`Route`] belongs to the network namespace of the thread that opened it.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;

/// `NLM_F_REQUEST`
const QUESTION: u16 = 0x1;
/// `NLM_F_REQUEST | NLM_F_ACK`
const CHANGE: u16 = 0x1 | 0x4;
/// The same with `NLM_F_EXCL | NLM_F_CREATE`.
const MAKE: u16 = CHANGE | 0x200 | 0x400;

/// The same with `NLM_F_REPLACE | NLM_F_CREATE`.
const PUT: u16 = CHANGE | 0x100 | 0x400;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
/// An attribute that consists of attributes.
pub(super) const NESTED: u16 = 0x8000;

const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;
/// `IFA_F_NOPREFIXROUTE`: an address brings no route to its network.
const NO_ROUTE: u32 = 0x200;
/// `sizeof(struct nlmsghdr)`
const HEADER: usize = 16;
/// Enough for an acknowledgement with the request in it.
const ANSWER: usize = 4096;

/// A connection to the kernel's tables of interfaces, addresses and routes.
#[derive(Debug)]
pub(super) struct Route {
    socket: OwnedFd,
}

/// The end of a pair that lies in a container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer<'a> {
    /// `eth0` and its like.
    pub(super) name: &'a str,
    /// Its hardware address.
    pub(super) hardware: [u8; 6],
    /// The longest packet, where it is not the usual one.
    pub(super) mtu: Option<u32>,
}

impl Route {
    /// Opens one in the calling thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    /// The number of an interface.
    pub(super) fn index(&self, name: &str) -> io::Result<u32> {
        Ok(rustix::net::netdevice::name_to_index(&self.socket, name)?)
    }

    /// Makes a pair of interfaces: `name` here, `peer` in the namespace `netns`.
    pub(super) fn add_pair(&self, name: &str, peer: &str, netns: BorrowedFd<'_>) -> io::Result<()> {
        let mut other = link(0, 0);
        other.extend(attribute(IFLA_IFNAME, &text(peer)));
        other.extend(attribute(IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes()));
        let mut info = attribute(IFLA_INFO_KIND, b"veth");
        info.extend(attribute(IFLA_INFO_DATA | NESTED, &attribute(VETH_INFO_PEER | NESTED, &other)));
        let mut body = link(0, 0);
        body.extend(attribute(IFLA_IFNAME, &text(name)));
        body.extend(attribute(IFLA_LINKINFO | NESTED, &info));
        self.ask(RTM_NEWLINK, MAKE, &body)
    }

    /// Makes a pair of interfaces: `name` here, up and in `group`; the one in `netns` as `peer` says.
    pub(super) fn add_port(
        &self,
        name: &str,
        group: u32,
        peer: &Peer<'_>,
        netns: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mtu = peer.mtu.map(|mtu| attribute(IFLA_MTU, &mtu.to_ne_bytes())).unwrap_or_default();
        let mut other = link(0, 0);
        other.extend(attribute(IFLA_IFNAME, &text(peer.name)));
        other.extend(attribute(IFLA_ADDRESS, &peer.hardware));
        other.extend(attribute(IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes()));
        other.extend(&mtu);
        let mut info = attribute(IFLA_INFO_KIND, b"veth");
        info.extend(attribute(IFLA_INFO_DATA | NESTED, &attribute(VETH_INFO_PEER | NESTED, &other)));
        let mut body = link(0, IFF_UP);
        body.extend(attribute(IFLA_IFNAME, &text(name)));
        body.extend(attribute(IFLA_GROUP, &group.to_ne_bytes()));
        body.extend(&mtu);
        body.extend(attribute(IFLA_LINKINFO | NESTED, &info));
        self.ask(RTM_NEWLINK, MAKE, &body)
    }

    /// Removes an interface (and its peer).
    pub(super) fn remove(&self, index: u32) -> io::Result<()> {
        match self.ask(RTM_DELLINK, CHANGE, &link(index, 0)) {
            // Its other end's namespace was freed at this very moment, and took it along.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(()),
            other => other,
        }
    }

    /// Brings an interface up.
    pub(super) fn up(&self, index: u32) -> io::Result<()> {
        self.ask(RTM_NEWLINK, CHANGE, &link(index, IFF_UP))
    }

    /// Has the kernel do what it put off when the interface's other end came up: until then it drops what is sent
    /// through it. To ask for one interface is enough (`linkwatch_sync_dev` in its source, since Linux 6.9).
    pub(super) fn settle(&self, index: u32) -> io::Result<()> {
        self.say(RTM_GETLINK, QUESTION, &link(index, 0))?;
        recv(&self.socket, [0; ANSWER].as_mut_slice(), RecvFlags::empty())?;
        Ok(())
    }

    /// Gives an interface an address.
    pub(super) fn address(&self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        // struct ifaddrmsg: family, prefix length, flags, scope, index
        let mut body = vec![AF_INET, prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend(attribute(IFA_LOCAL, &address.octets()));
        body.extend(attribute(IFA_ADDRESS, &address.octets()));
        self.ask(RTM_NEWADDR, MAKE, &body)
    }

    /// Gives an interface an address of a network that is not on the link: its routes are made by hand.
    pub(super) fn address_alone(&self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut body = vec![AF_INET, prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend(attribute(IFA_LOCAL, &address.octets()));
        body.extend(attribute(IFA_ADDRESS, &address.octets()));
        body.extend(attribute(IFA_FLAGS, &NO_ROUTE.to_ne_bytes()));
        self.ask(RTM_NEWADDR, MAKE, &body)
    }

    /// Adds a route to a network by way of a gateway.
    pub(super) fn route_by(
        &self,
        network: Ipv4Addr,
        prefix: u8,
        gateway: Ipv4Addr,
        index: u32,
    ) -> io::Result<()> {
        let mut body = route(prefix, 0);
        body.extend(attribute(RTA_DST, &network.octets()));
        body.extend(attribute(RTA_GATEWAY, &gateway.octets()));
        body.extend(attribute(RTA_OIF, &index.to_ne_bytes()));
        self.ask(RTM_NEWROUTE, MAKE, &body)
    }

    /// Adds a route to one address behind an interface, in place of one that leads elsewhere.
    pub(super) fn route_to(&self, address: Ipv4Addr, index: u32) -> io::Result<()> {
        self.ask(RTM_NEWROUTE, PUT, &route_behind(address, index))
    }

    /// The same where nothing leads to that address yet; else `AlreadyExists`.
    pub(super) fn first_route_to(&self, address: Ipv4Addr, index: u32) -> io::Result<()> {
        self.ask(RTM_NEWROUTE, MAKE, &route_behind(address, index))
    }

    /// Adds a route to everything, in place of one that there is.
    pub(super) fn default_route(&self, gateway: Ipv4Addr, index: u32) -> io::Result<()> {
        let mut body = route(0, 0);
        body.extend(attribute(RTA_GATEWAY, &gateway.octets()));
        body.extend(attribute(RTA_OIF, &index.to_ne_bytes()));
        self.ask(RTM_NEWROUTE, PUT, &body)
    }

    fn say(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let length = u32::try_from(HEADER + body.len()).map_err(too_long)?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        // Sequence number and sender: one request at a time needs neither.
        message.extend([0; 8]);
        message.extend(body);
        send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }

    fn ask(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.say(kind, flags, body)?;
        let mut answer = [0; ANSWER];
        let (_, n) = recv(&self.socket, answer.as_mut_slice(), RecvFlags::empty())?;
        let error = |bytes: &[u8]| Some(i32::from_ne_bytes(bytes.get(HEADER..HEADER + 4)?.try_into().ok()?));
        let kind = |bytes: &[u8]| Some(u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?));
        match (kind(&answer[..n]), error(&answer[..n])) {
            (Some(NLMSG_ERROR), Some(0)) => Ok(()),
            (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(-error)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// `struct ifinfomsg`: family, type, index, flags, and which flags to change.
fn link(index: u32, flags: u32) -> Vec<u8> {
    [0, index, flags, flags].into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// `struct rtmsg` in the main table.
fn route(prefix: u8, scope: u8) -> Vec<u8> {
    const TABLE_MAIN: u8 = 254;
    const PROTOCOL_BOOT: u8 = 3;
    const UNICAST: u8 = 1;
    vec![AF_INET, prefix, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, scope, UNICAST, 0, 0, 0, 0]
}

fn route_behind(address: Ipv4Addr, index: u32) -> Vec<u8> {
    const SCOPE_LINK: u8 = 253;
    let mut body = route(32, SCOPE_LINK);
    body.extend(attribute(RTA_DST, &address.octets()));
    body.extend(attribute(RTA_OIF, &index.to_ne_bytes()));
    body
}

/// `struct rtattr`, padded to four bytes.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    // Values are names, numbers and a few attributes, far below 64 KiB.
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A name as the kernel takes it.
pub(super) fn text(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
