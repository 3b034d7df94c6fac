//! What a registry has, without fetching it: the tags of a repository, and what stands behind a name.

use super::download::again;
use super::manifest::{Descriptor, Document, MAX_CONFIG};
use super::registry::{self, Client};
use super::{Digest, Error, Platform, Pull};
use futures_util::StreamExt;
use oci_spec::image::ImageConfiguration;

/// What stands behind a name.
#[derive(Debug, Clone)]
pub struct Description {
    /// Of its manifest or index.
    pub media_type: String,
    /// Of the same.
    pub digest: Digest,
    /// In bytes, of the same.
    pub size: u64,
    /// The machines that it is for.
    pub platforms: Vec<Platform>,
}

impl Pull<'_> {
    fn client(&self) -> Result<Client, registry::Error> {
        Client::new(self.reference.registry(), self.insecure, self.credentials.clone())
    }

    /// All tags of the repository, as the registry lists them.
    ///
    /// # Errors
    /// What the registry answers.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let client = self.client()?;
        Ok(again(|| client.tags(self.reference.repository())).await?)
    }

    /// What stands behind the reference.
    ///
    /// # Errors
    /// What the registry answers; [`Error::Damaged`] for what is no image.
    pub async fn describe(&self) -> Result<Description, Error> {
        let (client, repository) = (self.client()?, self.reference.repository());
        let digest = self.reference.digest().map(|digest| digest.to_string());
        let key = digest.as_deref().or(self.reference.tag()).unwrap_or("latest");
        let fetched = again(|| client.manifest(repository, key)).await?;
        let damaged = |e| Error::Damaged(format!("the manifest of {}: {e}", self.reference));
        let (kind, platforms) = match registry::parse(&fetched).map_err(damaged)? {
            Document::Index(index) => {
                let platforms = index.manifests.into_iter().filter_map(|entry| entry.platform).collect();
                (index.media_type.unwrap_or_else(|| super::manifest::OCI_INDEX.to_owned()), platforms)
            }
            Document::Image(manifest) => {
                let platform = platform(&client, repository, &manifest.config).await?;
                let kind = manifest.media_type.or_else(|| fetched.media_type.clone());
                (kind.unwrap_or_else(|| super::manifest::OCI_MANIFEST.to_owned()), vec![platform])
            }
        };
        let size = fetched.bytes.len() as u64;
        Ok(Description { media_type: kind, digest: fetched.digest, size, platforms })
    }
}

/// The machine that an image is for, by its configuration.
async fn platform(client: &Client, repository: &str, config: &Descriptor) -> Result<Platform, Error> {
    let damaged = |why: String| Error::Damaged(format!("the configuration {}: {why}", config.digest));
    let mut body = client.blob(repository, &config.digest, config.size.min(MAX_CONFIG), 0).await?.stream;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(&damaged)?);
        if bytes.len() as u64 > MAX_CONFIG {
            return Err(damaged(format!("it is longer than {MAX_CONFIG} bytes")));
        }
    }
    let found = Digest::of(&bytes);
    if found != config.digest {
        return Err(Error::Wrong { what: "configuration", expected: config.digest, found });
    }
    let parsed: ImageConfiguration = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    let words = match parsed.variant() {
        Some(variant) => format!("{}/{}/{variant}", parsed.os(), parsed.architecture()),
        None => format!("{}/{}", parsed.os(), parsed.architecture()),
    };
    words.parse().map_err(|e: super::ParsePlatformError| damaged(e.to_string()))
}
