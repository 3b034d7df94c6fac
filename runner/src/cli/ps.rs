//! `sandlot ps`.

use super::client::{Call, Client};
use super::error::Error;
use super::filters::filters;
use super::format;
use super::people;
use clap::Args;
use serde_json::{Value, json};

/// The columns that Docker shows.
const COLUMNS: &[format::Column] = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
];
/// The width of an id and of a command in the table.
const ID: usize = 12;
const COMMAND: usize = 20;

/// List containers
#[derive(Debug, Args)]
pub(super) struct Ps {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Show how much each has written
    #[arg(short, long)]
    size: bool,
    /// Show everything in full length
    #[arg(long)]
    no_trunc: bool,
    /// The newest this many, also if they do not run
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// The newest one, also if it does not run
    #[arg(short, long)]
    latest: bool,
    /// Only those: name=…, id=…, label=…, status=…, ancestor=…, exited=…
    #[arg(short, long, value_parser = super::values::full_pair)]
    filter: Vec<(String, String)>,
    /// json, or a template like '{{.ID}} {{.Names}}'
    #[arg(long)]
    format: Option<String>,
}

impl Ps {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut call = Call::get("/containers/json").query("all", if self.all { "1" } else { "0" });
        if self.size || self.format.as_deref().is_some_and(|f| f.contains(".Size")) {
            call = call.query("size", "1");
        }
        if let Some(limit) = if self.latest { Some(1) } else { self.last } {
            call = call.query("limit", limit.to_string());
        }
        if let Some(filters) = filters(&self.filter) {
            call = call.query("filters", filters);
        }
        let found: Vec<Value> = client.json(call).await?;
        let rows: Vec<Value> = found.iter().map(|one| self.row(one)).collect();
        if self.quiet {
            return format::ids(&rows, "ID");
        }
        let size = self.size.then_some(("SIZE", "Size"));
        let columns: Vec<format::Column> = COLUMNS.iter().copied().chain(size).collect();
        format::print(&format::list(self.format.as_deref(), &columns, &rows)?).map(|()| 0)
    }

    fn row(&self, one: &Value) -> Value {
        let short =
            |text: &str, length| if self.no_trunc { text.to_owned() } else { people::short(text, length) };
        let names = one["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<&str> = names.map(|name| name.trim_start_matches('/')).collect();
        let labels = one["Labels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(key, value)| format!("{key}={}", format::text(value))).collect();
        let command = one["Command"].as_str().unwrap_or_default();
        let command = if self.no_trunc { command.to_owned() } else { people::cut(command, COMMAND) };
        let id = one["Id"].as_str().unwrap_or_default();
        let id = if self.no_trunc { id.to_owned() } else { short(id, ID) };
        json!({
            "ID": id,
            "Image": one["Image"],
            "Command": format!("\"{command}\""),
            "CreatedAt": people::at(one["Created"].as_i64().unwrap_or_default()),
            "RunningFor": people::ago(one["Created"].as_i64().unwrap_or_default()),
            "Status": one["Status"],
            "State": one["State"],
            "Ports": ports(&one["Ports"]),
            "Mounts": mounts(&one["Mounts"]),
            "Size": people::decimal(one["SizeRw"].as_f64().unwrap_or_default()),
            "LocalVolumes": mounts(&one["Mounts"]).split(',').filter(|m| !m.is_empty()).count().to_string(),
            "Names": names.join(","),
            "Labels": labels.join(","),
            "Networks": networks(one),
        })
    }
}

/// The names of the networks that a container is in.
fn networks(one: &Value) -> String {
    let names = one["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
    names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
}

/// Ports as Docker shows them: `0.0.0.0:8080->80/tcp, 443/tcp`.
fn ports(list: &Value) -> String {
    let one = |port: &Value| {
        let inner = format!("{}/{}", format::text(&port["PrivatePort"]), format::text(&port["Type"]));
        match port["PublicPort"].as_u64() {
            Some(public) => format!("{}:{public}->{inner}", format::text(&port["IP"])),
            None => inner,
        }
    };
    list.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
}

/// The names or places of what is mounted.
fn mounts(list: &Value) -> String {
    let one = |mount: &Value| {
        let name = format::text(&mount["Name"]);
        if name.is_empty() { format::text(&mount["Source"]) } else { name }
    };
    list.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(",")
}
