//! `sandlot start`.

use super::attach::{self, Wish};
use super::client::{Call, Client};
use super::each;
use super::error::Error;
use super::format;
use super::terminal::{DETACH, Detach};
use clap::Args;
use hyper::Method;

/// Start containers that are not running
#[derive(Debug, Args)]
pub(super) struct Start {
    /// Show the output, pass signals on, and end with the container's exit code
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on too
    #[arg(short, long)]
    interactive: bool,
    /// Keys that detach from the container
    #[arg(long, default_value = DETACH, value_parser = Detach::parse)]
    detach_keys: Detach,
    /// Go on where this checkpoint has the container
    #[arg(long, default_value = "")]
    checkpoint: String,
    /// Refused: checkpoints are where the engine has them
    #[arg(long, default_value = "", hide = true)]
    checkpoint_dir: String,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Start {
    /// Whether the containers are to go on without this command.
    pub(super) fn detached(&self) -> bool {
        !self.attach && !self.interactive
    }

    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let start = |id: &str| {
            let call = Call::container(Method::POST, id, "start");
            if self.checkpoint.is_empty() && self.checkpoint_dir.is_empty() {
                return call;
            }
            call.query("checkpoint", &self.checkpoint).query("checkpoint-dir", &self.checkpoint_dir)
        };
        if !self.checkpoint.is_empty() && self.containers.len() > 1 {
            return Err(Error::Invalid(
                "you cannot start multiple containers at once with a checkpoint".into(),
            ));
        }
        if !self.attach && !self.interactive {
            let (mut failures, mut failed) = (each::Failures::default(), Vec::new());
            for name in &self.containers {
                match failures.note(client.done(start(name)).await)? {
                    Some(()) => format::line(name)?,
                    None => failed.push(name.as_str()),
                }
            }
            if !failed.is_empty() {
                eprintln!("Error: failed to start containers: {}", failed.join(", "));
            }
            return failures.code();
        }
        let [id] = &self.containers[..] else {
            return Err(Error::Invalid("only one container at once can be started and attached to".into()));
        };
        let wish = Wish { stdin: self.interactive, keys: self.detach_keys, proxy: true };
        attach::attach(client, id, wish, Some(start(id))).await
    }
}
