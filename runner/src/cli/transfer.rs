//! `sandlot pull` and `push`, and how far they are: bars on a terminal, lines elsewhere.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use super::login::authorise;
use crate::image::{ParseReferenceError, Reference};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::HashMap;
use std::io::IsTerminal;

/// What is said of a layer at last.
const ENDS: [&str; 5] = ["Pull complete", "Already exists", "Pushed", "Layer already exists", "Mounted from"];

/// Pull an image from a registry
#[derive(Debug, Args)]
pub(super) struct Pull {
    /// For which machine, like linux/arm64
    #[arg(long)]
    platform: Option<String>,
    /// Say nothing but the image's name
    #[arg(short, long)]
    quiet: bool,
    /// Pull all images of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Which image
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,
}

impl Pull {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let told = if self.quiet { Told::Nothing } else { Told::Progress };
        let wanted = reference(&self.image)?;
        let bare = tag(&self.image).is_none() && wanted.digest().is_none();
        if self.all_tags {
            if !bare {
                return Err(Error::Invalid("tag can't be used with --all-tags/-a".into()));
            }
            let call = Call::post("/images/create").query("fromImage", wanted.canonical_name());
            fetch(client, authorise(call, &self.image), self.platform.as_deref(), told).await?;
            return format::line(&wanted.canonical_name()).map(|()| 0);
        }
        if bare && !self.quiet {
            format::line("Using default tag: latest")?;
        }
        pull(client, &self.image, self.platform.as_deref(), told).await?;
        format::line(&wanted.canonical()).map(|()| 0)
    }
}

fn reference(text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|e: ParseReferenceError| Error::Invalid(e.to_string()))
}

/// How much is said of it.
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
    let wanted = reference(image)?;
    let key = wanted.digest().map(|digest| digest.to_string());
    let key = key.as_deref().or(wanted.tag()).unwrap_or("latest");
    let call = Call::post("/images/create").query("fromImage", wanted.canonical_name()).query("tag", key);
    fetch(client, authorise(call, image), platform, told).await
}

async fn fetch(client: &Client, call: Call, platform: Option<&str>, told: Told) -> Result<(), Error> {
    let mut call = call;
    if let Some(platform) = platform {
        call = call.query("platform", platform);
    }
    follow(client, call, told).await
}

/// Push images to a registry
#[derive(Debug, Args)]
pub(super) struct Push {
    /// Push all images of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Say nothing but the image's name
    #[arg(short, long)]
    quiet: bool,
    /// Which image: its name says to which registry
    #[arg(value_name = "NAME[:TAG]")]
    image: String,
}

impl Push {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let told = if self.quiet { Told::Nothing } else { Told::Progress };
        let wanted = reference(&self.image)?;
        if wanted.digest().is_some() {
            return Err(Error::Invalid("cannot push a digest reference".into()));
        }
        let tagged = tag(&self.image);
        if self.all_tags && tagged.is_some() {
            return Err(Error::Invalid("tag can't be used with --all-tags/-a".into()));
        }
        if !self.all_tags && tagged.is_none() && !self.quiet {
            format::line("Using default tag: latest")?;
        }
        let mut call = Call::post(format!("/images/{}/push", wanted.canonical_name()));
        if !self.all_tags {
            call = call.query("tag", wanted.tag().unwrap_or("latest"));
        }
        follow(client, authorise(call, &self.image), told).await?;
        match (self.quiet, self.all_tags) {
            (true, true) => format::line(&wanted.canonical_name()).map(|()| 0),
            (true, false) => format::line(&wanted.canonical()).map(|()| 0),
            (false, _) => Ok(0),
        }
    }
}

/// The tag in a name, if there is one.
fn tag(name: &str) -> Option<&str> {
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}

/// Makes a call, and shows its lines as they come.
async fn follow(client: &Client, call: Call, told: Told) -> Result<(), Error> {
    let mut bars = (told != Told::Nothing && std::io::stderr().is_terminal()).then(Bars::default);
    let show = |line: Value| {
        if let Some(words) = line["error"].as_str() {
            return Err(Error::Invalid(words.to_owned()));
        }
        if line["aux"].is_object() {
            return Ok(());
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
        if ENDS.iter().any(|end| status.starts_with(end)) {
            bar.finish();
        }
    }
}
