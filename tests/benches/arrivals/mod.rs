//! How long a visitor waits: from `POST /sessions` to the echo of a byte that was typed after the attach.

use anyhow::{Context, Result, ensure};
use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use serde_json::json;
use std::time::{Duration, Instant};

const IMAGE: &str = "sandlot/starter";

/// A server whose pool holds that many sessions, with room for more than are asked for.
async fn server(pool: usize) -> Result<Sandbox> {
    let mut sandbox = Sandbox::engine().await?;
    sandbox.catalogue(&[IMAGE]);
    // What sessions may write is promised: a hundred of them fit where a build does.
    let pooled = format!("--pool-count={pool}");
    sandbox.settings(&[
        &pooled,
        "--pool-memory=4g",
        "--disk=64m",
        "--pool-minimum=1",
        "--sessions=2000",
        "--queue=0",
    ]);
    sandbox.start(Part::Server).await?;
    Ok(sandbox)
}

async fn ready(administrator: &Visitor, count: usize) -> Result<()> {
    let full = || async {
        let (_, pool) = administrator.call("GET", "/pool", None).await.ok()?;
        (pool["ready"] == count).then_some(())
    };
    until("the pool to be filled", full).await
}

/// One visit, in milliseconds; the session's id.
async fn visit(visitor: &Visitor) -> Result<(f64, String)> {
    let began = Instant::now();
    let (status, session) = visitor.call("POST", "/sessions", Some(json!({ "image": IMAGE }))).await?;
    ensure!(status == 201, "POST /sessions: {status}: {session}");
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let id = name(&session["id"]);
    let mut terminal = visitor.attach(&id, &name(&session["terminals"][0]["id"])).await?;
    // No prompt of the starter has this letter: what comes is the echo.
    terminal.type_in("Z").await?;
    terminal.until("Z").await?;
    Ok((began.elapsed().as_secs_f64() * 1000.0, id))
}

/// Median and 99th percentile of visits one after the other, each when the pool is full again and all is quiet.
pub(crate) async fn one_by_one(rounds: usize, pool: usize) -> Result<Vec<f64>> {
    let sandbox = server(pool).await?;
    let visitor = sandbox.administrator()?;
    let mut times = Vec::new();
    // The first visits make connections and tables.
    for round in 0..rounds + 3 {
        ready(&visitor, pool).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (time, id) = visit(&visitor).await?;
        if round >= 3 {
            times.push(time);
        }
        visitor.call("DELETE", &format!("/sessions/{id}"), None).await?;
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied();
    Ok(vec![at(50).context("no rounds")?, at(99).context("no rounds")?])
}

/// A class of `count` that arrives at once, all of them announced: until the last one's byte has echoed, in milliseconds.
pub(crate) async fn class(count: usize) -> Result<f64> {
    let sandbox = server(count).await?;
    let administrator = sandbox.administrator()?;
    let announced = json!({ "image": IMAGE, "count": count, "until": "2099-01-01T00:00:00Z" });
    let (status, answer) = administrator.call("POST", "/pool/warm", Some(announced)).await?;
    ensure!(status == 200, "POST /pool/warm: {status}: {answer}");
    // Each try waits for as long as anything may take; a hundred take longer on a busy machine.
    let mut tries = 10;
    while let Err(error) = ready(&administrator, count).await {
        tries -= 1;
        ensure!(tries > 0, "{error}");
    }
    let began = Instant::now();
    let visits = (0..count).map(|_| {
        let visitor = sandbox.administrator();
        tokio::spawn(async move { visit(&visitor?).await })
    });
    for visit in visits.collect::<Vec<_>>() {
        visit.await??;
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}
