//! Many sessions at once: what one costs while it does nothing, how quickly a typed byte comes back beside all others, and what
//! is left of them once they have ended.

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::join_all;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sandlot_tests::client::Attached;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::traces;
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const IMAGE: &str = "sandlot/starter";

/// How many are opened or used at once.
const AT_ONCE: usize = 8;

/// Sessions that come and go first: after those, every part has what it keeps for good.
const FIRST: usize = 16;

/// How long the crowd of `stay` stays, in seconds; `SANDLOT_BENCH_STAY` is another time.
const STAY: u64 = 600;

/// The whole system, with the terminals' rings in memory, as `/run` is.
struct Place {
    sandbox: Sandbox,
    rings: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _already_gone = unmount(&self.rings, UnmountFlags::DETACH);
    }
}

impl Place {
    async fn new() -> Result<Self> {
        let mut sandbox = Sandbox::engine().await?;
        let rings = sandbox.dir().join("rings");
        mount("tmpfs", &rings, "tmpfs", MountFlags::empty(), Some(c"mode=700"))?;
        sandbox.catalogue(&[IMAGE]);
        // What sessions may write is promised: a thousand of them fit where a build does.
        sandbox.settings(&["--pool-count=0", "--sessions=3000", "--queue=0", "--disk=16m"]);
        let mut place = Self { sandbox, rings };
        place.sandbox.start(Part::Server).await?;
        Ok(place)
    }

    /// Opens so many and lets each come to its prompt; their ids and terminals.
    async fn opened(&self, count: usize) -> Result<Vec<(String, String)>> {
        let visitor = self.sandbox.administrator()?;
        let opened = Mutex::new(Vec::new());
        at_once((0..count).collect(), |_| async {
            let (status, session) =
                visitor.call("POST", "/sessions", Some(json!({ "image": IMAGE }))).await?;
            ensure!(status == 201, "POST /sessions: {status}: {session}");
            let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let one = (name(&session["id"]), name(&session["terminals"][0]["id"]));
            let mut at = visitor.attach(&one.0, &one.1).await?;
            at.type_in("echo at-the''-prompt\n").await?;
            at.until("at-the-prompt").await?;
            at.until("# ").await?;
            opened.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            Ok(())
        })
        .await?;
        Ok(opened.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ended(&self, sessions: Vec<(String, String)>) -> Result<()> {
        let visitor = self.sandbox.administrator()?;
        at_once(sessions, |(id, _)| {
            let visitor = visitor.clone();
            async move {
                let (status, answer) = visitor.call("DELETE", &format!("/sessions/{id}"), None).await?;
                ensure!(status == 200, "DELETE /sessions/{id}: {status}: {answer}");
                Ok(())
            }
        })
        .await
    }

    /// Anonymous memory of a part, in KiB: what it asked the kernel for and has not given back.
    fn own(&self, part: Part) -> Result<u64> {
        memory(self.sandbox.pid(part)?, "RssAnon:")
    }
}

async fn at_once<T: Clone, F: Future<Output = Result<()>>>(all: Vec<T>, act: impl Fn(T) -> F) -> Result<()> {
    let all = Mutex::new(VecDeque::from(all));
    let next = || all.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let workers = (0..AT_ONCE).map(|_| async {
        while let Some(one) = next() {
            act(one).await?;
        }
        Ok(())
    });
    join_all(workers).await.into_iter().collect()
}

fn memory(pid: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such figure")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// `MemAvailable` in KiB when it has settled, with nothing cached that could be dropped, and without what this program has.
async fn available() -> Result<i64> {
    // A screen that nobody asks for is forgotten after 5 s, and freed memory given back within 5 more.
    tokio::time::sleep(Duration::from_secs(12)).await;
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("no MemAvailable")?;
    let available: i64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(available + i64::try_from(memory(std::process::id(), "RssAnon:")?)?)
}

#[allow(clippy::cast_precision_loss, reason = "mebibytes to two digits")]
fn mebibytes(kibibytes: i64, sessions: usize) -> f64 {
    kibibytes as f64 / 1024.0 / sessions as f64
}

/// Mebibytes that a session takes of everything (host, kernel, ours): at its prompt; of that, our three processes' own; and
/// again after each terminal printed 1,000 full lines, likewise.
pub(crate) async fn idle(sessions: usize) -> Result<Vec<f64>> {
    let place = Place::new().await?;
    let ours = || -> Result<i64> {
        let parts = [Part::Spawner, Part::Engine, Part::Server];
        let all = parts.map(|part| place.own(part)).into_iter().sum::<Result<u64>>()?;
        Ok(i64::try_from(all)?)
    };
    // The first pay for what all share.
    place.opened(FIRST).await?;
    let (before, own) = (available().await?, ours()?);
    let opened = place.opened(sessions).await?;
    let mut figures =
        vec![mebibytes(before - available().await?, sessions), mebibytes(ours()? - own, sessions)];
    let visitor = place.sandbox.administrator()?;
    at_once(opened, |(session, terminal)| {
        let visitor = visitor.clone();
        async move {
            let mut at = visitor.attach(&session, &terminal).await?;
            let line = "x".repeat(79);
            at.type_in(&format!("yes {line} | head -n 1000; echo all''-printed\n")).await?;
            at.until("all-printed").await
        }
    })
    .await?;
    figures.extend([mebibytes(before - available().await?, sessions), mebibytes(ours()? - own, sessions)]);
    Ok(figures)
}

/// Median and 99th percentile of the time from a typed byte to its echo, in milliseconds, beside so many other sessions whose
/// viewers each receive a line a second.
pub(crate) async fn echo(rounds: usize, others: usize) -> Result<Vec<f64>> {
    let place = Place::new().await?;
    let visitor = place.sandbox.administrator()?;
    let received = Arc::new(Mutex::new(0_usize));
    let mut watching = Vec::new();
    for (session, terminal) in place.opened(others).await? {
        let at = visitor.attach(&session, &terminal).await?;
        watching.push(tokio::spawn(receive(at, Arc::clone(&received))));
    }
    let mine = place.opened(1).await?;
    let (session, terminal) = mine.first().context("a session")?;
    let mut at = visitor.attach(session, terminal).await?;
    at.type_in("PS1=the-pro''mpt-\n").await?;
    at.until("the-prompt-").await?;
    let (began, mut times) = (Instant::now(), Vec::new());
    for round in 0..rounds {
        let typed = Instant::now();
        at.type_in("Z").await?;
        at.until("Z").await?;
        times.push(typed.elapsed().as_secs_f64() * 1000.0);
        if round % 40 == 39 {
            at.type_in("\x15").await?;
        }
        // A person's pace, so that the crowd's lines come between.
        tokio::time::sleep(Duration::from_millis(if others > 0 { 20 } else { 2 })).await;
    }
    let lasted = began.elapsed().as_secs();
    let lines = *received.lock().unwrap_or_else(PoisonError::into_inner);
    let expected = others * usize::try_from(lasted.saturating_sub(1))?;
    ensure!(lines * 10 >= expected * 9, "{lines} lines came to {others} viewers in {lasted} s");
    watching.iter().for_each(tokio::task::JoinHandle::abort);
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied();
    Ok(vec![at(50).context("no rounds")?, at(99).context("no rounds")?])
}

/// A line a second without a process for each: the shell's own `read` waits.
async fn receive(mut at: Attached, received: Arc<Mutex<usize>>) -> Result<()> {
    at.type_in("while :; do read -t 1 x; echo a line of this second; done\n").await?;
    loop {
        at.until("a line of this second\r\n").await?;
        *received.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

/// So many sessions stay for a while and end: how much more memory the server and the engine have then than at their start, in
/// percent. Fails if anything is left.
pub(crate) async fn stay(sessions: usize) -> Result<Vec<f64>> {
    let seconds = std::env::var("SANDLOT_BENCH_STAY").ok().and_then(|text| text.parse().ok()).unwrap_or(STAY);
    let place = Place::new().await?;
    let first = place.opened(FIRST).await?;
    place.ended(first).await?;
    nothing_left(&place).await?;
    let start = [place.own(Part::Server)?, place.own(Part::Engine)?];
    let opened = place.opened(sessions).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let most = [place.own(Part::Server)?, place.own(Part::Engine)?];
    place.ended(opened).await?;
    nothing_left(&place).await?;
    // What is freed in the background is given some time.
    let mut end = most;
    for _ in 0..30 {
        end = [place.own(Part::Server)?, place.own(Part::Engine)?];
        if end.iter().zip(start).all(|(end, start)| *end * 100 <= start * 115) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eprintln!(
        "KiB of server and engine: {start:?} at the start, {most:?} with {sessions}, {end:?} at the end"
    );
    #[allow(clippy::cast_precision_loss, reason = "percent to two digits")]
    let more = |n: usize| end[n] as f64 / start[n] as f64 * 100.0 - 100.0;
    Ok(vec![more(0), more(1)])
}

async fn nothing_left(place: &Place) -> Result<()> {
    let sandbox = &place.sandbox;
    let spawner = sandbox.pid(Part::Spawner)?;
    let look = || -> Result<[usize; 5]> {
        let children = std::fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children"))?;
        Ok([
            std::fs::read_dir(sandbox.dir().join("state/containers"))?.count(),
            std::fs::read_dir(&place.rings)?.count(),
            traces::groups_below(&sandbox.mark())?.len(),
            sandbox.ok(&["ps", "-aq"])?.lines().count(),
            children.split_whitespace().count(),
        ])
    };
    // A thousand ends take longer than one thing may.
    for _ in 0..10 {
        let clean = || async { look().is_ok_and(|left| left == [0; 5]).then_some(()) };
        if until("nothing to be left", clean).await.is_ok() {
            return Ok(());
        }
    }
    bail!("left of directories, rings, groups, containers, processes: {:?}", look()?)
}
