//! What a container asked of networks: which it is in, and under which addresses and names.

use super::request::{self, EndpointRequest};
use super::{BRIDGE, INTERNET, NONE, Network};
use crate::engine::error::Error;
use crate::engine::links;
use crate::engine::model::{Config, HostConfig};
use crate::engine::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// How a container is connected with the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By nothing but its loopback device.
    None,
    /// By an interface without neighbours.
    Internet,
    /// By an interface for each of its networks.
    Networks,
}

impl Way {
    /// What a network mode means.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is never done.
    pub fn of(mode: &str) -> Result<Self, Error> {
        let never = |why: &str| {
            Err(Error::invalid(format!("--network {mode} is never done by Sandlot: {why}; choose another")))
        };
        match mode {
            "" | NONE => Ok(Self::None),
            INTERNET => Ok(Self::Internet),
            "host" => never("a container has a network namespace of its own"),
            _ if mode.starts_with("container:") => never("a container shares no network namespace"),
            _ => Ok(Self::Networks),
        }
    }
}

/// A network that a container is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's name or id, as it was asked for; its name once it was found.
    pub network: String,
    /// The address that is asked for.
    #[serde(default)]
    pub wanted: Option<Ipv4Addr>,
    /// The hardware address that is asked for.
    #[serde(default)]
    pub hardware: Option<[u8; 6]>,
    /// Names in this network, beside the container's own.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Other names for neighbours, for this container alone: `neighbour:name`.
    #[serde(default)]
    pub links: Vec<String>,
    /// What it is while the container runs.
    #[serde(default)]
    pub live: Option<Live>,
}

/// A network that a running container is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The network's id.
    pub network: String,
    /// Which interface: `eth0` is 0.
    pub index: u8,
    /// The address.
    pub address: Ipv4Addr,
    /// The hardware address.
    pub hardware: [u8; 6],
}

impl Endpoint {
    /// Whether it is that network's.
    #[must_use]
    pub fn is_in(&self, network: &Network) -> bool {
        match &self.live {
            Some(live) => live.network == network.id,
            None => self.network == network.name || self.network == network.id,
        }
    }

    /// The names by which its neighbours find the container.
    #[must_use]
    pub fn names(&self, record: &Record) -> Vec<String> {
        let short = record.id.get(..12).unwrap_or_default().to_owned();
        let mut names = vec![record.name.clone()];
        for name in self.aliases.iter().chain([&short, &record.config.hostname]) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The names that the container alone has for its neighbours, and theirs, in small letters.
    pub(super) fn names_of_neighbours(&self) -> Vec<(String, String)> {
        let parsed = self.links.iter().filter_map(|link| links::parse(link).ok());
        parsed.map(|(name, alias)| (alias.to_ascii_lowercase(), name.to_ascii_lowercase())).collect()
    }

    /// From what was asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names what cannot be.
    pub(super) fn new(network: &str, request: &EndpointRequest) -> Result<Self, Error> {
        let links = request.links.iter().map(|link| links::parse(link).map(|_| link.clone()));
        let links = links.collect::<Result<Vec<_>, _>>()?;
        if !request.ipam.ipv6_address.is_empty() {
            return Err(Error::invalid("--ip6: IPv6 is not routed into containers"));
        }
        if let Some(bad) = request.aliases.iter().find(|a| !is_name(a)) {
            return Err(Error::invalid(format!("--network-alias {bad:?} is no name")));
        }
        let user_defined = network != BRIDGE;
        if !user_defined && !request.aliases.is_empty() {
            return Err(Error::invalid(
                "network-scoped alias is supported only for containers in user defined networks",
            ));
        }
        let wanted = match request.ipam.ipv4_address.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Error::invalid(format!("invalid IPv4 address: {text}")))?),
        };
        if wanted.is_some() && !user_defined {
            return Err(Error::invalid(
                "user specified IP address is supported on user defined networks only",
            ));
        }
        let hardware = match request.mac_address.as_str() {
            "" => None,
            text => Some(request::hardware(text)?),
        };
        Ok(Self {
            network: network.to_owned(),
            wanted,
            hardware,
            aliases: request.aliases.clone(),
            // In the default one there are no names; those links are the container's.
            links: if user_defined { links } else { Vec::new() },
            live: None,
        })
    }
}

/// Whether it can be asked for by DNS: labels of up to 63 plain characters.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| (1..=63).contains(&label.len()) && label.chars().all(plain))
}

/// The networks that a new container is to be in. The mode must be a real one by now.
///
/// # Errors
/// [`Error::Invalid`] that names what cannot be.
pub(in crate::engine) fn wanted(
    config: &Config,
    host: &HostConfig,
    mut requests: BTreeMap<String, EndpointRequest>,
) -> Result<Vec<Endpoint>, Error> {
    if let Some(default) = requests.remove("default") {
        requests.entry(host.network_mode.clone()).or_insert(default);
    }
    let mode = host.network_mode.as_str();
    if Way::of(mode)? != Way::Networks {
        if requests.keys().any(|name| name != mode && !name.is_empty()) {
            return Err(Error::invalid(format!(
                "container cannot be connected to multiple networks with one of the networks in private ({mode}) mode"
            )));
        }
        return Ok(Vec::new());
    }
    for name in requests.keys() {
        if Way::of(name)? != Way::Networks {
            return Err(Error::invalid(format!(
                "container cannot be connected to multiple networks with one of the networks in private ({name}) mode"
            )));
        }
    }
    let mut first = requests.remove(mode).unwrap_or_default();
    if first.mac_address.is_empty() {
        config.mac_address.clone_into(&mut first.mac_address);
    }
    let mut all = vec![Endpoint::new(mode, &first)?];
    for (name, request) in &requests {
        all.push(Endpoint::new(name, request)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(mode: &str) -> HostConfig {
        HostConfig { network_mode: mode.into(), ..HostConfig::default() }
    }

    fn refused(host: &HostConfig, requests: serde_json::Value) -> String {
        let requests = serde_json::from_value(requests).unwrap();
        wanted(&Config::default(), host, requests).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_in_dockers_words() {
        let nothing = || serde_json::json!({});
        assert!(refused(&host("host"), nothing()).contains("--network host is never done"));
        assert!(refused(&host("container:x"), nothing()).contains("container:x is never done"));
        for (mode, request, words) in [
            ("none", serde_json::json!({"web": {}}), "private (none) mode"),
            ("web", serde_json::json!({"none": {}}), "private (none) mode"),
            ("bridge", serde_json::json!({"bridge": {"Aliases": ["a"]}}), "network-scoped alias"),
            (
                "bridge",
                serde_json::json!({"bridge": {"IPAMConfig": {"IPv4Address": "1.2.3.4"}}}),
                "user defined networks only",
            ),
            ("web", serde_json::json!({"web": {"IPAMConfig": {"IPv4Address": "1.2.3"}}}), "1.2.3"),
            ("web", serde_json::json!({"web": {"Aliases": ["a b"]}}), "a b"),
            ("web", serde_json::json!({"web": {"Links": ["a:b:c"]}}), "bad format for links: a:b:c"),
            ("web", serde_json::json!({"web": {"MacAddress": "x"}}), "invalid MAC address: x"),
        ] {
            let said = refused(&host(mode), request);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn the_mode_comes_first_and_the_rest_by_name() {
        let requests = serde_json::from_value(serde_json::json!({
            "a": {}, "default": {"MacAddress": ""}, "c": {"Aliases": ["x", "y"]}
        }));
        let config = Config { mac_address: "02:00:00:00:00:01".into(), ..Config::default() };
        let all = wanted(&config, &host("web"), requests.unwrap()).unwrap();
        let names: Vec<&str> = all.iter().map(|e| e.network.as_str()).collect();
        assert_eq!(names, ["web", "a", "c"]);
        assert_eq!(all[0].hardware, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(all[2].aliases, ["x", "y"]);
        assert!(wanted(&Config::default(), &host("none"), BTreeMap::new()).unwrap().is_empty());
    }
}
