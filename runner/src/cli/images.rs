//! `sandlot images`, `rmi`, `tag` and `history`.

use super::client::{Call, Client};
use super::each::Failures;
use super::error::Error;
use super::filters::filters;
use super::{format, people};
use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

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
