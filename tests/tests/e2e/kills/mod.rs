//! Promise: whenever server, engine or both are killed, in the middle of whatever a visitor does, sessions go on, no byte is
//! lost or doubled, what is kept is whole or absent, and nothing is left behind.
//!
//! A campaign: each round begins one deed, kills at a random moment, starts again and looks. `SANDLOT_KILL_ROUNDS` (`make soak`:
//! 200) and `SANDLOT_KILL_SEED` choose; the seed is printed.

mod chance;
mod deeds;
mod left;
mod typing;
mod works;

use anyhow::{Context, Result, ensure};
use chance::Chance;
use deeds::Deed;
use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const IMAGE: &str = "sandlot/starter";

/// As many rounds as a run of all tests has time for.
const FEW: u64 = 6;

/// What a deed may use: the visitor, and the session that lives through the whole campaign.
#[derive(Debug, Clone)]
struct World {
    visitor: Visitor,
    address: SocketAddr,
    /// The sandbox's folder.
    folder: PathBuf,
    session: String,
    terminal: String,
    /// Of this round, in names of files and lines.
    round: u64,
}

impl World {
    /// A call that is repeated until it is answered at all.
    async fn ask(&self, method: &str, path: &str) -> Result<(u16, Value)> {
        until(path, || async { self.visitor.call(method, path, None).await.ok() }).await
    }

    /// Runs a script in a session's container, as the host's administrator; what it printed.
    async fn inside(&self, sandbox: &Sandbox, script: &str) -> Result<String> {
        let label = format!("label=sandlot.session={}", self.session);
        let one = || async {
            let id = sandbox.ok(&["ps", "-q", "--no-trunc", "--filter", &label]).ok()?;
            (!id.is_empty() && !id.contains('\n')).then_some(id)
        };
        let id = until("the session's one container", one).await?;
        sandbox.ok(&["exec", &id, "sh", "-c", script])
    }

    /// The session runs, and its shell answers.
    async fn goes_on(&self) -> Result<()> {
        let runs = || async {
            let (_, session) = self.ask("GET", &format!("/sessions/{}", self.session)).await.ok()?;
            (session["state"] == "running").then_some(())
        };
        let running = until("the session to run", runs).await;
        if running.is_err() {
            let now = self.ask("GET", &format!("/sessions/{}", self.session)).await?;
            running.with_context(|| format!("{now:?}"))?;
        }
        answers(&self.visitor, &self.session, &self.terminal, self.round).await
    }
}

/// A session's terminal shows what a shell computes.
async fn answers(visitor: &Visitor, session: &str, terminal: &str, round: u64) -> Result<()> {
    let mut at = visitor.attach(session, terminal).await?;
    at.type_in(&format!("echo on-{round}-$((6*7))-\n")).await?;
    at.until(&format!("on-{round}-42-")).await.with_context(|| format!("session {session}"))
}

/// Who dies, in the order of their deaths.
const VICTIMS: [&[Part]; 4] =
    [&[Part::Server], &[Part::Engine], &[Part::Server, Part::Engine], &[Part::Engine, Part::Server]];

/// One round; what was done, for the words of a failure.
async fn round(sandbox: &mut Sandbox, world: &World, chance: &mut Chance) -> Result<()> {
    let deed = chance.pick(&Deed::ALL);
    let victims = chance.pick(&VICTIMS);
    // Most deeds are over soon.
    let span = chance.pick(&[deed.span() / 6, deed.span() / 2, deed.span()]);
    let after = Duration::from_micros(chance.below(span * 1000));
    let mut own = Chance::new(chance.next());
    eprintln!("round {}: {deed:?}, {victims:?} after {after:?}", world.round);
    let prepared = deed.prepare(sandbox, world, &mut own).await.context("preparing")?;
    let doing = tokio::spawn(deed.run(world.clone(), prepared.clone()));
    tokio::time::sleep(after).await;
    for part in victims {
        sandbox.kill(*part)?;
    }
    let died = Instant::now();
    let told = deed.look_at_the_dead(world, &prepared, victims, died);
    // Who is started first is as random as who died.
    let mut parts = victims.to_vec();
    if own.below(2) == 0 {
        parts.reverse();
    }
    // The server waits for the engine, so it must not be waited for before that.
    parts.sort_by_key(|part| *part == Part::Server);
    for part in parts {
        sandbox.start(part).await?;
    }
    told.context("right after the kill")?;
    let done = tokio::time::timeout(2 * PATIENCE, doing).await.context("the deed does not end")??;
    eprintln!("    answered: {:?}", done.status);
    deed.check(sandbox, world, &prepared, done, victims).await.context("what was done")?;
    world.goes_on().await.context("the session")?;
    left::nothing(sandbox, world).await
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_in_the_middle_of_anything_sessions_go_on_and_nothing_is_left() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("SANDLOT_KILL_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    let rounds = number("SANDLOT_KILL_ROUNDS").unwrap_or(FEW);
    eprintln!("SANDLOT_KILL_SEED={seed} SANDLOT_KILL_ROUNDS={rounds}");
    let mut chance = Chance::new(seed);
    let mut sandbox = Sandbox::engine().await.unwrap();
    let before = left::Traces::of(&sandbox).unwrap();
    sandbox.catalogue(&[IMAGE]);
    let settings = ["--pool-count=2", "--recording=on", "--disk=64m", "--recording-largest=512m"];
    sandbox.settings(&settings);
    sandbox.start(Part::Server).await.unwrap();
    let visitor = sandbox.administrator().unwrap();
    let session = visitor.session(IMAGE).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut world = World {
        address: sandbox.address(),
        folder: sandbox.dir().to_owned(),
        session: text(&session["id"]),
        terminal: text(&session["terminals"][0]["id"]),
        visitor,
        round: 0,
    };
    for n in 1..=rounds {
        world.round = n;
        let done = round(&mut sandbox, &world, &mut chance).await;
        let words = || format!("SANDLOT_KILL_SEED={seed}, round {n}");
        done.with_context(words).unwrap();
    }
    // All of it ends: the machine is as it was.
    let (_, all) = world.ask("GET", "/sessions").await.unwrap();
    for one in all.as_array().unwrap() {
        world.ask("DELETE", &format!("/sessions/{}", one["id"].as_str().unwrap())).await.unwrap();
    }
    sandbox.kill(Part::Server).unwrap();
    sandbox.settings(&["--pool-count=0"]);
    sandbox.start(Part::Server).await.unwrap();
    before.are_all(&sandbox).await.unwrap();
}

/// A session that a round makes for itself.
async fn another(world: &World) -> Result<String> {
    let (status, session) = world.visitor.call("POST", "/sessions", Some(json!({ "image": IMAGE }))).await?;
    ensure!(status == 201, "POST /sessions: {status}: {session}");
    Ok(session["id"].as_str().context("no id")?.to_owned())
}
