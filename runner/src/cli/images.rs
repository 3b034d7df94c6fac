//! `sandlot images`, `pull`, `rmi`, `tag` and `history`.

use super::client::{Call, Client};
use super::each::Failures;
use super::error::Error;
use super::filters::filters;
use super::login::authorise;
use super::{format, people};
use clap::Args;
use hyper::Method;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::IsTerminal;

const COLUMNS: &[format::Column] = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
];

/// List images
#[derive(Debug, Args)]
pub(super) struct Images {
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// json, or a template like '{{.Repository}}:{{.Tag}}'
    #[arg(long)]
    format: Option<String>,
    /// Show ids in full length
    #[arg(long)]
    no_trunc: bool,
    /// Only those: reference=…, label=…, dangling=true
    #[arg(short, long, value_parser = super::values::full_pair)]
    filter: Vec<(String, String)>,
    /// Only this repository, or name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Images {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut filter = self.filter;
        filter.extend(self.name.map(|name| ("reference".to_owned(), name)));
        let mut call = Call::get("/images/json");
        if let Some(filters) = filters(&filter) {
            call = call.query("filters", filters);
        }
        let found: Vec<Value> = client.json(call).await?;
        let mut rows = Vec::new();
        for image in &found {
            let id = image["Id"].as_str().unwrap_or_default().trim_start_matches("sha256:");
            let names = image["RepoTags"].as_array().cloned().unwrap_or_default();
            let names = if names.is_empty() { vec![json!("<none>:<none>")] } else { names };
            for name in names {
                let name = format::text(&name);
                let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "latest"));
                rows.push(json!({
                    "Repository": repository,
                    "Tag": tag,
                    "ID": if self.no_trunc { format!("sha256:{id}") } else { people::short(id, 12) },
                    "CreatedAt": people::at(image["Created"].as_i64().unwrap_or_default()),
                    "CreatedSince": people::ago(image["Created"].as_i64().unwrap_or_default()),
                    "Size": people::decimal(image["Size"].as_f64().unwrap_or_default()),
                }));
            }
        }
        if self.quiet {
            return format::ids(&rows, "ID");
        }
        format::print(&format::list(self.format.as_deref(), COLUMNS, &rows)?).map(|()| 0)
    }
}

/// Pull an image from a registry
#[derive(Debug, Args)]
pub(super) struct Pull {
    /// For which machine, like linux/arm64
    #[arg(long)]
    platform: Option<String>,
    /// Say nothing but the image's name
    #[arg(short, long)]
    quiet: bool,
    /// Which image
    image: String,
}

impl Pull {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let told = if self.quiet { Told::Nothing } else { Told::Progress };
        pull(client, &self.image, self.platform.as_deref(), told).await?;
        format::line(&self.image).map(|()| 0)
    }
}

/// How much is said of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// How far it is: bars on a terminal, lines elsewhere.
    Progress,
    /// The same, and lines go where errors do, for the output is somebody else's.
    Aside,
}

/// Pulls an image, with this user's credentials for its registry.
pub(super) async fn pull(
    client: &Client,
    image: &str,
    platform: Option<&str>,
    told: Told,
) -> Result<(), Error> {
    let mut call = authorise(Call::post("/images/create").query("fromImage", image), image);
    if let Some(platform) = platform {
        call = call.query("platform", platform);
    }
    let mut bars = (told != Told::Nothing && std::io::stderr().is_terminal()).then(Bars::default);
    let show = |line: Value| {
        if let Some(words) = line["error"].as_str() {
            return Err(Error::Invalid(words.to_owned()));
        }
        match (&mut bars, told) {
            (_, Told::Nothing) => {}
            (Some(bars), _) => bars.show(&line),
            (None, told) => plain(&line, told)?,
        }
        Ok(())
    };
    client.lines(call, show).await
}

/// Without a terminal: a line for what has an end, none for how far it is.
fn plain(line: &Value, told: Told) -> Result<(), Error> {
    if line["progressDetail"]["current"].is_number() {
        return Ok(());
    }
    let status = format::text(&line["status"]);
    let words = line["id"].as_str().map_or(status.clone(), |id| format!("{id}: {status}"));
    if told == Told::Aside {
        eprintln!("{words}");
        return Ok(());
    }
    format::line(&words)
}

/// A bar for each layer.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    layers: HashMap<String, ProgressBar>,
}

impl Bars {
    fn show(&mut self, line: &Value) {
        let status = format::text(&line["status"]);
        let Some(id) = line["id"].as_str().filter(|_| line["progressDetail"].is_object()) else {
            // Where not even the terminal can be written to, the bars are of no use either.
            self.all.println(status).unwrap_or_default();
            return;
        };
        let bar = self.layers.entry(id.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix}: {msg:18} [{bar:30}] {bytes}/{total_bytes}");
            let bar = self.all.add(ProgressBar::new(0)).with_prefix(id.to_owned());
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        if let (Some(current), Some(total)) =
            (line["progressDetail"]["current"].as_u64(), line["progressDetail"]["total"].as_u64())
        {
            bar.set_length(total);
            bar.set_position(current);
        }
        bar.set_message(status.clone());
        if matches!(status.as_str(), "Pull complete" | "Already exists") {
            bar.finish();
        }
    }
}

/// Remove images
#[derive(Debug, Args)]
pub(super) struct Rmi {
    /// Also all other names of the image
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Rmi {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut failures = Failures::default();
        for image in &self.images {
            let call = Call::new(Method::DELETE, format!("/images/{image}"))
                .query("force", if self.force { "1" } else { "0" });
            let gone: Vec<Value> = failures.note(client.json(call).await)?.unwrap_or_default();
            for (what, name) in gone.iter().filter_map(|g| g.as_object()).flatten() {
                format::line(&format!("{what}: {}", format::text(name)))?;
            }
        }
        failures.code()
    }
}

/// Give an image another name
#[derive(Debug, Args)]
pub(super) struct Tag {
    /// Its name or id
    source: String,
    /// Its new name
    target: String,
}

impl Tag {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let (repository, tag) = split(&self.target);
        let call =
            Call::post(format!("/images/{}/tag", self.source)).query("repo", repository).query("tag", tag);
        client.done(call).await.map(|()| 0)
    }
}

/// A name's repository and tag.
pub(super) fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

const STEPS: &[format::Column] = &[
    ("IMAGE", "ID"),
    ("CREATED", "CreatedSince"),
    ("CREATED BY", "CreatedBy"),
    ("SIZE", "Size"),
    ("COMMENT", "Comment"),
];
/// The width of what made a layer, in the table.
const MADE_BY: usize = 45;

/// Show how an image was made
#[derive(Debug, Args)]
pub(super) struct History {
    /// Show everything in full length
    #[arg(long)]
    no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// json, or a template like '{{.CreatedBy}}'
    #[arg(long)]
    format: Option<String>,
    /// Its name or id
    image: String,
}

impl History {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Vec<Value> = client.json(Call::get(format!("/images/{}/history", self.image))).await?;
        let row = |step: &Value| {
            let (id, by) = (format::text(&step["Id"]), format::text(&step["CreatedBy"]));
            let created = step["Created"].as_i64().unwrap_or_default();
            let cut = !self.no_trunc;
            json!({
                "ID": if cut { people::short(id.trim_start_matches("sha256:"), 12) } else { id },
                "CreatedSince": people::ago(created),
                "CreatedAt": people::at(created),
                "CreatedBy": if cut { people::cut(&by, MADE_BY) } else { by },
                "Size": people::decimal(step["Size"].as_f64().unwrap_or_default()),
                "Comment": step["Comment"],
            })
        };
        let rows: Vec<Value> = found.iter().map(row).collect();
        if self.quiet {
            return format::ids(&rows, "ID");
        }
        format::print(&format::list(self.format.as_deref(), STEPS, &rows)?).map(|()| 0)
    }
}
