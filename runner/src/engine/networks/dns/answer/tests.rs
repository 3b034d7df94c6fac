//! Questions as containers send them, and what is none.

use super::super::super::directory::{Named, Place};
use super::*;
use std::net::Ipv4Addr;

fn directory(outside: Outside) -> Directory {
    let place = |last: u8, names: &[&str]| Place {
        network: "id".into(),
        network_name: "red".into(),
        named: Named::Yes,
        outside,
        address: Ipv4Addr::new(10, 0, 0, last),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        links: vec![],
    };
    let directory = Directory::default();
    directory.put("a", vec![place(1, &["web", "shared"])]);
    directory.put("b", vec![place(2, &["db", "shared"])]);
    directory
}

pub(in super::super) fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn asked(name: &str, kind: RecordType) -> Option<Message> {
    match answer(&question(name, kind), "a", &directory(Outside::Open)) {
        Reply::Answer(bytes) => Some(Message::from_vec(&bytes).unwrap()),
        Reply::Ask => None,
        Reply::Nothing => panic!("{name} is a question"),
    }
}

#[test]
fn containers_are_found_and_everything_else_is_asked_elsewhere() {
    let found = asked("DB.", RecordType::A).unwrap();
    assert_eq!((found.metadata.id, found.metadata.response_code), (7, ResponseCode::NoError));
    assert_eq!((found.answers.len(), found.answers[0].ttl), (1, 600));
    assert_eq!(found.answers[0].data, RData::A(A(Ipv4Addr::new(10, 0, 0, 2))));
    assert_eq!(asked("db.red.", RecordType::A).unwrap().answers.len(), 1);
    assert_eq!(asked("shared.", RecordType::A).unwrap().answers.len(), 2);
    // There, but not by IPv6: nobody need wait for another server's word.
    let by_six = asked("db.", RecordType::AAAA).unwrap();
    assert_eq!((by_six.metadata.response_code, by_six.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(asked("nobody.", RecordType::A).unwrap().metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(asked("example.com.", RecordType::A), None);
    let name = asked("2.0.0.10.in-addr.arpa.", RecordType::PTR).unwrap();
    assert_eq!(name.answers[0].data, RData::PTR(PTR(Name::from_ascii("db.red.").unwrap())));
    assert_eq!(asked("8.8.8.8.in-addr.arpa.", RecordType::PTR), None);
}

#[test]
fn from_an_internal_network_nothing_is_asked_elsewhere() {
    let directory = directory(Outside::Shut);
    for (name, kind) in
        [("example.com.", RecordType::TXT), ("8.8.8.8.in-addr.arpa.", RecordType::PTR), (".", RecordType::NS)]
    {
        match answer(&question(name, kind), "a", &directory) {
            Reply::Answer(bytes) => {
                let said = Message::from_vec(&bytes).unwrap();
                assert_eq!(said.metadata.response_code, ResponseCode::NXDomain, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_question_does_no_harm() {
    let directory = directory(Outside::Open);
    let answer = |packet: &[u8]| answer(packet, "a", &directory);
    for n in 0..HEADER {
        assert_eq!(answer(&vec![0; n]), Reply::Nothing);
    }
    let mut an_answer = question("db.", RecordType::A);
    an_answer[2] |= 0x80;
    assert_eq!(answer(&an_answer), Reply::Nothing, "two servers would go on for ever");
    // A name that points to itself; one that points behind the end; a label that is longer than the packet.
    for name in [&[0xc0, 12][..], &[0xc0, 0xff], &[0xff, 0xff], &[63, b'x']] {
        let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.extend(name);
        packet.extend([0, 1, 0, 1]);
        let Reply::Answer(said) = answer(&packet) else { panic!("{name:?}") };
        assert_eq!(Message::from_vec(&said).unwrap().metadata.response_code, ResponseCode::FormErr);
    }
    // Counts that promise more than there is; two questions; none.
    for counts in [[0xff, 0xff, 0xff, 0xff], [0, 2, 0, 0], [0, 0, 0, 0]] {
        let mut packet = question("db.", RecordType::A);
        packet[4..8].copy_from_slice(&counts);
        let Reply::Answer(said) = answer(&packet) else { panic!("{counts:?}") };
        assert_eq!(Message::from_vec(&said).unwrap().metadata.response_code, ResponseCode::FormErr);
    }
    let mut status = question("db.", RecordType::A);
    status[2] |= 0x10;
    let Reply::Answer(said) = answer(&status) else { panic!("an operation that is not there") };
    assert_eq!(Message::from_vec(&said).unwrap().metadata.response_code, ResponseCode::NotImp);
}

#[test]
fn no_packet_makes_it_panic() {
    let directory = directory(Outside::Open);
    let mut runner = proptest::test_runner::TestRunner::default();
    let packets = proptest::collection::vec(proptest::num::u8::ANY, 0..600);
    runner
        .run(&packets, |mut packet| {
            answer(&packet, "a", &directory);
            // The same as a question of one name, so that more than the header is read.
            if packet.len() > HEADER {
                packet[2..HEADER].copy_from_slice(&[1, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
                answer(&packet, "a", &directory);
            }
            Ok(())
        })
        .unwrap();
}

/// xorshift: the same packets each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        // Lengths of labels, pointers, types and counts are small or at the ends.
        [0, 1, 2, 5, 41, 63, 64, 0x7f, 0x80, 0xc0, 0xff][self.below(11)]
    }
}

/// A panic would end the engine, for all containers; what is answered is never longer than names of our own make it.
#[test]
fn no_packet_of_any_kind_panics_or_is_answered_at_length() {
    let directory = directory(Outside::Open);
    let mut seeds: Vec<Vec<u8>> = [
        ("web.", RecordType::A),
        ("shared.red.", RecordType::ANY),
        ("2.0.0.10.in-addr.arpa.", RecordType::PTR),
        ("a.b.c.d.e.f.example.com.", RecordType::SVCB),
    ]
    .into_iter()
    .map(|(name, kind)| question(name, kind))
    .collect();
    // One with records of many types behind the question.
    let mut whole = question("web.", RecordType::A);
    for kind in [1u8, 2, 5, 6, 12, 15, 16, 28, 33, 35, 41, 43, 46, 47, 48, 50, 52, 64, 65, 250] {
        whole.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, 8, 3, b'w', b'e', b'b', 0xc0, 12, 0, 1]);
    }
    whole[11] = 20;
    seeds.push(whole);
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    let mut answered = 0;
    for n in 0..60_000 {
        let mut packet = seeds[n % seeds.len()].clone();
        for _ in 0..=dice.below(6) {
            let at = dice.below(packet.len());
            match dice.below(4) {
                0 => packet.truncate(at.max(1)),
                1 => packet.extend_from_within(at..),
                2 => packet.insert(at, dice.byte()),
                _ => packet[at] = dice.byte(),
            }
        }
        packet.truncate(4096);
        if let Reply::Answer(bytes) = answer(&packet, "a", &directory) {
            answered += 1;
            assert!(bytes.len() <= packet.len() + 600, "{packet:?}");
        }
        failure(&packet);
    }
    assert!(answered > 1000, "{answered}: hardly a packet was understood");
}
