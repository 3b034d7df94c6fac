//! What a container reads of names: `/etc/hostname`, `/etc/hosts`, `/etc/resolv.conf`.

use super::{BRIDGE, Endpoint, Way};
use crate::container::network::nameserver;
use crate::container::rootfs::Files;
use crate::engine::record::Record;
use std::net::Ipv4Addr;

/// The files of a container that is about to be started.
pub(in crate::engine) fn files(record: &Record, way: Way, endpoints: &[Endpoint]) -> Files {
    let host = &record.config.hostname;
    let mut hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    for extra in &record.host.extra_hosts {
        if let Some((name, address)) = extra.split_once([':', '=']) {
            hosts.push_str(&format!("{address}\t{name}\n"));
        }
    }
    let addresses: Vec<Ipv4Addr> =
        endpoints.iter().filter_map(|e| e.live.as_ref()).map(|l| l.address).collect();
    for address in &addresses {
        hosts.push_str(&line(*address, record));
    }
    if addresses.is_empty() {
        hosts.push_str(&format!("127.0.1.1\t{host}\n"));
    }
    Files { hostname: format!("{host}\n"), hosts, resolv_conf: resolv_conf(record, way, endpoints) }
}

/// The line of `/etc/hosts` for one of the container's own addresses.
pub(super) fn line(address: Ipv4Addr, record: &Record) -> String {
    let (host, domain) = (&record.config.hostname, &record.config.domainname);
    if domain.is_empty() {
        format!("{address}\t{host}\n")
    } else {
        format!("{address}\t{host}.{domain} {host}\n")
    }
}

fn resolv_conf(record: &Record, way: Way, endpoints: &[Endpoint]) -> String {
    let host = &record.host;
    // Where there are names to be found, servers of the container's own are asked by the one that knows those.
    let own = way == Way::Networks && (host.dns.is_empty() || endpoints.iter().any(|e| e.network != BRIDGE));
    let mut text = String::new();
    if own {
        text.push_str(&format!("nameserver {}\n", nameserver::ADDRESS));
    }
    if host.dns.is_empty() && way == Way::Internet {
        for server in resolvers() {
            text.push_str(&format!("nameserver {server}\n"));
        }
    }
    for server in host.dns.iter().filter(|_| !own) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !host.dns_search.is_empty() {
        text.push_str(&format!("search {}\n", host.dns_search.join(" ")));
    }
    let mut options = host.dns_options.clone();
    if own && !options.iter().any(|o| o.starts_with("ndots:")) {
        options.push("ndots:0".into());
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

/// The host's name servers; one on the host's loopback cannot be reached from a container, so it is left out.
pub(super) fn resolvers() -> Vec<Ipv4Addr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|l| l.strip_prefix("nameserver")?.trim().parse::<Ipv4Addr>().ok());
    servers.filter(|s| !s.is_loopback()).collect()
}
