//! `sandlot images`, `pull`, `rmi` and `tag`.

use super::client::{Call, Client};
use super::error::Error;
use super::{format, people};
use clap::Args;
use http_body_util::BodyExt;
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
}

impl Images {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Vec<Value> = client.json(Call::get("/images/json")).await?;
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
                    "ID": people::short(id, 12),
                    "CreatedSince": people::ago(image["Created"].as_i64().unwrap_or_default()),
                    "Size": people::decimal(image["Size"].as_f64().unwrap_or_default()),
                }));
            }
        }
        if self.quiet {
            let ids: String = rows.iter().map(|row| format::text(&row["ID"]) + "\n").collect();
            return format::print(&ids).map(|()| 0);
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
        let mut call = Call::post("/images/create").query("fromImage", &self.image);
        if let Some(platform) = &self.platform {
            call = call.query("platform", platform);
        }
        let mut body = client.send(call).await?.into_body();
        let bars = (!self.quiet && std::io::stderr().is_terminal()).then(Bars::default);
        let (mut text, mut bars) = (Vec::new(), bars);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Error::Invalid(format!("the pull broke off: {e}")))?;
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |d| d));
            while let Some(end) = text.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let line: Value = serde_json::from_slice(&line).unwrap_or_default();
                if let Some(words) = line["error"].as_str() {
                    return Err(Error::Invalid(words.to_owned()));
                }
                match &mut bars {
                    Some(bars) => bars.show(&line),
                    None if !self.quiet => plain(&line)?,
                    None => {}
                }
            }
        }
        format::line(&self.image).map(|()| 0)
    }
}

/// Without a terminal: a line for what has an end, none for how far it is.
fn plain(line: &Value) -> Result<(), Error> {
    if line["progressDetail"]["current"].is_number() {
        return Ok(());
    }
    let status = format::text(&line["status"]);
    match line["id"].as_str() {
        Some(id) => format::line(&format!("{id}: {status}")),
        None => format::line(&status),
    }
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
        for image in &self.images {
            let call = Call::new(Method::DELETE, format!("/images/{image}"))
                .query("force", if self.force { "1" } else { "0" });
            let gone: Vec<Value> = client.json(call).await?;
            for (what, name) in gone.iter().filter_map(|g| g.as_object()).flatten() {
                format::line(&format!("{what}: {}", format::text(name)))?;
            }
        }
        Ok(0)
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
        let (repository, tag) = match self.target.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (self.target.as_str(), "latest"),
        };
        let call =
            Call::post(format!("/images/{}/tag", self.source)).query("repo", repository).query("tag", tag);
        client.done(call).await.map(|()| 0)
    }
}
