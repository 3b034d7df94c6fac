//! The JSON of the registry's page, as [`super::body`] has that of sessions.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /registry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct RegistryInfo {
    /// How sessions call it.
    pub inside: String,
    /// The name space that visitors push to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub space: Option<String>,
    /// How the caller logs in from outside a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub login: Option<RegistryLogin>,
    /// What is in it, in order of names.
    pub repositories: Vec<RegistryRepository>,
}

/// Somebody's login at the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct RegistryLogin {
    /// The registry, as a reference names it.
    pub host: String,
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: String,
}

/// A repository of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct RegistryRepository {
    /// Its name.
    pub name: String,
    /// Whether it is the caller's.
    pub own: bool,
    /// Bytes of all that is in it.
    pub size_bytes: u64,
    /// How many tags it has.
    pub tag_count: u64,
    /// Its tags, the last pushed first: at most twenty.
    pub tags: Vec<RegistryTag>,
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct RegistryTag {
    /// The tag.
    pub name: String,
    /// The digest of what it stands for.
    pub digest: String,
    /// Bytes that are fetched for it.
    pub size_bytes: u64,
    /// When it was pushed: RFC 3339.
    pub pushed_at: String,
    /// What fetches it in a session.
    pub pull: String,
}
