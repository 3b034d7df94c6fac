//! Promise: several people share a terminal: one size, one answer to each question, and each is let go alone.

use super::outbox::{Item, Parting};
use super::tests::{Bench, next, next_of_all, numbered};
use super::*;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

#[tokio::test]
async fn the_size_follows_who_drives_and_the_others_are_told() {
    let bench = Bench::new();
    let terminal = bench.open();
    let (wide, narrow) = (Size { cols: 120, rows: 40 }, Size { cols: 60, rows: 20 });
    let first = terminal.attach(TerminalMode::Control).await.unwrap();
    first.resize(wide).await.unwrap();
    until(&first, |message| matches!(message, ServerMessage::People { people } if people[0].drives)).await;
    let second = terminal.attach(TerminalMode::Control).await.unwrap();
    until(&second, |message| matches!(message, ServerMessage::Hello { driven: true, cols: 120, .. })).await;
    second.resize(narrow).await.unwrap();
    until(&second, |message| *message == ServerMessage::Size { cols: 120, rows: 40 }).await;
    assert_eq!(rustix::termios::tcgetwinsize(&bench.slave).unwrap().ws_col, 120);
    second.drive().await.unwrap();
    until(&first, |message| *message == ServerMessage::Size { cols: 60, rows: 20 }).await;
    drop(second);
    until(&first, |message| *message == ServerMessage::Size { cols: 120, rows: 40 }).await;
    assert_eq!(rustix::termios::tcgetwinsize(&bench.slave).unwrap().ws_col, 120);
}

/// A program that asks the terminal is answered once: by the page that drives, or without one by the server.
#[tokio::test]
async fn questions_are_answered_once_whoever_is_there() {
    let bench = Bench::new();
    let terminal = bench.open();
    let program = bench.slave.try_clone().unwrap();
    let ask = async |question: &'static [u8]| {
        let mut program = program.try_clone().unwrap();
        tokio::task::spawn_blocking(move || program.write_all(question).unwrap()).await.unwrap();
    };
    // Nobody is there.
    ask(b"\x1b[3;5Hab\x1b[6n").await;
    assert_eq!(read(&program, 6).await, b"\x1b[3;7R");
    ask(b"\x1b[c").await;
    assert_eq!(read(&program, 7).await, b"\x1b[?1;2c");
    // Several are: only the answer of the one who drives counts, and the server is silent.
    let (first, second, looker) = (
        terminal.attach(TerminalMode::Control).await.unwrap(),
        terminal.attach(TerminalMode::Control).await.unwrap(),
        terminal.attach(TerminalMode::View).await.unwrap(),
    );
    first.resize(Size { cols: 100, rows: 30 }).await.unwrap();
    second.resize(Size { cols: 90, rows: 30 }).await.unwrap();
    ask(b"\x1b[6n").await;
    for (viewer, answer) in [(&looker, "[looks]"), (&second, "[second]"), (&first, "[first]")] {
        viewer.answer(answer.to_owned()).await.unwrap();
    }
    first.input("|typed".into()).await.unwrap();
    assert_eq!(read(&program, 13).await, b"[first]|typed");
    first.answer("x".repeat(5000)).await.unwrap();
    first.input("!".into()).await.unwrap();
    assert_eq!(read(&program, 1).await, b"!", "an answer that is none is dropped");
}

#[tokio::test]
async fn guests_of_a_revoked_share_are_let_go_and_the_others_stay() {
    let bench = Bench::new();
    let terminal = bench.open();
    let guest = |share: &str| Arrival {
        person: Person { name: "Guest 1".to_owned(), share: Some(share.to_owned()) },
        ..TerminalMode::Control.into()
    };
    let owner = terminal.attach(TerminalMode::Control).await.unwrap();
    let (let_go, stays) =
        (terminal.attach(guest("a")).await.unwrap(), terminal.attach(guest("b")).await.unwrap());
    terminal.let_go("a").await.unwrap();
    let parting = loop {
        if let Item::End(parting) = next(&let_go).await {
            break parting;
        }
    };
    assert_eq!(parting, Parting::Revoked);
    let_go.input("late".into()).await.unwrap();
    until(&owner, |message| matches!(message, ServerMessage::People { people } if people.len() == 3)).await;
    until(&owner, |message| matches!(message, ServerMessage::People { people } if people.len() == 2)).await;
    stays.input("here".into()).await.unwrap();
    assert_eq!(read(&bench.slave, 4).await, b"here");
}

/// A page names itself: somebody else's page that takes the name takes nothing else.
#[tokio::test]
async fn a_guest_who_uses_the_owners_page_name_does_not_take_their_place() {
    let bench = Bench::new();
    let terminal = bench.open();
    let named = |share: Option<&str>| Arrival {
        page: Page::named("window1"),
        person: Person { name: "Somebody".to_owned(), share: share.map(str::to_owned) },
        ..TerminalMode::Control.into()
    };
    let owner = terminal.attach(named(None)).await.unwrap();
    let guest = terminal.attach(named(Some("a"))).await.unwrap();
    until(&guest, |message| matches!(message, ServerMessage::People { people } if people.len() == 2)).await;
    owner.input("still here".into()).await.unwrap();
    assert_eq!(read(&bench.slave, 10).await, b"still here");
}

#[tokio::test]
async fn a_crowd_is_bounded_and_a_resize_storm_ends_in_the_last_size() {
    let bench = Bench::new();
    let terminal = bench.open();
    let mut crowd = Vec::new();
    for _ in 0..viewers::MOST {
        crowd.push(terminal.attach(TerminalMode::View).await.unwrap());
    }
    assert!(matches!(terminal.attach(TerminalMode::Control).await, Err(Error::Crowded(_))));
    crowd.pop();
    let driver = loop {
        match terminal.attach(TerminalMode::Control).await {
            Ok(driver) => break driver,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let printing = bench.print(numbered(2000));
    for n in 0..2000_u16 {
        driver.resize(Size { cols: 20 + n % 300, rows: 5 + n % 90 }).await.unwrap();
    }
    driver.resize(Size { cols: 99, rows: 33 }).await.unwrap();
    let drained = async {
        loop {
            if let Item::Bytes(bytes) = driver.outbox.next().await {
                driver.ack(bytes.len() as u64).await.unwrap();
            }
        }
    };
    let done = async {
        while !printing.is_finished() || rustix::termios::tcgetwinsize(&bench.slave).unwrap().ws_col != 99 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = drained => (),
        done = tokio::time::timeout(Duration::from_secs(60), done) => done.expect("the storm did not end"),
    }
}

/// Waits for a message, and takes bytes on the way.
async fn until(viewer: &Viewer, wanted: impl Fn(&ServerMessage) -> bool) {
    loop {
        match next_of_all(viewer).await {
            Item::Message(message) if wanted(&message) => return,
            Item::End(parting) => panic!("ended: {parting:?}"),
            _ => (),
        }
    }
}

/// What the program reads.
async fn read(slave: &File, count: usize) -> Vec<u8> {
    let mut slave = slave.try_clone().unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut got = vec![0; count];
        std::io::Read::read_exact(&mut slave, &mut got).map(|()| got)
    });
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("nothing to read").unwrap().unwrap()
}
