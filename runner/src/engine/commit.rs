//! A new image out of a container: what it wrote, and its configuration.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::model::Config;
use super::record::State;
use crate::image::{self, Commit, Reference};
use serde_json::{Map, Value, json};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What of a container's configuration an image has too.
const TAKEN: [&str; 11] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];

/// What our own labels begin with.
const OWN: &str = "sandlot.";

/// How an image is to be made.
#[derive(Debug, Default)]
pub struct Wish {
    /// Under which name.
    pub name: Option<Reference>,
    /// Who.
    pub author: String,
    /// Why.
    pub comment: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// What the configuration is to be, where it is not empty.
    pub config: Config,
    /// Whether the container goes on meanwhile.
    pub go_on: bool,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The container is to blame.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The image is.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Engine {
    /// Makes an image out of a container; its id.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub async fn commit(&self, key: &str, wish: Wish) -> Result<String, CommitError> {
        let container = self.find(key)?;
        let pause = !wish.go_on && matches!(container.state(), State::Running { .. });
        if pause {
            self.hold(&container.id).await?;
        }
        let comment = wish.comment.clone();
        let name = wish.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let (engine, shared) = (self.clone(), Arc::clone(&container));
        // To its end, also if nobody waits any more: a frozen container must go on.
        let made = tokio::spawn(async move {
            let made = engine.make_image(&shared, wish).await;
            if pause && let Err(e) = engine.unpause(&shared.id).await {
                tracing::warn!(container = shared.id, "not thawed after a commit: {e}");
            }
            made
        });
        let id = made.await.map_err(io::Error::other).doing(|| "making an image".into())??;
        if !name.is_empty() {
            let attributes = self.image_labels(&id).into_iter().chain([("name".to_owned(), name.clone())]);
            self.events.tell("image", "tag", id.clone(), attributes.collect());
        }
        let words = [("comment", comment.as_str()), ("imageID", id.as_str()), ("imageRef", name.as_str())];
        self.events.container_with("commit", &container, &words);
        Ok(id)
    }

    async fn make_image(&self, container: &Arc<Container>, wish: Wish) -> Result<String, CommitError> {
        let record = container.record();
        let on = self
            .images
            .resolve(&record.image)
            .map_err(|_| Error::not_found("image", record.image.clone()))?;
        let upper = self.upper(container).await?;
        let (store, base) = (self.images.clone(), container.slot.range().base);
        let made = tokio::task::spawn_blocking(move || {
            let config = taken(&record.config, &wish.config);
            let words: Vec<String> =
                record.config.entrypoint.iter().chain(&record.config.cmd).flatten().cloned().collect();
            let commit = Commit {
                on: &on,
                upper: (&upper, base),
                config,
                changes: &wish.changes,
                author: &wish.author,
                comment: &wish.comment,
                created_by: &words.join(" "),
                name: wish.name.as_ref(),
            };
            store.commit(commit)
        });
        let id = made.await.map_err(io::Error::other).doing(|| "making an image".into())??;
        Ok(id.to_string())
    }

    /// The upper directory of a container's overlay.
    pub(super) async fn upper(&self, container: &Arc<Container>) -> Result<PathBuf, Error> {
        let record = container.record();
        let checked = super::validate::check(&record.config, &record.host, &self.settings)?;
        Ok(self.writable(container, checked.disk).await?.0)
    }
}

/// The configuration of an image: the container's, where `wanted` says nothing else.
fn taken(container: &Config, wanted: &Config) -> Map<String, Value> {
    let nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let (own, wanted) = (json!(container), json!(wanted));
    let one = |name: &str| {
        let value = if nothing(&wanted[name]) { &own[name] } else { &wanted[name] };
        (name.to_owned(), value.clone())
    };
    let mut all: Map<String, Value> =
        TAKEN.into_iter().map(one).filter(|(_, value)| !nothing(value)).collect();
    // New labels and variables are added to the old.
    if let (Some(Value::Object(labels)), Value::Object(old)) = (all.get_mut("Labels"), &own["Labels"]) {
        for (key, value) in old {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    // An image of a session is none.
    if let Some(Value::Object(labels)) = all.get_mut("Labels") {
        labels.retain(|key, _| !key.starts_with(OWN));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_takes_what_images_have() {
        let own = Config {
            hostname: "h".into(),
            cmd: Some(vec!["a".into()]),
            env: vec!["X=1".into()],
            ..Config::default()
        };
        let wanted = Config { cmd: Some(vec!["b".into()]), ..Config::default() };
        assert_eq!(Value::Object(taken(&own, &wanted)), json!({ "Cmd": ["b"], "Env": ["X=1"] }));
        let labels = [("a", "1"), (sandlot_wire::LABEL_SESSION, "s")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let session = Config { labels, ..Config::default() };
        assert_eq!(
            Value::Object(taken(&session, &Config::default())),
            json!({ "Labels": { "a": "1" } }),
            "an image of a session is none"
        );
    }
}
