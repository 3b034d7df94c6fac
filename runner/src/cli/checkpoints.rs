//! `sandlot checkpoint …`.

use super::client::{Call, Client, segment};
use super::error::Error;
use super::format;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

const COLUMNS: &[format::Column] = &[("CHECKPOINT NAME", "Name")];

/// What is done with checkpoints.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    #[command(visible_alias = "list")]
    Ls(Ls),
    #[command(visible_alias = "remove")]
    Rm(Rm),
}

impl Command {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::Create(command) => command.run(client).await,
            Self::Ls(command) => command.run(client).await,
            Self::Rm(command) => command.run(client).await,
        }
    }
}

/// Write a running container down, and end it
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Let the container go on
    #[arg(long)]
    leave_running: bool,
    /// Refused: checkpoints are where the engine has them
    #[arg(long, default_value = "", hide = true)]
    checkpoint_dir: String,
    /// A name or an id
    container: String,
    /// Its name
    checkpoint: String,
}

impl Create {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let (id, dir) = (&self.checkpoint, &self.checkpoint_dir);
        let body = json!({ "CheckpointID": id, "CheckpointDir": dir, "Exit": !self.leave_running });
        client.done(Call::container(Method::POST, &self.container, "checkpoints").json(&body)?).await?;
        format::line(&self.checkpoint).map(|()| 0)
    }
}

/// List a container's checkpoints
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Refused: checkpoints are where the engine has them
    #[arg(long, default_value = "", hide = true)]
    checkpoint_dir: String,
    /// A name or an id
    container: String,
}

impl Ls {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = Call::container(Method::GET, &self.container, "checkpoints");
        let rows: Vec<Value> = client.json(call.query("dir", &self.checkpoint_dir)).await?;
        format::print(&format::list(None, COLUMNS, &rows)?).map(|()| 0)
    }
}

/// Remove a checkpoint
#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Refused: checkpoints are where the engine has them
    #[arg(long, default_value = "", hide = true)]
    checkpoint_dir: String,
    /// A name or an id
    container: String,
    /// Its name
    checkpoint: String,
}

impl Rm {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let rest = format!("checkpoints/{}", segment(&self.checkpoint));
        let call = Call::container(Method::DELETE, &self.container, &rest);
        client.done(call.query("dir", &self.checkpoint_dir)).await.map(|()| 0)
    }
}
