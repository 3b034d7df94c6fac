//! `sandlot system …`.

use super::client::{Call, Client};
use super::error::Error;
use super::{events, format, host, people, prune};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

const COLUMNS: &[format::Column] = &[
    ("TYPE", "Type"),
    ("TOTAL", "TotalCount"),
    ("ACTIVE", "Active"),
    ("SIZE", "Size"),
    ("RECLAIMABLE", "Reclaimable"),
];

/// What is done with the engine as a whole.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Df(Df),
    Events(events::Events),
    Info(host::Info),
    Prune(prune::System),
}

impl Command {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::Df(command) => command.run(client).await,
            Self::Events(command) => command.run(client).await,
            Self::Info(command) => command.run(client).await,
            Self::Prune(command) => command.run(client).await,
        }
    }
}

/// Show what takes how much of the disk
#[derive(Debug, Args)]
pub(super) struct Df {
    /// json, or a template like '{{.Type}}: {{.Size}}'
    #[arg(long)]
    format: Option<String>,
}

impl Df {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Value = client.json(Call::get("/system/df")).await?;
        let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
        let (images, containers, volumes) = (list("Images"), list("Containers"), list("Volumes"));
        let used = |image: &Value| containers.iter().any(|c| c["ImageID"] == image["Id"]);
        let alive = |c: &Value| matches!(c["State"].as_str(), Some("running" | "paused"));
        let mounted = |v: &Value| v["UsageData"]["RefCount"].as_u64().unwrap_or_default() > 0;
        let rows = [
            row("Images", &images, used, |i| &i["Size"]),
            row("Containers", &containers, alive, |c| &c["SizeRw"]),
            row("Local Volumes", &volumes, mounted, |v| &v["UsageData"]["Size"]),
        ];
        format::print(&format::list(self.format.as_deref(), COLUMNS, &rows)?).map(|()| 0)
    }
}

fn row(kind: &str, all: &[Value], active: impl Fn(&Value) -> bool, size: impl Fn(&Value) -> &Value) -> Value {
    let bytes = |one: &Value| size(one).as_f64().unwrap_or_default().max(0.0);
    let total: f64 = all.iter().map(bytes).sum();
    let idle: f64 = all.iter().filter(|one| !active(one)).map(bytes).sum();
    let share = if total > 0.0 { format!(" ({:.0}%)", idle / total * 100.0) } else { String::new() };
    json!({
        "Type": kind,
        "TotalCount": all.len(),
        "Active": all.iter().filter(|one| active(one)).count(),
        "Size": people::decimal(total),
        "Reclaimable": format!("{}{share}", people::decimal(idle)),
    })
}
