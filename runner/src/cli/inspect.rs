//! `sandlot inspect`: all that is known of containers, images, networks and volumes; and `port`.

use super::client::{Call, Client, segment};
use super::each::Failures;
use super::error::Error;
use super::format;
use clap::{Args, ValueEnum};
use hyper::{Method, StatusCode};
use serde_json::Value;

/// What kind of thing is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A container
    Container,
    /// An image
    Image,
    /// A network
    Network,
    /// A volume
    Volume,
}

const ALL: [Kind; 4] = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];

impl Kind {
    fn call(self, name: &str) -> Call {
        match self {
            Self::Container => Call::container(Method::GET, name, "json"),
            Self::Image => Call::get(format!("/images/{name}/json")),
            Self::Network => Call::get(format!("/networks/{}", segment(name))),
            Self::Volume => Call::get(format!("/volumes/{}", segment(name))),
        }
    }
}

/// Show all that is known of containers, images, networks or volumes
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Only that kind of thing
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    of: Of,
}

/// What every `inspect` takes.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// json, or a template like '{{.State.Pid}}'
    #[arg(short, long)]
    format: Option<String>,
    /// Names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Inspect {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        match self.kind {
            Some(kind) => self.of.run(client, &[kind]).await,
            None => self.of.run(client, &ALL).await,
        }
    }
}

impl Of {
    /// Shows what of these kinds has the names; what is not there is told behind what is.
    pub(super) async fn run(self, client: &Client, kinds: &[Kind]) -> Result<u8, Error> {
        let (mut failures, mut all) = (Failures::default(), Vec::new());
        for name in &self.names {
            all.extend(failures.note(find(client, name, kinds).await)?);
        }
        format::print(&format::objects(self.format.as_deref(), &all)?)?;
        failures.code()
    }
}

async fn find(client: &Client, name: &str, kinds: &[Kind]) -> Result<Value, Error> {
    if let [kind] = kinds {
        return client.json(kind.call(name)).await;
    }
    for kind in kinds {
        match client.json(kind.call(name)).await {
            Err(Error::Refused { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => {}
            other => return other,
        }
    }
    Err(Error::Invalid(format!("Error: No such object: {name}")))
}

/// Show which ports of a container can be reached from outside
#[derive(Debug, Args)]
pub(super) struct Port {
    /// Its name or id
    container: String,
    /// Only this one: port[/protocol]
    port: Option<String>,
}

impl Port {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Value = client.json(Call::container(Method::GET, &self.container, "json")).await?;
        let asked = self.port.clone();
        let wanted = self.port.map(|port| if port.contains('/') { port } else { format!("{port}/tcp") });
        let mut lines = String::new();
        for (port, places) in found["NetworkSettings"]["Ports"].as_object().into_iter().flatten() {
            for place in places.as_array().into_iter().flatten() {
                let place =
                    format!("{}:{}", format::text(&place["HostIp"]), format::text(&place["HostPort"]));
                match &wanted {
                    Some(wanted) if wanted == port => lines += &format!("{place}\n"),
                    Some(_) => {}
                    None => lines += &format!("{port} -> {place}\n"),
                }
            }
        }
        match wanted {
            Some(_) if lines.is_empty() => Err(Error::Invalid(format!(
                "Error: No public port '{}' published for {}",
                asked.unwrap_or_default(),
                self.container
            ))),
            _ => format::print(&lines).map(|()| 0),
        }
    }
}
