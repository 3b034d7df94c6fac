//! Through the web server: what a terminal carries, and what a session that does nothing costs.
//!
//! usage: `cargo bench --bench server -- flood|recorded|raw|shellinabox MEGABYTES | interrupt|warm|cold ROUNDS |
//! echo ROUNDS [OTHERS] | class|idle|stay SESSIONS`
//! prints megabytes a second, milliseconds, mebibytes a session, or percent. Run as root; `make bench` does.

#[path = "arrivals/mod.rs"]
mod arrivals;
#[path = "crowd/mod.rs"]
mod crowd;

use anyhow::{Context, Result, bail, ensure};
use sandlot_tests::process::Running;
use sandlot_tests::registry::free_port;
use sandlot_tests::sandbox::{Part, Sandbox};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const IMAGE: &str = "sandlot/starter";
/// 64 bytes, so that a megabyte is a whole number of lines.
const LINE: &str = "The quick brown fox jumps over the lazy dog, and over it again.\n";
const END: &str = "-all-of-it-was-read-";
const MEGABYTE: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [what, count, more @ ..] = &words[..] else { bail!("usage: WHAT NUMBER, see the file's head") };
    let count: usize = count.parse().context("a number is needed")?;
    let others: usize = more.first().map_or(Ok(0), |word| word.parse()).context("a number is needed")?;
    ensure!(count > 0, "at least 1");
    let figures = match &what[..] {
        "flood" => vec![flood(count, &[]).await?],
        "recorded" => vec![flood(count, &["--recording=on"]).await?],
        "interrupt" => vec![interrupt(count).await?],
        "raw" => vec![raw(count)?],
        "shellinabox" => vec![shellinabox(count).await?],
        "idle" => crowd::idle(count).await?,
        "echo" => crowd::echo(count, others).await?,
        "stay" => crowd::stay(count).await?,
        "warm" => arrivals::one_by_one(count, 1).await?,
        "cold" => arrivals::one_by_one(count, 0).await?,
        "class" => vec![arrivals::class(count).await?],
        other => {
            bail!("{other}: see the file's head for what can be measured")
        }
    };
    println!("{}", figures.iter().map(|figure| format!("{figure:.2}")).collect::<Vec<_>>().join(" "));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a rate to two digits")]
fn rate(megabytes: usize, since: Instant) -> f64 {
    megabytes as f64 / since.elapsed().as_secs_f64()
}

/// `cat` through pty, engine's ring, server and WebSocket to a client that acknowledges and looks at the end only.
async fn flood(megabytes: usize, settings: &[&str]) -> Result<f64> {
    let mut sandbox = Sandbox::engine().await?;
    sandbox.settings(settings);
    sandbox.start(Part::Server).await?;
    let visitor = sandbox.administrator()?;
    let session = visitor.session(IMAGE).await?;
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut terminal = visitor.attach(&name(&session["id"]), &name(&session["terminals"][0]["id"])).await?;
    let lines = megabytes * MEGABYTE / LINE.len();
    let fill = format!("yes '{}' | head -n {lines} > /tmp/flood; echo re''ady\n", LINE.trim_end());
    terminal.type_in(&fill).await?;
    terminal.until("ready").await?;
    let start = Instant::now();
    terminal.type_in("cat /tmp/flood; echo -all-of-it''-was-read-\n").await?;
    let (mut read, mut tail) = (0, Vec::new());
    while sandlot_tests::client::find(&tail, END.as_bytes()).is_none() {
        let bytes = terminal.bytes().await?.context("the terminal ended")?;
        read += bytes.len();
        let kept = tail.len().saturating_sub(END.len());
        tail.drain(..kept);
        tail.extend_from_slice(&bytes);
    }
    ensure!(read >= megabytes * MEGABYTE, "only {read} bytes came");
    Ok(rate(megabytes, start))
}

/// How many bytes the page draws in a millisecond, as measured in Chromium without a graphics card.
const DRAWN: usize = 8 * 1024;

/// The longest of so many times from Ctrl-C, typed while a flood is shown, to the prompt on the screen of a viewer that
/// draws and acknowledges as the page does. Fails beyond ten times what is promised.
async fn interrupt(rounds: usize) -> Result<f64> {
    let sandbox = Sandbox::whole(&[]).await?;
    let visitor = sandbox.administrator()?;
    let session = visitor.session(IMAGE).await?;
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut terminal = visitor.attach(&name(&session["id"]), &name(&session["terminals"][0]["id"])).await?;
    terminal.type_in("PS1=the-pro''mpt-\n").await?;
    terminal.until("the-prompt-").await?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        terminal.type_in("yes 'a line of a flood that is shown'\n").await?;
        let mut drawn = 0;
        while drawn < 4 * MEGABYTE {
            drawn += draw(&mut terminal).await?.len();
        }
        let start = Instant::now();
        terminal.type_in("\x03").await?;
        let mut tail = Vec::new();
        while sandlot_tests::client::find(&tail, b"the-prompt-").is_none() {
            let kept = tail.len().saturating_sub(16);
            tail.drain(..kept);
            tail.extend(draw(&mut terminal).await?);
        }
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let longest = times.last().copied().unwrap_or_default();
    ensure!(longest < 1000.0, "the longest of {rounds} took {longest:.1} ms: {times:.1?}");
    Ok(longest)
}

/// The next bytes, once they are drawn; they are acknowledged in pieces of 16 KiB, as the page does.
async fn draw(terminal: &mut sandlot_tests::client::Attached) -> Result<Vec<u8>> {
    let patience = Duration::from_secs(20);
    let bytes = terminal.unacknowledged(patience).await?.context("the terminal is silent")?;
    for piece in bytes.chunks(16 * 1024) {
        let millis = u64::try_from(piece.len() / DRAWN).unwrap_or(0).max(u64::from(piece.len() > DRAWN / 2));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        terminal.say(&format!("{{\"type\":\"ack\",\"bytes\":{}}}", piece.len())).await?;
    }
    Ok(bytes)
}

/// The same file, written by `cat` to a pty of the host and read by this thread.
fn raw(megabytes: usize) -> Result<f64> {
    let (folder, file) = filled(megabytes)?;
    let pair = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default())?;
    let mut command = portable_pty::CommandBuilder::new("cat");
    command.arg(&file);
    let mut reader = pair.master.try_clone_reader()?;
    let start = Instant::now();
    let mut child = pair.slave.spawn_command(command)?;
    drop(pair.slave);
    let (mut read, mut buffer) = (0, vec![0; 1 << 16]);
    // A pty whose last writer is gone answers EIO: that is its end.
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        read += n;
    }
    let rate = rate(megabytes, start);
    child.wait()?;
    ensure!(read >= megabytes * MEGABYTE, "only {read} bytes came");
    drop(folder);
    Ok(rate)
}

/// The same file through Debian's `shellinabox`, by the requests that its page makes.
async fn shellinabox(megabytes: usize) -> Result<f64> {
    let (folder, file) = filled(megabytes)?;
    let port = free_port()?;
    let service = format!("/:{0}:{0}:/:cat {1}", "root", file.display());
    let mut command = Command::new("shellinaboxd");
    command.args(["--disable-ssl", "--localhost-only", "--no-beep", "--port", &port.to_string()]);
    command.args(["--service", &service]);
    let mut daemon = Running::start(&mut command, &folder.path().join("log"))?;
    let client = sandlot_tests::client::http()?;
    let url = format!("http://127.0.0.1:{port}/");
    let up = || async { client.get(&url).send().await.ok() };
    sandlot_tests::wait::until("shellinabox", up).await.with_context(|| daemon.log())?;
    let (start, mut read, mut session) = (Instant::now(), 0, String::new());
    while read < megabytes * MEGABYTE {
        let form = format!("width=80&height=24{session}&rooturl=%2F");
        let request =
            client.post(format!("{url}?")).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await?;
        ensure!(answer.status().is_success(), "shellinabox answered {} after {read} bytes", answer.status());
        let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
        session = format!("&session={}", answer["session"].as_str().unwrap_or_default());
        read += answer["data"].as_str().unwrap_or_default().len();
    }
    let rate = rate(megabytes, start);
    daemon.terminate()?;
    Ok(rate)
}

fn filled(megabytes: usize) -> Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("sandlot-bench-").tempdir()?;
    let file = folder.path().join("flood");
    fill(&file, megabytes)?;
    Ok((folder, file))
}

fn fill(file: &Path, megabytes: usize) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(file)?);
    for _ in 0..megabytes * MEGABYTE / LINE.len() {
        file.write_all(LINE.as_bytes())?;
    }
    Ok(file.flush()?)
}
