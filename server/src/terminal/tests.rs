//! Promise: every viewer sees exactly the terminal's stream, however late, slow or many they are.

use super::outbox::{Item, Parting};
use super::*;
use nix::pty::openpty;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub(super) struct Bench {
    dir: tempfile::TempDir,
    master: OwnedFd,
    pub(super) slave: File,
    activity: Arc<Activity>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let pty = openpty(None, None).unwrap();
        let mut raw = rustix::termios::tcgetattr(&pty.slave).unwrap();
        raw.make_raw();
        rustix::termios::tcsetattr(&pty.slave, rustix::termios::OptionalActions::Now, &raw).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Ring::create(&dir.path().join("ring")).unwrap();
        Self { dir, master: pty.master, slave: pty.slave.into(), activity: Arc::default() }
    }

    fn ring(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn open(&self) -> Terminal {
        let ring = File::options().read(true).write(true).open(self.ring().join("ring")).unwrap();
        let master = self.master.try_clone().unwrap();
        let line = Line { master, ring: ring.into(), resized: None, tape: None };
        Terminal::open("t1".to_owned(), line, self.activity.clone()).unwrap()
    }

    pub(super) fn print(&self, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
        let mut slave = self.slave.try_clone().unwrap();
        std::thread::spawn(move || slave.write_all(&bytes).unwrap())
    }
}

pub(super) fn numbered(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("line {n} of a long listing\r\n").into_bytes()).collect()
}

/// What comes next, but who is there: that is told with every coming and going.
pub(super) async fn next(viewer: &Viewer) -> Item {
    loop {
        match next_of_all(viewer).await {
            Item::Message(ServerMessage::People { .. }) => (),
            other => return other,
        }
    }
}

pub(super) async fn next_of_all(viewer: &Viewer) -> Item {
    tokio::time::timeout(Duration::from_secs(20), viewer.outbox.next()).await.expect("nothing came for 20 s")
}

async fn hello(viewer: &Viewer) -> (u64, u64) {
    match next(viewer).await {
        Item::Message(ServerMessage::Hello { seq, replay_bytes, .. }) => (seq, replay_bytes),
        other => panic!("expected a hello, got {other:?}"),
    }
}

async fn bytes(viewer: &Viewer, wanted: u64) -> Vec<u8> {
    let mut got = Vec::new();
    while (got.len() as u64) < wanted {
        match next(viewer).await {
            Item::Bytes(more) => {
                viewer.ack(more.len() as u64).await.unwrap();
                got.extend_from_slice(&more);
            }
            other => panic!("expected bytes, got {other:?}"),
        }
    }
    got
}

/// Follows the stream from a viewer's arrival to the end of `stream`.
async fn follow(viewer: Viewer, stream: Arc<Vec<u8>>) {
    let (seq, replay) = hello(&viewer).await;
    let live = stream.len() as u64 - seq;
    let got = bytes(&viewer, replay + live).await;
    assert_eq!(got.len() as u64, replay + live);
    assert!(got[usize::try_from(replay).unwrap()..] == stream[usize::try_from(seq).unwrap()..], "from {seq}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_join_during_a_flood_lose_and_double_nothing() {
    let bench = Bench::new();
    let terminal = bench.open();
    let stream = Arc::new(numbered(40_000));
    let first = terminal.attach(TerminalMode::Control).await.unwrap();
    let printing = bench.print(stream.to_vec());
    let mut followers = vec![tokio::spawn(follow(first, stream.clone()))];
    for pause in [1, 3, 5, 8, 13, 21] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let viewer = terminal.attach(TerminalMode::View).await.unwrap();
        followers.push(tokio::spawn(follow(viewer, stream.clone())));
    }
    for follower in followers {
        follower.await.unwrap();
    }
    printing.join().unwrap();
}

#[tokio::test]
async fn a_reader_that_takes_over_goes_on_where_the_last_one_stopped() {
    let bench = Bench::new();
    let stream = Arc::new(numbered(30_000));
    let printing = bench.print(stream.to_vec());
    for _ in 0..5 {
        let terminal = bench.open();
        tokio::time::sleep(Duration::from_millis(10)).await;
        terminal.close().await;
    }
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    follow(viewer, stream).await;
    printing.join().unwrap();
}

#[tokio::test]
async fn a_lone_viewer_that_does_not_acknowledge_holds_the_program_back() {
    let bench = Bench::new();
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    hello(&viewer).await;
    let stream = numbered(100_000);
    let total = stream.len() as u64;
    let printing = bench.print(stream);
    let mut got = 0;
    while let Ok(item) = tokio::time::timeout(Duration::from_millis(300), viewer.outbox.next()).await {
        if let Item::Bytes(more) = item {
            got += more.len() as u64;
        }
    }
    assert!((window::FIRST..window::FIRST + 256 * 1024).contains(&got), "{got}");
    assert!(!printing.is_finished());
    viewer.ack(got).await.unwrap();
    bytes(&viewer, total - got).await;
    printing.join().unwrap();
}

#[tokio::test]
async fn a_slow_viewer_among_several_gets_a_fresh_screen_instead() {
    let bench = Bench::new();
    let terminal = bench.open();
    let slow = terminal.attach(TerminalMode::View).await.unwrap();
    let quick = terminal.attach(TerminalMode::Control).await.unwrap();
    let stream = Arc::new(numbered(100_000));
    let printing = bench.print(stream.to_vec());
    follow(quick, stream).await;
    printing.join().unwrap();
    hello(&slow).await;
    let mut last = Vec::new();
    while let Ok(item) = tokio::time::timeout(Duration::from_millis(500), slow.outbox.next()).await {
        let Item::Bytes(more) = item else { continue };
        slow.ack(more.len() as u64).await.unwrap();
        last.extend_from_slice(&more);
    }
    let fresh = last.windows(2).rposition(|pair| pair == b"\x1bc").expect("no fresh screen came");
    assert!(String::from_utf8_lossy(&last[fresh..]).contains("line 99999 of"));
    assert!(!String::from_utf8_lossy(&last[..fresh]).contains("line 99999 of"));
}

#[tokio::test]
async fn sizes_out_of_range_are_refused_and_others_reach_the_pty() {
    let bench = Bench::new();
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    hello(&viewer).await;
    for size in [Size { cols: 0, rows: 0 }, Size { cols: 65535, rows: 65535 }, Size { cols: 80, rows: 0 }] {
        viewer.resize(size).await.unwrap();
        assert!(
            matches!(next(&viewer).await, Item::Message(ServerMessage::Notice { text, .. }) if text.contains("1000"))
        );
    }
    let other = terminal.attach(TerminalMode::View).await.unwrap();
    hello(&other).await;
    viewer.resize(Size { cols: 132, rows: 50 }).await.unwrap();
    assert_eq!(next(&other).await, Item::Message(ServerMessage::Size { cols: 132, rows: 50 }));
    let size = rustix::termios::tcgetwinsize(&bench.slave).unwrap();
    assert_eq!((size.ws_col, size.ws_row), (132, 50));
}

#[tokio::test]
async fn who_looks_on_cannot_type() {
    let bench = Bench::new();
    let terminal = bench.open();
    let (viewer, typist) = (
        terminal.attach(TerminalMode::View).await.unwrap(),
        terminal.attach(TerminalMode::Control).await.unwrap(),
    );
    hello(&viewer).await;
    viewer.input("forbidden".into()).await.unwrap();
    assert!(matches!(next(&viewer).await, Item::Message(ServerMessage::Notice { .. })));
    viewer.resize(Size { cols: 10, rows: 10 }).await.unwrap();
    typist.input("typed".into()).await.unwrap();
    let mut slave = bench.slave.try_clone().unwrap();
    let got = tokio::task::spawn_blocking(move || {
        let mut got = [0; 32];
        let n = std::io::Read::read(&mut slave, &mut got).unwrap();
        got[..n].to_vec()
    });
    assert_eq!(got.await.unwrap(), b"typed");
}

#[tokio::test]
async fn the_end_is_told_to_those_who_are_there_and_to_those_who_come_later() {
    let bench = Bench::new();
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    hello(&viewer).await;
    bench.print(b"bye".to_vec()).join().unwrap();
    assert_eq!(bytes(&viewer, 3).await, b"bye");
    drop(bench.slave);
    terminal.hung_up().await;
    assert_eq!(terminal.phase(), Phase::HungUp);
    terminal.exited(7).await.unwrap();
    assert_eq!(next(&viewer).await, Item::Message(ServerMessage::Exit { code: 7 }));
    assert_eq!(next(&viewer).await, Item::End(Parting::Exited));
    let late = terminal.attach(TerminalMode::View).await.unwrap();
    hello(&late).await;
    assert_eq!(bytes(&late, 3).await, b"bye");
    assert_eq!(next(&late).await, Item::Message(ServerMessage::Exit { code: 7 }));
}

#[tokio::test]
async fn input_that_no_program_reads_is_bounded() {
    let bench = Bench::new();
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    hello(&viewer).await;
    for _ in 0..6 {
        let _ = viewer.input(vec![b'x'; 1024 * 1024].into()).await;
    }
    assert_eq!(next(&viewer).await, Item::End(Parting::Flooding));
}

#[tokio::test]
async fn presence_is_counted() {
    let bench = Bench::new();
    let terminal = bench.open();
    let viewer = terminal.attach(TerminalMode::Control).await.unwrap();
    assert_eq!(bench.activity.viewers(), 1);
    drop(viewer);
    assert_eq!(bench.activity.viewers(), 0);
}

#[tokio::test]
async fn a_page_whose_connection_broke_learns_what_of_its_typing_was_taken() {
    let bench = Bench::new();
    let terminal = bench.open();
    let paged = || Arrival { page: Page::named("page1"), ..TerminalMode::Control.into() };
    let broken = terminal.attach(paged()).await.unwrap();
    assert!(matches!(next(&broken).await, Item::Message(ServerMessage::Hello { taken: None, .. })));
    broken.input("abc".into()).await.unwrap();
    broken.input("de".into()).await.unwrap();
    assert_eq!(next(&broken).await, Item::Message(ServerMessage::Taken { bytes: 5 }));
    broken.input("f".into()).await.unwrap();
    let again = terminal.attach(paged()).await.unwrap();
    assert!(matches!(next(&again).await, Item::Message(ServerMessage::Hello { taken: Some(6), .. })));
    // What the broken connection still brings is not taken: the page sends it again by the new one.
    broken.input("late".into()).await.unwrap();
    assert_eq!(next(&broken).await, Item::End(Parting::Closed));
    again.input("g".into()).await.unwrap();
    assert_eq!(next(&again).await, Item::Message(ServerMessage::Taken { bytes: 7 }));
}
