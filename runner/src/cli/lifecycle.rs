//! The commands that make one call for each container: `stop`, `kill`, `rm`, `restart`, `pause`, `unpause`; and `rename`
//! and `wait`.

use super::client::{Call, Client};
use super::error::Error;
use super::{each, format};
use clap::Args;
use hyper::Method;
use serde_json::Value;

/// Stop containers: ask them to end, then end them
#[derive(Debug, Args)]
pub(super) struct Stop {
    /// Seconds before they are ended
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS", allow_hyphen_values = true)]
    time: Option<i64>,
    /// Ask with this signal
    #[arg(short, long)]
    signal: Option<String>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Stop {
    /// Stops them, or with `verb` = `restart` starts them again as well.
    pub(super) async fn run(self, client: &Client, verb: &str) -> Result<u8, Error> {
        let call = |id: &str| {
            let call = Call::container(Method::POST, id, verb);
            let call = match self.time {
                Some(seconds) => call.query("t", seconds.to_string()),
                None => call,
            };
            match &self.signal {
                Some(signal) => call.query("signal", signal),
                None => call,
            }
        };
        each::container(client, &self.containers, call).await
    }
}

/// Send a signal to containers
#[derive(Debug, Args)]
pub(super) struct Kill {
    /// Which signal
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Kill {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = |id: &str| Call::container(Method::POST, id, "kill").query("signal", &self.signal);
        each::container(client, &self.containers, call).await
    }
}

/// Remove containers
#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Also those that run
    #[arg(short, long)]
    force: bool,
    /// Also their own volumes
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Rm {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let switch = |on| if on { "1" } else { "0" };
        let call = |id: &str| {
            Call::container(Method::DELETE, id, "")
                .query("force", switch(self.force))
                .query("v", switch(self.volumes))
        };
        let mut failures = each::Failures::default();
        for name in &self.containers {
            match client.done(call(name)).await {
                // It is told, but it is as it should be.
                Err(gone) if self.force && gone.is_absence() => eprintln!("{gone}"),
                other => {
                    if failures.note(other)?.is_some() {
                        format::line(name)?;
                    }
                }
            }
        }
        failures.code()
    }
}

/// Names of containers, and nothing else
#[derive(Debug, Args)]
pub(super) struct Containers {
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Containers {
    /// Makes the call `verb` for each.
    pub(super) async fn run(self, client: &Client, verb: &str) -> Result<u8, Error> {
        each::container(client, &self.containers, |id| Call::container(Method::POST, id, verb)).await
    }

    /// Waits for each to end, and prints their exit codes.
    pub(super) async fn wait(self, client: &Client) -> Result<u8, Error> {
        let mut failures = each::Failures::default();
        for id in &self.containers {
            let ended: Result<Value, Error> = client.json(Call::container(Method::POST, id, "wait")).await;
            if let Some(ended) = failures.note(ended)? {
                format::line(&format::text(&ended["StatusCode"]))?;
            }
        }
        failures.code()
    }
}

/// Show the processes of a container
#[derive(Debug, Args)]
pub(super) struct Top {
    /// Its name or id
    container: String,
    /// Options of ps(1) that name columns, as in `-o pid,comm` or `aux`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    options: Vec<String>,
}

impl Top {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = Call::container(Method::GET, &self.container, "top");
        let found: Value = client.json(call.query("ps_args", self.options.join(" "))).await?;
        let row = |row: &Value| row.as_array().into_iter().flatten().map(format::text).collect::<Vec<_>>();
        let mut rows = vec![row(&found["Titles"])];
        rows.extend(found["Processes"].as_array().into_iter().flatten().map(row));
        format::print(&format::table(rows)).map(|()| 0)
    }
}

/// Give a container another name
#[derive(Debug, Args)]
pub(super) struct Rename {
    /// Its name or id
    container: String,
    /// Its new name
    name: String,
}

impl Rename {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = Call::container(Method::POST, &self.container, "rename").query("name", &self.name);
        let failed =
            |e| Error::Invalid(format!("{e}\nError: failed to rename container named {}", self.container));
        client.done(call).await.map(|()| 0).map_err(failed)
    }
}
