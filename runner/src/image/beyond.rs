//! What Docker's images say beyond the OCI's configuration.

use super::Store;
use super::store::Image;
use serde::Deserialize;
use serde_json::Value;

/// The largest configuration that is read.
const LONGEST: u64 = 8 << 20;

/// What Docker's images say beyond the OCI's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Beyond {
    /// How a container's health is looked at.
    pub healthcheck: Option<Value>,
    /// What runs a command that is one string.
    pub shell: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    config: Option<Beyond>,
}

impl Store {
    /// What an image says beyond; nothing if it cannot be read.
    #[must_use]
    pub fn beyond(&self, image: &Image) -> Beyond {
        let text = self.read_blob(&image.id, LONGEST).unwrap_or_default();
        serde_json::from_slice::<Whole>(&text).ok().and_then(|whole| whole.config).unwrap_or_default()
    }
}
