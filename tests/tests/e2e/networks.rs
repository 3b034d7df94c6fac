//! Networks by the real `docker` client, each engine in a network namespace of its own.

use sandlot_tests::sandbox::{Part, Sandbox};
use serde_json::Value;

pub(super) const IMAGE: &str = "sandlot/starter";

pub(super) fn container(sandbox: &Sandbox, name: &str, flags: &[&str]) {
    let mut arguments = vec!["run", "-d", "--name", name];
    arguments.extend(flags);
    arguments.extend([
        IMAGE,
        "sh",
        "-c",
        "mkdir /www; echo here is $HOSTNAME > /www/index.html; exec httpd -f -p 80 -h /www",
    ]);
    sandbox.ok(&arguments).unwrap();
}

/// What `from` gets of the page at `to`; waits for a server that is just starting.
pub(super) fn fetch(sandbox: &Sandbox, from: &str, to: &str) -> Option<String> {
    let script = format!("for n in $(seq 50); do wget -q -O - http://{to}/ && exit; sleep 0.2; done; exit 1");
    let output = sandbox.docker(&["exec", from, "sh", "-c", &script]).unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `from` reaches nobody at `to`, at the first try.
pub(super) fn denied(sandbox: &Sandbox, from: &str, to: &str) -> bool {
    let url = format!("http://{to}/");
    let output = sandbox.docker(&["exec", from, "wget", "-q", "-O", "-", &url]).unwrap();
    !output.status.success()
}

fn inspect(sandbox: &Sandbox, name: &str) -> Value {
    let all: Value = serde_json::from_str(&sandbox.ok(&["inspect", name]).unwrap()).unwrap();
    all[0].clone()
}

pub(super) fn address(sandbox: &Sandbox, name: &str, network: &str) -> String {
    inspect(sandbox, name)["NetworkSettings"]["Networks"][network]["IPAddress"].as_str().unwrap().to_owned()
}

pub(super) fn refused(sandbox: &Sandbox, arguments: &[&str], words: &str) {
    let output = sandbox.docker(arguments).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
}

#[tokio::test]
async fn the_default_network_is_a_bridge() {
    let sandbox = Sandbox::networked().await.unwrap();
    container(&sandbox, "one", &["--hostname", "first"]);
    container(&sandbox, "two", &[]);
    assert_eq!(address(&sandbox, "one", "bridge"), "172.17.0.2");
    assert_eq!(fetch(&sandbox, "two", "172.17.0.2").as_deref(), Some("here is first"));
    let seen = inspect(&sandbox, "one");
    let settings = &seen["NetworkSettings"];
    assert_eq!(settings["IPAddress"], "172.17.0.2");
    assert_eq!(settings["Gateway"], "172.17.0.1");
    assert_eq!(settings["MacAddress"], "02:42:ac:11:00:02");
    assert_eq!(settings["Networks"]["bridge"]["IPPrefixLen"], 16);
    assert_eq!(seen["HostConfig"]["NetworkMode"], "bridge");
    let inside = sandbox.ok(&["exec", "one", "cat", "/etc/hosts"]).unwrap();
    assert!(inside.contains("172.17.0.2\tfirst"), "{inside}");
    assert!(sandbox.ok(&["network", "inspect", "bridge"]).unwrap().contains("172.17.0.3/16"));
    // The address comes free with the end.
    sandbox.ok(&["rm", "-f", "one"]).unwrap();
    container(&sandbox, "three", &[]);
    assert_eq!(address(&sandbox, "three", "bridge"), "172.17.0.2");
    assert!(fetch(&sandbox, "two", "172.17.0.2").is_some());
}

#[tokio::test]
async fn networks_are_made_shown_and_removed_in_dockers_words() {
    let sandbox = Sandbox::networked().await.unwrap();
    let made = sandbox.ok(&[
        "network",
        "create",
        "--subnet",
        "10.5.0.0/24",
        "--gateway",
        "10.5.0.9",
        "--ip-range",
        "10.5.0.64/26",
        "--label",
        "a=b",
        "--attachable",
        "--internal",
        "shop",
    ]);
    assert_eq!(made.unwrap().len(), 64);
    sandbox.ok(&["network", "create", "plain"]).unwrap();
    let names =
        |filter: &str| sandbox.ok(&["network", "ls", "--format", "{{.Name}}", "--filter", filter]).unwrap();
    assert_eq!(names("type=builtin"), "bridge\ninternet\nnone");
    assert_eq!(names("type=custom"), "plain\nshop");
    assert_eq!(names("label=a=b"), "shop");
    assert_eq!(names("driver=null"), "none");
    assert_eq!(names("dangling=true"), "plain\nshop");
    let seen: Value = serde_json::from_str(&sandbox.ok(&["network", "inspect", "shop"]).unwrap()).unwrap();
    let ipam = &seen[0]["IPAM"]["Config"][0];
    assert_eq!(
        (&ipam["Subnet"], &ipam["Gateway"], &ipam["IPRange"]),
        (&"10.5.0.0/24".into(), &"10.5.0.9".into(), &"10.5.0.64/26".into())
    );
    assert_eq!((&seen[0]["Internal"], &seen[0]["Attachable"]), (&true.into(), &true.into()));
    container(
        &sandbox,
        "web",
        &["--network", "shop", "--ip", "10.5.0.77", "--mac-address", "02:00:00:00:00:07"],
    );
    container(&sandbox, "next", &["--network", "shop"]);
    assert_eq!(
        (address(&sandbox, "web", "shop"), address(&sandbox, "next", "shop")),
        ("10.5.0.77".into(), "10.5.0.64".into())
    );
    assert!(
        sandbox
            .ok(&["exec", "web", "cat", "/sys/class/net/eth0/address"])
            .unwrap()
            .contains("02:00:00:00:00:07")
    );
    refused(
        &sandbox,
        &["run", "--rm", "--network", "shop", "--ip", "10.5.0.77", IMAGE, "true"],
        "Address already in use",
    );
    refused(&sandbox, &["network", "rm", "shop"], "network shop id");
    refused(&sandbox, &["network", "rm", "shop"], "has active endpoints");
    assert_eq!(
        sandbox.ok(&["ps", "--filter", "network=shop", "--format", "{{.Names}}"]).unwrap(),
        "next\nweb"
    );
    assert_eq!(sandbox.ok(&["network", "prune", "-f"]).unwrap(), "Deleted Networks:\nplain");
    sandbox.ok(&["rm", "-f", "web", "next"]).unwrap();
    sandbox.ok(&["network", "rm", "shop"]).unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_dockers_words() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "--subnet", "10.5.0.0/24", "shop"]).unwrap();
    sandbox.ok(&["network", "create", "plain"]).unwrap();
    for (arguments, words) in [
        (&["network", "create", "shop"][..], "network with name shop already exists"),
        (&["network", "create", "bridge"], "operation is not permitted on predefined bridge network"),
        (
            &["network", "create", "--subnet", "10.5.0.0/16", "x"],
            "Pool overlaps with other one on this address space",
        ),
        (&["network", "create", "--ipv6", "x"], "IPv6 is not routed"),
        (&["network", "create", "-d", "overlay", "x"], "the only driver is bridge"),
        (&["network", "rm", "bridge"], "bridge is a pre-defined network and cannot be removed"),
        (&["network", "rm", "nope"], "network nope not found"),
        (&["network", "inspect", "nope"], "network nope not found"),
        (&["run", "--rm", "--network", "nope", IMAGE, "true"], "network nope not found"),
        (&["run", "--rm", "--network", "host", IMAGE, "true"], "--network host is never done"),
        (&["run", "--rm", "--network", "container:x", IMAGE, "true"], "is never done"),
        (&["run", "--rm", "--add-host", "x:host-gateway", IMAGE, "true"], "host-gateway is never done"),
        (&["run", "--rm", "--ip", "172.17.0.9", IMAGE, "true"], "user defined networks only"),
        (
            &["run", "--rm", "--network", "plain", "--ip", "172.18.0.9", IMAGE, "true"],
            "user configured subnets",
        ),
        (&["run", "--rm", "--network-alias", "a", IMAGE, "true"], "network-scoped alias"),
        (
            &["run", "--rm", "--link", "a:b", IMAGE, "true"],
            "could not get container for a: No such container: a",
        ),
    ] {
        refused(&sandbox, arguments, words);
    }
}

#[tokio::test]
async fn networks_are_apart_and_the_host_is_out_of_reach() {
    let sandbox = Sandbox::networked().await.unwrap();
    for name in ["red", "blue"] {
        sandbox.ok(&["network", "create", name]).unwrap();
    }
    container(&sandbox, "r1", &["--network", "red"]);
    container(&sandbox, "r2", &["--network", "red"]);
    container(&sandbox, "b1", &["--network", "blue"]);
    let (r1, b1) = (address(&sandbox, "r1", "red"), address(&sandbox, "b1", "blue"));
    assert!(fetch(&sandbox, "r2", &r1).is_some(), "neighbours");
    assert!(denied(&sandbox, "b1", &r1) && denied(&sandbox, "r1", &b1), "another network");
    let host = sandbox.netns().unwrap().inside(|| Ok(std::net::TcpListener::bind("0.0.0.0:80")?)).unwrap();
    for gateway in ["172.18.0.1", "172.19.0.1", "172.17.0.1"] {
        assert!(denied(&sandbox, "r1", gateway), "the host by {gateway}");
    }
    drop(host);
    // The host reaches containers, as Docker's does.
    let at: std::net::SocketAddr = format!("{r1}:80").parse().unwrap();
    sandbox.netns().unwrap().inside(|| Ok(std::net::TcpStream::connect(at)?)).unwrap();
}

#[tokio::test]
async fn a_running_container_comes_into_a_network_and_leaves_it() {
    let sandbox = Sandbox::networked().await.unwrap();
    for name in ["red", "blue"] {
        sandbox.ok(&["network", "create", name]).unwrap();
    }
    container(&sandbox, "web", &["--network", "red"]);
    container(&sandbox, "far", &["--network", "blue"]);
    let far = address(&sandbox, "far", "blue");
    assert!(denied(&sandbox, "web", &far));
    sandbox.ok(&["network", "connect", "blue", "web"]).unwrap();
    assert!(fetch(&sandbox, "web", &far).is_some());
    let own = address(&sandbox, "web", "blue");
    assert!(sandbox.ok(&["exec", "web", "cat", "/etc/hosts"]).unwrap().contains(&own));
    assert!(sandbox.ok(&["exec", "web", "ls", "/sys/class/net"]).unwrap().contains("eth1"));
    refused(
        &sandbox,
        &["network", "connect", "blue", "web"],
        "endpoint with name web already exists in network blue",
    );
    sandbox.ok(&["network", "disconnect", "blue", "web"]).unwrap();
    assert!(denied(&sandbox, "web", &far));
    assert!(!sandbox.ok(&["exec", "web", "cat", "/etc/hosts"]).unwrap().contains(&own));
    refused(&sandbox, &["network", "disconnect", "blue", "web"], "is not connected to network blue");
    // One that does not run is in it from its next start on.
    sandbox.ok(&["stop", "-t", "0", "web"]).unwrap();
    sandbox.ok(&["network", "connect", "blue", "web"]).unwrap();
    sandbox.ok(&["network", "disconnect", "red", "web"]).unwrap();
    sandbox.ok(&["start", "web"]).unwrap();
    assert!(fetch(&sandbox, "web", &far).is_some());
    sandbox.ok(&["run", "-d", "--network", "none", "--name", "alone", IMAGE, "sleep", "1000"]).unwrap();
    refused(&sandbox, &["network", "connect", "blue", "alone"], "private (none) mode");
}

#[tokio::test]
async fn networks_outlive_the_engine() {
    let mut sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "red"]).unwrap();
    container(&sandbox, "one", &["--network", "red"]);
    container(&sandbox, "two", &["--network", "red"]);
    let one = address(&sandbox, "one", "red");
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(address(&sandbox, "one", "red"), one);
    assert!(fetch(&sandbox, "two", &one).is_some());
    container(&sandbox, "three", &["--network", "red"]);
    assert_eq!(
        address(&sandbox, "three", "red"),
        "172.18.0.4",
        "an address of a running container was given again"
    );
    assert!(fetch(&sandbox, "three", &one).is_some());
    refused(&sandbox, &["network", "rm", "red"], "has active endpoints");
}
