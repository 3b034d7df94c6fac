//! A container's networks in Docker's shapes: `NetworkSettings` of `inspect`, `Networks` of lists.

use crate::engine::Engine;
use crate::engine::networks::{Endpoint, INTERNET, Live, NONE, Way};
use crate::engine::record::Record;
use serde_json::{Map, Value, json};

/// A hardware address as it is written.
pub(super) fn hardware(live: &Live) -> String {
    live.hardware.map(|byte| format!("{byte:02x}")).join(":")
}

/// `NetworkSettings` of `inspect`.
pub(super) fn settings(engine: &Engine, record: &Record) -> Value {
    let networks = networks(engine, record);
    // The fields of the default network stand outside, too: Docker's older shape.
    let bridge = &networks["bridge"];
    let text = |field: &str| bridge[field].as_str().unwrap_or_default().to_owned();
    json!({
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": text("EndpointID"),
        "Gateway": text("Gateway"),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": text("IPAddress"),
        "IPPrefixLen": bridge["IPPrefixLen"].as_u64().unwrap_or(0),
        "IPv6Gateway": "",
        "MacAddress": text("MacAddress"),
        "Ports": ports(record),
        "Networks": networks,
    })
}

/// The networks that a container is in, by name.
pub(super) fn networks(engine: &Engine, record: &Record) -> Value {
    let mode = record.host.network_mode.as_str();
    if matches!(mode, "" | NONE | INTERNET) {
        let name = if mode.is_empty() { NONE } else { mode };
        return json!({ name: shown(engine, record, &Endpoint { network: name.into(), ..Endpoint::default() }) });
    }
    let each = record.endpoints.iter().map(|e| (e.network.clone(), shown(engine, record, e)));
    Value::Object(each.collect::<Map<String, Value>>())
}

fn shown(engine: &Engine, record: &Record, endpoint: &Endpoint) -> Value {
    let network = endpoint.network(&engine.networks);
    let live = endpoint.live.as_ref();
    let inside = network.as_ref().zip(live);
    let id = match endpoint.network.as_str() {
        fixed @ (NONE | INTERNET) => fixed.to_owned(),
        _ => network.as_ref().map(|n| n.id.clone()).unwrap_or_default(),
    };
    let names = network.as_ref().filter(|n| !n.predefined()).map(|_| endpoint.names(record));
    json!({
        "IPAMConfig": endpoint.wanted.map(|address| json!({ "IPv4Address": address })),
        "Links": Some(&endpoint.links).filter(|links| !links.is_empty()),
        "Aliases": (!endpoint.aliases.is_empty()).then_some(&endpoint.aliases),
        "MacAddress": live.map(hardware).unwrap_or_default(),
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": id,
        "EndpointID": live.map_or("", |l| l.id.as_str()),
        "Gateway": inside.map(|(n, _)| n.gateway.to_string()).unwrap_or_default(),
        "IPAddress": live.map(|l| l.address.to_string()).unwrap_or_default(),
        "IPPrefixLen": inside.map_or(0, |(n, _)| n.subnet.prefix_len()),
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": names,
    })
}

/// Whether a container is in a network, by its name or id.
pub(super) fn is_in(engine: &Engine, record: &Record, wanted: &str) -> bool {
    let networks = networks(engine, record);
    let one = |(name, shown): (&String, &Value)| {
        name == wanted
            || shown["NetworkID"].as_str().is_some_and(|id| !wanted.is_empty() && id.starts_with(wanted))
    };
    networks.as_object().into_iter().flatten().any(one)
}

/// `Ports` of `inspect`: where each published or exposed port of a running container is.
fn ports(record: &Record) -> Value {
    let mut all = Map::new();
    // Without a network nobody reaches a port, exposed or not.
    let networks = matches!(Way::of(&record.host.network_mode), Ok(Way::Networks));
    if record.state.alive().is_none() || !networks {
        return Value::Object(all);
    }
    for port in record.config.exposed_ports.keys() {
        let full = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        all.insert(full, Value::Null);
    }
    for one in &record.published {
        let place = json!({ "HostIp": one.address, "HostPort": one.host.to_string() });
        let places = all.entry(format!("{}/{}", one.container, one.protocol.word())).or_insert(Value::Null);
        match places {
            Value::Array(list) => list.push(place),
            other => *other = json!([place]),
        }
    }
    Value::Object(all)
}

/// `Ports` of lists.
pub(super) fn port_list(record: &Record) -> Vec<Value> {
    let mut all: Vec<Value> = record
        .published
        .iter()
        .map(|p| {
            json!({ "IP": p.address, "PrivatePort": p.container, "PublicPort": p.host, "Type": p.protocol.word() })
        })
        .collect();
    let shown = ports(record);
    for (port, _) in shown.as_object().into_iter().flatten().filter(|(_, places)| places.is_null()) {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let number = number.parse::<u16>().unwrap_or_default();
        all.push(json!({ "PrivatePort": number, "Type": protocol }));
    }
    all
}
