//! What the engine says about itself and its host: `version` and `info`.

use super::version::Version;
use super::{OLDEST, VERSION};
use crate::container::cgroup::{Controller, Layout};
use crate::engine::Engine;
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// `GET /version`
pub(super) async fn version() -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    let kernel = rustix::system::uname();
    let mut all = json!({
        "ApiVersion": VERSION,
        "MinAPIVersion": OLDEST,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture(),
        "KernelVersion": kernel.release().to_string_lossy(),
        "BuildTime": "",
    });
    let mut details = all.clone();
    details["Experimental"] = json!("true");
    all["Experimental"] = json!(true);
    all["Version"] = json!(version);
    all["Platform"] = json!({ "Name": "Sandlot" });
    all["Components"] = json!([{ "Name": "Engine", "Version": version, "Details": details }]);
    Json(all)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `GET /info`
pub(super) async fn info(State(engine): State<Engine>, Version(spoken): Version) -> Json<Value> {
    let mut all = Map::new();
    for part in [host(&engine), containers(&engine), limits(&engine), registries(&engine), fixed()] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    let security = ["seccomp,profile=sandlot", "userns", "no-new-privileges", "cgroupns"];
    // Before 1.25 there were no names of names.
    let option = |text: &str| match spoken {
        ..25 => text.split(',').next().unwrap_or(text).to_owned(),
        _ => format!("name={text}"),
    };
    all.insert("SecurityOptions".into(), security.iter().map(|text| option(text)).collect());
    if spoken < 25 {
        all.insert("ExecutionDriver".into(), json!("<not supported>"));
    }
    Json(Value::Object(all))
}

/// The machine.
fn host(engine: &Engine) -> Value {
    let kernel = rustix::system::uname();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    let system = Some(named("PRETTY_NAME")).filter(|name| !name.is_empty());
    json!({
        "ID": id(engine),
        "Name": kernel.nodename().to_string_lossy(),
        "OperatingSystem": system.unwrap_or_else(|| "Linux".into()),
        "OSVersion": named("VERSION_ID"),
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "KernelVersion": kernel.release().to_string_lossy(),
        "NCPU": std::thread::available_parallelism().map_or(1, usize::from),
        "MemTotal": crate::engine::stats::machine_memory(),
        "SystemTime": jiff::Timestamp::now().to_string(),
        "NFd": std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        "NGoroutines": std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
        "NEventsListener": engine.events.listeners(),
    })
}

/// The same for an engine's whole life on this machine: drawn from what the machine is, and where the state lies.
fn id(engine: &Engine) -> String {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let hash = Sha256::digest(format!("{machine}{}", engine.settings.state.display()));
    let hex = hex::encode(hash);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

fn containers(engine: &Engine) -> Value {
    let all: Vec<&str> = engine.containers().iter().map(|c| c.state().word()).collect();
    let count = |word| all.iter().filter(|w| **w == word).count();
    json!({
        "Containers": all.len(),
        "ContainersRunning": count("running"),
        "ContainersPaused": count("paused"),
        "ContainersStopped": all.len() - count("running") - count("paused"),
        "Images": engine.images.list().map(|l| l.len()).unwrap_or(0),
    })
}

/// What of limits the host can do.
fn limits(engine: &Engine) -> Value {
    let groups = engine.groups();
    let has = |controller| groups.has(controller);
    let (memory, swap, cpu) = (has(Controller::Memory), groups.limits_swap(), has(Controller::Cpu));
    let (cpuset, pids, io) = (has(Controller::Cpuset), has(Controller::Pids), has(Controller::Io));
    let missing = [
        (memory, "memory limit"),
        (swap, "swap limit"),
        (cpu, "cpu cfs quota"),
        (cpu, "cpu shares"),
        (cpuset, "cpuset"),
        (pids, "pids limit"),
        (io, "blkio throttle"),
        (groups.weighs_io(), "blkio weight"),
    ];
    let warnings: Vec<String> = missing
        .iter()
        .filter(|(there, _)| !there)
        .map(|(_, what)| format!("WARNING: No {what} support"))
        .collect();
    json!({
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": if groups.layout() == Layout::V2 { "2" } else { "1" },
        "MemoryLimit": memory,
        "SwapLimit": swap,
        "CpuCfsPeriod": cpu,
        "CpuCfsQuota": cpu,
        "CPUShares": cpu,
        "CPUSet": cpuset,
        "PidsLimit": pids,
        "OomKillDisable": false,
        "Warnings": warnings,
    })
}

fn registries(engine: &Engine) -> Value {
    let official = json!({ "Name": "docker.io", "Mirrors": [], "Secure": true, "Official": true });
    let mut known = Map::from_iter([("docker.io".to_owned(), official)]);
    for name in &engine.settings.insecure_registries {
        known
            .insert(name.clone(), json!({ "Name": name, "Mirrors": [], "Secure": false, "Official": false }));
    }
    json!({
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "AllowNondistributableArtifactsCIDRs": [],
            "AllowNondistributableArtifactsHostnames": [],
            "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"],
            "IndexConfigs": known,
            "Mirrors": [],
        },
        "DockerRootDir": engine.settings.state,
    })
}

/// What is so on every host; what Docker's clients look for and Sandlot has not is empty.
fn fixed() -> Value {
    let none = json!({ "ID": "", "Expected": "" });
    json!({
        "Driver": "overlay2",
        "DriverStatus": [["Identity", "idmapped layers"]],
        "LoggingDriver": "json-file",
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "DefaultRuntime": "sandlot",
        "Runtimes": { "sandlot": { "path": "sandlot" } },
        "Plugins": {
            "Volume": ["local"], "Network": ["bridge", "internet", "null"], "Authorization": null, "Log": ["json-file", "local", "none"],
        },
        "Swarm": {
            "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
            "RemoteManagers": null,
        },
        "Labels": [],
        "IPv4Forwarding": true,
        "BridgeNfIptables": false,
        "BridgeNfIp6tables": false,
        "Debug": false,
        "ExperimentalBuild": true,
        "LiveRestoreEnabled": true,
        "GenericResources": null,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "InitBinary": "sandlot",
        "ContainerdCommit": none,
        "RuncCommit": none,
        "InitCommit": none,
        "Isolation": "",
    })
}
