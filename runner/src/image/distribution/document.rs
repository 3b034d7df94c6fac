//! Manifests as a registry reads them: of any kind, for it keeps artifacts that no engine runs. What they name is what counts.

use super::catalogue::Entry;
use super::error::Error;
use crate::image::Digest;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The most things that a manifest names.
const NAMED: usize = 4096;
/// The most bytes of annotations that are told in a list of referrers.
const ANNOTATIONS: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Named>,
    layers: Option<Vec<Named>>,
    manifests: Option<Vec<Named>>,
    subject: Option<Named>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    urls: Vec<String>,
}

/// Reads a manifest that came as `media_type`.
pub(super) fn read(bytes: &[u8], media_type: &str, pushed: i64) -> Result<Entry, Error> {
    let invalid = |words: String| Error::ManifestInvalid(words);
    let document: Document = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
    if document.schema_version != 2 {
        return Err(invalid(format!("schemaVersion is {}, not 2", document.schema_version)));
    }
    if let Some(said) = document.media_type.as_deref().filter(|said| *said != media_type) {
        return Err(invalid(format!("it says that it is {said:?}, but was sent as {media_type:?}")));
    }
    let is_index = document.manifests.is_some();
    if is_index && (document.layers.is_some() || document.config.is_some()) {
        return Err(invalid("it claims both an index's and an image's fields".to_owned()));
    }
    if !is_index && document.config.is_none() {
        return Err(invalid("it has neither a config nor manifests".to_owned()));
    }
    let config = document.config.iter();
    let layers = document.layers.iter().flatten();
    let children: Vec<&Named> = document.manifests.iter().flatten().collect();
    // What lies elsewhere is fetched from there.
    let blobs: Vec<(Digest, u64)> =
        config.chain(layers).filter(|named| named.urls.is_empty()).map(|n| (n.digest, n.size)).collect();
    if blobs.len() + children.len() > NAMED {
        return Err(invalid(format!("it names more than {NAMED} things")));
    }
    let mut annotations = document.annotations.unwrap_or_default();
    if annotations.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > ANNOTATIONS {
        annotations.clear();
    }
    let artifact_type =
        document.artifact_type.or_else(|| document.config.as_ref().map(|c| c.media_type.clone()));
    let sum = |sum: u64, (_, size): &(Digest, u64)| sum.saturating_add(*size);
    Ok(Entry {
        media_type: media_type.to_owned(),
        size: bytes.len() as u64,
        pushed,
        content: blobs.iter().fold(0, sum),
        blobs,
        children: children.into_iter().map(|child| child.digest).collect(),
        subject: document.subject.map(|subject| subject.digest),
        artifact_type: artifact_type.filter(|kind| !kind.is_empty()),
        annotations,
    })
}

/// What a document says that it is, where HTTP did not.
pub(super) fn said(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<Document>(bytes).ok()?.media_type
}
