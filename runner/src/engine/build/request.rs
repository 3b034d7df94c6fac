//! What somebody who wants an image built asks for, checked.

use crate::engine::model::HostConfig;
use crate::image::{Credentials, Platform, Reference};
use std::collections::BTreeMap;

/// Whether steps that were done before are done again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// What was done before is taken.
    #[default]
    Used,
    /// Everything is done anew.
    Ignored,
}

/// When images that a build begins with are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fetch {
    /// When they are not here.
    #[default]
    Missing,
    /// Always.
    Always,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Request {
    /// The Dockerfile's path in the context.
    pub dockerfile: String,
    /// The names that the image gets.
    pub names: Vec<Reference>,
    /// `--build-arg`
    pub arguments: BTreeMap<String, String>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
    /// The stage that is wanted; the last one if none.
    pub target: Option<String>,
    /// See [`Cache`].
    pub cache: Cache,
    /// See [`Fetch`].
    pub fetch: Fetch,
    /// What the image runs on.
    pub platform: Platform,
    /// The network of commands: the engine's default if empty.
    pub network: String,
    /// Limits and hosts of the commands' containers.
    pub host: HostConfig,
    /// By registry.
    pub credentials: BTreeMap<String, Credentials>,
    /// By id.
    pub secrets: BTreeMap<String, Vec<u8>>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            dockerfile: "Dockerfile".to_owned(),
            names: Vec::new(),
            arguments: BTreeMap::new(),
            labels: BTreeMap::new(),
            target: None,
            cache: Cache::default(),
            fetch: Fetch::default(),
            platform: Platform::host(),
            network: String::new(),
            host: HostConfig::default(),
            credentials: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}
