//! `sandlot exec`.

use super::client::{Call, Client, segment};
use super::error::{Error, start_code};
use super::streams::{self, End, Framing, Input};
use super::terminal::{self, DETACH, Detach, Raw};
use super::values;
use clap::Args;
use hyper::Method;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Run a command in a running container
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// Run in the background
    #[arg(short, long)]
    detach: bool,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    tty: bool,
    /// Refused: no process gets rights on the host
    #[arg(long)]
    privileged: bool,
    /// Set an environment variable
    #[arg(short, long, value_parser = values::env)]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// The working directory inside
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// User, and perhaps group, by name or number: user[:group]
    #[arg(short, long)]
    user: Option<String>,
    /// Keys that detach
    #[arg(long, default_value = DETACH, value_parser = Detach::parse)]
    detach_keys: Detach,
    /// Name or id
    container: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Exec {
    /// Runs it; the exit code is that of the command.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        self.inner(client).await.map_err(|error| match error {
            Error::Refused { status, message } => match start_code(&message) {
                125 => Error::Refused { status, message },
                code => Error::Exec { code, message },
            },
            other => other,
        })
    }

    async fn inner(self, client: &Client) -> Result<u8, Error> {
        if self.tty && self.interactive && !self.detach && !std::io::stdin().is_terminal() {
            return Err(Error::Invalid("the input device is not a TTY".into()));
        }
        let mut env = values::env_files(&self.env_file).map_err(Error::Invalid)?;
        env.extend(self.env);
        let wanted = json!({
            "AttachStdin": self.interactive && !self.detach,
            "AttachStdout": !self.detach,
            "AttachStderr": !self.detach,
            "Tty": self.tty,
            "Privileged": self.privileged,
            "Cmd": self.command,
            "Env": values::resolve(env, |name| std::env::var(name).ok()),
            "User": self.user,
            "WorkingDir": self.workdir,
        });
        let created: Value =
            client.json(Call::container(Method::POST, &self.container, "exec").json(&wanted)?).await?;
        let id = created["Id"].as_str().ok_or_else(|| Error::Protocol("an execution without id".into()))?;
        let target = format!("/exec/{}", segment(id));
        let size = terminal::size().filter(|_| self.tty).map(|(columns, rows)| [rows, columns]);
        let start = json!({ "Detach": self.detach, "Tty": self.tty, "ConsoleSize": size });
        let start = Call::post(format!("{target}/start")).json(&start)?;
        if self.detach {
            return client.done(start).await.map(|()| 0);
        }
        let connection = client.hijack(start).await?;
        let raw = if self.tty && self.interactive { Raw::enter()? } else { None };
        let input = match (self.interactive, &raw) {
            (false, _) => Input::Ignored,
            (true, None) => Input::Piped,
            (true, Some(_)) => Input::Typed(self.detach_keys),
        };
        let sizes = async {
            if self.tty { streams::pass_size_on(client, &target).await } else { std::future::pending().await }
        };
        let end = tokio::select! {
            end = streams::converse(connection, Framing::of(self.tty), input) => end,
            () = sizes => Ok(End::Detached),
        };
        drop(raw);
        if end? == End::Detached {
            return Ok(0);
        }
        let state: Value = client.json(Call::get(format!("{target}/json"))).await?;
        Ok(u8::try_from(state["ExitCode"].as_i64().unwrap_or_default() & 0xff).unwrap_or(u8::MAX))
    }
}
