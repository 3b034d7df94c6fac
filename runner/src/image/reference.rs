//! Names of images, by the grammar and the defaults of Docker; knows no registry and no store.
//!
//! Source: `github.com/distribution/reference`, `regexp.go` and `normalize.go`.

use std::fmt;
use std::str::FromStr;

use super::Digest;

const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// The longest repository name, registry included (the grammar's own limit).
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A name that an image may have: registry, repository and a tag or a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry's host and port: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry: `library/debian`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` where neither a tag nor a digest was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, where one was given.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Registry and repository as Docker shows them: without `docker.io/` and `library/`.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.registry == DEFAULT_REGISTRY {
            self.repository.strip_prefix(OFFICIAL).unwrap_or(&self.repository).to_owned()
        } else {
            self.canonical_name()
        }
    }

    /// Registry and repository in full: `docker.io/library/debian`.
    #[must_use]
    pub fn canonical_name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The whole reference in full, as the store's index keeps it.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.canonical_name() + &self.suffix()
    }

    /// The same repository, named by this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same repository, with this tag.
    ///
    /// # Errors
    /// If that is no tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseReferenceError> {
        format!("{}:{tag}", self.canonical_name()).parse()
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        tag + &digest
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.familiar_name(), self.suffix())
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| ParseReferenceError { text: text.chars().take(MAX_NAME).collect(), reason };
        if text.is_empty() {
            return Err(fail(Reason::Empty));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| fail(Reason::Digest))?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(fail(Reason::Tag));
        }
        let (registry, repository) = split_registry(name);
        if !is_registry(registry) {
            return Err(fail(Reason::Registry));
        }
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail(Reason::Uppercase));
        }
        if !repository.split('/').all(is_component) {
            return Err(fail(Reason::Repository));
        }
        if registry.len() + repository.len() > MAX_NAME {
            return Err(fail(Reason::Long));
        }
        let official = registry == DEFAULT_REGISTRY && !repository.contains('/');
        let repository = if official { format!("{OFFICIAL}{repository}") } else { repository.to_owned() };
        let tag = match (tag, digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// The first component is a registry if it has a dot, a port or upper case, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if is_host_like(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn is_host_like(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':', '['])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (address || host.split('.').all(label)) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators_hold = || {
        text.split(|c: char| alnum(u8::try_from(c).unwrap_or(0)))
            .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'))
    };
    text.is_ascii()
        && text.bytes().next().is_some_and(alnum)
        && text.bytes().last().is_some_and(alnum)
        && separators_hold()
}

/// A reference that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid reference format: {text:?}: {reason}")]
pub struct ParseReferenceError {
    text: String,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("it is empty")]
    Empty,
    #[error("what follows @ must be sha256: and 64 hexadecimal digits")]
    Digest,
    #[error("a tag is up to 128 letters, digits, underscores, dots and dashes")]
    Tag,
    #[error("the registry must be a host name or address with an optional port")]
    Registry,
    #[error("repository name must be lowercase")]
    Uppercase,
    #[error("a repository is lower-case letters and digits, separated by one of . _ __ - /")]
    Repository,
    #[error("repository name must not be more than 255 characters")]
    Long,
}

/// A name as it was given, with the tag that is meant where none was given.
#[must_use]
pub fn with_tag(name: &str) -> String {
    if name.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
        return name.to_owned();
    }
    format!("{name}:latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_defaults_apply() {
        for (text, canonical, familiar) in [
            ("debian", "docker.io/library/debian:latest", "debian:latest"),
            ("debian:12", "docker.io/library/debian:12", "debian:12"),
            ("u/x", "docker.io/u/x:latest", "u/x:latest"),
            ("index.docker.io/x", "docker.io/library/x:latest", "x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
            ("localhost/x/y:1", "localhost/x/y:1", "localhost/x/y:1"),
            ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
            ("ghcr.io/a/b__c/d-e.f:V1_-", "ghcr.io/a/b__c/d-e.f:V1_-", "ghcr.io/a/b__c/d-e.f:V1_-"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.canonical(), reference.to_string()), (canonical.into(), familiar.into()));
            assert_eq!(canonical.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let digest = Digest::of(b"x");
        let reference: Reference = format!("debian@{digest}").parse().unwrap();
        assert_eq!((reference.tag(), reference.digest()), (None, Some(digest)));
        let both: Reference = format!("debian:12@{digest}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("12"), Some(digest)));
    }

    #[test]
    fn what_does_not_parse_says_why() {
        for (text, word) in [
            ("", "empty"),
            ("Debian", "lowercase"),
            ("localhost:5000/X", "lowercase"),
            ("debian:", "tag"),
            ("debian:.x", "tag"),
            ("debian@sha256:12", "digits"),
            ("-x", "repository"),
            ("a//b", "repository"),
            ("a___b", "repository"),
            ("a/../b", "repository"),
            ("debian ", "repository"),
            ("ex_ample.com:80/x", "registry"),
            ("localhost:99999/x", "registry"),
            (&format!("{}:1", "a".repeat(300)), "255"),
            ("päckchen", "repository"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
