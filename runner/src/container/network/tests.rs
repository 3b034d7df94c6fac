//! Sockets across namespaces, with namespaces that the tests make. As root.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A fresh network namespace with its loopback device up.
pub(super) fn fresh() -> OwnedFd {
    std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        sandlot_sys::netdevice::loopback_up(socket.as_fd()).unwrap();
        let path = "/proc/thread-self/ns/net";
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    })
    .join()
    .unwrap()
}

#[test]
fn a_listener_is_reached_in_its_own_namespace_only() {
    let (one, two) = (fresh(), fresh());
    let listener = TcpListener::from(listen(one.as_fd(), 5000).unwrap());
    let mut outside = TcpStream::from(dial(one.as_fd(), 5000).unwrap());
    listener.set_nonblocking(false).unwrap();
    let (mut inside, _) = listener.accept().unwrap();
    outside.write_all(b"ping").unwrap();
    let mut got = [0; 4];
    inside.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ping");
    let host = namespace(std::fs::File::open("/proc/self").unwrap().as_fd()).unwrap();
    for netns in [two.as_fd(), host.as_fd()] {
        match dial(netns, 5000) {
            Err(Error::Dial { port: 5000, source }) => {
                assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
            }
            other => panic!("{other:?}"),
        }
    }
    // Two sessions have the same port each.
    listen(two.as_fd(), 5000).unwrap();
}

#[test]
fn a_service_on_ipv6_alone_is_found() {
    let netns = fresh();
    let listener = within(netns.as_fd(), || TcpListener::bind("[::1]:8000")).unwrap();
    let stream = TcpStream::from(dial(netns.as_fd(), 8000).unwrap());
    assert!(stream.peer_addr().unwrap().is_ipv6());
    drop(listener);
}

#[test]
fn errors_name_the_port() {
    let netns = fresh();
    let first = listen(netns.as_fd(), 80).unwrap();
    let error = listen(netns.as_fd(), 80).unwrap_err();
    assert!(error.to_string().starts_with("listening on port 80 in the container: Address"), "{error}");
    drop(first);
    assert!(matches!(dial(netns.as_fd(), 0), Err(Error::Port)));
    assert!(matches!(listen(netns.as_fd(), 0), Err(Error::Port)));
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(matches!(namespace(file.as_fd()), Err(Error::Namespace(_))));
    assert!(matches!(dial(file.as_fd(), 80), Err(Error::Enter(_))));
}

#[test]
fn the_callers_own_thread_stays_where_it_was() {
    let own = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = own();
    listen(fresh().as_fd(), 5000).unwrap();
    assert_eq!(own(), before);
}
