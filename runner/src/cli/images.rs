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
const DIGESTS: &[format::Column] = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("DIGEST", "Digest"),
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
    /// All of them, which is what is shown anyway
    #[arg(short, long)]
    all: bool,
    /// Show digests as well
    #[arg(long)]
    digests: bool,
    /// Only those: reference=…, label=…, dangling=true, before=…, since=…, until=…
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
            for Named { repository, tag, digest } in names(image, if self.digests { usize::MAX } else { 1 }) {
                rows.push(json!({
                    "Repository": repository,
                    "Tag": tag,
                    "Digest": digest,
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
        let columns = if self.digests { DIGESTS } else { COLUMNS };
        format::print(&format::list(self.format.as_deref(), columns, &rows)?).map(|()| 0)
    }
}

/// A row's names.
struct Named {
    repository: String,
    tag: String,
    digest: String,
}

/// The rows of an image: a row a tag and digest (of these at most so many), and one for a repository that has a digest of it and no tag.
fn names(image: &Value, most: usize) -> Vec<Named> {
    const NONE: &str = "<none>";
    let list = |field: &str| -> Vec<String> {
        image[field].as_array().into_iter().flatten().map(format::text).collect()
    };
    let (tags, all) = (list("RepoTags"), list("RepoDigests"));
    let known = |name: &str| -> Vec<&str> {
        all.iter().filter_map(|d| d.split_once('@')).filter(|(n, _)| *n == name).map(|(_, d)| d).collect()
    };
    let mut rows = Vec::new();
    let mut row = |repository: &str, tag: &str| {
        let mut known = known(repository);
        known.truncate(most);
        known.extend(known.is_empty().then_some(NONE));
        rows.extend(known.into_iter().map(|digest| Named {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
        }));
    };
    let mut tagged: Vec<&str> = Vec::new();
    for tag in &tags {
        let (repository, tag) = tag.rsplit_once(':').unwrap_or((tag, "latest"));
        tagged.push(repository);
        row(repository, tag);
    }
    let mut bare: Vec<&str> = all.iter().filter_map(|d| d.split_once('@')).map(|(name, _)| name).collect();
    bare.dedup();
    for repository in bare.into_iter().filter(|name| !tagged.contains(name)) {
        row(repository, NONE);
    }
    if rows.is_empty() {
        rows.push(Named { repository: NONE.into(), tag: NONE.into(), digest: NONE.into() });
    }
    rows
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
            let gone: Vec<Value> = match client.json(call).await {
                Err(gone) if self.force && gone.is_absence() => {
                    eprintln!("{gone}");
                    continue;
                }
                other => failures.note(other)?.unwrap_or_default(),
            };
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
