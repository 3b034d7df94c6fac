//! Promise: nobody gets more than their share, and the queue is fair.

use super::*;
use crate::session::engine::Limits;
use std::time::Duration;

pub(in crate::session) fn policy() -> Policy {
    Policy {
        limits: Limits { memory: 1, nano_cpus: 1, pids: 1, disk: 1 },
        idle: Duration::from_secs(1),
        lifetime: Duration::from_secs(1),
        extension: Duration::from_secs(1),
        extensions: 1,
        per_visitor: 2,
        total: 2,
        queue: 2,
        terminals: 1,
        keeping: crate::session::Keeping::default(),
        pool: crate::session::pool::Budget::default(),
        schedule: vec![],
        recording: None,
        catalogue: vec![],
    }
}

pub(in crate::session) fn session(id: &str, owner: &str) -> Session {
    let row = SessionRow {
        id: id.to_owned(),
        node: String::new(),
        owner: owner.to_owned(),
        image: String::new(),
        profile: "nested".to_owned(),
        state: "starting".to_owned(),
        reason: None,
        message: None,
        container: None,
        extensions: 0,
        created_at: 0,
        expires_at: 0,
        ended_at: None,
        started_at: None,
        used: None,
    };
    Session::from_row(row, 0)
}

fn admit(table: &mut Table, id: &str, owner: &str) -> Result<State, Refusal> {
    table.admit(session(id, owner), &Caller::Visitor(owner.to_owned()), &policy())
}

fn closed() -> End {
    End { reason: Reason::Closed, message: "closed".to_owned(), at: 10 }
}

#[test]
fn who_comes_when_all_places_are_taken_waits_in_order() {
    let mut table = Table::default();
    assert_eq!(admit(&mut table, "1", "a"), Ok(State::Starting));
    assert_eq!(admit(&mut table, "2", "b"), Ok(State::Starting));
    assert_eq!(admit(&mut table, "3", "c"), Ok(State::Queued));
    assert_eq!(admit(&mut table, "4", "d"), Ok(State::Queued));
    assert_eq!(admit(&mut table, "5", "e"), Err(Refusal::Full(2)));
    assert_eq!((table.position("3"), table.position("4"), table.position("1")), (Some(1), Some(2), None));
    assert_eq!(table.promote(2), Vec::<String>::new());
    assert!(table.end("1", closed()).is_some());
    assert_eq!(table.promote(2), ["3"]);
    assert_eq!(table.position("4"), Some(1));
    assert_eq!(table.get("3").unwrap().state, State::Starting);
}

#[test]
fn a_place_that_became_free_goes_to_who_waits_not_to_who_comes() {
    let mut table = Table::default();
    for (id, owner) in [("1", "a"), ("2", "b"), ("3", "c")] {
        admit(&mut table, id, owner).unwrap();
    }
    table.end("1", closed());
    assert_eq!(admit(&mut table, "4", "d"), Ok(State::Queued));
    assert_eq!(table.promote(2), ["3"]);
}

#[test]
fn a_visitor_has_a_limit_and_the_administrator_has_not() {
    let mut table = Table::default();
    admit(&mut table, "1", "a").unwrap();
    admit(&mut table, "2", "a").unwrap();
    assert_eq!(admit(&mut table, "3", "a"), Err(Refusal::TooMany(2)));
    assert!(table.admit(session("4", "a"), &Caller::Administrator, &policy()).is_ok());
    table.end("1", closed());
    table.end("2", closed());
    table.end("4", closed());
    assert!(admit(&mut table, "5", "a").is_ok());
}

#[test]
fn who_leaves_the_queue_is_not_promoted() {
    let mut table = Table::default();
    for (id, owner) in [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")] {
        admit(&mut table, id, owner).unwrap();
    }
    table.end("3", closed());
    assert!(table.end("3", closed()).is_none());
    table.end("1", closed());
    assert_eq!(table.promote(2), ["4"]);
}

#[test]
fn a_row_gives_the_session_back() {
    let mut table = Table::default();
    admit(&mut table, "1", "a").unwrap();
    let row = table.get("1").unwrap().row("n");
    assert_eq!(Session::from_row(row, 5).state, State::Queued, "a session that was starting starts again");
    table.get_mut("1").unwrap().state = State::Running;
    let row = table.get("1").unwrap().row("n");
    assert_eq!(Session::from_row(row.clone(), 5).row("n"), row);
    table.end("1", closed());
    let row = table.get("1").unwrap().row("n");
    assert_eq!(Session::from_row(row.clone(), 5).row("n"), row);
    assert_eq!(Session::from_row(row, 5).profile, Profile::Nested);
}

#[test]
fn only_the_owner_and_the_administrator_may_use_a_session() {
    assert!(Caller::Visitor("a".to_owned()).may_use("a"));
    assert!(!Caller::Visitor("b".to_owned()).may_use("a"));
    assert!(Caller::Administrator.may_use("a"));
    assert!(!Caller::Visitor("a".to_owned()).may_use("administrator"));
}
