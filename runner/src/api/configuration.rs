//! `Config` and `HostConfig` as `inspect` shows them: every field that Docker's clients may look for, `null` where nothing
//! was said.

use crate::engine::record::Record;
use serde_json::{Map, Value, json};

/// Lists and maps that are `null` when nothing was said.
const NULL: [&str; 23] = [
    "Binds",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeightDevice",
    "CapAdd",
    "CapDrop",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "MemorySwappiness",
    "PidsLimit",
    "PortBindings",
    "SecurityOpt",
    "Ulimits",
    "VolumesFrom",
];
/// What is left out when nothing was said.
const LEFT_OUT: [&str; 6] = ["Annotations", "Init", "Mounts", "StorageOpt", "Sysctls", "Tmpfs"];
/// Bytes of `/dev/shm` where nothing else was said.
const SHM: i64 = 64 << 20;

/// The fields that Sandlot has nothing to say about, as they are in a container that did not ask for them.
fn unsaid() -> Value {
    json!({
        "Cgroup": "",
        "CgroupnsMode": "private",
        "ConsoleSize": [0, 0],
        "ContainerIDFile": "",
        "CpuCount": 0,
        "CpuPercent": 0,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "IOMaximumBandwidth": 0,
        "IOMaximumIOps": 0,
        "Isolation": "",
        "LogConfig": { "Type": "json-file", "Config": {} },
        "OomKillDisable": false,
        "PublishAllPorts": false,
        "Runtime": "sandlot",
        "VolumeDriver": "",
    })
}

/// The `Config` of a container.
pub(super) fn config(record: &Record) -> Value {
    let Ok(Value::Object(mut config)) = serde_json::to_value(&record.config) else { return Value::Null };
    config.entry("OnBuild").or_insert(Value::Null);
    for key in ["Cmd", "Entrypoint", "Volumes"] {
        if config.get(key).is_none_or(empty) {
            config.insert(key.into(), Value::Null);
        }
    }
    for key in ["ExposedPorts", "Healthcheck", "StopSignal", "StopTimeout"] {
        if config.get(key).is_some_and(empty) {
            config.remove(key);
        }
    }
    Value::Object(config)
}

/// The `HostConfig` of a container.
pub(super) fn host(record: &Record) -> Value {
    let Ok(Value::Object(mut host)) = serde_json::to_value(&record.host) else { return Value::Null };
    host.insert("NetworkMode".into(), json!(super::inspect::network(record)));
    if let Value::Object(unsaid) = unsaid() {
        for (key, value) in unsaid {
            host.entry(key).or_insert(value);
        }
    }
    for key in NULL {
        if host.get(key).is_none_or(empty) {
            host.insert(key.into(), Value::Null);
        }
    }
    for key in LEFT_OUT {
        if host.get(key).is_some_and(empty) {
            host.remove(key);
        }
    }
    default(&mut host, "IpcMode", json!("private"));
    default(&mut host, "ShmSize", json!(SHM));
    // Nothing of them is hidden or shut: the user namespace already does that. Empty, not `null`, is what says so.
    host.insert("MaskedPaths".into(), json!([]));
    host.insert("ReadonlyPaths".into(), json!([]));
    Value::Object(host)
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn default(host: &mut Map<String, Value>, key: &str, value: Value) {
    if host.get(key).is_none_or(|old| *old == json!("") || *old == json!(0)) {
        host.insert(key.into(), value);
    }
}
