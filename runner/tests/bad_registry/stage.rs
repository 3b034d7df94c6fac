//! A store of its own, and pulls into it that end in bounded time.

use crate::registry::Registry;
use sandlot::image::{Credentials, Digest, Image, Platform, Pull, Reference, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The longest that a pull may take here.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sandlot-test-images-").tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Self { dir, store }
    }

    /// All paths in the store with their lengths, and the index as it is.
    pub(crate) fn listing(&self) -> BTreeMap<String, String> {
        listing(self.dir.path())
    }

    /// Pulls `name` from a registry.
    pub(crate) async fn pull(&self, registry: &Registry, name: &str) -> Result<Image, String> {
        self.pull_as(&format!("{}/{name}", registry.host()), None).await
    }

    pub(crate) async fn pull_as(
        &self,
        reference: &str,
        credentials: Option<Credentials>,
    ) -> Result<Image, String> {
        let reference: Reference = reference.parse().unwrap();
        let platform: Platform = "linux/amd64".parse().unwrap();
        let pull = Pull { reference: &reference, platform: &platform, credentials, insecure: &[] };
        let done = tokio::time::timeout(PATIENCE, self.store.pull(pull, &())).await;
        let Ok(done) = done else { panic!("the pull does not end") };
        let id: Digest = done.map_err(|e| e.to_string())?;
        Ok(self.store.resolve(&id.to_string()).unwrap())
    }

    /// Pulls what cannot be pulled; answers the error's words. Nothing may be left of it.
    pub(crate) async fn fails(&self, registry: &Registry, name: &str) -> String {
        let before = self.listing();
        let words = self.pull(registry, name).await.map(drop).unwrap_err();
        assert_eq!(self.listing(), before, "something was left after: {words}");
        words
    }
}

fn listing(dir: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let name = path.display().to_string();
        if meta.is_dir() {
            all.extend(listing(&path));
            all.insert(name, "directory".to_owned());
        } else if path.ends_with("images/index.json") {
            all.insert(name, std::fs::read_to_string(&path).unwrap());
        } else {
            all.insert(name, meta.len().to_string());
        }
    }
    all
}

/// Asserts that words hold all of these.
#[track_caller]
pub(crate) fn says(words: &str, all: &[&str]) {
    for one in all {
        assert!(words.contains(one), "{one:?} is missing in: {words}");
    }
}
