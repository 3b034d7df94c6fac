//! `sandlot create`, and the creation that `run` begins with.

use super::client::{Call, Client};
use super::container_options::{Attachment, ContainerOptions, Creation};
use super::error::Error;
use super::format;
use super::transfer::{self, Told};
use clap::Args;
use hyper::StatusCode;
use std::path::PathBuf;

/// Create a container without starting it
#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    container: ContainerOptions,
}

impl Create {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let options = Options::of(&self.container);
        let attachment = if self.container.interactive { Attachment::Here } else { Attachment::Nobody };
        let id = create(client, &options, self.container.creation(attachment)?).await?;
        format::line(&id).map(|()| 0)
    }
}

/// What of the options is no part of the creation itself.
pub(super) struct Options {
    name: Option<String>,
    platform: Option<String>,
    cidfile: Option<PathBuf>,
    pull: String,
    /// What is said of pulling it.
    told: Told,
    /// Whether the container is removed at its end.
    pub(super) remove: bool,
}

impl Options {
    /// Those of a container.
    pub(super) fn of(options: &ContainerOptions) -> Self {
        Self {
            name: options.name.clone(),
            platform: options.platform.clone(),
            cidfile: options.cidfile.clone(),
            pull: options.pull.clone(),
            told: if options.quiet { Told::Nothing } else { Told::Aside },
            remove: options.rm,
        }
    }
}

/// Creates the container; its id.
pub(super) async fn create(client: &Client, options: &Options, creation: Creation) -> Result<String, Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Created {
        id: String,
        #[serde(default)]
        warnings: Vec<String>,
    }
    if let Some(path) = options.cidfile.as_ref().filter(|path| path.exists()) {
        return Err(Error::Invalid(format!(
            "container ID file found, make sure the other container isn't running or delete {}",
            path.display()
        )));
    }
    let image = &creation.config.image;
    let call = || {
        let mut call = Call::post("/containers/create");
        for (name, value) in [("name", &options.name), ("platform", &options.platform)] {
            if let Some(value) = value {
                call = call.query(name, value);
            }
        }
        call.json(&creation)
    };
    if options.pull == "always" {
        transfer::pull(client, image, options.platform.as_deref(), options.told).await?;
    }
    let created: Created = match client.json(call()?).await {
        Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) if options.pull == "missing" => {
            if options.told != Told::Nothing {
                eprintln!("Unable to find image '{image}' locally");
            }
            transfer::pull(client, image, options.platform.as_deref(), options.told).await?;
            client.json(call()?).await?
        }
        other => other?,
    };
    for warning in created.warnings {
        eprintln!("WARNING: {warning}");
    }
    if let Some(path) = &options.cidfile {
        std::fs::write(path, &created.id).map_err(Error::io(path.display().to_string()))?;
    }
    Ok(created.id)
}
