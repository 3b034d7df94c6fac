//! Writes screens down as the server does, for a viewer written in another language to read (`tests/browser/replay.test.mjs`).
//!
//! Takes a line of JSON a screen, `{"cols", "rows", "steps": [{"feed": hex} or {"cols", "rows"}, …]}`, and answers each by a
//! line: the bytes that rebuild it, in hex.

#![forbid(unsafe_code)]

use anyhow::Context;
use sandlot_server::terminal::screen::Screen;
use sandlot_wire::Size;
use serde::Deserialize;
use std::io::{BufRead, Write};

#[derive(Deserialize)]
struct Request {
    #[serde(flatten)]
    size: Size,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Feed { feed: String },
    Resize(Size),
}

fn main() -> anyhow::Result<()> {
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?).context("a request")?;
        let mut screen = Screen::new(request.size);
        for step in request.steps {
            match step {
                Step::Feed { feed } => screen.feed(&hex::decode(feed).context("bytes in hex")?),
                Step::Resize(size) => screen.resize(size),
            }
        }
        writeln!(answers, "{}", hex::encode(screen.snapshot()))?;
        answers.flush()?;
    }
    Ok(())
}
