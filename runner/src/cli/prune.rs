//! Removing what is not used: `sandlot container|image|system prune`, and what `volume prune` shares with them.

use super::client::{Call, Client};
use super::error::Error;
use super::filters::filters;
use super::{confirm, format, people, values};
use clap::Args;
use serde_json::Value;

/// What every kind of pruning takes.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Do not ask
    #[arg(short, long)]
    pub(super) force: bool,
    /// Only those: label=…
    #[arg(long, value_parser = values::full_pair)]
    pub(super) filter: Vec<(String, String)>,
}

/// Remove containers that do not run
#[derive(Debug, Args)]
pub(super) struct Containers {
    #[command(flatten)]
    chosen: Chosen,
}

impl Containers {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        confirm::or_stop(self.chosen.force, "This will remove all containers that do not run.")?;
        one(client, "containers", &self.chosen.filter).await?.print()
    }
}

/// Remove images that nobody uses
#[derive(Debug, Args)]
pub(super) struct Images {
    /// Also those with a name, if no container was made of them
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    chosen: Chosen,
}

impl Images {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let which = if self.all { "without a container" } else { "without a name" };
        confirm::or_stop(self.chosen.force, &format!("This will remove all images {which}."))?;
        images(client, self.chosen.filter, self.all).await?.print()
    }
}

/// Remove containers that do not run, and networks and images that nobody uses
#[derive(Debug, Args)]
pub(super) struct System {
    /// Also images with a name, if no container was made of them
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Also volumes without a given name
    #[arg(long)]
    volumes: bool,
}

impl System {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let volumes = if self.volumes { ", volumes that nobody uses" } else { "" };
        let which = if self.all { "all images without a container" } else { "images without a name" };
        let warning = format!(
            "This will remove all containers that do not run{volumes}, networks that no container is in, and {which}."
        );
        confirm::or_stop(self.force, &warning)?;
        let mut gone = one(client, "containers", &[]).await?;
        if self.volumes {
            gone.add(one(client, "volumes", &[]).await?);
        }
        gone.add(one(client, "networks", &[]).await?);
        gone.add(images(client, Vec::new(), self.all).await?);
        gone.print()
    }
}

async fn images(client: &Client, mut filter: Vec<(String, String)>, all: bool) -> Result<Gone, Error> {
    filter.push(("dangling".into(), if all { "false" } else { "true" }.into()));
    one(client, "images", &filter).await
}

/// What is gone.
#[derive(Debug, Default)]
pub(super) struct Gone {
    names: String,
    bytes: f64,
}

impl Gone {
    fn add(&mut self, other: Self) {
        self.names += &other.names;
        self.bytes += other.bytes;
    }

    /// Says what is gone, where that takes no place.
    pub(super) fn print_names(self) -> Result<u8, Error> {
        format::print(&self.names).map(|()| 0)
    }

    /// Says it.
    pub(super) fn print(self) -> Result<u8, Error> {
        let total = people::decimal(self.bytes);
        format::print(&format!("{}Total reclaimed space: {total}\n", self.names)).map(|()| 0)
    }
}

/// Removes what is not used of one kind: `containers`, `images`, `volumes`.
pub(super) async fn one(client: &Client, kind: &str, filter: &[(String, String)]) -> Result<Gone, Error> {
    let mut call = Call::post(format!("/{kind}/prune"));
    if let Some(filters) = filters(filter) {
        call = call.query("filters", filters);
    }
    let told: Value = client.json(call).await?;
    let bytes = told["SpaceReclaimed"].as_f64().unwrap_or_default();
    let mut names = String::new();
    for (field, list) in
        told.as_object().into_iter().flatten().filter(|(field, _)| field.ends_with("Deleted"))
    {
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else { continue };
        names += &format!("Deleted {}:\n", field.trim_end_matches("Deleted"));
        for one in list {
            match one.as_object() {
                Some(words) => names.extend(
                    words.iter().map(|(k, v)| format!("{}: {}\n", k.to_lowercase(), format::text(v))),
                ),
                None => names += &format!("{}\n", format::text(one)),
            }
        }
        names.push('\n');
    }
    Ok(Gone { names, bytes })
}
