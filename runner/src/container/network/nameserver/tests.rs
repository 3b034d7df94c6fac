//! The name server's sockets beside a program that has port 53 on all addresses, in namespaces of the test's own. As root.

use super::super::tests::fresh;
use super::*;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// What a program of the container's has: port 53, on every address.
fn of_the_container(netns: BorrowedFd<'_>) -> (UdpSocket, TcpListener) {
    // As any program does it: TcpListener asks for SO_REUSEADDR, UdpSocket does not.
    within(netns, || Ok((UdpSocket::bind("0.0.0.0:53")?, TcpListener::bind("0.0.0.0:53")?))).unwrap()
}

/// Whether a packet to `to` comes in at `server`, and its answer back from where it was sent to.
fn asked(netns: BorrowedFd<'_>, to: Ipv4Addr, server: &UdpSocket) {
    let client = within(netns, || UdpSocket::bind("0.0.0.0:0")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    // Takes answers from there alone.
    client.connect((to, PORT)).unwrap();
    client.send(b"question").unwrap();
    server.set_nonblocking(false).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut packet = [0; 16];
    let (n, from) = server.recv_from(&mut packet).unwrap();
    assert_eq!(&packet[..n], b"question");
    server.send_to(b"answer", from).unwrap();
    let n = client.recv(&mut packet).unwrap();
    assert_eq!(&packet[..n], b"answer");
}

/// The same of a connection.
fn connected(netns: BorrowedFd<'_>, to: Ipv4Addr, server: &TcpListener) {
    let address = SocketAddr::from((to, PORT));
    let mut client = within(netns, || TcpStream::connect_timeout(&address, PATIENCE)).unwrap();
    server.set_nonblocking(false).unwrap();
    let (mut stream, _) = server.accept().unwrap();
    client.write_all(b"question").unwrap();
    let mut words = [0; 8];
    stream.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"question");
    // More than one packet.
    let long = vec![7; 300_000];
    let sent = std::thread::spawn(move || stream.write_all(&long));
    let mut back = Vec::new();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_to_end(&mut back).unwrap();
    sent.join().unwrap().unwrap();
    assert!(back.len() == 300_000 && back.iter().all(|b| *b == 7));
}

#[test]
fn a_program_has_port_53_of_all_addresses_and_the_name_server_is_reached_all_the_same() {
    for first in [true, false] {
        let netns = fresh();
        let before = first.then(|| of_the_container(netns.as_fd()));
        let own = open_in(netns.as_fd()).unwrap();
        let theirs = before.unwrap_or_else(|| of_the_container(netns.as_fd()));
        for _ in 0..2 {
            asked(netns.as_fd(), ADDRESS, &own.udp);
            connected(netns.as_fd(), ADDRESS, &own.tcp);
            asked(netns.as_fd(), Ipv4Addr::LOCALHOST, &theirs.0);
            connected(netns.as_fd(), Ipv4Addr::LOCALHOST, &theirs.1);
        }
    }
}

#[test]
fn who_has_port_53_itself_keeps_such_a_program_out() {
    let netns = fresh();
    let _own = within(netns.as_fd(), || Ok((udp_at(PORT)?, tcp_at(PORT)?))).unwrap();
    for refused in [
        within(netns.as_fd(), || UdpSocket::bind("0.0.0.0:53").map(drop)),
        within(netns.as_fd(), || TcpListener::bind("0.0.0.0:53").map(drop)),
    ] {
        assert!(matches!(refused, Err(Error::Enter(e)) if e.kind() == io::ErrorKind::AddrInUse));
    }
}

#[test]
fn the_next_engine_is_reached_in_the_place_of_the_last() {
    let netns = fresh();
    let theirs = of_the_container(netns.as_fd());
    for _ in 0..3 {
        let own = open_in(netns.as_fd()).unwrap();
        asked(netns.as_fd(), ADDRESS, &own.udp);
        connected(netns.as_fd(), ADDRESS, &own.tcp);
    }
    asked(netns.as_fd(), Ipv4Addr::LOCALHOST, &theirs.0);
}
