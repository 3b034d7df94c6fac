//! The options of `run` and `create` that are about networks, and what they ask for. Knows no socket.

use super::values;
use crate::engine::model::{Config, HostConfig};
use clap::Args;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// What `run` and `create` have in common of networks.
#[derive(Debug, Default, Args)]
pub(super) struct NetworkOptions {
    /// The network: none, bridge, internet, or one that was made; may be repeated
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Vec<String>,
    /// The container's address in the first network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<std::net::Ipv4Addr>,
    /// Another name in the first network
    #[arg(long, visible_alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// The hardware address in the first network
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Publish a port of the container on the host: [[address:]host-port:]port[/udp]
    #[arg(short, long, value_parser = publish, value_name = "PORT")]
    publish: Vec<Ports>,
    /// Publish all exposed ports on free ones of the host
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Say that the container listens on a port: port[/udp]
    #[arg(long, value_parser = expose, value_name = "PORT")]
    expose: Vec<Vec<String>>,
    /// Give another container a name: container[:name]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
    /// The container's domain name
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// A line of /etc/hosts: name:address
    #[arg(long, value_parser = values::host)]
    add_host: Vec<String>,
    /// A name server
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<IpAddr>,
    /// A domain in which names are looked up
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// An option of resolv.conf
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
}

/// Ports of a container, and where each is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ports(Vec<(String, Value)>);

impl NetworkOptions {
    /// These networks, and nothing else.
    pub(super) fn only(network: Vec<String>) -> Self {
        Self { network, ..Self::default() }
    }

    /// Puts what was asked for into a creation's parts; what is asked of each network.
    pub(super) fn settle(self, config: &mut Config, host: &mut HostConfig) -> Value {
        let mut endpoints = Map::new();
        for name in &self.network {
            endpoints.insert(name.clone(), json!({}));
        }
        let first = self.network.first().map_or("default", String::as_str);
        let mut endpoint = Map::new();
        endpoint.extend(self.ip.map(|ip| ("IPAMConfig".to_owned(), json!({ "IPv4Address": ip }))));
        endpoint.extend(self.mac_address.map(|mac| ("MacAddress".to_owned(), Value::from(mac))));
        if !self.network_alias.is_empty() {
            endpoint.insert("Aliases".to_owned(), json!(self.network_alias));
        }
        if !self.link.is_empty() {
            endpoint.insert("Links".to_owned(), json!(self.link));
        }
        endpoints.insert(first.to_owned(), Value::Object(endpoint));
        first.clone_into(&mut host.network_mode);
        for (port, place) in self.publish.into_iter().flat_map(|ports| ports.0) {
            config.exposed_ports.entry(port.clone()).or_insert_with(|| json!({}));
            let places = host.port_bindings.entry(port).or_insert_with(|| json!([]));
            places.as_array_mut().into_iter().for_each(|list| list.push(place.clone()));
        }
        for port in self.expose.into_iter().flatten() {
            config.exposed_ports.entry(port).or_insert_with(|| json!({}));
        }
        config.domainname = self.domainname.unwrap_or_default();
        host.publish_all_ports = self.publish_all;
        host.links = self.link;
        host.extra_hosts = self.add_host;
        host.dns = self.dns.iter().map(ToString::to_string).collect();
        host.dns_search = self.dns_search;
        host.dns_options = self.dns_option;
        json!({ "EndpointsConfig": endpoints })
    }
}

/// `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]::80`, `8000-8002:80-82`.
fn publish(text: &str) -> Result<Ports, String> {
    let wrong = || format!("{text:?}: write [[address:]host-port:]port[/protocol], as in 127.0.0.1:8080:80");
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (place, inner) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (address, outer) = match place.rsplit_once(':') {
        // The colons of an address belong to it.
        Some((address, outer)) if !place.ends_with(']') => (address, outer),
        _ if place.starts_with('[') => (place, ""),
        _ => ("", place),
    };
    let address = address.trim_matches(['[', ']']);
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(format!("{address:?} in {text:?} is no IP address"));
    }
    let (first, last) = range(inner).ok_or_else(wrong)?;
    let outer = if outer.is_empty() { None } else { Some(range(outer).ok_or_else(wrong)?) };
    let place = |host: String| json!({ "HostIp": address, "HostPort": host });
    let host_of = |n: u16| match outer {
        None => Some(String::new()),
        Some((from, to)) if to - from == last - first => Some((from + n).to_string()),
        // Any of several, for one.
        Some((from, to)) if first == last => Some(format!("{from}-{to}")),
        Some(_) => None,
    };
    let one = |n: u16| Some((format!("{}/{protocol}", first + n), place(host_of(n)?)));
    (0..=last - first).map(one).collect::<Option<_>>().map(Ports).ok_or_else(wrong)
}

/// `80`, `53/udp`, `8000-8002`.
fn expose(text: &str) -> Result<Vec<String>, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) =
        range(ports).ok_or_else(|| format!("{text:?} is no port: write 80, 53/udp or 80-82"))?;
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_in_many_ways() {
        let one =
            |port: &str, ip: &str, host: &str| (port.to_owned(), json!({ "HostIp": ip, "HostPort": host }));
        for (text, expected) in [
            ("80", vec![one("80/tcp", "", "")]),
            ("8080:80", vec![one("80/tcp", "", "8080")]),
            ("127.0.0.1:8080:80/udp", vec![one("80/udp", "127.0.0.1", "8080")]),
            ("127.0.0.1::80", vec![one("80/tcp", "127.0.0.1", "")]),
            ("[::1]:8080:80", vec![one("80/tcp", "::1", "8080")]),
            ("8000-8001:80-81", vec![one("80/tcp", "", "8000"), one("81/tcp", "", "8001")]),
            ("8000-8009:80", vec![one("80/tcp", "", "8000-8009")]),
        ] {
            assert_eq!(publish(text), Ok(Ports(expected)), "{text}");
        }
        for wrong in ["", "x", "80:x", "1.2.3:80:80", "8000-8001:80-85", "9-8", "70000"] {
            assert!(publish(wrong).is_err(), "{wrong}");
        }
        assert_eq!(expose("52-53/udp").unwrap(), ["52/udp", "53/udp"]);
        assert!(expose("web").is_err());
    }
}
