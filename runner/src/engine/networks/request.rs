//! What is asked for of networks, in Docker's own words; and what of it can be.

use super::subnets::Plan;
use crate::engine::error::Error;
use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The body of `POST /networks/create`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct NetworkRequest {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub driver: String,
    #[serde(deserialize_with = "nullable")]
    pub scope: String,
    #[serde(deserialize_with = "nullable")]
    pub internal: bool,
    #[serde(deserialize_with = "nullable")]
    pub attachable: bool,
    #[serde(deserialize_with = "nullable")]
    pub ingress: bool,
    #[serde(deserialize_with = "nullable")]
    pub config_only: bool,
    #[serde(rename = "EnableIPv6", deserialize_with = "nullable")]
    pub enable_ipv6: bool,
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: Option<bool>,
    #[serde(rename = "IPAM", deserialize_with = "nullable")]
    pub ipam: Ipam,
    #[serde(deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

/// Addresses of a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct Ipam {
    #[serde(deserialize_with = "nullable")]
    pub driver: String,
    #[serde(deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub config: Vec<IpamConfig>,
}

/// A range of addresses of a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct IpamConfig {
    #[serde(deserialize_with = "nullable")]
    pub subnet: String,
    #[serde(rename = "IPRange", deserialize_with = "nullable")]
    pub ip_range: String,
    #[serde(deserialize_with = "nullable")]
    pub gateway: String,
    #[serde(deserialize_with = "nullable")]
    pub auxiliary_addresses: BTreeMap<String, String>,
}

/// What a container asks of a network: `NetworkingConfig.EndpointsConfig` and `EndpointConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct EndpointRequest {
    #[serde(rename = "IPAMConfig", deserialize_with = "nullable")]
    pub ipam: EndpointIpam,
    #[serde(deserialize_with = "nullable")]
    pub links: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub mac_address: String,
}

/// The address that a container asks for.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct EndpointIpam {
    #[serde(rename = "IPv4Address", deserialize_with = "nullable")]
    pub ipv4_address: String,
    #[serde(rename = "IPv6Address", deserialize_with = "nullable")]
    pub ipv6_address: String,
}

/// Options of the driver that are understood.
pub(super) const NEIGHBOURS: &str = "com.docker.network.bridge.enable_icc";
/// The longest packet.
pub(super) const MTU: &str = "com.docker.network.driver.mtu";
/// Where published ports listen.
pub(super) const BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
/// How all options begin that Docker's drivers read: one that is not understood here would change something there.
const DRIVERS: &str = "com.docker.network.";
/// Whether addresses are hidden behind the host's: always.
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

/// The longest name.
const NAME: usize = 128;

impl NetworkRequest {
    /// Looks at everything but what other networks have; answers the addresses that were asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names what cannot be.
    pub(super) fn check(&self) -> Result<Option<Plan>, Error> {
        name(&self.name)?;
        if !matches!(self.driver.as_str(), "" | "default" | "bridge") {
            return Err(Error::not_found("plugin", format!("{}; the only driver is bridge", self.driver)));
        }
        let refuse = |what: &str| Err(Error::invalid(what));
        if self.enable_ipv6 {
            return refuse("--ipv6: IPv6 is not routed into containers; all of it is dropped");
        }
        if self.enable_ipv4 == Some(false) {
            return refuse("--ipv4=false: a network has IPv4 addresses");
        }
        if self.ingress || self.config_only || self.scope == "swarm" {
            return refuse(
                "--ingress, --config-only and --scope swarm are for swarms, which there are none of",
            );
        }
        if !matches!(self.ipam.driver.as_str(), "" | "default") {
            return refuse("--ipam-driver: the only one is default");
        }
        options(&self.options)?;
        match self.ipam.config.as_slice() {
            [] => Ok(None),
            [one] => plan(one),
            _ => refuse("a network of the driver bridge has one subnet"),
        }
    }
}

fn name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = (1..=NAME).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid network name: {name:?}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, at most {NAME} characters"
    )))
}

fn options(options: &BTreeMap<String, String>) -> Result<(), Error> {
    for (key, value) in options {
        let good = match key.as_str() {
            NEIGHBOURS => matches!(value.as_str(), "true" | "false"),
            MASQUERADE => value == "true",
            MTU => value.parse::<u32>().is_ok_and(|mtu| (68..=65_535).contains(&mtu)),
            BINDING => value.parse::<Ipv4Addr>().is_ok(),
            // Other programs' notes, which no driver reads.
            other if !other.starts_with(DRIVERS) => true,
            _ => {
                return Err(Error::invalid(format!(
                    "--opt {key}: only {NEIGHBOURS}, {MTU} and {BINDING} are understood"
                )));
            }
        };
        if !good {
            return Err(Error::invalid(format!("--opt {key}={value}: the value cannot be")));
        }
    }
    Ok(())
}

fn plan(wanted: &IpamConfig) -> Result<Option<Plan>, Error> {
    if wanted.subnet.is_empty() {
        if wanted.ip_range.is_empty() && wanted.gateway.is_empty() && wanted.auxiliary_addresses.is_empty() {
            return Ok(None);
        }
        return Err(Error::invalid("--gateway, --ip-range and --aux-address go with a --subnet"));
    }
    let net = |text: &str| {
        text.parse::<Ipv4Net>().map_err(|_| {
            Error::invalid(format!("invalid subnet {text}: write an IPv4 range, as in 172.30.0.0/16"))
        })
    };
    let subnet = net(&wanted.subnet)?;
    if subnet.trunc() != subnet {
        let bits = "the host bits are not zero";
        return Err(Error::invalid(format!(
            "invalid subnet {subnet}: {bits}: it should be {}",
            subnet.trunc()
        )));
    }
    if !(8..=30).contains(&subnet.prefix_len()) {
        return Err(Error::invalid(format!(
            "invalid subnet {subnet}: from /8 to /30 are, for there are a gateway and a container"
        )));
    }
    if !subnet.addr().is_private() {
        return Err(Error::invalid(format!(
            "invalid subnet {subnet}: only private ranges are given to containers (10.0.0.0/8, 172.16.0.0/12, \
             192.168.0.0/16)"
        )));
    }
    let gateway = match wanted.gateway.as_str() {
        "" => None,
        text => Some(
            text.parse::<Ipv4Addr>()
                .map_err(|_| Error::invalid(format!("invalid gateway address: {text}")))?,
        ),
    };
    if let Some(gateway) = gateway.filter(|g| !subnet.contains(g)) {
        return Err(Error::invalid(format!("no matching subnet for gateway {gateway}")));
    }
    let range = if wanted.ip_range.is_empty() { None } else { Some(net(&wanted.ip_range)?.trunc()) };
    if let Some(range) = range.filter(|range| !subnet.contains(range)) {
        return Err(Error::invalid(format!("no matching subnet for range {range}")));
    }
    let kept = wanted.auxiliary_addresses.iter().map(|one| kept(one, subnet)).collect::<Result<_, _>>()?;
    Ok(Some(Plan { subnet, gateway, range, kept }))
}

/// An address that is something else's, by what has it.
fn kept((name, text): (&String, &String), subnet: Ipv4Net) -> Result<(String, Ipv4Addr), Error> {
    let address = text.parse().map_err(|_| {
        Error::invalid(format!("non parsable secondary ip address ({name}:{text}) passed for network"))
    })?;
    if subnet.contains(&address) {
        return Ok((name.clone(), address));
    }
    Err(Error::Forbidden(format!(
        "auxiliary address: ({name}:{address}) must belong to the master pool: {subnet}"
    )))
}

/// A hardware address as it is written: `02:42:ac:11:00:02`.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn hardware(text: &str) -> Result<[u8; 6], Error> {
    let wrong = || Error::invalid(format!("invalid MAC address: {text}"));
    let bytes: Option<Vec<u8>> = text
        .split([':', '-'])
        .map(|part| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u8::from_str_radix(part, 16).ok())
                .flatten()
        })
        .collect();
    let address: [u8; 6] = bytes.and_then(|b| b.try_into().ok()).ok_or_else(wrong)?;
    if address[0] & 1 == 1 || address == [0; 6] {
        return Err(Error::invalid(format!("invalid MAC address: {text}: it is no single interface's")));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: serde_json::Value) -> String {
        serde_json::from_value::<NetworkRequest>(body).unwrap().check().unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_named() {
        let ipam = |config: serde_json::Value| serde_json::json!({"Name": "a", "IPAM": {"Config": [config]}});
        for (body, words) in [
            (serde_json::json!({"Name": "a b"}), "invalid network name"),
            (serde_json::json!({"Name": ""}), "invalid network name"),
            (serde_json::json!({"Name": "a", "Driver": "overlay"}), "overlay"),
            (serde_json::json!({"Name": "a", "EnableIPv6": true}), "--ipv6"),
            (
                serde_json::json!({"Name": "a", "Options": {"com.docker.network.bridge.name": "br0"}}),
                "bridge.name",
            ),
            (serde_json::json!({"Name": "a", "Options": {MTU: "7"}}), "mtu=7"),
            (ipam(serde_json::json!({"Subnet": "rubbish"})), "invalid subnet rubbish"),
            (ipam(serde_json::json!({"Subnet": "172.30.0.1/16"})), "172.30.0.0/16"),
            (ipam(serde_json::json!({"Subnet": "8.8.8.0/24"})), "private"),
            (ipam(serde_json::json!({"Subnet": "10.0.0.0/31"})), "/30"),
            (
                ipam(serde_json::json!({"Subnet": "10.1.0.0/24", "Gateway": "10.2.0.1"})),
                "no matching subnet for gateway",
            ),
            (
                ipam(serde_json::json!({"Subnet": "10.1.0.0/24", "IPRange": "10.2.0.0/25"})),
                "no matching subnet",
            ),
            (ipam(serde_json::json!({"Gateway": "10.2.0.1"})), "--subnet"),
            (ipam(serde_json::json!({"AuxiliaryAddresses": {"a": "10.2.0.1"}})), "--subnet"),
            (
                ipam(serde_json::json!({"Subnet": "10.1.0.0/24", "AuxiliaryAddresses": {"a": "10.2.0.1"}})),
                "auxiliary address: (a:10.2.0.1) must belong to the master pool: 10.1.0.0/24",
            ),
            (
                ipam(serde_json::json!({"Subnet": "10.1.0.0/24", "AuxiliaryAddresses": {"a": "x"}})),
                "non parsable secondary ip address (a:x)",
            ),
        ] {
            let said = refused(body);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(hardware("02:42:ac:11:00:02").unwrap(), [2, 0x42, 0xac, 0x11, 0, 2]);
        for wrong in [
            "",
            "02:42:ac:11:00",
            "02:42:ac:11:00:0g",
            "ff:ff:ff:ff:ff:ff",
            "2:2:2:2:2:2",
            "+2:42:ac:11:00:02",
        ] {
            assert!(hardware(wrong).is_err(), "{wrong}");
        }
    }
}
