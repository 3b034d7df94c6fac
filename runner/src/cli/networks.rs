//! `sandlot network …`.

use super::client::{Call, Client, segment};
use super::error::Error;
use super::filters::filters;
use super::inspect::{Kind, Of};
use super::{confirm, each, format, people, values};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

const COLUMNS: &[format::Column] =
    &[("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")];
/// How much of an id is shown.
const ID: usize = 12;

/// What is done with networks.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Connect(Connect),
    Create(Create),
    Disconnect(Disconnect),
    /// Show all that is known of networks
    Inspect(Of),
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
            Self::Connect(command) => command.run(client).await,
            Self::Create(command) => command.run(client).await,
            Self::Disconnect(command) => command.run(client).await,
            Self::Inspect(command) => command.run(client, &[Kind::Network]).await,
            Self::Ls(command) => command.run(client).await,
            Self::Prune(command) => command.run(client).await,
            Self::Rm(command) => command.run(client).await,
        }
    }
}

fn map(pairs: Vec<(String, String)>) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key, Value::from(value))).collect()
}

/// Make a network
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The driver: there is one, bridge
    #[arg(short, long, default_value = "bridge")]
    driver: String,
    /// Its addresses: 10.5.0.0/24
    #[arg(long, value_name = "CIDR")]
    subnet: Option<String>,
    /// The host's address in it
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<String>,
    /// Those that containers get which ask for none
    #[arg(long, value_name = "CIDR")]
    ip_range: Option<String>,
    /// One that something else has, and no container gets: name=address
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = values::full_pair)]
    aux_address: Vec<(String, String)>,
    /// Without a way to anything but neighbours
    #[arg(long)]
    internal: bool,
    /// Without a meaning here: every network is
    #[arg(long)]
    attachable: bool,
    /// Refused: IPv6 is not routed
    #[arg(long)]
    ipv6: bool,
    /// An option of the driver: key=value
    #[arg(short, long, value_parser = values::full_pair)]
    opt: Vec<(String, String)>,
    /// Set a label: key[=value]
    #[arg(long, value_parser = values::pair)]
    label: Vec<(String, String)>,
    /// Its name
    name: String,
}

impl Create {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut addresses = Map::new();
        for (field, value) in [("Subnet", self.subnet), ("Gateway", self.gateway), ("IPRange", self.ip_range)]
        {
            addresses.extend(value.map(|value| (field.to_owned(), Value::from(value))));
        }
        if !self.aux_address.is_empty() {
            addresses.insert("AuxiliaryAddresses".to_owned(), map(self.aux_address).into());
        }
        let config: Vec<Map<String, Value>> = Some(addresses).filter(|a| !a.is_empty()).into_iter().collect();
        let body = json!({
            "Name": self.name,
            "Driver": self.driver,
            "Internal": self.internal,
            "Attachable": self.attachable,
            "EnableIPv6": self.ipv6,
            "IPAM": { "Config": config },
            "Options": map(self.opt),
            "Labels": map(self.label),
        });
        let made: Value = client.json(Call::post("/networks/create").json(&body)?).await?;
        format::line(&format::text(&made["Id"])).map(|()| 0)
    }
}

/// Put a container into a network
#[derive(Debug, Args)]
pub(super) struct Connect {
    /// The address that it gets
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<std::net::Ipv4Addr>,
    /// Another name for it in this network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// The network
    network: String,
    /// The container
    container: String,
}

impl Connect {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let endpoint = json!({ "IPAMConfig": { "IPv4Address": self.ip }, "Aliases": self.alias });
        let body = json!({ "Container": self.container, "EndpointConfig": endpoint });
        let call = Call::post(format!("/networks/{}/connect", segment(&self.network))).json(&body)?;
        client.done(call).await.map(|_| 0)
    }
}

/// Take a container out of a network
#[derive(Debug, Args)]
pub(super) struct Disconnect {
    /// Without a meaning here
    #[arg(short, long)]
    force: bool,
    /// The network
    network: String,
    /// The container
    container: String,
}

impl Disconnect {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let body = json!({ "Container": self.container, "Force": self.force });
        let call = Call::post(format!("/networks/{}/disconnect", segment(&self.network))).json(&body)?;
        client.done(call).await.map(|_| 0)
    }
}

/// List networks
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Only those: name=…, id=…, label=…, driver=…, type=custom|builtin, dangling=true
    #[arg(short, long, value_parser = values::full_pair)]
    filter: Vec<(String, String)>,
    /// json, or a template like '{{.Name}}'
    #[arg(long)]
    format: Option<String>,
}

impl Ls {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut call = Call::get("/networks");
        if let Some(filters) = filters(&self.filter) {
            call = call.query("filters", filters);
        }
        let found: Vec<Value> = client.json(call).await?;
        let mut rows: Vec<Value> = found.iter().map(|one| self.row(one)).collect();
        rows.sort_by_key(|row| format::text(&row["Name"]));
        if self.quiet {
            return format::ids(&rows, "ID");
        }
        format::print(&format::list(self.format.as_deref(), COLUMNS, &rows)?).map(|()| 0)
    }

    fn row(&self, one: &Value) -> Value {
        let id = format::text(&one["Id"]);
        let labels = one["Labels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(key, value)| format!("{key}={}", format::text(value))).collect();
        json!({
            "ID": if self.no_trunc { id } else { people::short(&id, ID) },
            "Name": one["Name"],
            "Driver": one["Driver"],
            "Scope": one["Scope"],
            "IPv4": format::text(&one["EnableIPv4"]),
            "IPv6": format::text(&one["EnableIPv6"]),
            "Internal": format::text(&one["Internal"]),
            "Labels": labels.join(","),
            "CreatedAt": one["Created"],
        })
    }
}

/// Remove networks that no container is in
#[derive(Debug, Args)]
pub(super) struct Prune {
    #[command(flatten)]
    chosen: super::prune::Chosen,
}

impl Prune {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        confirm::or_stop(self.chosen.force, "This will remove all networks that no container is in.")?;
        super::prune::one(client, "networks", &self.chosen.filter).await?.print_names()
    }
}

/// Remove networks
#[derive(Debug, Args)]
pub(super) struct Rm {
    /// One that is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

impl Rm {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut failures = each::Failures::default();
        for name in &self.networks {
            let call = Call::new(Method::DELETE, format!("/networks/{}", segment(name)));
            match client.done(call).await {
                Err(gone) if self.force && gone.is_absence() => {}
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
