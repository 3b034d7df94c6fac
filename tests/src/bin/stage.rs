//! `sandlot-stage`: the whole system for a test that is written in another language.
//!
//! Prints one line of JSON (`url`, `image`) when all is up; then takes commands, a line each: `kill server`,
//! `start engine`, … and answers each with `ok` or what went wrong. Ends, with everything, when its input does.

#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use sandlot_tests::image::{Compression, Layout, busybox};
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::{Part, Sandbox};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("root");
    busybox(&root)?;
    std::fs::write(root.join("etc/greeting"), "pulled from a registry\n")?;
    let layout = Layout::new(&dir.path().join("layout"))?.layer(&root, Compression::Gzip)?;
    let layout = layout.finish(&json!({"Cmd": ["sh"], "Env": ["PS1=$ "]}))?;
    let registry = Registry::start().await?;
    let image = registry.push(&layout, "busybox:latest")?;

    let mut sandbox = Sandbox::engine().await?;
    sandbox.ok(&["pull", &image])?;
    sandbox.catalogue(&["sandlot/starter", &image]);
    sandbox.start(Part::Server).await?;
    println!("{}", json!({"url": format!("http://{}", sandbox.address()), "image": image}));

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match obey(&mut sandbox, &line).await {
            Ok(()) => println!("ok"),
            Err(error) => println!("{error:#}"),
        }
    }
    Ok(())
}

async fn obey(sandbox: &mut Sandbox, line: &str) -> Result<()> {
    let (verb, part) = line.split_once(' ').context("a verb and a part")?;
    let part = match part {
        "spawner" => Part::Spawner,
        "engine" => Part::Engine,
        "server" => Part::Server,
        other => bail!("no part is called {other}"),
    };
    match verb {
        "kill" => sandbox.kill(part),
        "start" => sandbox.start(part).await,
        other => bail!("no verb is called {other}"),
    }
}
