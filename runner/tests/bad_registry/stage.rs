//! A store of its own, and pulls into it and pushes out of it that end in bounded time.

use crate::registry::Registry;
use sandlot::image::{Credentials, Digest, Event, Image, Platform, Progress, Pull, Push, Reference, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
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

    /// Has an image, and pushes it under that name; answers what was told of it, or the error's words.
    pub(crate) async fn push(&self, host: &str, name: &str, image: &str) -> Result<Told, String> {
        self.push_as(&format!("{host}/{name}"), image, None).await
    }

    pub(crate) async fn push_as(
        &self,
        reference: &str,
        image: &str,
        credentials: Option<Credentials>,
    ) -> Result<Told, String> {
        let repository: Reference = reference.parse().unwrap();
        self.store.tag(image, &repository).unwrap();
        let push = Push { repository: &repository, tag: repository.tag(), credentials, insecure: &[] };
        let told = Told::default();
        let done = tokio::time::timeout(PATIENCE, self.store.push(push, &told)).await;
        let Ok(done) = done else { panic!("the push does not end") };
        done.map(|_| told).map_err(|e| e.to_string())
    }

    /// Pulls what cannot be pulled; answers the error's words. Nothing may be left of it.
    pub(crate) async fn fails(&self, registry: &Registry, name: &str) -> String {
        let before = self.listing();
        let words = self.pull(registry, name).await.map(drop).unwrap_err();
        assert_eq!(self.listing(), before, "something was left after: {words}");
        words
    }
}

/// What was told of a push: a line for each event that has an end.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Layer { id, step } => format!("{id}: {}", step.status()),
            Event::Mounted { id, from } => format!("{id}: Mounted from {from}"),
            Event::Pushed { tag, digest, size } => format!("{tag}: digest: {digest} size: {size}"),
            Event::Status(words) => words.to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Told {
    /// How many lines have these words.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(words)).count()
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
