//! The registry of networks, without a kernel.

use super::request::NetworkRequest;
use super::*;

fn open(dir: &Path) -> Networks {
    Networks::open(dir, dir, &[]).unwrap()
}

#[test]
fn the_default_network_is_there_and_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).find(BRIDGE).unwrap();
    assert_eq!((first.number, first.id.len(), first.predefined()), (0, 64, true));
    assert_eq!(open(dir.path()).find(&first.id[..12]).unwrap(), first);
    std::fs::write(dir.path().join("networks/half.new"), "{").unwrap();
    assert_eq!(open(dir.path()).all(), [first]);
    assert!(!dir.path().join("networks/half.new").exists());
}

#[test]
fn addresses_end_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let networks = open(dir.path());
    let bridge = networks.find(BRIDGE).unwrap();
    let small =
        Network { subnet: "10.1.0.0/29".parse().unwrap(), gateway: Ipv4Addr::new(10, 1, 0, 1), ..bridge };
    let all: Vec<Ipv4Addr> = std::iter::from_fn(|| networks.take(&small, None).ok()).collect();
    assert_eq!(all.len(), 5);
    let full = networks.take(&small, None).unwrap_err().to_string();
    assert!(full.contains("no available IPv4 addresses"), "{full}");
    let taken = networks.take(&small, Some(all[2])).unwrap_err().to_string();
    assert_eq!(taken, "Address already in use");
    networks.give_back(&small.id, all[2]);
    assert_eq!(networks.take(&small, Some(all[2])).unwrap(), all[2]);
    for wrong in [Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(10, 2, 0, 2)] {
        assert!(networks.take(&small, Some(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_tag_is_five_plain_characters_and_the_same_each_time() {
    let one = tag(Path::new("/a"));
    assert!(one.len() == 5 && one.bytes().all(|b| b.is_ascii_alphanumeric()), "{one}");
    assert!(one == tag(Path::new("/a")) && one != tag(Path::new("/b")));
    assert_eq!(NetworkRequest::default().name, "");
}
