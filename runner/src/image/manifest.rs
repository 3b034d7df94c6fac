//! Manifests and indexes, OCI's and Docker's schema 2, read into one shape; knows nothing of how they were fetched.

use super::{Digest, Platform};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer; compressed ones end in `+gzip` or `+zstd`.
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What a registry is asked for.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
/// The largest manifest or index (the distribution specification asks registries for at least this).
pub(super) const MAX_MANIFEST: u64 = 4 << 20;
/// The largest configuration.
pub(super) const MAX_CONFIG: u64 = 8 << 20;
/// An overlay has at most 500 lower directories (`OVL_MAX_STACK`).
pub(super) const MAX_LAYERS: usize = 500;
const MAX_INDEX: usize = 1024;

/// Points at content by digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Of content that is named nowhere else.
    pub(super) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let media_type = media_type.to_owned();
        Self { media_type, digest, size, urls: Vec::new(), platform: None, annotations: BTreeMap::new() }
    }
}

/// One image: its configuration and its layers, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// Several images, one a platform.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub manifests: Vec<Descriptor>,
}

/// What stands behind a reference.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Image(Manifest),
    Index(Index),
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("it is not valid JSON of a manifest: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its media type {0:?} is not one of OCI's or Docker's schema 2")]
    MediaType(String),
    #[error("Docker's schema 1 is not supported; push the image again with a current tool")]
    Schema1,
    #[error("it lists {0} entries, more than {1}")]
    Long(usize, usize),
    #[error("it claims both an index's and an image's fields")]
    Ambiguous,
}

/// Reads a manifest or an index; what it is, its own fields say, and `media_type` (of HTTP) must not contradict.
pub(super) fn parse(bytes: &[u8], media_type: Option<&str>) -> Result<Document, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        #[serde(default)]
        schema_version: u32,
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        layers: Option<serde::de::IgnoredAny>,
    }
    let probe: Probe = serde_json::from_slice(bytes)?;
    if probe.schema_version == 1 {
        return Err(Error::Schema1);
    }
    if probe.manifests.is_some() && probe.layers.is_some() {
        return Err(Error::Ambiguous);
    }
    let said = probe.media_type.as_deref().or(media_type).unwrap_or(OCI_MANIFEST);
    match said {
        OCI_INDEX | DOCKER_LIST => index(bytes),
        OCI_MANIFEST | DOCKER_MANIFEST => image(bytes),
        "application/json" | "text/plain" if probe.manifests.is_some() => index(bytes),
        "application/json" | "text/plain" => image(bytes),
        other => Err(Error::MediaType(other.to_owned())),
    }
}

fn index(bytes: &[u8]) -> Result<Document, Error> {
    let index: Index = serde_json::from_slice(bytes)?;
    match index.manifests.len() {
        count if count > MAX_INDEX => Err(Error::Long(count, MAX_INDEX)),
        _ => Ok(Document::Index(index)),
    }
}

fn image(bytes: &[u8]) -> Result<Document, Error> {
    let manifest: Manifest = serde_json::from_slice(bytes)?;
    match manifest.layers.len() {
        count if count > MAX_LAYERS => Err(Error::Long(count, MAX_LAYERS)),
        _ => Ok(Document::Image(manifest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_two_things_is_refused() {
        let text = br#"{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}"#;
        assert!(matches!(parse(text, None), Err(Error::Ambiguous)));
        assert!(matches!(parse(br#"{"schemaVersion":1}"#, None), Err(Error::Schema1)));
        assert!(matches!(parse(br#"{"schemaVersion":2}"#, Some("text/html")), Err(Error::MediaType(_))));
    }
}
