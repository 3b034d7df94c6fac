//! `sandlot logs`.

use super::client::{Call, Client};
use super::error::Error;
use super::streams::{Framing, show};
use clap::Args;
use hyper::Method;
use serde_json::Value;

/// Show what a container has printed
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Go on with what it prints from now on
    #[arg(short, long)]
    follow: bool,
    /// Show when each line was printed
    #[arg(short, long)]
    timestamps: bool,
    /// Show also what the log driver was told to keep: labels and variables
    #[arg(long)]
    details: bool,
    /// The last this many lines
    #[arg(short = 'n', long, default_value = "all", value_name = "N", allow_hyphen_values = true)]
    tail: String,
    /// Only what was printed since then: a time, seconds since 1970, or how long ago (10m)
    #[arg(long, value_parser = super::values::moment)]
    since: Option<String>,
    /// Only what was printed until then
    #[arg(long, value_parser = super::values::moment)]
    until: Option<String>,
    /// Its name or id
    container: String,
}

impl Logs {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Value = client.json(Call::container(Method::GET, &self.container, "json")).await?;
        let framing = Framing::of(found["Config"]["Tty"].as_bool().unwrap_or(false));
        let switch = |on| if on { "1" } else { "0" };
        let mut call = Call::container(Method::GET, &self.container, "logs")
            .query("stdout", "1")
            .query("stderr", "1")
            .query("follow", switch(self.follow))
            .query("timestamps", switch(self.timestamps))
            .query("details", switch(self.details))
            .query("tail", &self.tail);
        for (name, value) in [("since", &self.since), ("until", &self.until)] {
            if let Some(value) = value {
                call = call.query(name, value);
            }
        }
        show(client.stream(call).await?, framing).await.map(|()| 0)
    }
}
