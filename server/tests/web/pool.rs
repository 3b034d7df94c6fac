//! Promise: a session that is ready is handed over at once, to one visitor, and never when it does not fit any more.

use super::client::{Browser, until};
use super::support::{Serving, TOKEN, policy, start, start_with};
use futures_util::SinkExt;
use hyper::StatusCode;
use sandlot_server::session::policy::{Policy, Scheduled};
use sandlot_server::session::pool::{Budget, Window};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

fn pooled(count: usize) -> Policy {
    let pool = Budget { count, memory: 1 << 30, minimum: count };
    // The catalogue's other image cannot be made.
    let catalogue = policy().catalogue.into_iter().filter(|image| image.name == "shell").collect();
    Policy { pool, catalogue, total: 60, per_visitor: 60, ..policy() }
}

async fn pool(serving: &Serving) -> Value {
    let token = format!("Bearer {TOKEN}");
    let mut administrator = Browser::new(serving.address);
    let answer =
        administrator.call_from("GET", "/api/v1/pool", "", &[("authorization", token.as_str())]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn filled(serving: &Serving, count: usize) {
    for _ in 0..2000 {
        if pool(serving).await["ready"] == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the pool did not become {count}: {}", pool(serving).await);
}

async fn warm(serving: &Serving, body: &str) -> (StatusCode, Value) {
    let token = format!("Bearer {TOKEN}");
    let mut administrator = Browser::new(serving.address);
    let headers = [("authorization", token.as_str())];
    let answer = administrator.call_from("POST", "/api/v1/pool/warm", body, &headers).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_ready_session_is_at_its_prompt_and_answers() {
    let serving = start(pooled(1)).await;
    filled(&serving, 1).await;
    let ready = serving.engine.containers();
    let mut visitor = Browser::new(serving.address);
    let (id, terminal) = visitor.session().await;
    assert!(serving.engine.containers().contains(&ready[0]));
    let mut socket = visitor.attach(&id, &terminal, "").await.unwrap();
    until(&mut socket, "$ ").await;
    socket.send(Message::binary("echo it is $((40 + 2))\n")).await.unwrap();
    until(&mut socket, "it is 42").await;
    // It is replaced, and what was used does not come back when its session has ended.
    filled(&serving, 1).await;
    visitor.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    filled(&serving, 1).await;
    for _ in 0..500 {
        if !serving.engine.containers().contains(&ready[0]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the used container is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_get_fifty_different_ones() {
    let serving = start(pooled(20)).await;
    filled(&serving, 20).await;
    let ready: BTreeSet<String> = serving.engine.containers().into_iter().collect();
    let address = serving.address;
    let visits = (0..50).map(|_| {
        tokio::spawn(async move {
            let mut visitor = Browser::new(address);
            visitor.session().await
        })
    });
    let (mut ids, mut terminals) = (BTreeSet::new(), BTreeSet::new());
    for visit in visits.collect::<Vec<_>>() {
        let (id, terminal) = visit.await.unwrap();
        assert!(ids.insert(id), "a session was handed over twice");
        assert!(terminals.insert(terminal), "a terminal was handed over twice");
    }
    let left: BTreeSet<String> = serving.engine.containers().into_iter().collect();
    assert!(ready.is_subset(&left), "a ready one was thrown away");
    // What shows that the twenty were used: no more than fifty and the newly made exist.
    filled(&serving, 20).await;
    assert!(serving.engine.count() <= 70, "{}", serving.engine.count());
}

#[tokio::test]
async fn a_tag_that_moved_makes_what_is_ready_useless() {
    let serving = start(pooled(2)).await;
    filled(&serving, 2).await;
    let old: BTreeSet<String> = serving.engine.containers().into_iter().collect();
    serving.engine.move_tags();
    let mut visitor = Browser::new(serving.address);
    visitor.session().await;
    let gone = || old.is_disjoint(&serving.engine.containers().into_iter().collect());
    for _ in 0..500 {
        if gone() {
            return filled(&serving, 2).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("an old one is still there: {old:?}");
}

#[tokio::test]
async fn the_limits_of_sessions_hold_and_a_refused_one_stays_ready() {
    let serving = start(Policy { total: 1, per_visitor: 1, queue: 1, ..pooled(2) }).await;
    filled(&serving, 2).await;
    let (mut first, mut second) = (Browser::new(serving.address), Browser::new(serving.address));
    let (id, _) = first.session().await;
    filled(&serving, 2).await;
    let answer = first.call("POST", "/api/v1/sessions", "{}").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.body);
    // The second waits for its place although sessions are ready, and gets it when the first leaves.
    let answer = second.call("POST", "/api/v1/sessions", "{}").await;
    assert_eq!(
        (answer.status, &answer.body["position"]),
        (StatusCode::ACCEPTED, &1.into()),
        "{}",
        answer.body
    );
    let waiting = format!("/api/v1/sessions/{}", answer.body["id"].as_str().unwrap());
    first.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    for _ in 0..500 {
        if second.call("GET", &waiting, "").await.body["state"] == "running" {
            return filled(&serving, 2).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("who waited got no place");
}

#[tokio::test]
async fn nobody_is_refused_for_what_the_pool_holds() {
    let mut policy = pooled(2);
    let mut other = policy.catalogue[0].clone();
    other.name = "other".to_owned();
    policy.catalogue.push(other);
    policy.pool = Budget { count: 2, minimum: 0, ..policy.pool };
    let serving = start(policy).await;
    assert_eq!(
        warm(&serving, "{\"image\":\"shell\",\"count\":2,\"until\":\"2099-01-01T00:00:00Z\"}").await.0,
        200
    );
    filled(&serving, 2).await;
    serving.engine.shrink(2);
    let mut visitor = Browser::new(serving.address);
    let answer = visitor.call("POST", "/api/v1/sessions", "{\"image\":\"other\"}").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

#[tokio::test]
async fn what_is_announced_is_made_kept_over_a_restart_and_bounded() {
    let serving = start(Policy { pool: Budget { count: 3, memory: 1 << 30, minimum: 0 }, ..pooled(3) }).await;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(600);
    let body = |count: usize| format!("{{\"image\":\"shell\",\"count\":{count},\"until\":\"{until}\"}}");
    let mut visitor = Browser::new(serving.address);
    assert_eq!(visitor.call("GET", "/api/v1/pool", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(visitor.call("POST", "/api/v1/pool/warm", &body(1)).await.status, StatusCode::FORBIDDEN);
    let (status, answer) = warm(&serving, &body(4)).await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && answer.to_string().contains("at most 3"),
        "{answer}"
    );
    let (status, answer) = warm(&serving, "{\"count\":1,\"until\":\"tomorrow\"}").await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && answer.to_string().contains("tomorrow"),
        "{answer}"
    );
    assert_eq!(warm(&serving, &body(3)).await.0, StatusCode::OK);
    filled(&serving, 3).await;
    let old = serving.engine.containers();
    let (engine, state) = serving.shut_down().await;
    assert_eq!(engine.count(), 0, "a server that ends leaves nothing ready");
    let serving = start_with(
        Policy { pool: Budget { count: 3, memory: 1 << 30, minimum: 0 }, ..pooled(3) },
        engine,
        state,
    )
    .await;
    filled(&serving, 3).await;
    assert!(serving.engine.containers().iter().all(|one| !old.contains(one)));
    assert_eq!(warm(&serving, &body(0)).await.0, StatusCode::OK);
    filled(&serving, 0).await;
}

/// The number of a container or terminal: the engine counts both as they are made.
fn number(id: &str) -> u32 {
    id.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse().unwrap()
}

#[tokio::test]
async fn who_waited_gets_one_that_is_ready_and_keeps_it_over_a_restart() {
    let policy = || Policy { total: 1, per_visitor: 1, queue: 1, ..pooled(2) };
    let serving = start(policy()).await;
    filled(&serving, 2).await;
    let (mut first, mut second) = (Browser::new(serving.address), Browser::new(serving.address));
    let (id, _) = first.session().await;
    let answer = second.call("POST", "/api/v1/sessions", "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let waiting = answer.body["id"].as_str().unwrap().to_owned();
    filled(&serving, 2).await;
    // Each container's terminal is made right after it: what is ready now has no later number than this.
    let newest = serving.engine.containers().iter().map(|one| number(one)).max().unwrap() + 1;
    first.call("DELETE", &format!("/api/v1/sessions/{id}"), "").await;
    let path = format!("/api/v1/sessions/{waiting}");
    let mut session = Value::Null;
    for _ in 0..500 {
        session = second.call("GET", &path, "").await.body;
        if session["state"] == "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let terminal = session["terminals"][0]["id"].as_str().unwrap().to_owned();
    assert!(number(&terminal) <= newest, "{terminal} was made anew: {newest} was ready");
    assert!(session["remaining_seconds"].as_u64() > Some(3590), "waiting counted: {session}");
    let mut socket = second.attach(&waiting, &terminal, "").await.unwrap();
    socket.send(Message::binary("kept=$((40 + 2)); echo is-$kept\n")).await.unwrap();
    until(&mut socket, "is-42").await;
    // A server that starts again compares what it finds: the container's label names no session, and is not taken for lost.
    let (engine, state) = serving.shut_down().await;
    let serving = start_with(policy(), engine, state).await;
    let cookie = second.cookie.clone();
    let mut second = Browser::new(serving.address);
    second.cookie = cookie;
    filled(&serving, 2).await;
    assert_eq!(second.call("GET", &path, "").await.body["state"], "running");
    let mut socket = second.attach(&waiting, &terminal, "").await.unwrap();
    socket.send(Message::binary("echo still-$kept\n")).await.unwrap();
    until(&mut socket, "still-42").await;
}

#[tokio::test]
async fn what_the_timetable_says_is_ready_in_its_time_and_not_after_it() {
    let now = jiff::Timestamp::now().as_second();
    let window = |from: i64, until: i64| Window::Once { from: now + from, until: now + until };
    let one = |count, window| Scheduled { image: "shell".to_owned(), count, window };
    // Of a class that is over, one that goes on for some seconds, and one of tomorrow.
    let schedule =
        vec![one(4, window(-7200, -3600)), one(3, window(-60, 12)), one(4, window(86_400, 90_000))];
    let budget = Budget { count: 4, memory: 1 << 30, minimum: 0 };
    let serving = start(Policy { pool: budget, schedule, ..pooled(4) }).await;
    filled(&serving, 3).await;
    let told = pool(&serving).await;
    assert_eq!((&told["images"][0]["warm"], &told["images"][0]["target"]), (&3.into(), &3.into()), "{told}");
    filled(&serving, 0).await;
    assert!(jiff::Timestamp::now().as_second() >= now + 12, "they were thrown away early");
}
