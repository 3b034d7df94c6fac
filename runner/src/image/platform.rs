//! Operating system and architecture of an image, and which entry of an index suits one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::manifest::Descriptor;

/// What an image runs on; reads `linux/amd64` or `linux/arm/v7`, in Go's names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `wasi`.
    pub os: String,
    /// `amd64`, `arm64`, `wasm`.
    pub architecture: String,
    /// `v7`, `v8`; where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of this machine.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// Whether an image of platform `other` is what this one asks for.
    #[must_use]
    pub fn accepts(&self, other: &Self) -> bool {
        let variant = match (&self.variant, &other.variant) {
            (Some(wanted), Some(has)) => wanted == has,
            _ => true,
        };
        self.os == other.os && self.architecture == other.architecture && variant
    }

    /// The first entry of an index that suits; attestations (`unknown/unknown`) never do.
    pub(super) fn choose<'a>(&self, entries: &'a [Descriptor]) -> Option<&'a Descriptor> {
        let named = entries.iter().find(|entry| entry.platform.as_ref().is_some_and(|p| self.accepts(p)));
        named.or_else(|| match entries {
            [only] if only.platform.is_none() => Some(only),
            _ => None,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// A platform that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT is expected, as linux/amd64")]
pub struct ParsePlatformError(String);

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(word) {
            return Err(ParsePlatformError(text.to_owned()));
        }
        Ok(Self {
            os: parts[0].to_owned(),
            architecture: parts[1].to_owned(),
            variant: parts.get(2).map(|&variant| variant.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_compares() {
        let arm: Platform = "linux/arm/v7".parse().unwrap();
        assert_eq!(arm.to_string(), "linux/arm/v7");
        assert!("linux/arm".parse::<Platform>().unwrap().accepts(&arm));
        assert!(!"linux/arm/v6".parse::<Platform>().unwrap().accepts(&arm));
        for bad in ["", "linux", "linux/", "a/b/c/d", "linux/a b"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
