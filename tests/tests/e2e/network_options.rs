//! What can be asked of a network beside its name, seen from inside the container and from the host: ports, addresses, names,
//! name servers, the length of packets.

use super::networks::{IMAGE, address, container, fetch, refused};
use sandlot_tests::netns::Netns;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::PATIENCE;
use std::collections::BTreeSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

/// The most clients of a published UDP port at once.
const CLIENTS: usize = 256;

/// The network namespace of a container that runs.
fn inside(sandbox: &Sandbox, name: &str) -> Netns {
    let pid = sandbox.ok(&["inspect", "--format", "{{.State.Pid}}", name]).unwrap();
    Netns::of(pid.parse().unwrap()).unwrap()
}

/// A socket for packets in a network namespace.
fn socket(netns: &Netns, at: &str) -> UdpSocket {
    let socket = netns.inside(|| Ok(UdpSocket::bind(at)?)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What is sent to a socket is answered by `reply`, for as long as the test runs.
fn answers(socket: UdpSocket, mut reply: impl FnMut(&[u8], SocketAddr) -> Vec<u8> + Send + 'static) {
    std::thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((n, from)) = socket.recv_from(&mut packet) {
            // As by any network, what does not arrive is lost.
            let _lost = socket.send_to(&reply(&packet[..n], from), from);
        }
    });
}

#[tokio::test]
async fn all_exposed_ports_are_published_to_drawn_ones() {
    let sandbox = Sandbox::networked().await.unwrap();
    container(&sandbox, "web", &["-P", "--expose", "80", "--expose", "9000/udp"]);
    let drawn = |port: &str| {
        let said = sandbox.ok(&["port", "web", port]).unwrap();
        said.strip_prefix("0.0.0.0:").unwrap().parse::<u16>().unwrap()
    };
    let (tcp, udp) = (drawn("80/tcp"), drawn("9000/udp"));
    assert!(tcp > 0 && udp > 0);
    let host = sandbox.netns().unwrap();
    answers(socket(&inside(&sandbox, "web"), "0.0.0.0:9000"), |packet, _| packet.to_vec());
    let client = socket(host, "127.0.0.1:0");
    client.send_to(b"hello", ("127.0.0.1", udp)).unwrap();
    let mut packet = [0; 16];
    assert_eq!(client.recv(&mut packet).unwrap(), 5);
    assert!(fetch(&sandbox, "web", "127.0.0.1").is_some(), "it listens");
    let mut page = host.inside(|| Ok(TcpStream::connect(("127.0.0.1", tcp))?)).unwrap();
    std::io::Write::write_all(&mut page, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.contains("here is"), "{text}");
}

#[tokio::test]
async fn a_published_udp_port_serves_so_many_clients_and_no_more() {
    let sandbox = Sandbox::networked().await.unwrap();
    container(&sandbox, "echo", &["-p", "127.0.0.1:9000:9000/udp"]);
    let (host, seen) = (sandbox.netns().unwrap(), Arc::new(Mutex::new(BTreeSet::new())));
    let peers = Arc::clone(&seen);
    answers(socket(&inside(&sandbox, "echo"), "0.0.0.0:9000"), move |packet, from| {
        peers.lock().unwrap().insert(from);
        packet.to_vec()
    });
    let asks = |client: &UdpSocket, word: &str| {
        client.send_to(word.as_bytes(), "127.0.0.1:9000").unwrap();
        let mut packet = [0; 16];
        let n = client.recv(&mut packet).unwrap();
        assert_eq!(&packet[..n], word.as_bytes(), "another's answer");
    };
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let client = socket(host, "127.0.0.1:0");
        asks(&client, &n.to_string());
        clients.push(client);
    }
    let late = socket(host, "127.0.0.1:0");
    late.send_to(b"late", "127.0.0.1:9000").unwrap();
    // Packets are taken in order: once these are answered, the late one has been dropped.
    asks(&clients[0], "again");
    asks(&clients[CLIENTS - 1], "again");
    late.set_nonblocking(true).unwrap();
    assert_eq!(late.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(seen.lock().unwrap().len(), CLIENTS);
    // The port is given back with the container.
    sandbox.ok(&["rm", "-f", "echo"]).unwrap();
    drop(socket(host, "127.0.0.1:9000"));
}

/// Answers every question for an address with 192.0.2.99; tells who was asked for.
fn name_server(sandbox: &Sandbox, name: &str) -> Arc<Mutex<Vec<String>>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    answers(socket(&inside(sandbox, name), "0.0.0.0:53"), move |question, _| {
        let (mut labels, mut at) = (Vec::new(), 12);
        while question[at] != 0 {
            let end = at + 1 + usize::from(question[at]);
            labels.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
            at = end;
        }
        told.lock().unwrap().push(labels.join("."));
        let (is_address, end) = (question[at + 1..at + 3] == [0, 1], at + 5);
        let head = [&question[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]].concat();
        let answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99];
        [&head[..], &question[12..end], if is_address { &answer } else { &[] }].concat()
    });
    asked
}

#[tokio::test]
async fn name_servers_search_and_options_are_those_that_were_asked_for() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "--subnet", "10.5.0.0/24", "yard"]).unwrap();
    container(&sandbox, "names", &["--network", "yard", "--ip", "10.5.0.53"]);
    let asked = name_server(&sandbox, "names");
    let options = ["--dns", "10.5.0.53", "--dns-search", "example.org", "--dns-option", "ndots:2"];
    container(&sandbox, "box", &[&["--network", "yard"], &options[..]].concat());
    let conf = |name: &str| sandbox.ok(&["exec", name, "cat", "/etc/resolv.conf"]).unwrap();
    // In a network with names, the engine's own server asks the one that was named.
    assert_eq!(conf("box"), "nameserver 127.0.0.11\nsearch example.org\noptions ndots:2");
    let found = sandbox.ok(&["exec", "box", "nslookup", "far.example.org"]).unwrap();
    assert!(found.contains("192.0.2.99"), "{found}");
    assert!(fetch(&sandbox, "box", "names.").is_some(), "neighbours are found all the same");
    // Searched for by the system's own resolver, which wget asks.
    sandbox.docker(&["exec", "box", "timeout", "2", "wget", "-q", "-O", "-", "http://near:1/"]).unwrap();
    let names = asked.lock().unwrap().clone();
    assert!(names.contains(&"far.example.org".to_owned()), "{names:?}");
    assert!(names.contains(&"near.example.org".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("names")), "a neighbour's name went out: {names:?}");
    // In the default network there are none, and the server is asked at once.
    container(&sandbox, "plain", &options);
    assert_eq!(conf("plain"), "nameserver 10.5.0.53\nsearch example.org\noptions ndots:2");
    refused(&sandbox, &["run", "--rm", "--dns", "nobody", IMAGE, "true"], "not correctly formatted");
}

#[tokio::test]
async fn a_container_may_have_port_53_of_all_its_addresses_and_names_are_found_all_the_same() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "--subnet", "10.5.0.0/24", "yard"]).unwrap();
    container(&sandbox, "names", &["--network", "yard", "--ip", "10.5.0.53"]);
    container(&sandbox, "box", &["--network", "yard", "--ip", "10.5.0.7"]);
    let own = inside(&sandbox, "names");
    answers(socket(&own, "0.0.0.0:53"), |packet, _| packet.to_vec());
    let listener = own.inside(|| Ok(TcpListener::bind("0.0.0.0:53")?)).unwrap();
    for name in ["names", "box"] {
        let found = sandbox.ok(&["exec", name, "nslookup", "box."]).unwrap();
        assert!(found.contains("10.5.0.7"), "{found}");
    }
    // The neighbour's questions, and those of its own loopback, are the container's own.
    for (from, to) in [("box", "10.5.0.53:53"), ("names", "127.0.0.1:53")] {
        let netns = inside(&sandbox, from);
        let client = socket(&netns, "0.0.0.0:0");
        client.send_to(b"to the program", to).unwrap();
        let mut packet = [0; 32];
        assert_eq!(client.recv(&mut packet).unwrap(), 14, "{from}");
        let made = netns.inside(|| Ok(TcpStream::connect(to)?)).unwrap();
        assert_eq!(listener.accept().unwrap().1, made.local_addr().unwrap());
    }
}

#[tokio::test]
async fn addresses_that_something_else_has_are_no_containers() {
    let sandbox = Sandbox::networked().await.unwrap();
    let aux = ["--aux-address", "router=10.5.0.2", "--aux-address", "printer=10.5.0.3"];
    sandbox
        .ok(&[&["network", "create", "--subnet", "10.5.0.0/24"], &aux[..], &["--opt", "a.note=1", "yard"]]
            .concat())
        .unwrap();
    container(&sandbox, "one", &["--network", "yard"]);
    assert_eq!(address(&sandbox, "one", "yard"), "10.5.0.4");
    let run = ["run", "--rm", "--network", "yard", "--ip", "10.5.0.3", IMAGE, "true"];
    refused(&sandbox, &run, "Address already in use");
    let config = "{{json (index .IPAM.Config 0).AuxiliaryAddresses}} {{json .Options}}";
    let seen = sandbox.ok(&["network", "inspect", "--format", config, "yard"]).unwrap();
    assert_eq!(seen, r#"{"printer":"10.5.0.3","router":"10.5.0.2"} {"a.note":"1"}"#);
    for (address, words) in [("10.6.0.2", "no matching subnet"), ("10.7.0.1", "Address already in use")] {
        let wrong = format!("x={address}");
        let create = ["network", "create", "--subnet", "10.7.0.0/24", "--aux-address", &wrong, "wrong"];
        refused(&sandbox, &create, words);
    }
}

#[tokio::test]
async fn a_networks_packets_are_as_long_as_it_says() {
    let sandbox = Sandbox::networked().await.unwrap();
    let option = "com.docker.network.driver.mtu=1400";
    sandbox.ok(&["network", "create", "--opt", option, "narrow"]).unwrap();
    container(&sandbox, "box", &["--network", "narrow"]);
    container(&sandbox, "next", &["--network", "narrow"]);
    let mtu = |name: &str, device: &str| {
        sandbox.ok(&["exec", name, "cat", &format!("/sys/class/net/{device}/mtu")]).unwrap()
    };
    assert_eq!(mtu("box", "eth0"), "1400");
    assert!(fetch(&sandbox, "next", "box").is_some());
    // One that joins later has it on that interface alone.
    container(&sandbox, "late", &[]);
    sandbox.ok(&["network", "connect", "narrow", "late"]).unwrap();
    assert_eq!((mtu("late", "eth0").as_str(), mtu("late", "eth1").as_str()), ("1500", "1400"));
    for wrong in ["0", "67", "70000", "wide"] {
        let option = format!("com.docker.network.driver.mtu={wrong}");
        refused(&sandbox, &["network", "create", "--opt", &option, "wrong"], "com.docker.network.driver.mtu");
    }
}

#[tokio::test]
async fn several_containers_share_an_alias_and_an_address_is_one_containers() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "--subnet", "10.5.0.0/24", "yard"]).unwrap();
    container(&sandbox, "one", &["--network", "yard", "--network-alias", "shop", "--ip", "10.5.0.11"]);
    let both = ["--network", "yard", "--network-alias", "shop", "--network-alias", "store"];
    container(&sandbox, "two", &[&both[..], &["--ip", "10.5.0.12"]].concat());
    container(&sandbox, "box", &["--network", "yard"]);
    let found = |name: &str| sandbox.ok(&["exec", "box", "nslookup", name]).unwrap();
    let shop = found("shop");
    assert!(shop.contains("10.5.0.11") && shop.contains("10.5.0.12"), "{shop}");
    assert!(!found("store").contains("10.5.0.11"));
    assert_eq!(address(&sandbox, "box", "yard"), "10.5.0.2", "the first free one");
    for (ip, words) in [
        ("10.5.0.11", "Address already in use"),
        ("10.5.0.1", "gateway"),
        ("10.6.0.1", "does not belong to any of this network's subnets"),
        ("10.5.0.300", "10.5.0.300"),
    ] {
        refused(&sandbox, &["run", "--rm", "--network", "yard", "--ip", ip, IMAGE, "true"], words);
    }
    // A stopped container's address is kept for nobody, and is its own again when it starts.
    sandbox.ok(&["restart", "-t", "0", "one"]).unwrap();
    assert_eq!(address(&sandbox, "one", "yard"), "10.5.0.11");
}

#[tokio::test]
async fn without_a_network_no_port_is_shown() {
    let sandbox = Sandbox::networked().await.unwrap();
    container(&sandbox, "alone", &["--network", "none", "--expose", "80", "-p", "8081:80"]);
    container(&sandbox, "shown", &["--expose", "80"]);
    let ports = |name: &str| {
        let listed = ["ps", "--filter", &format!("name={name}"), "--format", "{{.Ports}}"];
        let inspected = ["inspect", "--format", "{{json .NetworkSettings.Ports}}", name];
        (sandbox.ok(&listed).unwrap(), sandbox.ok(&inspected).unwrap())
    };
    assert_eq!(ports("alone"), (String::new(), "{}".to_owned()));
    assert_eq!(ports("shown"), ("80/tcp".to_owned(), "{\"80/tcp\":null}".to_owned()));
}
