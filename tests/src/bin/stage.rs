//! `sandlot-stage`: the whole system for a test that is written in another language.
//!
//! Its arguments are the web server's (`--sessions=1`). Prints one line of JSON (`url`) when all is up; then takes
//! commands, a line each: `kill server`, `start engine`, … and answers each with `ok` or what went wrong. Ends, with
//! everything, when its input does.

#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use sandlot_tests::sandbox::{Part, Sandbox};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<()> {
    let settings: Vec<String> = std::env::args().skip(1).collect();
    let mut sandbox = Sandbox::engine().await?;
    sandbox.settings(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.start(Part::Server).await?;
    println!("{}", json!({"url": format!("http://{}", sandbox.address())}));

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
