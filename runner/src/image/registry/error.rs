//! What can go wrong with a registry.

use crate::image::Digest;
use std::time::Duration;

/// The longest that a registry's `Retry-After` is obeyed.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a registry did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, or broke off.
    #[error("registry {host} cannot be reached: {cause}")]
    Down {
        /// Which.
        host: String,
        /// Why.
        cause: String,
    },
    /// That is no host's name.
    #[error("{0:?} is no registry's name")]
    Host(String),
    /// It wants to see credentials, or other ones.
    #[error("registry {0}: unauthorized: log in with `sandlot login {0}`, or the image does not exist")]
    Unauthorized(String),
    /// It has no such thing.
    #[error("registry {host}: manifest for {what} not found: manifest unknown")]
    NotFound {
        /// Which registry.
        host: String,
        /// What it does not have.
        what: String,
    },
    /// Another answer.
    #[error("registry {host} answered {status}{}", hint(*.status))]
    Status {
        /// Which registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// When to try again.
        retry: Option<Duration>,
    },
    /// A manifest that is longer than any real one.
    #[error("the manifest of {0} is longer than {1} bytes: it is refused")]
    TooLarge(String, u64),
    /// It leads in circles, or from TLS to plain HTTP.
    #[error("registry {0} redirects where we do not follow")]
    Redirect(String),
    /// It is not what was asked for.
    #[error("the manifest has digest {found}, not {expected}: it is refused")]
    Wrong {
        /// As it should be.
        expected: Digest,
        /// As it is.
        found: Digest,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        429 => ": too many requests; log in, or try again later",
        500.. => ": try again later",
        _ => "",
    }
}

impl Error {
    /// From a request that got no answer.
    pub(super) fn down(host: &str, cause: &reqwest::Error) -> Self {
        use std::error::Error as _;
        // The deepest cause says what happened ("connection refused"); those above only where.
        let mut deepest = cause.source();
        while let Some(deeper) = deepest.and_then(|e| e.source()) {
            deepest = Some(deeper);
        }
        let cause = deepest.map_or_else(|| cause.to_string(), ToString::to_string);
        Self::Down { host: host.to_owned(), cause }
    }

    /// Whether it is worth trying again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Status { status: 429 | 500.., .. })
    }

    /// How long the registry wants us to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry, .. } => retry.map(|r| r.min(LONGEST)),
            _ => None,
        }
    }
}
