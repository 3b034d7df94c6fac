//! What a container has become: `sandlot diff`, `commit`, and `export`.

use super::client::{Call, Client};
use super::error::Error;
use super::{archives, format, images};
use clap::{ArgAction, Args};
use hyper::Method;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show what a container has changed in its image
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Its name or id
    container: String,
}

impl Diff {
    /// Runs it: A is added, C changed, D deleted.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Vec<Value> = client.json(Call::container(Method::GET, &self.container, "changes")).await?;
        let line = |change: &Value| {
            let sign = match change["Kind"].as_u64() {
                Some(1) => 'A',
                Some(2) => 'D',
                _ => 'C',
            };
            format!("{sign} {}\n", format::text(&change["Path"]))
        };
        format::print(&found.iter().map(line).collect::<String>()).map(|()| 0)
    }
}

/// Make an image out of a container
#[derive(Debug, Args)]
pub(super) struct Commit {
    /// Who made it
    #[arg(short, long, default_value = "")]
    author: String,
    /// Words that the image's history keeps
    #[arg(short, long, default_value = "")]
    message: String,
    /// A Dockerfile instruction for the image: 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Freeze the container meanwhile (this is the default)
    #[arg(short, long, default_value_t = true, action = ArgAction::Set, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pause: bool,
    /// Its name or id
    container: String,
    /// A name for the image
    name: Option<String>,
}

impl Commit {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut call = Call::post("/commit")
            .query("container", &self.container)
            .query("author", &self.author)
            .query("comment", &self.message)
            .query("pause", if self.pause { "1" } else { "0" });
        if let Some(name) = &self.name {
            let (repository, tag) = images::split(name);
            call = call.query("repo", repository).query("tag", tag);
        }
        for change in &self.change {
            call = call.query("changes", change);
        }
        let made: Value = client.json(call.json(&json!({}))?).await?;
        format::line(&format::text(&made["Id"])).map(|()| 0)
    }
}

/// Write a container's whole root as a tar archive
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Its name or id
    container: String,
}

impl Export {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = Call::container(Method::GET, &self.container, "export");
        archives::write(client, call, self.output.as_deref()).await.map(|()| 0)
    }
}
