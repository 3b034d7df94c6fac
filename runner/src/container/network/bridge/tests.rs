//! The firewall, tried from inside containers of several networks against a made-up internet: every namespace is the
//! test's own.

use super::*;
use crate::container::network::neighbours;
use crate::container::network::tests::fresh;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const PRIVATE_ONE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);
const ALLOWED: Ipv4Addr = Ipv4Addr::new(192, 168, 9, 9);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const PATIENCE: Duration = Duration::from_millis(700);

/// A container and its address in the network that it was made for.
struct Inside {
    netns: OwnedFd,
    address: Ipv4Addr,
    /// Stays open for the whole test.
    _listener: TcpListener,
}

impl Inside {
    fn reaches(&self, to: Ipv4Addr) -> bool {
        let address = SocketAddr::from((to, 80));
        within(self.netns.as_fd(), || TcpStream::connect_timeout(&address, PATIENCE)).is_ok()
    }
}

/// A host of its own (the thread that made it is in it), and the world behind it.
struct World {
    bridges: Bridges,
    world: OwnedFd,
    _listeners: Vec<TcpListener>,
}

fn settings(tag: &str) -> Settings {
    Settings { tag: tag.into(), allowed: vec!["192.168.9.0/24".into()] }
}

/// The interface of container `slot` in a network.
fn port(slot: u8, network: u8, reach: Reach) -> Port {
    let address = Ipv4Addr::new(172, 20 + network, 0, 2 + slot);
    Port {
        slot: slot.into(),
        index: 0,
        network: network.into(),
        reach,
        neighbours: Neighbours::Open,
        address,
        subnet: (Ipv4Addr::new(172, 20 + network, 0, 0), 16),
        gateway: Ipv4Addr::new(172, 20 + network, 0, 1),
        hardware: [2, 66, 172, 20 + network, 0, 2 + slot],
        mtu: None,
        default: Default::Here,
    }
}

impl World {
    fn new() -> Self {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        // One that forwards already, whatever this machine does: what is refused is refused by the table alone.
        firewall::forward().unwrap();
        let host = Route::open().unwrap();
        let lo = UdpSocket::bind("0.0.0.0:0").unwrap();
        sandlot_sys::netdevice::loopback_up(lo.as_fd()).unwrap();
        let world = fresh();
        host.add_pair("wan", "wan", world.as_fd()).unwrap();
        let wan = host.index("wan").unwrap();
        host.address(wan, HOST, 24).unwrap();
        host.up(wan).unwrap();
        within(world.as_fd(), || {
            let route = Route::open()?;
            let wan = route.index("wan")?;
            for (address, prefix) in [(PUBLIC, 24), (PRIVATE_ONE, 32), (METADATA, 32), (ALLOWED, 32)] {
                route.address(wan, address, prefix)?;
            }
            route.up(wan)
        })
        .unwrap();
        for address in [PRIVATE_ONE, METADATA, ALLOWED] {
            host.route_to(address, wan).unwrap();
        }
        let bridges = Bridges::start(&settings("tests")).unwrap();
        let listeners = vec![
            TcpListener::bind("0.0.0.0:80").unwrap(),
            within(world.as_fd(), || TcpListener::bind("0.0.0.0:80")).unwrap(),
        ];
        Self { bridges, world, _listeners: listeners }
    }

    fn container(&self, port: Port) -> Inside {
        made(&self.bridges, port)
    }
}

fn made(bridges: &Bridges, port: Port) -> Inside {
    let (netns, address) = (fresh(), port.address);
    let listener = bridges.connect(&[port], netns.as_fd(), || TcpListener::bind("0.0.0.0:80")).unwrap();
    Inside { netns, address, _listener: listener }
}

/// Each on a thread of its own, which the namespaces end with.
fn in_a_world(test: impl FnOnce(World) + Send + 'static) {
    std::thread::spawn(|| test(World::new())).join().unwrap();
}

#[test]
fn neighbours_and_public_addresses_are_reached_and_nothing_else() {
    in_a_world(|w| {
        let [one, two] = [0, 1].map(|slot| w.container(port(slot, 0, Reach::Outside)));
        let other = w.container(port(2, 1, Reach::Outside));
        assert!(one.reaches(two.address) && two.reaches(one.address), "neighbours");
        assert!(one.reaches(PUBLIC), "a public address");
        assert!(one.reaches(ALLOWED), "a range that is allowed");
        let walls = [
            (other.address, "a container of another network"),
            (PRIVATE_ONE, "a private address"),
            (METADATA, "the metadata service"),
            (HOST, "the host by its public address"),
            (port(0, 0, Reach::Outside).gateway, "the host by the gateway's"),
            (port(0, 1, Reach::Outside).gateway, "the host by another network's gateway"),
        ];
        for (to, what) in walls {
            assert!(!one.reaches(to), "{what} was reached");
        }
        for container in [&one, &two, &other] {
            let address = SocketAddr::from((container.address, 80));
            assert!(TcpStream::connect_timeout(&address, PATIENCE).is_ok(), "the host does not reach one");
        }
        let World { bridges, world, _listeners } = w;
        bridges.stop().unwrap();
        for (to, what) in [walls[0], walls[3], walls[4], walls[5]] {
            assert!(one.reaches(to), "without the table {what} is reached");
        }
        // The world knows no way back to a container that is not hidden behind the host.
        within(world.as_fd(), || {
            let route = Route::open()?;
            route.default_route(HOST, route.index("wan")?)
        })
        .unwrap();
        assert!(one.reaches(PRIVATE_ONE) && one.reaches(METADATA), "without the table all is reached");
    });
}

#[test]
fn an_internal_network_leads_nowhere() {
    in_a_world(|w| {
        let [one, two] = [0, 1].map(|slot| w.container(port(slot, 0, Reach::Internal)));
        assert!(one.reaches(two.address));
        // Who may change routes inside makes the way that was left out.
        within(one.netns.as_fd(), || {
            let route = Route::open()?;
            route.default_route(port(0, 0, Reach::Internal).gateway, route.index("eth0")?)
        })
        .unwrap();
        assert!(!one.reaches(PUBLIC) && !one.reaches(ALLOWED) && !one.reaches(HOST));
        let World { bridges, world, _listeners } = w;
        within(world.as_fd(), || {
            let route = Route::open()?;
            route.default_route(HOST, route.index("wan")?)
        })
        .unwrap();
        assert!(!one.reaches(PUBLIC), "the way back makes no difference");
        bridges.stop().unwrap();
        assert!(one.reaches(PUBLIC), "without the table it is reached");
    });
}

#[test]
fn a_neighbours_address_cannot_be_taken() {
    in_a_world(|w| {
        let [one, two, three] = [0, 1, 2].map(|slot| w.container(port(slot, 0, Reach::Outside)));
        let server = within(three.netns.as_fd(), || UdpSocket::bind("0.0.0.0:9")).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let say = |from: Ipv4Addr| {
            within(one.netns.as_fd(), || UdpSocket::bind((from, 0))?.send_to(b"hello", (three.address, 9)))
                .unwrap();
            server.recv_from(&mut [0; 16])
        };
        assert_eq!(say(one.address).unwrap().1.ip(), one.address);
        // Root of a container with net_admin gives itself the address of a neighbour.
        within(one.netns.as_fd(), || {
            let route = Route::open()?;
            route.address(route.index("eth0")?, two.address, 32)
        })
        .unwrap();
        assert!(say(two.address).is_err(), "a packet in a neighbour's name came through");
        let at = SocketAddr::from((two.address, 80));
        drop(two);
        let reached = within(three.netns.as_fd(), || TcpStream::connect_timeout(&at, PATIENCE));
        assert!(reached.is_err(), "it answered in the neighbour's place");
        w.bridges.stop().unwrap();
        assert!(say(Ipv4Addr::new(172, 20, 0, 3)).is_ok(), "without the table the attack succeeds");
    });
}

#[test]
fn containers_that_are_kept_apart_do_not_reach_each_other() {
    in_a_world(|w| {
        let shut = |slot| Port { neighbours: Neighbours::Shut, ..port(slot, 0, Reach::Outside) };
        let [one, two] = [0, 1].map(|slot| w.container(shut(slot)));
        assert!(!one.reaches(two.address) && one.reaches(PUBLIC));
    });
}

#[test]
fn two_engines_on_one_host_do_not_meet() {
    in_a_world(|w| {
        let second = Bridges::start(&settings("other")).unwrap();
        let one = w.container(port(0, 0, Reach::Outside));
        let two = made(&second, port(0, 1, Reach::Outside));
        assert!(one.reaches(PUBLIC) && two.reaches(PUBLIC), "each has its own way out");
        assert!(!one.reaches(two.address) && !two.reaches(one.address));
        second.stop().unwrap();
        assert!(one.reaches(PUBLIC), "the end of one is none of the other");
        assert!(
            !two.reaches(PUBLIC) && !two.reaches(one.address),
            "a host that did not forward still does not"
        );
    });
}

#[test]
fn the_connections_of_one_end_at_a_bound_and_leave_its_neighbours_theirs() {
    in_a_world(|w| {
        let [one, two] = [0, 1].map(|slot| w.container(port(slot, 0, Reach::Outside)));
        // Each packet from another port is another connection, which is remembered for half a minute.
        within(one.netns.as_fd(), || {
            for n in 0..4200 {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 20_000 + n)).unwrap();
                // Some are refused: that is the point.
                socket.send_to(b"x", (PUBLIC, 9)).unwrap_or_default();
            }
            Ok(())
        })
        .unwrap();
        assert!(!one.reaches(PUBLIC) && !one.reaches(two.address), "more than its share");
        assert!(two.reaches(PUBLIC) && two.reaches(one.address), "one took its neighbour's");
    });
}

/// The table of neighbours is one for all namespaces of the machine.
#[test]
fn a_container_has_one_neighbour_however_many_it_talks_to() {
    in_a_world(|w| {
        let one = w.container(port(0, 0, Reach::Outside));
        let talk = |first: Ipv4Addr, most: u32| {
            within(one.netns.as_fd(), || {
                let socket = UdpSocket::bind("0.0.0.0:0")?;
                for n in 1..most {
                    // Most are nobody's: that is the point.
                    socket.send_to(b"x", (Ipv4Addr::from_bits(first.to_bits() + n), 9)).unwrap_or_default();
                }
                Ok(())
            })
            .unwrap();
            neighbours::count(one.netns.as_fd(), neighbours::Family::Inet).unwrap()
        };
        let known = talk(Ipv4Addr::new(172, 20, 0, 2), 2000);
        // The gateway, and the one that stands for the loopback device.
        assert!((1..=2).contains(&known), "{known}");
        // Who may change interfaces makes a network of many: what the engine watches.
        within(one.netns.as_fd(), || {
            let route = Route::open()?;
            route.address(route.index("eth0")?, Ipv4Addr::new(10, 9, 0, 1), 24)
        })
        .unwrap();
        let known = talk(Ipv4Addr::new(10, 9, 0, 1), 100);
        assert!(known > 50, "{known}");
    });
}

#[test]
fn an_interface_comes_and_goes_while_the_container_runs() {
    in_a_world(|w| {
        let both = w.container(port(0, 0, Reach::Outside));
        let other = w.container(port(1, 1, Reach::Outside));
        assert!(!both.reaches(other.address));
        let second = Port { index: 1, default: Default::Elsewhere, ..port(0, 1, Reach::Outside) };
        w.bridges.connect(std::slice::from_ref(&second), both.netns.as_fd(), || Ok(())).unwrap();
        assert!(both.reaches(other.address) && both.reaches(PUBLIC));
        w.bridges.disconnect(0, 0).unwrap();
        assert!(both.reaches(other.address) && !both.reaches(PUBLIC));
        w.bridges.make_default(&second, both.netns.as_fd()).unwrap();
        assert!(both.reaches(PUBLIC));
        let wrong = Port { network: NETWORKS, ..second };
        assert!(matches!(
            w.bridges.connect(&[wrong], both.netns.as_fd(), || Ok(())),
            Err(Error::Number { .. })
        ));
    });
}
