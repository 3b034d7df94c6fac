//! What is typed and what is printed: every byte once, on the screen and in the recording.

use super::World;
use super::deeds::{Done, Prepared};
use anyhow::{Context, Result, ensure};
use sandlot_tests::client::{Attached, find};
use sandlot_tests::sandbox::{Part, TOKEN};
use sandlot_tests::wait::until;
use std::process::Command;
use std::time::{Duration, Instant};

/// Lines that are typed, one after the other.
const TYPED: usize = 40;
/// Lines of a flood.
const FLOOD: usize = 3000;
/// Lines that are recorded, 50 ms apart.
const RECORDED: usize = 60;
/// How long after it was shown a line must be in the recording: the promise is a second, and the machine may be busy.
const WRITTEN: Duration = Duration::from_millis(1500);

/// A line that was typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed {
    number: usize,
    /// Up to which byte of its connection's typing it goes.
    end: u64,
    /// Whether it was told that it was taken.
    certain: bool,
}

/// Types line after line as the page does: what was not taken when the connection broke is typed again, unless the server
/// has forgotten.
pub(crate) async fn type_lines(world: &World) -> Done {
    let (mut lines, mut at, mut era) = (Vec::<Typed>::new(), None, 0_usize);
    let (mut stream, mut begun) = (Vec::new(), 0);
    for number in 1..=TYPED {
        if at.is_none() {
            let page = format!("{}?page=typist{}x{era}", world.terminal, world.round);
            let come = || async { world.visitor.attach(&world.session, &page).await.ok() };
            let Ok(mut fresh) = until("the terminal", come).await else { break };
            match fresh.hello["taken"].as_u64() {
                Some(taken) => {
                    let rest = stream.split_off(usize::try_from(taken).unwrap_or(0).min(stream.len()));
                    stream.extend_from_slice(&rest);
                    let _ = fresh.send(rest).await;
                }
                None => {
                    // Another server, for which this is another page. Half a line may stand there.
                    (begun, stream) = (lines.len(), Vec::new());
                    era += 1;
                    let page = format!("{}?page=typist{}x{era}", world.terminal, world.round);
                    let Ok(named) = world.visitor.attach(&world.session, &page).await else { continue };
                    fresh = named;
                    stream.push(0x15);
                    let _ = fresh.send(vec![0x15]).await;
                }
            }
            at = Some(fresh);
        }
        let text = format!("echo e''-{}-{number}-\n", world.round);
        stream.extend_from_slice(text.as_bytes());
        lines.push(Typed { number, end: stream.len() as u64, certain: false });
        let Some(open) = &mut at else { continue };
        let whole = open.type_in(&text).await.is_ok()
            && hear(open, &mut lines[begun..], Duration::from_millis(12)).await;
        if !whole {
            at = None;
        }
    }
    // The last ones are taken soon.
    if let Some(open) = &mut at {
        let started = Instant::now();
        while lines[begun..].iter().any(|line| !line.certain) && started.elapsed() < Duration::from_secs(5) {
            if !hear(open, &mut lines[begun..], Duration::from_millis(200)).await {
                break;
            }
        }
    }
    Done { lines, ..Done::default() }
}

/// Hears for so long what was taken; whether the connection is still there.
async fn hear(at: &mut Attached, lines: &mut [Typed], patience: Duration) -> bool {
    let until = tokio::time::Instant::now() + patience;
    loop {
        match tokio::time::timeout_at(until, at.control()).await {
            Err(_) => return true,
            Ok(Ok(Some(message))) if message["type"] == "taken" => {
                let taken = message["bytes"].as_u64().unwrap_or_default();
                lines.iter_mut().filter(|line| line.end <= taken).for_each(|line| line.certain = true);
            }
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None) | Err(_)) => return false,
        }
    }
}

/// What was taken was run once, nothing twice.
pub(crate) async fn typed_once(world: &World, lines: &[Typed]) -> Result<()> {
    let mut at = world.visitor.attach(&world.session, &world.terminal).await?;
    at.type_in(&format!("\u{15}echo over''-{}-\n", world.round)).await?;
    let text = recording(world, &format!("over-{}-", world.round)).await?;
    for line in lines {
        let times = text.matches(&format!("e-{}-{}-\r", world.round, line.number)).count();
        ensure!(times <= 1 && (times == 1 || !line.certain), "{line:?} was run {times} times");
    }
    Ok(())
}

/// Prints numbered lines, and reads as far as the connection goes.
pub(crate) async fn flood(world: &World) -> Done {
    let mut done = Done::default();
    let Ok(mut at) = world.visitor.attach(&world.session, &world.terminal).await else { return done };
    let round = world.round;
    let flood = format!(
        "i=0; while [ $i -lt {FLOOD} ]; do i=$((i + 1)); echo f{round}-$i-; done; echo flood''-{round}-\n"
    );
    if at.type_in(&flood).await.is_err() {
        return done;
    }
    // An answer means that it was typed for certain.
    let end = format!("flood-{round}-");
    let mut all = Vec::new();
    while find(&all, end.as_bytes()).is_none() {
        match at.bytes().await {
            Ok(Some(bytes)) => all.extend(bytes),
            Ok(None) | Err(_) => break,
        }
    }
    if find(&all, format!("f{round}-1-").as_bytes()).is_some() {
        done.status = Some(200);
    }
    done.bytes = Some(all);
    done
}

/// The numbers of the flood's lines in a text, in their order.
fn numbers(text: &str, round: u64) -> Vec<usize> {
    let before = format!("f{round}-");
    let parts = text.split(&before).skip(1);
    parts.filter_map(|rest| rest.split_once('-').and_then(|(number, _)| number.parse().ok())).collect()
}

fn in_a_row(numbers: &[usize], first: Option<usize>) -> Result<()> {
    if let Some(first) = first {
        ensure!(numbers.first() == Some(&first), "it begins with {:?}", numbers.first());
    }
    ensure!(numbers.last() == Some(&FLOOD), "it ends with {:?}", numbers.last());
    for pair in numbers.windows(2) {
        ensure!(pair[1] == pair[0] + 1, "after {} came {}", pair[0], pair[1]);
    }
    Ok(())
}

pub(crate) async fn flooded(world: &World, done: &Done, victims: &[Part]) -> Result<()> {
    if done.status.is_none() {
        return Ok(());
    }
    let end = format!("flood-{}-", world.round);
    let mut at = world.visitor.attach(&world.session, &world.terminal).await?;
    at.until(&end).await.context("the flood's end")?;
    let mut late = world.visitor.attach(&world.session, &world.terminal).await?;
    let mut shown = Vec::new();
    while find(&shown, end.as_bytes()).is_none() {
        shown.extend(late.bytes().await?.context("the terminal ended")?);
    }
    in_a_row(&numbers(&String::from_utf8_lossy(&shown), world.round), None).context("on a new screen")?;
    if !victims.contains(&Part::Server) {
        let live = done.bytes.as_deref().unwrap_or_default();
        in_a_row(&numbers(&String::from_utf8_lossy(live), world.round), Some(1)).context("live")?;
    }
    let text = recording(world, &end).await?;
    in_a_row(&numbers(&text, world.round), Some(1)).context("recorded")
}

/// Prints a line every 50 ms, and notes when each was shown.
pub(crate) async fn record(world: &World, ready: &Prepared) -> Done {
    let Ok(mut at) = world.visitor.attach(&world.session, &world.terminal).await else {
        return Done::default();
    };
    let round = world.round;
    let lines = format!(
        "for i in $(seq 1 {RECORDED}); do echo r{round}-$i-; usleep 50000; done; echo recorded''-{round}-\n"
    );
    if at.type_in(&lines).await.is_err() {
        return Done::default();
    }
    for line in 1..=RECORDED {
        if at.until(&format!("r{round}-{line}-\r")).await.is_err() {
            break;
        }
        ready.seen.lock().unwrap().push((Instant::now(), line));
    }
    Done::default()
}

/// The file of the recording holds what was shown a second before the server died.
pub(crate) fn written(world: &World, ready: &Prepared, died: Instant) -> Result<()> {
    let seen = ready.seen.lock().unwrap().clone();
    let Some((_, last)) = seen.iter().rev().find(|(when, _)| *when + WRITTEN < died) else { return Ok(()) };
    let below = format!("recordings/{}/{}.cast.zst", world.session, world.terminal);
    let folders = ["server/server", "server"].map(|folder| world.folder.join(folder).join(&below));
    let file = folders.iter().find(|path| path.exists()).context("no recording's file")?;
    // A torn end is an error of zstd's; what stands before it is told all the same.
    let text = Command::new("zstd").args(["-dcq"]).arg(file).output()?.stdout;
    let wanted = format!("r{}-{last}-", world.round);
    ensure!(
        find(&text, wanted.as_bytes()).is_some(),
        "{wanted} was shown {WRITTEN:?} before and is not written"
    );
    Ok(())
}

/// All lines are recorded once.
pub(crate) async fn recorded(world: &World) -> Result<()> {
    let mut at = world.visitor.attach(&world.session, &world.terminal).await?;
    at.type_in(&format!("echo after''-{}-\n", world.round)).await?;
    let text = recording(world, &format!("after-{}-", world.round)).await?;
    if !text.contains(&format!("r{}-1-\r", world.round)) {
        // It was killed before it was typed.
        return Ok(());
    }
    for line in 1..=RECORDED {
        let times = text.matches(&format!("r{}-{line}-\r", world.round)).count();
        ensure!(times == 1, "line {line} is recorded {times} times");
    }
    Ok(())
}

/// What the terminal's recording says was printed, once it has `end`.
async fn recording(world: &World, end: &str) -> Result<String> {
    let path = format!(
        "http://{}/api/v1/sessions/{}/terminals/{}/recording.cast",
        world.address, world.session, world.terminal
    );
    let client = sandlot_tests::client::http()?;
    let whole = || async {
        let answer = client.get(&path).bearer_auth(TOKEN).send().await.ok()?.error_for_status().ok()?;
        let text = answer.text().await.ok()?;
        let mut printed = String::new();
        for line in text.lines().filter(|line| line.starts_with('[')) {
            let (_, kind, text): (f64, String, String) = serde_json::from_str(line).ok()?;
            if kind == "o" {
                printed.push_str(&text);
            }
        }
        printed.contains(end).then_some(printed)
    };
    until("the recording to hold it", whole).await
}
