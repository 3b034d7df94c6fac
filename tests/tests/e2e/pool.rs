//! Sessions that are ready before anybody asks: handed over once, never stale, gone with the server that made them.

use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use serde_json::Value;
use std::collections::BTreeSet;

const IMAGE: &str = "sandlot/starter";

/// A server whose pool holds that many sessions of that image.
async fn pooled(image: &str, count: usize) -> Sandbox {
    let mut sandbox = Sandbox::engine().await.unwrap();
    if image != IMAGE {
        sandbox.ok(&["tag", IMAGE, image]).unwrap();
    }
    sandbox.catalogue(&[image]);
    sandbox.settings(&[
        &format!("--pool-count={count}"),
        &format!("--pool-minimum={count}"),
        "--sessions-per-visitor=60",
        // What sessions may write is promised: fifty fit beside what a build has left.
        "--disk=32m",
    ]);
    sandbox.start(Part::Server).await.unwrap();
    filled(&sandbox, count).await;
    sandbox
}

async fn filled(sandbox: &Sandbox, count: usize) {
    let administrator = sandbox.administrator().unwrap();
    let full = || async {
        let (status, pool) = administrator.call("GET", "/pool", None).await.ok()?;
        (status == 200 && pool["ready"] == count).then_some(())
    };
    let waited = until("the pool to be filled", full).await;
    assert!(waited.is_ok(), "{:?}", administrator.call("GET", "/pool", None).await);
}

fn containers(sandbox: &Sandbox) -> BTreeSet<String> {
    sandbox.ok(&["ps", "-aq", "--no-trunc"]).unwrap().lines().map(str::to_owned).collect()
}

fn names(session: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&session["id"]), text(&session["terminals"][0]["id"]))
}

#[tokio::test]
async fn a_ready_session_is_whole_and_counted() {
    let sandbox = pooled(IMAGE, 1).await;
    let ready = containers(&sandbox);
    let (_, pool) = sandbox.administrator().unwrap().call("GET", "/pool", None).await.unwrap();
    assert!(pool["memory_used"].as_u64().unwrap() > 0, "{pool}");
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    assert_eq!(attached.hello["replay"], true, "it stands at its prompt: {}", attached.hello);
    attached.type_in("echo $(hostname)-$((6 * 7))\n").await.unwrap();
    attached.until(&format!("box-{}-42", &session[..4])).await.unwrap();
    let label = ["ps", "-q", "--no-trunc", "--filter", &format!("label=sandlot.session={session}")];
    assert!(ready.contains(&sandbox.ok(&label).unwrap()), "it was made for this visitor alone");
    // Another is made; each has user ids of its own.
    filled(&sandbox, 1).await;
    let (other, other_terminal) = names(&visitor.session(IMAGE).await.unwrap());
    assert_ne!((&session, &terminal), (&other, &other_terminal));
    let metrics = reqwest::get(format!("http://{}/metrics", sandbox.address())).await.unwrap().text().await;
    let metrics = metrics.unwrap();
    for name in ["sandlot_pool_ready", "sandlot_pool_memory_bytes", "start=\"warm\""] {
        assert!(metrics.contains(name), "no {name}: {metrics}");
    }
}

#[tokio::test]
async fn fifty_visitors_at_once_get_fifty_sessions() {
    let sandbox = pooled(IMAGE, 10).await;
    let visits = (0..50).map(|_| {
        let visitor = sandbox.administrator().unwrap();
        tokio::spawn(async move { names(&visitor.session(IMAGE).await.unwrap()) })
    });
    let (mut ids, mut terminals) = (BTreeSet::new(), BTreeSet::new());
    for visit in visits.collect::<Vec<_>>() {
        let (id, terminal) = visit.await.unwrap();
        assert!(ids.insert(id) && terminals.insert(terminal), "handed over twice");
    }
}

#[tokio::test]
async fn a_new_image_under_the_old_name_is_what_the_next_visitor_gets() {
    let sandbox = pooled("lab:1", 2).await;
    let old = containers(&sandbox);
    sandbox.ok(&["run", "--name", "author", "lab:1", "sh", "-c", "echo second > /edition"]).unwrap();
    sandbox.ok(&["commit", "author", "lab:1"]).unwrap();
    sandbox.ok(&["rm", "author"]).unwrap();
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (session, terminal) = names(&visitor.session("lab:1").await.unwrap());
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("cat /edition\n").await.unwrap();
    attached.until("second").await.unwrap();
    until("the old ones to go", || async { containers(&sandbox).is_disjoint(&old).then_some(()) })
        .await
        .unwrap();
    filled(&sandbox, 2).await;
}

#[tokio::test]
async fn a_server_or_an_engine_that_is_killed_leaves_none_behind() {
    let mut sandbox = pooled(IMAGE, 2).await;
    let visitor = sandbox.administrator().unwrap();
    let (session, terminal) = names(&visitor.session(IMAGE).await.unwrap());
    filled(&sandbox, 2).await;
    let label = ["ps", "-q", "--no-trunc", "--filter", &format!("label=sandlot.session={session}")];
    let own = sandbox.ok(&label).unwrap();
    let ready: BTreeSet<String> = containers(&sandbox).into_iter().filter(|one| *one != own).collect();
    sandbox.kill(Part::Server).unwrap();
    sandbox.start(Part::Server).await.unwrap();
    let gone = || async { containers(&sandbox).is_disjoint(&ready).then_some(()) };
    until("the killed server's to go", gone).await.unwrap();
    filled(&sandbox, 2).await;
    sandbox.kill(Part::Engine).unwrap();
    let administrator = sandbox.administrator().unwrap();
    let empty = || async {
        let (_, pool) = administrator.call("GET", "/pool", None).await.ok()?;
        (pool["ready"] == 0).then_some(())
    };
    until("the pool to be empty without an engine", empty).await.unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    filled(&sandbox, 2).await;
    // The session that was handed over has lived through all of it.
    let mut attached = visitor.attach(&session, &terminal).await.unwrap();
    attached.type_in("echo alive-$((1 + 1))-\n").await.unwrap();
    attached.until("alive-2-").await.unwrap();
    drop(attached);
    until("nothing but the session and the pool", || async {
        (containers(&sandbox).len() == 3).then_some(())
    })
    .await
    .unwrap();
}
