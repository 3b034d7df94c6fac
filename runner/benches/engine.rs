//! Inside the engine: a cold clone to the first byte of a prompt, and containers one after the other.
//!
//! usage: `cargo bench --bench engine -- prompt|ready|burst ROUNDS`; prints the median and the 90th percentile in
//! milliseconds (`prompt`: from nothing; `ready`: from a blank), or the median and how many a second (`burst`). Run as root; `make bench` does.

use anyhow::{Context, Result, bail, ensure};
use sandlot::engine::lifecycle::Wait;
use sandlot::engine::model::{Config, HostConfig};
use sandlot::engine::{Engine, Settings};
use sandlot::image::starter;
use sandlot::spawner::{Ensured, ensure_by};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
/// Rounds that are not counted: the first containers make what later ones find.
const WARM_UP: usize = 5;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [what, rounds] = &words[..] else { bail!("usage: prompt|ready|burst ROUNDS") };
    let rounds: usize = rounds.parse().context("ROUNDS is a number")?;
    ensure!(rounds > 0, "ROUNDS is at least 1");
    let folder = tempfile::Builder::new().prefix("sandlot-bench-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let spawner = folder.path().join("spawner.sock");
    let Ensured::Started(mut child) = ensure_by(Path::new(env!("CARGO_BIN_EXE_sandlot")), &spawner)? else {
        bail!("another spawner listens on {}", spawner.display());
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(measure(folder.path(), what, rounds));
    // Without its runtime the engine does not hear that its spawner goes.
    drop(runtime);
    child.kill()?;
    child.wait()?;
    println!("{}", result?);
    Ok(())
}

async fn measure(folder: &Path, what: &str, rounds: usize) -> Result<String> {
    let parent = folder.file_name().context("a folder without a name")?.to_string_lossy().into_owned();
    let engine = Engine::open(Settings {
        state: folder.join("state"),
        run: folder.to_owned(),
        socket: folder.join("engine.sock"),
        server: None,
        spawner: folder.join("spawner.sock"),
        cgroup_parent: parent,
        blanks: if what == "ready" { 2 } else { 0 },
        ..Settings::system()
    })
    .await?;
    let mut times = Vec::new();
    let mut began = Instant::now();
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            began = Instant::now();
        }
        times.push(match what {
            "prompt" | "ready" => {
                // One visitor after the other, not a crowd: what was used up is made ready again in between.
                tokio::time::sleep(Duration::from_millis(30)).await;
                prompt(&engine).await?
            }
            "burst" => run(&engine).await?,
            other => bail!("{other} is none of prompt, ready and burst"),
        });
    }
    let whole = began.elapsed();
    engine.end().await;
    engine.close().await;
    let mut times = times.split_off(WARM_UP);
    times.sort();
    let milliseconds = |at: usize| times[at].as_secs_f64() * 1e3;
    Ok(match what {
        "prompt" | "ready" => format!("{:.2} {:.2}", milliseconds(rounds / 2), milliseconds(rounds * 9 / 10)),
        _ => format!("{:.2} {:.0}", milliseconds(rounds / 2), rounds as f64 / whole.as_secs_f64()),
    })
}

fn host() -> HostConfig {
    HostConfig { network_mode: "none".into(), auto_remove: true, ..HostConfig::default() }
}

/// From nothing to the first byte that a shell prints on its terminal.
async fn prompt(engine: &Engine) -> Result<Duration> {
    let config = Config {
        image: starter::NAME.into(),
        cmd: Some(vec!["sh".into()]),
        tty: true,
        open_stdin: true,
        ..Config::default()
    };
    let start = Instant::now();
    let container = engine.create(None, config, host())?;
    let mut output = container.output.attach();
    engine.start(&container.id).await?;
    let first = tokio::time::timeout(PATIENCE, output.recv()).await.context("the shell is silent")?;
    let took = start.elapsed();
    ensure!(first.is_some_and(|chunk| !chunk.bytes.is_empty()), "the shell printed nothing");
    let gone = engine.wait(&container.id, Wait::Removed)?;
    engine.kill(&container.id, 9).await?;
    gone.await;
    Ok(took)
}

/// From nothing to the end of `true`, with all that it was made of gone.
async fn run(engine: &Engine) -> Result<Duration> {
    let config = Config { image: starter::NAME.into(), cmd: Some(vec!["true".into()]), ..Config::default() };
    let start = Instant::now();
    let container = engine.create(None, config, host())?;
    let gone = engine.wait(&container.id, Wait::Removed)?;
    engine.start(&container.id).await?;
    let code = gone.await;
    ensure!(code == 0, "true ended with {code}");
    Ok(start.elapsed())
}
