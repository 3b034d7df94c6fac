//! New images out of what a container wrote.

use super::manifest::MAX_CONFIG;
use super::pack::{Borders, Packing, Signs};
use super::store::Made;
use super::{Digest, Error, Image, Reference, Store, instruction};
use serde_json::{Map, Value, json};
use std::path::Path;

/// An image that is to be made.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Upon which image.
    pub on: &'a Image,
    /// The upper directory of the container's overlay, and the host's id of the container's root.
    pub upper: (&'a Path, u32),
    /// What of the container's configuration the image takes over: `Cmd`, `Env`, ….
    pub config: Map<String, Value>,
    /// Dockerfile instructions that change it.
    pub changes: &'a [String],
    /// Who.
    pub author: &'a str,
    /// Why.
    pub comment: &'a str,
    /// What ran.
    pub created_by: &'a str,
    /// Under which name.
    pub name: Option<&'a Reference>,
}

impl Store {
    /// Makes an image out of what a container wrote.
    ///
    /// # Errors
    /// What packing answers; [`Error::Damaged`] for an instruction that is none.
    pub fn commit(&self, commit: Commit<'_>) -> Result<Digest, Error> {
        let done = self.commit_one(commit);
        if done.is_err() {
            self.collect_quietly();
        }
        done
    }

    fn commit_one(&self, commit: Commit<'_>) -> Result<Digest, Error> {
        let mut config = commit.config;
        for change in commit.changes {
            instruction::apply(&mut config, change)?;
        }
        let damaged = || Error::Damaged("the image's configuration is no table".into());
        let mut whole: Value = serde_json::from_slice(&self.read_blob(&commit.on.id, MAX_CONFIG)?)
            .map_err(|e| Error::Damaged(format!("the image's configuration: {e}")))?;
        let (upper, base) = commit.upper;
        let packing = Packing { base, signs: Signs::Layer, borders: Borders::Closed };
        let (diff_id, blob, _hold) = self.put_tree(upper, packing)?;
        let now = jiff::Timestamp::now().to_string();
        let fields = whole.as_object_mut().ok_or_else(damaged)?;
        fields.insert("created".into(), json!(now));
        fields.insert("config".into(), Value::Object(config));
        if !commit.author.is_empty() {
            fields.insert("author".into(), json!(commit.author));
        }
        let ids = whole["rootfs"]["diff_ids"].as_array_mut().ok_or_else(damaged)?;
        ids.push(json!(diff_id));
        let step = json!({ "created": now, "created_by": commit.created_by, "author": commit.author, "comment": commit.comment });
        match whole["history"].as_array_mut() {
            Some(history) => history.push(step),
            None => whole["history"] = json!([step]),
        }
        let mut blobs = self.layer_blobs(&commit.on.id);
        blobs.push(blob);
        let config = whole.to_string();
        let names = commit.name.into_iter().cloned().collect();
        self.put_images(vec![Made { config: config.as_bytes(), blobs, manifest: None, names }])?;
        Ok(Digest::of(config.as_bytes()))
    }
}
