//! `sandlot volume …`.

use super::client::{Call, Client, segment};
use super::each::Failures;
use super::error::Error;
use super::filters::filters;
use super::{confirm, each, format, values};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

const COLUMNS: &[format::Column] = &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")];

/// What is done with volumes.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    /// Show all that is known of volumes
    Inspect(Inspect),
    #[command(visible_alias = "list")]
    Ls(Ls),
    Prune(Prune),
    #[command(visible_alias = "remove")]
    Rm(Rm),
}

impl Command {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::Create(command) => command.run(client).await,
            Self::Inspect(command) => command.run(client).await,
            Self::Ls(command) => command.run(client).await,
            Self::Prune(command) => command.run(client).await,
            Self::Rm(command) => command.run(client).await,
        }
    }
}

/// Make a volume
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Set a label: key[=value]
    #[arg(long, value_parser = values::pair)]
    label: Vec<(String, String)>,
    /// The driver: there is one, local
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// size=BYTES: the most that it may hold (the engine's own bound without)
    #[arg(short, long = "opt", value_parser = values::full_pair, value_name = "KEY=VALUE")]
    options: Vec<(String, String)>,
    /// Its name; one is drawn without
    name: Option<String>,
}

impl Create {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let map = |pairs: Vec<(String, String)>| -> serde_json::Map<String, Value> {
            pairs.into_iter().map(|(key, value)| (key, Value::from(value))).collect()
        };
        let (labels, options) = (map(self.label), map(self.options));
        let body =
            json!({ "Name": self.name, "Driver": self.driver, "Labels": labels, "DriverOpts": options });
        let made: Value = client.json(Call::post("/volumes/create").json(&body)?).await?;
        format::line(&format::text(&made["Name"])).map(|()| 0)
    }
}

/// Show all that is known of volumes
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// json, or a template like '{{.Mountpoint}}'
    #[arg(short, long)]
    format: Option<String>,
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl Inspect {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let (mut failures, mut all) = (Failures::default(), Vec::new());
        for name in &self.volumes {
            let found = client.json::<Value>(Call::get(format!("/volumes/{}", segment(name)))).await;
            all.extend(failures.note(found)?);
        }
        format::print(&format::objects(self.format.as_deref(), &all)?)?;
        failures.code()
    }
}

/// List volumes
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Names only
    #[arg(short, long)]
    quiet: bool,
    /// Only those: name=…, label=…, dangling=true
    #[arg(short, long, value_parser = values::full_pair)]
    filter: Vec<(String, String)>,
    /// json, or a template like '{{.Name}}'
    #[arg(long)]
    format: Option<String>,
}

impl Ls {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut call = Call::get("/volumes");
        if let Some(filters) = filters(&self.filter) {
            call = call.query("filters", filters);
        }
        let found: Value = client.json(call).await?;
        let mut rows: Vec<Value> = found["Volumes"].as_array().cloned().unwrap_or_default();
        rows.sort_by_key(|row| format::text(&row["Name"]));
        if self.quiet {
            return format::ids(&rows, "Name");
        }
        format::print(&format::list(self.format.as_deref(), COLUMNS, &rows)?).map(|()| 0)
    }
}

/// Remove volumes that no container uses
#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Also those with a name of somebody's giving
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    chosen: super::prune::Chosen,
}

impl Prune {
    async fn run(mut self, client: &Client) -> Result<u8, Error> {
        let which = if self.all { "all volumes" } else { "all volumes without a given name" };
        confirm::or_stop(self.chosen.force, &format!("This will remove {which} that no container uses."))?;
        if self.all {
            self.chosen.filter.push(("all".into(), "1".into()));
        }
        super::prune::one(client, "volumes", &self.chosen.filter).await?.print()
    }
}

/// Remove volumes
#[derive(Debug, Args)]
pub(super) struct Rm {
    /// One that is not there is no failure
    #[arg(short, long)]
    force: bool,
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl Rm {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = |name: &str| {
            Call::new(Method::DELETE, format!("/volumes/{}", segment(name)))
                .query("force", if self.force { "1" } else { "0" })
        };
        each::container(client, &self.volumes, call).await
    }
}
