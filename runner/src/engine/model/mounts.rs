//! What `--mount` can say, in the words of the Docker Engine API.

use super::nullable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A mount as `--mount` asks for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct MountRequest {
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub source: String,
    pub target: String,
    pub read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_options: Option<BindOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_options: Option<VolumeOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs_options: Option<TmpfsOptions>,
}

/// What can be said of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct BindOptions {
    #[serde(deserialize_with = "nullable")]
    pub propagation: String,
    pub non_recursive: bool,
    pub create_mountpoint: bool,
}

/// What can be said of a volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct VolumeOptions {
    pub no_copy: bool,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub subpath: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_config: Option<Driver>,
}

/// Who keeps a volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Driver {
    /// `local` is the only one.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// None are known.
    #[serde(deserialize_with = "nullable")]
    pub options: BTreeMap<String, String>,
}

/// What can be said of a tmpfs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TmpfsOptions {
    /// The most bytes; 0: what every tmpfs has.
    pub size_bytes: i64,
    /// The mode of its root; 0: as every tmpfs.
    pub mode: u32,
    /// More options, each a name and perhaps a value.
    #[serde(deserialize_with = "nullable")]
    pub options: Vec<Vec<String>>,
}
