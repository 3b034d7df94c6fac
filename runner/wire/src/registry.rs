//! What the registry's two ends share: what a path below `/v2/` means, and what the server tells the engine of who asks.
//!
//! Source: the OCI distribution specification 1.1, "Endpoints". Knows neither HTTP nor content.

use serde::{Deserialize, Serialize};

/// Header: whose doing it is. Absent: whoever runs the registry, who may do everything.
pub const HEADER_OWNER: &str = "sandlot-registry-owner";

/// Header: the name spaces, separated by commas, that the catalogue is told of. Absent: all.
pub const HEADER_SPACES: &str = "sandlot-registry-spaces";

/// `GET`: all repositories as a list of [`Shown`], within the name spaces of [`HEADER_SPACES`].
pub const OVERVIEW: &str = "/sandlot/v1/repositories";

/// `POST`: uploads, manifests and blobs that nobody needs any more are thrown away now.
pub const SWEEP: &str = "/sandlot/v1/sweep";

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `/v2/`: whether this is a registry.
    Base,
    /// `/v2/_catalog`: which repositories there are.
    Catalogue,
    /// `/v2/NAME/tags/list`.
    Tags(String),
    /// `/v2/NAME/manifests/REFERENCE`: a tag or a digest.
    Manifest(String, String),
    /// `/v2/NAME/blobs/DIGEST`.
    Blob(String, String),
    /// `/v2/NAME/blobs/uploads/`: where uploads begin.
    Uploads(String),
    /// `/v2/NAME/blobs/uploads/ID`.
    Upload(String, String),
    /// `/v2/NAME/referrers/DIGEST`.
    Referrers(String, String),
}

impl Target {
    /// What a path means whose percent signs are decoded already; `None`: nothing.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?;
        let rest = match rest {
            "" | "/" => return Some(Self::Base),
            rest => rest.strip_prefix('/')?,
        };
        if rest == "_catalog" {
            return Some(Self::Catalogue);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags(name.to_owned()));
        }
        if let Some(name) =
            rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return Some(Self::Uploads(name.to_owned()));
        }
        let (above, last) = rest.rsplit_once('/').filter(|(_, last)| !last.is_empty())?;
        let made = |name: &str, of: fn(String, String) -> Self| Some(of(name.to_owned(), last.to_owned()));
        if let Some(name) = above.strip_suffix("/blobs/uploads") {
            made(name, Self::Upload)
        } else if let Some(name) = above.strip_suffix("/blobs") {
            made(name, Self::Blob)
        } else if let Some(name) = above.strip_suffix("/manifests") {
            made(name, Self::Manifest)
        } else if let Some(name) = above.strip_suffix("/referrers") {
            made(name, Self::Referrers)
        } else {
            None
        }
    }

    /// The repository, if it is about one.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Base | Self::Catalogue => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }
}

/// The name space of a repository: what stands before its name's first slash.
#[must_use]
pub fn space(repository: &str) -> &str {
    repository.split('/').next().unwrap_or(repository)
}

/// A repository as the catalogue's page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Whose it is, as the server named them; absent: nobody's in particular.
    pub owner: Option<String>,
    /// Bytes of its blobs and manifests.
    pub size: u64,
    /// How many tags it has; [`Shown::tags`] holds the latest of them.
    pub tag_count: u64,
    /// Its tags, the last pushed first; at most [`Shown::TAGS`].
    pub tags: Vec<ShownTag>,
}

impl Shown {
    /// The most tags that are told of one repository.
    pub const TAGS: usize = 20;
}

/// A tag as the catalogue's page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTag {
    /// The tag.
    pub name: String,
    /// The manifest that it stands for.
    pub digest: String,
    /// When it was pushed, in seconds since 1970.
    pub pushed_at: i64,
    /// Bytes that are fetched for it.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_their_end() {
        let digest = "sha256:00";
        for (path, target) in [
            ("/v2", Some(Target::Base)),
            ("/v2/", Some(Target::Base)),
            ("/v2/_catalog", Some(Target::Catalogue)),
            ("/v2/a/tags/list", Some(Target::Tags("a".into()))),
            ("/v2/a/b/blobs/uploads/", Some(Target::Uploads("a/b".into()))),
            ("/v2/a/b/blobs/uploads", Some(Target::Uploads("a/b".into()))),
            ("/v2/a/blobs/uploads/1f", Some(Target::Upload("a".into(), "1f".into()))),
            ("/v2/a/blobs/sha256:00", Some(Target::Blob("a".into(), digest.into()))),
            (
                "/v2/blobs/manifests/manifests/v1",
                Some(Target::Manifest("blobs/manifests".into(), "v1".into())),
            ),
            ("/v2/a/referrers/sha256:00", Some(Target::Referrers("a".into(), digest.into()))),
            ("/v2/a/manifests/", None),
            ("/v2/a", None),
            ("/v3/", None),
            ("/v2x", None),
        ] {
            assert_eq!(Target::of(path), target, "{path}");
        }
        assert_eq!(space("class/a/b"), "class");
    }
}
