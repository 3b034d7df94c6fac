//! How output is to be kept, in the words of the Docker Engine API.

use super::nullable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `--log-driver` and `--log-opt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// The driver.
    #[serde(rename = "Type", deserialize_with = "nullable")]
    pub kind: String,
    /// Its options.
    #[serde(deserialize_with = "nullable")]
    pub config: BTreeMap<String, String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { kind: "json-file".into(), config: BTreeMap::new() }
    }
}
