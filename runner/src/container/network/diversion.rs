//! Rules inside a container's network namespace by which port 53 of one loopback address leads to sockets on other ports there,
//! so that a program of the container's may have port 53 on all of its addresses.
//!
//! Two rules for each protocol write another port into a packet on its way in, and the old one into the answer: nothing is tracked, so
//! nothing is kept of any connection. Messages of our own to nf_tables, for `nft` would take longer than the container does to
//! start. Whoever is in the container cannot see or change them: netfilter is refused there.

use super::netlink::{NESTED, attribute, text};
use rustix::net::netlink::NETFILTER;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use std::io;
use std::net::Ipv4Addr;

/// What the table is called.
const TABLE: &str = "sandlot";
const CHAIN: &str = "names";

/// `NFNL_SUBSYS_NFTABLES`
const NFTABLES: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN` and `_END`
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
const NEW_TABLE: u16 = NFTABLES << 8;
const DELETE_TABLE: u16 = NFTABLES << 8 | 2;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const NLMSG_ERROR: u16 = 2;

/// `NLM_F_REQUEST`
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
const ACKNOWLEDGED: u16 = 0x4;
/// `NLM_F_CREATE`
const CREATE: u16 = 0x400;
/// `NLM_F_CREATE | NLM_F_APPEND`
const APPEND: u16 = 0x400 | 0x800;

/// `NFPROTO_UNSPEC` and `NFPROTO_IPV4`
const NO_FAMILY: u8 = 0;
const IPV4: u8 = 2;
/// `NF_INET_PRE_ROUTING`, and before anything else that may be there.
const PRE_ROUTING: u32 = 0;
const PRIORITY: i32 = -300;
/// `NFT_PAYLOAD_NETWORK_HEADER` and `NFT_PAYLOAD_TRANSPORT_HEADER`
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
/// `NFT_META_L4PROTO`
const PROTOCOL: u32 = 16;
/// `NFT_REG_1`
const REGISTER: u32 = 1;
/// `NFT_PAYLOAD_CSUM_INET`
const CHECKSUM: u32 = 1;
/// Where an IPv4 header has both addresses.
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;
/// Where a TCP or UDP header has both ports.
const SOURCE_PORT: u32 = 0;
const DESTINATION_PORT: u32 = 2;

/// `sizeof(struct nlmsghdr)`
const HEADER: usize = 16;
/// Enough for an acknowledgement with the request in it.
const ANSWER: usize = 8192;

/// A protocol, and where its header has the checksum.
#[derive(Debug, Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    fn checksum(self) -> u32 {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }
}

/// Has port `shown` of `address` lead to other ports there, in the network namespace of the calling thread: to `tcp` and to `udp`. What an
/// earlier engine made there is replaced.
///
/// # Errors
/// What the kernel answers; `EPROTONOSUPPORT` in a container, where netfilter is refused.
pub(super) fn lead(address: Ipv4Addr, shown: u16, tcp: u16, udp: u16) -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))?;
    let table = attribute(1, &text(TABLE));
    let mut batch = Batch::default();
    batch.add(BEGIN, 0, NO_FAMILY, &[]);
    batch.add(NEW_TABLE, CREATE, IPV4, &table);
    batch.add(DELETE_TABLE, 0, IPV4, &table);
    batch.add(NEW_TABLE, CREATE, IPV4, &table);
    batch.add(NEW_CHAIN, CREATE, IPV4, &chain());
    for (protocol, port) in [(Protocol::Tcp, tcp), (Protocol::Udp, udp)] {
        let question = rule(protocol, (DESTINATION, address), DESTINATION_PORT, (shown, port));
        let answer = rule(protocol, (SOURCE, address), SOURCE_PORT, (port, shown));
        batch.add(NEW_RULE, APPEND, IPV4, &question);
        batch.add(NEW_RULE, APPEND | ACKNOWLEDGED, IPV4, &answer);
    }
    batch.add(END, 0, NO_FAMILY, &[]);
    send(&socket, &batch.0, SendFlags::empty())?;
    // One acknowledgement for each protocol, or an error for whatever failed.
    for _ in 0..2 {
        let mut answer = [0; ANSWER];
        let (_, n) = recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
        acknowledged(&answer[..n])?;
    }
    Ok(())
}

fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
    let error =
        answer.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, error) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(-error)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Messages that the kernel takes as one change, or not at all.
#[derive(Default)]
struct Batch(Vec<u8>);

impl Batch {
    fn add(&mut self, kind: u16, flags: u16, family: u8, attributes: &[u8]) {
        // struct nfgenmsg: family, version, and for a batch's ends whose it is.
        let whose = if matches!(kind, BEGIN | END) { NFTABLES } else { 0 };
        let length = HEADER + 4 + attributes.len();
        // Some hundred bytes.
        self.0.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend((REQUEST | flags).to_ne_bytes());
        self.0.extend([0; 8]);
        self.0.extend([family, 0]);
        self.0.extend(whose.to_be_bytes());
        self.0.extend(attributes);
    }
}

/// Where packets come in.
fn chain() -> Vec<u8> {
    let hook = [attribute(1, &PRE_ROUTING.to_be_bytes()), attribute(2, &PRIORITY.to_be_bytes())].concat();
    [
        attribute(1, &text(TABLE)),
        attribute(3, &text(CHAIN)),
        attribute(4 | NESTED, &hook),
        attribute(7, &text("filter")),
    ]
    .concat()
}

/// A packet of `protocol` with the address at `place` and the first of `ports` at `port` gets the second.
fn rule(protocol: Protocol, place: (u32, Ipv4Addr), port: u32, ports: (u16, u16)) -> Vec<u8> {
    let (offset, address) = place;
    let (from, to) = ports;
    let mut expressions = Vec::new();
    for (load, wanted) in [
        (read(NETWORK, offset, 4), address.octets().to_vec()),
        (expression("meta", &[number(1, REGISTER), number(2, PROTOCOL)]), vec![protocol.number()]),
        (read(TRANSPORT, port, 2), from.to_be_bytes().to_vec()),
    ] {
        expressions.extend(load);
        // Equal, or it is no packet for this rule.
        expressions.extend(expression("cmp", &[number(1, REGISTER), number(2, 0), value(3, &wanted)]));
    }
    expressions.extend(expression("immediate", &[number(1, REGISTER), value(2, &to.to_be_bytes())]));
    let write = [
        number(5, REGISTER),
        number(2, TRANSPORT),
        number(3, port),
        number(4, 2),
        number(6, CHECKSUM),
        number(7, protocol.checksum()),
    ];
    expressions.extend(expression("payload", &write));
    [attribute(1, &text(TABLE)), attribute(2, &text(CHAIN)), attribute(4 | NESTED, &expressions)].concat()
}

/// `length` bytes of a header into the register.
fn read(header: u32, offset: u32, length: u32) -> Vec<u8> {
    let parts = [number(1, REGISTER), number(2, header), number(3, offset), number(4, length)];
    expression("payload", &parts)
}

fn expression(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
    let both = [attribute(1, &text(name)), attribute(2 | NESTED, &data.concat())].concat();
    attribute(1 | NESTED, &both)
}

fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_be_bytes())
}

/// A value, as `NFTA_DATA_VALUE` of an attribute.
fn value(kind: u16, bytes: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, &attribute(1, bytes))
}
