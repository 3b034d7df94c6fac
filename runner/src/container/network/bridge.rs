//! The driver `bridge`: networks whose containers reach each other, and public addresses unless the network is internal.
//!
//! There is no bridge device: each interface is a veth pair of its own, and the host routes between them. So nobody can
//! listen to a neighbour or answer in its name, and the kernel's reverse path says whose a packet is. Which network an
//! interface belongs to is its *group*; one nftables table, loaded once, lets packets pass between interfaces of the same
//! group and keeps the rest as [`super::internet`] does. The host opens connections to containers (published ports do);
//! a container opens none to the host.
//!
//! Within a container, whose filter shuts netfilter off, there is no table: its engine's networks all reach each other, and lead no
//! further than the container does.
//!
//! Works in the network namespace of the calling thread. Names of interfaces and of the table carry the engine's tag, so
//! that two engines on one host do not meet. Knows no names or addresses but those that it is given.

use super::firewall::{self, OURS, PRIVATE};
use super::netlink::{Peer, Route};
use super::within;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

/// Networks that can be told apart.
pub const NETWORKS: u32 = 1024;
/// Networks that one container may be in.
pub const INTERFACES: u8 = 16;
/// Connections that a container may have opened at once; the kernel's table of them is everybody's.
const CONNECTIONS: u32 = 4096;
/// Containers whose connections are counted.
const COUNTED: u32 = 65_535;

/// What may be reached, and whose the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Five letters or digits that no other engine of this host has.
    pub tag: String,
    /// Ranges that are not public and may be reached all the same, as `10.1.0.0/16`.
    pub allowed: Vec<String>,
}

/// Whether a network leads anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To neighbours and public addresses.
    Outside,
    /// To neighbours alone.
    Internal,
}

/// Whether the containers of a network reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// They do.
    Open,
    /// They do not.
    Shut,
}

/// Whether an interface is the way to everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// It is.
    Here,
    /// Another one is, or none.
    Elsewhere,
}

/// An interface of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// A number that no other container of this engine has while this one runs.
    pub slot: u32,
    /// Which of the container's interfaces: `eth0` is 0.
    pub index: u8,
    /// Its network's number, from 0.
    pub network: u32,
    /// Where the network leads.
    pub reach: Reach,
    /// Whether it has neighbours.
    pub neighbours: Neighbours,
    /// Its address.
    pub address: Ipv4Addr,
    /// The network's address and the length of its prefix.
    pub subnet: (Ipv4Addr, u8),
    /// The host's address in that network.
    pub gateway: Ipv4Addr,
    /// Its hardware address.
    pub hardware: [u8; 6],
    /// The longest packet, where it is not the usual one.
    pub mtu: Option<u32>,
    /// Whether it is the way to everything else.
    pub default: Default,
}

/// Why a container has no interface.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The firewall could not be loaded, so no container gets an interface.
    #[error(transparent)]
    Firewall(#[from] firewall::Error),
    /// More than the names of interfaces can tell apart.
    #[error("interface {index} of container {slot} in network {network}: past what can be told apart")]
    Number {
        /// The container.
        slot: u32,
        /// The interface.
        index: u8,
        /// The network.
        network: u32,
    },
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
pub struct Bridges {
    prefix: String,
    table: String,
    outside: Mutex<Route>,
}

impl Bridges {
    /// Loads the firewall, replacing that of an earlier engine of this tag in one step, and switches forwarding on. A host
    /// that did not forward before still forwards nothing that is not a container's.
    ///
    /// # Errors
    /// [`Error::Firewall`] with what nft says.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let (prefix, table) = (format!("{OURS}{}", settings.tag), format!("sandlot_{}", settings.tag));
        match sandlot_sys::userns::within() {
            // No container may touch netfilter; all that is reached is the container's own.
            true => firewall::forward()?,
            false => firewall::start(|strangers| rules(&table, &prefix, &settings.allowed, strangers))?,
        }
        let outside = Mutex::new(Route::open().map_err(at("opening rtnetlink"))?);
        Ok(Self { prefix, table, outside })
    }

    /// Gives the network namespace of a container its interfaces, and does `also` inside it. What is left of an earlier
    /// container in that slot is removed.
    ///
    /// # Errors
    /// Names the step; nothing is left behind then.
    pub fn connect<T: Send>(
        &self,
        ports: &[Port],
        netns: BorrowedFd<'_>,
        also: impl FnOnce() -> io::Result<T> + Send,
    ) -> Result<T, Error> {
        let inside = || {
            let route = Route::open()?;
            ports.iter().try_for_each(|port| set_up(&route, port))?;
            also()
        };
        let all = || {
            let numbers: Vec<u32> =
                ports.iter().map(|port| self.bring_up(port, netns)).collect::<Result<_, _>>()?;
            let done = within(netns, inside)?;
            let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
            numbers
                .into_iter()
                .try_for_each(|n| outside.settle(n))
                .map_err(at("waiting for the host's end"))?;
            Ok(done)
        };
        let done = all();
        if done.is_err() {
            for port in ports {
                // The first error is the one to tell.
                drop(self.disconnect(port.slot, port.index));
            }
        }
        done
    }

    /// Takes an interface away; one that is not there is.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn disconnect(&self, slot: u32, index: u8) -> Result<(), Error> {
        let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        for reach in [Reach::Outside, Reach::Internal] {
            if let Ok(number) = outside.index(&self.name(reach, slot, index)) {
                outside.remove(number).map_err(at("removing the host's end"))?;
            }
        }
        Ok(())
    }

    /// Makes another interface of a running container the way to everything else.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn make_default(&self, port: &Port, netns: BorrowedFd<'_>) -> Result<(), Error> {
        let inside = || {
            let route = Route::open()?;
            route.default_route(port.gateway, route.index(&format!("eth{}", port.index))?)
        };
        Ok(within(netns, inside)?)
    }

    /// Unloads the firewall; for an engine that stops, after its containers.
    ///
    /// # Errors
    /// [`Error::Firewall`] with what nft says.
    pub fn stop(&self) -> Result<(), Error> {
        if sandlot_sys::userns::within() { Ok(()) } else { Ok(firewall::unload(&self.table)?) }
    }

    /// At most 14 bytes: the kernel takes 15.
    fn name(&self, reach: Reach, slot: u32, index: u8) -> String {
        format!("{}{}{slot:04x}{index:x}", self.prefix, letter(reach))
    }

    fn bring_up(&self, port: &Port, netns: BorrowedFd<'_>) -> Result<u32, Error> {
        let Port { slot, index, network, .. } = *port;
        if slot > 0xffff || index >= INTERFACES || network >= NETWORKS {
            return Err(Error::Number { slot, index, network });
        }
        self.disconnect(slot, index)?;
        let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name(port.reach, slot, index);
        // Groups from 1: 0 is every other interface's. Those whose containers do not reach each other come after all that do.
        let group = 1 + network + if port.neighbours == Neighbours::Open { 0 } else { NETWORKS };
        let peer = Peer { name: &format!("eth{index}"), hardware: port.hardware, mtu: port.mtu };
        outside.add_port(&name, group, &peer, netns).map_err(at("making both ends"))?;
        let number = outside.index(&name).map_err(at("finding the host's end"))?;
        outside.address(number, port.gateway, 32).map_err(at("giving the host's end its address"))?;
        outside.route_to(port.address, number).map_err(at("adding the route"))?;
        Ok(number)
    }
}

fn letter(reach: Reach) -> char {
    match reach {
        Reach::Outside => 'b',
        Reach::Internal => 'i',
    }
}

fn set_up(route: &Route, port: &Port) -> io::Result<()> {
    let index = route.index(&format!("eth{}", port.index))?;
    let (network, prefix) = port.subnet;
    route.address_alone(index, port.address, prefix)?;
    route.up(index)?;
    route.route_to(port.gateway, index)?;
    route.route_by(network, prefix, port.gateway, index)?;
    if port.default == Default::Here && port.reach == Reach::Outside {
        route.default_route(port.gateway, index)?;
    }
    Ok(())
}

/// The whole table. Where a packet is refused the container is told so at once, and its programs need not wait.
fn rules(table: &str, prefix: &str, allowed: &[String], strangers: &str) -> String {
    let (outside, internal) = (letter(Reach::Outside), letter(Reach::Internal));
    let allowed = match allowed {
        [] => String::new(),
        some => format!("elements = {{ {} }}", some.join(", ")),
    };
    let same: Vec<String> = (1..=NETWORKS).map(|n| format!("{n} . {n}")).collect();
    let same = same.join(", ");
    format!(
        r#"add table inet {table}
delete table inet {table}
table inet {table} {{
    set same {{ typeof meta iifgroup . meta oifgroup; elements = {{ {same} }}; }}
    set connections {{ type ipv4_addr; size {COUNTED}; flags dynamic; }}
    set allowed {{ type ipv4_addr; flags interval; auto-merge; {allowed}; }}
    set private {{ type ipv4_addr; flags interval; elements = {{ {PRIVATE} }}; }}
    chain forward {{
        type filter hook forward priority filter; policy accept
        iifname "{prefix}*" goto leaving
        oifname "{prefix}*" ct state established,related accept
        oifname "{prefix}*" drop
        goto strangers
    }}
    chain strangers {{
        iifname "{OURS}*" accept
        oifname "{OURS}*" accept
        {strangers}
    }}
    chain leaving {{
        meta nfproto != ipv4 drop
        fib saddr . iif oif missing drop
        oifname "{prefix}*" goto neighbours
        oifname "{OURS}*" reject with icmp admin-prohibited
        iifname "{prefix}{internal}*" reject with icmp admin-prohibited
        ct state established,related accept
        ct state new add @connections {{ ip saddr ct count over {CONNECTIONS} }} reject with icmp admin-prohibited
        ip daddr @allowed accept
        ip daddr @private reject with icmp admin-prohibited
        ct state new accept
        drop
    }}
    chain neighbours {{
        meta iifgroup . meta oifgroup != @same reject with icmp admin-prohibited
        ct state established,related accept
        ct state new add @connections {{ ip saddr ct count over {CONNECTIONS} }} reject with icmp admin-prohibited
        ct state new accept
        drop
    }}
    chain input {{
        type filter hook input priority filter; policy accept
        iifname "{prefix}*" goto arriving
    }}
    chain arriving {{
        meta nfproto != ipv4 drop
        fib saddr . iif oif missing drop
        ct state established ct direction reply accept
        ct state related meta l4proto icmp accept
        reject with icmp admin-prohibited
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept
        iifname "{prefix}{outside}*" oifname != "{OURS}*" masquerade
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests;
