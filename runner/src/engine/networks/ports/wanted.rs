//! Which ports of a container are asked to be published, and where. Pure.

use crate::engine::error::Error;
use crate::engine::model::{Config, HostConfig};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The most ports of one container.
const PORTS: usize = 1024;

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Packets.
    Udp,
}

impl Protocol {
    /// As it stands after a port.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A port that is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The container's port.
    pub container: u16,
    /// What it speaks.
    pub protocol: Protocol,
    /// The host's address.
    pub address: IpAddr,
    /// The host's port.
    pub host: u16,
}

impl Published {
    /// The same, asked for.
    pub(super) fn again(&self) -> Wanted {
        let Self { container, protocol, address, host } = self.clone();
        Wanted { container, protocol, address, host: host..=host }
    }
}

/// A port that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Wanted {
    pub(super) container: u16,
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
    /// Any of these; 0: whichever is free.
    pub(super) host: RangeInclusive<u16>,
}

/// The ports that a container asks for; those without an address listen on `address`.
///
/// # Errors
/// [`Error::Invalid`] that names what cannot be.
pub(in crate::engine) fn wanted(
    config: &Config,
    host: &HostConfig,
    address: IpAddr,
) -> Result<Vec<Wanted>, Error> {
    let mut all = Vec::new();
    for (port, places) in &host.port_bindings {
        let (container, protocol) = parse(port)?;
        for place in places.as_array().into_iter().flatten() {
            let text = |field: &str| place[field].as_str().unwrap_or_default();
            let address = match text("HostIp") {
                "" => address,
                ip => ip
                    .trim_matches(['[', ']'])
                    .parse()
                    .map_err(|_| Error::invalid(format!("invalid IP address: {ip}")))?,
            };
            all.push(Wanted { container, protocol, address, host: range(text("HostPort"))? });
        }
    }
    for port in config.exposed_ports.keys().filter(|_| host.publish_all_ports) {
        let (container, protocol) = parse(port)?;
        if !all.iter().any(|w| (w.container, w.protocol) == (container, protocol)) {
            all.push(Wanted { container, protocol, address, host: 0..=0 });
        }
    }
    if all.len() > PORTS {
        return Err(Error::invalid(format!("a container publishes at most {PORTS} ports")));
    }
    Ok(all)
}

/// `80`, `80/tcp`, `53/udp`.
pub(super) fn parse(text: &str) -> Result<(u16, Protocol), Error> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = port.parse::<u16>().ok().filter(|p| *p > 0);
    let port = port.ok_or_else(|| Error::invalid(format!("invalid port specification: \"{text}\"")))?;
    match protocol {
        "tcp" => Ok((port, Protocol::Tcp)),
        "udp" => Ok((port, Protocol::Udp)),
        other => Err(Error::invalid(format!("-p {text}: {other} is not published, only tcp and udp are"))),
    }
}

/// Empty, `0`, `8080`, `8000-8010`.
fn range(text: &str) -> Result<RangeInclusive<u16>, Error> {
    let wrong = || Error::invalid(format!("invalid host port: \"{text}\""));
    if text.is_empty() {
        return Ok(0..=0);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    if first > last || (first == 0 && last > 0) { Err(wrong()) } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ANY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

    fn asked(bindings: serde_json::Value, all: bool) -> Result<Vec<Wanted>, Error> {
        let host =
            serde_json::from_value(json!({ "PortBindings": bindings, "PublishAllPorts": all })).unwrap();
        let config =
            serde_json::from_value(json!({ "ExposedPorts": { "80/tcp": {}, "53/udp": {} } })).unwrap();
        wanted(&config, &host, ANY)
    }

    #[test]
    fn ports_are_read_as_docker_sends_them() {
        let place = |ip: &str, port: &str| json!([{ "HostIp": ip, "HostPort": port }]);
        let one = |container, protocol, address: IpAddr, host| Wanted { container, protocol, address, host };
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(
            asked(json!({ "80/tcp": place("", "8080") }), false).unwrap(),
            [one(80, Protocol::Tcp, ANY, 8080..=8080)]
        );
        assert_eq!(
            asked(json!({ "80": place("127.0.0.1", "") }), false).unwrap(),
            [one(80, Protocol::Tcp, local, 0..=0)]
        );
        assert_eq!(
            asked(json!({ "53/udp": place("", "8000-8002") }), false).unwrap(),
            [one(53, Protocol::Udp, ANY, 8000..=8002)]
        );
        assert_eq!(asked(json!({ "53/udp": place("", "5300") }), true).unwrap().len(), 2);
        assert!(asked(json!({ "80/tcp": null }), false).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let place = |ip: &str, port: &str| json!([{ "HostIp": ip, "HostPort": port }]);
        for (bindings, words) in [
            (json!({ "0/tcp": place("", "1") }), "invalid port specification: \"0/tcp\""),
            (json!({ "x/tcp": place("", "1") }), "x/tcp"),
            (json!({ "80/sctp": place("", "1") }), "sctp is not published"),
            (json!({ "80/tcp": place("x", "1") }), "invalid IP address: x"),
            (json!({ "80/tcp": place("", "70000") }), "invalid host port: \"70000\""),
            (json!({ "80/tcp": place("", "9-8") }), "9-8"),
            (json!({ "80/tcp": vec![json!({}); 1025] }), "at most 1024"),
        ] {
            let said = asked(bindings, false).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
