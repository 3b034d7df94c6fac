//! Proxies towards servers of the tests' own on the loopback device.

use super::super::directory::{Named, Outside, Place};
use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener as Listener, TcpStream, UdpSocket as Packets};
use tokio::time::timeout;

const LOCAL: std::net::IpAddr = std::net::IpAddr::V4(Ipv4Addr::LOCALHOST);

fn directory() -> Arc<Directory> {
    let directory = Directory::default();
    let place = |outside| Place {
        network: "id".into(),
        network_name: "red".into(),
        named: Named::Yes,
        outside,
        address: Ipv4Addr::LOCALHOST,
        names: vec![],
        links: vec![],
    };
    directory.put("web", vec![place(Outside::Open)]);
    directory.put("inner", vec![place(Outside::Shut)]);
    Arc::new(directory)
}

fn wish(container: u16, protocol: Protocol, host: std::ops::RangeInclusive<u16>) -> wanted::Wanted {
    wanted::Wanted { container, protocol, address: LOCAL, host }
}

/// A proxy to `port`, and where it listens.
fn proxy(container: &str, port: u16, protocol: Protocol) -> (Proxy, SocketAddr) {
    let ports = Ports::bind(&[wish(port, protocol, 0..=0)]).unwrap();
    let at = SocketAddr::from((LOCAL, ports.published()[0].host));
    (Proxy::start(ports, container, &directory(), &Places::default()).unwrap(), at)
}

#[test]
fn a_port_that_is_taken_is_named_and_a_range_takes_the_next() {
    let first = Ports::bind(&[wish(80, Protocol::Tcp, 0..=0)]).unwrap();
    let taken = first.published()[0].host;
    let error = Ports::bind(&[wish(80, Protocol::Tcp, taken..=taken)]).unwrap_err();
    assert_eq!(error.to_string(), format!("Bind for 127.0.0.1:{taken} failed: port is already allocated"));
    // By packets it is another port.
    Ports::bind(&[wish(80, Protocol::Udp, taken..=taken)]).unwrap();
    if let Ok(next) = Ports::bind(&[wish(80, Protocol::Tcp, taken..=taken.saturating_add(50))]) {
        assert_ne!(next.published()[0].host, taken);
    }
    // An address that is not this machine's is no place to listen at, and said to be none.
    let strange = wanted::Wanted { address: "192.0.2.77".parse().unwrap(), ..wish(80, Protocol::Tcp, 0..=0) };
    let error = Ports::bind(&[strange]).unwrap_err().to_string();
    assert!(error.contains("192.0.2.77:0") && error.contains("Cannot assign"), "{error}");
    let again = first.published();
    drop(first);
    assert_eq!(Ports::bind_again(&again).published(), again);
}

#[tokio::test]
async fn connections_are_led_both_ways_and_end_each_on_its_own() {
    let server = Listener::bind((LOCAL, 0)).await.unwrap();
    let (_proxy, at) = proxy("web", server.local_addr().unwrap().port(), Protocol::Tcp);
    let mut client = TcpStream::connect(at).await.unwrap();
    let (mut inside, _) = server.accept().await.unwrap();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut said = String::new();
    inside.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "question");
    inside.write_all(b"answer").await.unwrap();
    drop(inside);
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "answer", "after the client's own end");
}

#[tokio::test]
async fn who_is_in_no_network_that_leads_outside_is_not_reached() {
    let server = Listener::bind((LOCAL, 0)).await.unwrap();
    let (_proxy, at) = proxy("inner", server.local_addr().unwrap().port(), Protocol::Tcp);
    let mut client = TcpStream::connect(at).await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_connections_of_one_end_at_a_bound_and_leave_the_others_theirs() {
    let server = Listener::bind((LOCAL, 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"x").await.unwrap_or_default();
                // Until the client goes.
                stream.read(&mut [0]).await.unwrap_or_default()
            });
        }
    });
    let answers = |at| async move {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let read = timeout(Duration::from_secs(2), stream.read(&mut [0])).await;
        read.is_ok_and(|n| n.is_ok_and(|n| n == 1)).then_some(stream)
    };
    let (_greedy, at) = proxy("web", port, Protocol::Tcp);
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(answers(at).await.expect("within the bound"));
    }
    assert!(answers(at).await.is_none(), "more than its share");
    let (_other, elsewhere) = proxy("web", port, Protocol::Tcp);
    assert!(answers(elsewhere).await.is_some(), "one took the other's");
    held.pop();
    assert!(answers(at).await.is_some(), "a place came free");
    accepting.abort();
}

#[tokio::test]
async fn packets_find_back_to_each_client_and_the_end_closes_the_port() {
    let server = Packets::bind((LOCAL, 0)).await.unwrap();
    let (own, at) = proxy("web", server.local_addr().unwrap().port(), Protocol::Udp);
    let clients = [Packets::bind((LOCAL, 0)).await.unwrap(), Packets::bind((LOCAL, 0)).await.unwrap()];
    for (n, client) in (0..).zip(&clients) {
        client.send_to(&[n], at).await.unwrap();
    }
    let mut seen = [0];
    for _ in 0..2 {
        let (_, from) = server.recv_from(&mut seen).await.unwrap();
        server.send_to(&[seen[0] + 10], from).await.unwrap();
    }
    for (n, client) in (0..).zip(&clients) {
        timeout(Duration::from_secs(5), client.recv(&mut seen)).await.unwrap().unwrap();
        assert_eq!(seen, [n + 10]);
    }
    drop(own);
    while std::net::UdpSocket::bind(at).is_err() {
        tokio::task::yield_now().await;
    }
}

/// A proxy for packets with so many places, and where it listens.
fn packets(port: u16, places: &udp::Places) -> (tokio::task::AbortHandle, SocketAddr) {
    let socket = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let at = socket.local_addr().unwrap();
    let target = Target { directory: directory(), container: "web".into(), port };
    let socket = Arc::new(Packets::from_std(socket).unwrap());
    (tokio::spawn(udp::serve(socket, target, places.clone())).abort_handle(), at)
}

#[tokio::test]
async fn strangers_senders_neither_use_up_the_places_nor_take_those_of_who_was_answered() {
    let server = Arc::new(Packets::bind((LOCAL, 0)).await.unwrap());
    let port = server.local_addr().unwrap().port();
    let echo = Arc::clone(&server);
    let echoing = tokio::spawn(async move {
        let mut packet = [0; 16];
        while let Ok((n, from)) = echo.recv_from(&mut packet).await {
            if &packet[..n] == b"real" {
                echo.send_to(b"yes", from).await.unwrap();
            }
        }
    });
    let (own, all) = (Arc::new(Semaphore::new(4)), Arc::new(Semaphore::new(6)));
    let places = udp::Places { own: Arc::clone(&own), all: Arc::clone(&all) };
    let (task, at) = packets(port, &places);
    let asks = |client: Packets| async move {
        client.send_to(b"real", at).await.unwrap();
        let answered = timeout(Duration::from_secs(5), client.recv(&mut [0; 16])).await;
        assert_eq!(answered.expect("no answer").unwrap(), 3);
        client
    };
    let first = asks(Packets::bind((LOCAL, 0)).await.unwrap()).await;
    // As many as one likes, for nobody proves whose a packet is.
    let strangers = futures_util::future::join_all((0..50).map(|_| Packets::bind((LOCAL, 0)))).await;
    for stranger in &strangers {
        stranger.as_ref().unwrap().send_to(b"spam", at).await.unwrap();
    }
    while own.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    // Another container's ports have what is left of the places of all.
    assert!(all.available_permits() >= 2, "one took the places of all");
    asks(Packets::bind((LOCAL, 0)).await.unwrap()).await;
    asks(first).await;
    task.abort();
    while own.available_permits() < 4 || all.available_permits() < 6 {
        tokio::task::yield_now().await;
    }
    echoing.abort();
}
