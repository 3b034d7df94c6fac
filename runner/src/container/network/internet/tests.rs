//! The firewall, tried from inside two containers against a made-up internet: every namespace is the test's own.

use super::*;
use crate::container::network::tests::fresh;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

fn settings(tag: &str) -> Settings {
    Settings { tag: tag.into(), pool: Ipv4Addr::new(10, 213, 0, 0), resolvers: vec![RESOLVER] }
}

/// A host of its own (the thread that made it is in it), the world behind it, and two containers.
struct World {
    internet: Internet,
    world: OwnedFd,
    containers: [(OwnedFd, Ipv4Addr); 2],
    /// Listeners stay open for the whole test.
    _listeners: Vec<TcpListener>,
}

impl World {
    fn new() -> Self {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        // A new namespace has what the machine's own has.
        std::fs::write(FORWARDING, "0").unwrap();
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
            for (address, prefix) in [(PUBLIC, 24), (PRIVATE, 32), (METADATA, 32), (RESOLVER, 32)] {
                route.address(wan, address, prefix)?;
            }
            route.up(wan)
        })
        .unwrap();
        for address in [PRIVATE, METADATA, RESOLVER] {
            host.route_to(address, wan).unwrap();
        }
        let internet = Internet::start(&settings("tests")).unwrap();
        let mut listeners = vec![TcpListener::bind("0.0.0.0:80").unwrap()];
        let containers = [0, 1].map(|slot| {
            let netns = fresh();
            let address = internet.connect(slot, netns.as_fd()).unwrap();
            listeners.push(within(netns.as_fd(), || TcpListener::bind("0.0.0.0:80")).unwrap());
            (netns, address)
        });
        for port in [80, 53] {
            listeners.push(within(world.as_fd(), || TcpListener::bind(("0.0.0.0", port))).unwrap());
        }
        Self { internet, world, containers, _listeners: listeners }
    }

    fn from(&self, netns: &OwnedFd, to: Ipv4Addr, port: u16) -> bool {
        let address = SocketAddr::from((to, port));
        within(netns.as_fd(), || TcpStream::connect_timeout(&address, Duration::from_millis(700))).is_ok()
    }
}

/// Each on a thread of its own, which the namespaces end with.
fn in_a_world(test: impl FnOnce(World) + Send + 'static) {
    std::thread::spawn(|| test(World::new())).join().unwrap();
}

#[test]
fn public_addresses_are_reached_and_nothing_else() {
    in_a_world(|w| {
        let [(one, address), (two, other)] = &w.containers;
        assert_eq!((address.to_string(), other.to_string()), ("10.213.0.2".into(), "10.213.0.3".into()));
        for container in [one, two] {
            assert!(w.from(container, PUBLIC, 80), "a public address");
            assert!(w.from(container, RESOLVER, 53), "the resolver");
        }
        for (to, port, what) in [
            (RESOLVER, 80, "the resolver's other ports"),
            (PRIVATE, 80, "a private address"),
            (METADATA, 80, "the metadata service"),
            (HOST, 80, "the host by its public address"),
            (Ipv4Addr::new(10, 213, 0, 1), 80, "the gateway"),
            (*other, 80, "another session"),
        ] {
            assert!(!w.from(one, to, port), "{what} was reached");
        }
        // All of those listen: the host reaches them. Only what a container would answer is kept from the host, too.
        for (to, port) in [(RESOLVER, 80), (PRIVATE, 80), (METADATA, 80), (HOST, 80), (*other, 80)] {
            let open = TcpStream::connect_timeout(&(to, port).into(), Duration::from_secs(3));
            assert_eq!(
                open.is_ok(),
                to != *other,
                "{to}: even the host's own answers from a container are refused"
            );
        }
    });
}

#[test]
fn the_defence_is_what_keeps_them_apart() {
    in_a_world(|w| {
        let World { internet, containers, _listeners, world } = w;
        let [(one, _), (_, other)] = &containers;
        let reach = |to: Ipv4Addr| {
            let address = SocketAddr::from((to, 80));
            within(one.as_fd(), || TcpStream::connect_timeout(&address, Duration::from_millis(700))).is_ok()
        };
        assert!(!reach(*other) && !reach(HOST));
        internet.stop().unwrap();
        std::fs::write(FORWARDING, "1").unwrap();
        assert!(reach(*other) && reach(HOST), "without the table the attack succeeds");
        drop(world);
    });
}

#[test]
fn the_connections_of_one_end_at_a_bound_and_leave_the_others_theirs() {
    in_a_world(|w| {
        let [(one, _), (two, _)] = &w.containers;
        assert!(w.from(one, PUBLIC, 80) && w.from(two, PUBLIC, 80));
        // Each packet from another port is another connection, which is remembered for half a minute.
        within(one.as_fd(), || {
            for n in 0..1100 {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 20_000 + n)).unwrap();
                // Some are refused: that is the point.
                socket.send_to(b"x", (PUBLIC, 9)).unwrap_or_default();
            }
            Ok(())
        })
        .unwrap();
        assert!(!w.from(one, PUBLIC, 80), "more than its share");
        assert!(w.from(two, PUBLIC, 80), "one took the other's");
    });
}

#[test]
fn a_forged_source_address_goes_nowhere() {
    in_a_world(|w| {
        let [(one, _), (_, other)] = &w.containers;
        let server = within(w.world.as_fd(), || UdpSocket::bind("0.0.0.0:9")).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let say = |from: Option<Ipv4Addr>| {
            within(one.as_fd(), || {
                let route = Route::open()?;
                if let Some(from) = from {
                    route.address(route.index(INSIDE)?, from, 32)?;
                }
                let socket = UdpSocket::bind((from.unwrap_or(Ipv4Addr::UNSPECIFIED), 0))?;
                socket.send_to(b"hello", (PUBLIC, 9))
            })
            .unwrap();
            server.recv_from(&mut [0; 16])
        };
        let (_, from) = say(None).unwrap();
        assert_eq!(from.ip(), HOST, "masqueraded");
        assert!(say(Some(*other)).is_err(), "a packet in a neighbour's name came through");
    });
}

#[test]
fn a_host_that_did_not_forward_forwards_nothing_else() {
    in_a_world(|w| {
        // A machine on another network of the host, such as its office.
        let office = fresh();
        let (here, there) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
        let host = Route::open().unwrap();
        host.add_pair("lan", "lan", office.as_fd()).unwrap();
        let lan = host.index("lan").unwrap();
        host.address(lan, here, 24).unwrap();
        host.up(lan).unwrap();
        within(office.as_fd(), || {
            let route = Route::open()?;
            let lan = route.index("lan")?;
            route.address(lan, there, 24)?;
            route.up(lan)?;
            route.default_route(here, lan)
        })
        .unwrap();
        within(w.world.as_fd(), || {
            let route = Route::open()?;
            route.default_route(HOST, route.index("wan")?)
        })
        .unwrap();
        assert!(!w.from(&office, PUBLIC, 80), "the host became a router");
        // An engine that is started again finds forwarding on, and knows that it was itself.
        let again = Internet::start(&settings("tests")).unwrap();
        assert!(!w.from(&office, PUBLIC, 80));
        assert!(w.from(&w.containers[0].0, PUBLIC, 80), "containers go on");
        again.stop().unwrap();
        assert!(!w.from(&office, PUBLIC, 80), "what was switched on is switched off");
        std::fs::write(FORWARDING, "1").unwrap();
        assert!(w.from(&office, PUBLIC, 80), "without the table it is one");
    });
}

#[test]
fn a_slot_is_used_again_and_slots_end() {
    in_a_world(|w| {
        let netns = fresh();
        let address = w.internet.connect(0, netns.as_fd()).unwrap();
        assert_eq!(address, w.containers[0].1);
        assert!(w.from(&netns, PUBLIC, 80));
        assert!(!w.from(&w.containers[0].0, PUBLIC, 80), "the earlier one has lost it");
        assert!(matches!(w.internet.connect(SLOTS, netns.as_fd()), Err(Error::Slot)));
        assert!(w.internet.connect(2, netns.as_fd()).is_err(), "a second eth0");
        assert!(Route::open().unwrap().index("slxtests0002").is_err(), "nothing is left");
    });
}

#[test]
fn two_engines_on_one_host_leave_each_others_containers_alone() {
    in_a_world(|w| {
        let other = Internet::start(&settings("other")).unwrap();
        let theirs = [0, 1].map(|slot| {
            let netns = fresh();
            let address = other.connect(slot, netns.as_fd()).unwrap();
            (netns, address)
        });
        // The same slots, and every address is somebody's own.
        assert_eq!(theirs.each_ref().map(|(_, a)| a.octets()), [[10, 214, 0, 2], [10, 214, 0, 3]]);
        for (container, _) in w.containers.iter().chain(&theirs) {
            assert!(w.from(container, PUBLIC, 80), "one engine's start cut the other's containers off");
            for (_, address) in w.containers.iter().chain(&theirs) {
                let own = within(container.as_fd(), || UdpSocket::bind((*address, 0))).is_ok();
                assert!(own || !w.from(container, *address, 80), "{address} was reached");
            }
        }
        other.disconnect(0).unwrap();
        assert!(w.from(&w.containers[0].0, PUBLIC, 80), "the other's slot was taken away");
        // The first one goes. It had switched forwarding on; the other is still at work, and the host is still no router.
        w.internet.stop().unwrap();
        assert_eq!(std::fs::read_to_string(FORWARDING).unwrap().trim(), "1");
        assert!(w.from(&theirs[1].0, PUBLIC, 80), "one engine's end cut the other's containers off");
        assert!(firewall::shut("sandlot_other_internet"), "the host became a router");
        other.stop().unwrap();
        assert_eq!(std::fs::read_to_string(FORWARDING).unwrap().trim(), "0", "the last one switches it off");
    });
}
