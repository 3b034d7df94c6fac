//! The policy `internet`: an interface with a route to public addresses, and to nothing else.
//!
//! Each container has a veth pair of its own, with one address and a route to it: no bridge, so no neighbours to listen to
//! or to imitate. One nftables table, loaded once, speaks of all of them by the interfaces' prefix: it keeps from them the
//! host, each other, private and link-local ranges (cloud metadata), and all of IPv6; it drops what comes from another
//! address than the interface's own, and bounds connections. When a container's network namespace goes, so do its
//! interface and its route.
//!
//! Interfaces and table carry the engine's tag, and an address that another engine's container has is passed over, so that
//! several engines on one host do not meet.
//!
//! Works in the network namespace of the calling thread. A table of somebody else that drops forwarded packets (a
//! firewall's, Docker's) still has its say: that is for the host's administrator.

use super::firewall::{self, OURS, PRIVATE};
use super::netlink::Route;
use super::within;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;

/// How the host's ends are named, before the engine's tag and the slot's number: a letter that no tag has comes after [`OURS`].
const KIND: &str = "x";
/// Engines whose containers have the same slots: each takes another /16.
const POOLS: u32 = 8;
/// The step at which it is found out that an address is another engine's.
const ROUTE: &str = "adding the route";
/// The container's end.
const INSIDE: &str = "eth0";
/// How many containers may have an address: a /16, less the gateway and both ends.
pub const SLOTS: u32 = 65_533;
/// Connections that a container may have at once; the kernel's table of them is everybody's.
const CONNECTIONS: u32 = 1024;

/// What may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Five letters or digits that no other engine of this host has.
    pub tag: String,
    /// The first address of a /16 that nobody else here uses; seven more follow it, for other engines.
    pub pool: Ipv4Addr,
    /// Name servers: reachable at port 53, wherever they are.
    pub resolvers: Vec<Ipv4Addr>,
}

/// Why a container has no internet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The firewall could not be loaded, so no container gets an interface.
    #[error(transparent)]
    Firewall(#[from] firewall::Error),
    /// That it is loaded could not be noted.
    #[error("noting that the firewall is loaded: {0}")]
    Mark(io::Error),
    /// More containers than addresses.
    #[error("no address is left for a container: at most {SLOTS} have one")]
    Slot,
    /// A step failed.
    #[error("{step} of a container's interface: {source}")]
    Interface {
        /// What was done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The container's network namespace could not be entered.
    #[error(transparent)]
    Namespace(#[from] super::Error),
}

fn at(step: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Interface { step, source }
}

/// A loaded firewall: the proof that containers may be connected.
#[derive(Debug)]
pub struct Internet {
    prefix: String,
    table: String,
    pool: u32,
}

impl Internet {
    /// Loads the firewall, replacing that of an earlier engine of this tag in one step, and switches forwarding on. A host
    /// that did not forward before still forwards nothing that is not a container's.
    ///
    /// # Errors
    /// [`Error::Firewall`] with what nft says.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let pool = settings.pool.to_bits() & 0xffff_0000;
        let prefix = format!("{OURS}{KIND}{}", settings.tag);
        let table = format!("sandlot_{}_internet", settings.tag);
        firewall::start(|strangers| rules(&table, &prefix, &settings.resolvers, strangers))?;
        Ok(Self { prefix, table, pool })
    }

    /// Gives the network namespace of a container the interface `eth0` with the address of `slot` (no two containers that
    /// run have the same one), and a default route. What is left of an earlier container in that slot is removed.
    ///
    /// # Errors
    /// Names the step; nothing is left behind then.
    pub fn connect(&self, slot: u32, netns: BorrowedFd<'_>) -> Result<Ipv4Addr, Error> {
        if slot >= SLOTS {
            return Err(Error::Slot);
        }
        let mut done = Err(Error::Slot);
        for pool in (0..POOLS).map(|n| self.pool.wrapping_add(n << 16)) {
            done = self.connect_in(pool, slot, netns);
            match &done {
                Err(Error::Interface { step: ROUTE, source })
                    if source.kind() == io::ErrorKind::AlreadyExists => {}
                _ => break,
            }
        }
        done
    }

    /// The same, with an address of that /16.
    fn connect_in(&self, pool: u32, slot: u32, netns: BorrowedFd<'_>) -> Result<Ipv4Addr, Error> {
        let (gateway, address) = (Ipv4Addr::from_bits(pool + 1), Ipv4Addr::from_bits(pool + 2 + slot));
        let name = self.name(slot);
        let outside = Route::open().map_err(at("opening rtnetlink"))?;
        self.disconnect(slot)?;
        outside.add_pair(&name, INSIDE, netns).map_err(at("making both ends"))?;
        let done = bring_up(&outside, &name, gateway, address).and_then(|index| {
            within(netns, || Route::open().and_then(|r| set_up(&r, gateway, address)))?;
            outside.settle(index).map_err(at("waiting for the host's end"))
        });
        if done.is_err() {
            // The first error is the one to tell.
            drop(self.disconnect(slot));
        }
        done.map(|()| address)
    }

    /// At most 12 bytes: the kernel takes 15.
    fn name(&self, slot: u32) -> String {
        format!("{}{slot:04x}", self.prefix)
    }

    /// Takes the interface of a slot away; one that is not there is.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn disconnect(&self, slot: u32) -> Result<(), Error> {
        let outside = Route::open().map_err(at("opening rtnetlink"))?;
        match outside.index(&self.name(slot)) {
            Ok(index) => outside.remove(index).map_err(at("removing an earlier end")),
            Err(_) => Ok(()),
        }
    }

    /// Unloads the firewall; for an engine that stops, after its containers.
    ///
    /// # Errors
    /// [`Error::Firewall`] with what nft says.
    pub fn stop(&self) -> Result<(), Error> {
        Ok(firewall::unload(&self.table)?)
    }
}

fn bring_up(route: &Route, name: &str, gateway: Ipv4Addr, address: Ipv4Addr) -> Result<u32, Error> {
    let index = route.index(name).map_err(at("finding the host's end"))?;
    route.address(index, gateway, 32).map_err(at("giving the host's end its address"))?;
    route.up(index).map_err(at("bringing up the host's end"))?;
    route.first_route_to(address, index).map_err(at(ROUTE))?;
    Ok(index)
}

fn set_up(route: &Route, gateway: Ipv4Addr, address: Ipv4Addr) -> io::Result<()> {
    let index = route.index(INSIDE)?;
    route.address(index, address, 32)?;
    route.up(index)?;
    route.route_to(gateway, index)?;
    route.default_route(gateway, index)
}

/// The whole table. Where a packet is refused the container is told so at once, and its programs need not wait.
fn rules(table: &str, prefix: &str, resolvers: &[Ipv4Addr], strangers: &str) -> String {
    let resolvers = resolvers.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ");
    let resolvers =
        if resolvers.is_empty() { String::new() } else { format!("elements = {{ {resolvers} }}") };
    format!(
        r#"add table inet {table}
delete table inet {table}
table inet {table} {{
    set resolvers {{ type ipv4_addr; {resolvers}; }}
    set connections {{ type ipv4_addr; size {SLOTS}; flags dynamic; }}
    set private {{
        type ipv4_addr; flags interval
        elements = {{ {PRIVATE} }}
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept
        iifname "{prefix}*" goto outgoing
        oifname "{prefix}*" ct state established,related accept
        oifname "{prefix}*" drop
        goto strangers
    }}
    chain strangers {{
        iifname "{OURS}*" accept
        oifname "{OURS}*" accept
        {strangers}
    }}
    chain outgoing {{
        meta nfproto != ipv4 drop
        fib saddr . iif oif missing drop
        oifname "{OURS}*" reject with icmp admin-prohibited
        ct state established,related accept
        ct state new add @connections {{ ip saddr ct count over {CONNECTIONS} }} reject with icmp admin-prohibited
        ip daddr @resolvers meta l4proto {{ tcp, udp }} th dport 53 accept
        ip daddr @private reject with icmp admin-prohibited
        ct state new accept
        drop
    }}
    chain input {{
        type filter hook input priority filter; policy accept
        iifname "{prefix}*" meta nfproto != ipv4 drop
        iifname "{prefix}*" reject with icmp admin-prohibited
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept
        iifname "{prefix}*" masquerade
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests;
