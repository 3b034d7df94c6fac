//! The server with its sockets, in a network namespace of the test's own, against a server that the test plays. As root.

use super::super::directory::{Named, Outside, Place};
use super::*;
use crate::container::network::nameserver;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::net::{Ipv4Addr, SocketAddr};

/// A question with that number.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

fn directory() -> Arc<Directory> {
    let directory = Directory::default();
    let place = Place {
        network: "id".into(),
        network_name: "red".into(),
        named: Named::Yes,
        outside: Outside::Open,
        address: Ipv4Addr::new(10, 0, 0, 1),
        names: vec!["web".into()],
        links: vec![],
    };
    directory.put("a", vec![place]);
    Arc::new(directory)
}

/// Runs `test` on a thread of its own in a fresh network namespace with its loopback device up.
fn in_a_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let run = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let any = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        sandlot_sys::netdevice::loopback_up(std::os::fd::AsFd::as_fd(&any)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    };
    std::thread::spawn(run).join().unwrap();
}

fn start(upstream: Upstream) -> Server {
    Server::start(nameserver::open().unwrap(), "a", directory(), upstream, &Places::default()).unwrap()
}

fn server() -> SocketAddr {
    (nameserver::ADDRESS, 53).into()
}

async fn asked(packet: &[u8]) -> Option<Message> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(packet, server()).await.unwrap();
    let mut answer = vec![0; 512];
    let n = timeout(Duration::from_secs(5), socket.recv(&mut answer)).await.ok()?.unwrap();
    Some(Message::from_vec(&answer[..n]).unwrap())
}

async fn finds(name: &str) -> bool {
    asked(&question(1, name)).await.is_some_and(|m| m.answers.len() == 1)
}

#[test]
fn names_are_answered_by_packet_and_by_connection_until_it_is_dropped() {
    in_a_namespace(|| async {
        let own = start(Upstream::These(vec![]));
        assert!(finds("web.").await && finds("web.red.").await);
        let mut stream = TcpStream::connect(server()).await.unwrap();
        for id in [1, 2] {
            let packet = question(id, "web.");
            stream.write_u16(packet.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&packet).await.unwrap();
            let mut answer = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut answer).await.unwrap();
            let answer = Message::from_vec(&answer).unwrap();
            assert_eq!((answer.metadata.id, answer.answers.len()), (id, 1));
        }
        drop(own);
        // Its tasks end at their next turn, and nobody is there any more.
        while TcpStream::connect(server()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn other_names_are_asked_elsewhere_and_no_answer_is_a_failure() {
    in_a_namespace(|| async {
        let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::These(vec![elsewhere.local_addr().unwrap()]);
        let _own = start(upstream);
        let play = async {
            let mut packet = vec![0; 512];
            let (n, from) = elsewhere.recv_from(&mut packet).await.unwrap();
            let question = Message::from_vec(&packet[..n]).unwrap();
            // An answer to another question is none.
            let wrong = Message::error_msg(question.metadata.id ^ 1, OpCode::Query, ResponseCode::Refused);
            elsewhere.send_to(&wrong.to_vec().unwrap(), from).await.unwrap();
            let right = Message::error_msg(question.metadata.id, OpCode::Query, ResponseCode::NXDomain);
            elsewhere.send_to(&right.to_vec().unwrap(), from).await.unwrap();
        };
        let (answer, ()) = tokio::join!(async { asked(&question(9, "example.com.")).await }, play);
        assert_eq!(answer.unwrap().metadata.response_code, ResponseCode::NXDomain);
        // Nobody listens at its port any more.
        drop(elsewhere);
        let answer = asked(&question(9, "example.org.")).await.unwrap();
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    });
}

#[test]
fn more_questions_than_can_wait_fail_at_once_and_names_go_on() {
    in_a_namespace(|| async {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::These(vec![silent.local_addr().unwrap()]);
        let _own = start(upstream);
        let flood = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for id in 0..100 {
            flood.send_to(&question(id, "example.com."), server()).await.unwrap();
        }
        let mut answer = vec![0; 512];
        for _ in 0..100 - IN_FLIGHT {
            let n = flood.recv(&mut answer).await.unwrap();
            let said = Message::from_vec(&answer[..n]).unwrap();
            assert_eq!(said.metadata.response_code, ResponseCode::ServFail);
        }
        assert!(finds("web.").await);
    });
}

#[test]
fn rubbish_and_floods_leave_it_answering() {
    in_a_namespace(|| async {
        let _own = start(Upstream::These(vec![]));
        let hostile = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for n in [0, 1, 11, 12, 100, 512, 4096, 65_507] {
            for byte in [0x00, 0x07, 0xc0, 0xff] {
                hostile.send_to(&vec![byte; n], server()).await.unwrap();
            }
        }
        assert!(finds("web.").await, "after rubbish");

        for id in 0..3000 {
            // What does not fit into the socket's queue is dropped, as by any network.
            hostile.try_send_to(&question(id, "web."), server()).map(drop).unwrap_or_default();
            if id % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        assert!(finds("web.").await || finds("web.").await, "after a flood");

        // Connections that say nothing, or promise 64 KiB.
        let mut open = Vec::new();
        for n in 0..CONNECTIONS + 8 {
            let mut stream = TcpStream::connect(server()).await.unwrap();
            if n % 2 == 0 {
                stream.write_u16(u16::MAX).await.unwrap();
            }
            open.push(stream);
        }
        assert!(finds("web.").await, "packets go on");
        // Those that promised too much were closed.
        let mut byte = [0];
        assert_eq!(timeout(Duration::from_secs(5), open[0].read(&mut byte)).await.unwrap().unwrap_or(0), 0);
    });
}

/// Sockets of a name server in another namespace, and one that asks it there.
fn elsewhere() -> (nameserver::Sockets, std::net::UdpSocket) {
    let made = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let asking = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        sandlot_sys::netdevice::loopback_up(std::os::fd::AsFd::as_fd(&asking)).unwrap();
        asking.set_nonblocking(true).unwrap();
        (nameserver::open().unwrap(), asking)
    });
    made.join().unwrap()
}

/// The answers that come while no more than a tenth of a second passes between two.
async fn answers(socket: &UdpSocket) -> Vec<ResponseCode> {
    let (mut all, mut answer) = (Vec::new(), vec![0; 512]);
    while let Ok(n) = timeout(Duration::from_millis(100), socket.recv(&mut answer)).await {
        all.push(Message::from_vec(&answer[..n.unwrap()]).unwrap().metadata.response_code);
    }
    all
}

#[test]
fn one_that_asks_for_what_nobody_answers_leaves_the_others_their_places() {
    in_a_namespace(|| async {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::These(vec![silent.local_addr().unwrap()]);
        let flood = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for (all, left) in [(IN_FLIGHT, 0), (IN_FLIGHT + 1, 1)] {
            let places = Places(Arc::new(Semaphore::new(all)));
            let (sockets, asking) = elsewhere();
            let asking = UdpSocket::from_std(asking).unwrap();
            let one = Server::start(nameserver::open().unwrap(), "a", directory(), upstream.clone(), &places);
            let other = Server::start(sockets, "a", directory(), upstream.clone(), &places);
            let servers = (one.unwrap(), other.unwrap());
            for id in 0..100 {
                flood.send_to(&question(id, "example.com."), server()).await.unwrap();
            }
            assert_eq!(answers(&flood).await.len(), 100 - IN_FLIGHT, "its own share, and no more");
            assert_eq!(places.0.available_permits(), left);
            // Where all have no more places than one may take, one takes them from the others.
            asking.send_to(&question(1, "example.com."), server()).await.unwrap();
            let refused = answers(&asking).await;
            assert_eq!(refused.len(), 1 - left, "{refused:?}");
            drop(servers);
        }
    });
}

#[test]
fn the_hosts_servers_are_not_flooded_for_a_container() {
    in_a_namespace(|| async {
        let busy = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let _own = start(Upstream::These(vec![busy.local_addr().unwrap()]));
        let flood = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let began = Instant::now();
        let mut packet = vec![0; 512];
        for id in 0..150 {
            flood.send_to(&question(id, "example.com."), server()).await.unwrap();
        }
        let mut asked = 0u32;
        while let Ok(received) = timeout(Duration::from_secs(1), busy.recv_from(&mut packet)).await {
            let (n, from) = received.unwrap();
            let question = Message::from_vec(&packet[..n]).unwrap();
            let none = Message::error_msg(question.metadata.id, OpCode::Query, ResponseCode::NXDomain);
            busy.send_to(&none.to_vec().unwrap(), from).await.unwrap();
            asked += 1;
            let tenths = u32::try_from(began.elapsed().as_millis() / 100).unwrap();
            assert!(asked <= OFTEN_ELSEWHERE * (tenths + 2), "{asked} in {tenths} tenths of a second");
        }
        assert!(asked >= 20, "{asked}");
        assert!(finds("web.").await, "names of its own go on");
    });
}

#[test]
fn an_answer_that_somebody_else_sends_is_not_believed() {
    in_a_namespace(|| async {
        let real = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let forger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let _own = start(Upstream::These(vec![real.local_addr().unwrap()]));
        let play = async {
            let mut packet = vec![0; 512];
            let (n, from) = real.recv_from(&mut packet).await.unwrap();
            let question = Message::from_vec(&packet[..n]).unwrap();
            let answer =
                |code| Message::error_msg(question.metadata.id, OpCode::Query, code).to_vec().unwrap();
            // It knows the number of the question and where it came from, and still is another.
            forger.send_to(&answer(ResponseCode::Refused), from).await.unwrap_or_default();
            real.send_to(&answer(ResponseCode::NXDomain), from).await.unwrap();
            // Who does not look where an answer comes from takes the first.
            let simple = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            forger.send_to(b"forged", simple.local_addr().unwrap()).await.unwrap();
            assert_eq!(simple.recv(&mut packet).await.unwrap(), 6);
        };
        let (answer, ()) = tokio::join!(async { asked(&question(9, "example.com.")).await }, play);
        assert_eq!(answer.unwrap().metadata.response_code, ResponseCode::NXDomain);
    });
}
