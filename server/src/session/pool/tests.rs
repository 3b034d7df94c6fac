//! Promise: what is ready is handed over once, fits what is asked for, and stays within the budget.

use super::*;

fn kind(image: &str) -> Kind {
    Kind {
        image: image.to_owned(),
        profile: Profile::Standard,
        network: Network::None,
        limits: Limits { memory: 1, nano_cpus: 1, pids: 1, disk: 1 },
    }
}

/// One whose terminal is a real pty, of which `open` keeps the other end.
fn member(id: &str, digest: &str, open: &mut Vec<std::os::fd::OwnedFd>) -> Member {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring");
    let ring = sandlot_wire::ring::Ring::create(&ring).unwrap();
    let pty = nix::pty::openpty(None, None).unwrap();
    open.push(pty.slave);
    let activity = Arc::<Activity>::default();
    let line = crate::terminal::Line { master: pty.master, ring: ring.into(), resized: None, tape: None };
    let terminal = Terminal::open("t".to_owned(), line, activity.clone()).unwrap();
    let slot = Slot { id: "t".to_owned(), terminal: Some(terminal), ended: None };
    Member {
        id: id.to_owned(),
        kind: kind("a"),
        digest: digest.to_owned(),
        container: format!("c-{id}"),
        slot,
        activity,
        memory: 10 << 20,
    }
}

fn pool(count: usize, memory: u64) -> Pool {
    Pool::new(Budget { count, memory, minimum: 1 }, vec![kind("a")], vec![])
}

#[tokio::test]
async fn one_is_handed_over_once_and_goes_back_only_unused() {
    let (pool, mut open) = (pool(4, 1 << 30), Vec::new());
    pool.add(member("1", "d", &mut open));
    assert!(pool.take(&kind("b"), "d").is_none());
    drop(pool.take(&kind("a"), "d"));
    let taken = pool.take(&kind("a"), "d").unwrap();
    assert_eq!(taken.id(), Some("1"));
    assert!(pool.take(&kind("a"), "d").is_none());
    assert_eq!(taken.used().unwrap().container, "c-1");
    assert!(pool.take(&kind("a"), "d").is_none());
    assert!(!pool.holds("1"));
}

#[tokio::test]
async fn what_does_not_fit_any_more_is_sorted_out() {
    let (pool, mut open) = (pool(4, 1 << 30), Vec::new());
    pool.add(member("old", "d1", &mut open));
    pool.add(member("new", "d2", &mut open));
    assert_eq!(pool.take(&kind("a"), "d2").unwrap().used().unwrap().id, "new");
    let spoiled = pool.spoiled();
    assert_eq!((spoiled[0].0.id.as_str(), spoiled[0].1, spoiled.len()), ("old", Spoiled::Image, 1));
    pool.add(member("ended", "d2", &mut open));
    // The shell's end of the pty goes: the terminal hangs up.
    let ended = pool.shelf(|shelf| shelf.ready[0].slot.terminal.clone().unwrap());
    open.clear();
    ended.hung_up().await;
    assert!(pool.take(&kind("a"), "d2").is_none());
    assert_eq!(pool.spoiled()[0].1, Spoiled::Dead);
}

#[tokio::test]
async fn as_many_are_wanted_as_are_likely_and_fit() {
    let (pool, mut open, now) = (pool(3, 35 << 20), Vec::new(), Instant::now());
    assert_eq!(pool.wanted(now, 0), Some(kind("a")));
    pool.add(member("1", "d", &mut open));
    assert_eq!(pool.wanted(now, 0), None);
    for _ in 0..5 {
        pool.ask(&kind("a"), now);
    }
    pool.add(member("2", "d", &mut open));
    assert_eq!(pool.wanted(now, 0), Some(kind("a")));
    pool.add(member("3", "d", &mut open));
    assert_eq!(pool.wanted(now, 0), None, "three are all that the budget has");
    // A quarter of an hour later the minimum is enough, and one after the other goes.
    let later = now + Duration::from_secs(16 * 60);
    for left in [2, 1, 1] {
        assert_eq!(pool.wanted(later, 0), None);
        assert_eq!(pool.view(later, 0)[0].ready, left);
    }
    pool.announce(Warmup { kind: kind("a"), count: 3, until: 100 });
    assert_eq!((pool.wanted(later, 99), pool.announced(&kind("b"), 99)), (Some(kind("a")), 3));
    assert_eq!((pool.wanted(later, 100), pool.announced(&kind("b"), 100)), (None, 0));
}

#[tokio::test]
async fn what_cannot_be_made_and_what_has_no_room_is_left_alone() {
    let (pool, mut open, now) = (pool(9, 25 << 20), Vec::new(), Instant::now());
    assert!((0..9).all(|_| !pool.ask(&kind("a"), now)));
    pool.failed(kind("a"), now);
    assert_eq!(pool.wanted(now, 0), None);
    assert_eq!(pool.wanted(now + PENANCE, 0), Some(kind("a")));
    pool.add(member("1", "d", &mut open));
    pool.add(member("2", "d", &mut open));
    assert_eq!(pool.wanted(now + PENANCE, 0), None, "a third would take more memory than the pool may");
}
