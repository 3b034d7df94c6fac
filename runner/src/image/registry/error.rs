//! What can go wrong with a registry.

use crate::image::Digest;
use std::time::Duration;

/// The longest that a pull waits because of a registry's `Retry-After`.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

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
    /// A blob did not come to its end.
    #[error("registry {host} broke off blob {blob} after {received} of {size} bytes: {cause}")]
    Broken {
        /// Which registry.
        host: String,
        /// Which blob.
        blob: Digest,
        /// Bytes that came.
        received: u64,
        /// Bytes that its manifest says.
        size: u64,
        /// Why.
        cause: String,
    },
    /// A blob of another length than its manifest says.
    #[error("registry {host}: blob {blob} has {found} bytes, its manifest says {size}: it is refused")]
    Size {
        /// Which registry.
        host: String,
        /// Which blob.
        blob: Digest,
        /// Bytes that the registry has.
        found: u64,
        /// Bytes that its manifest says.
        size: u64,
    },
    /// A part of a blob that was not asked for.
    #[error("registry {host}: asked for blob {blob} from byte {offset} on, it answered range {answered:?}")]
    Range {
        /// Which registry.
        host: String,
        /// Which blob.
        blob: Digest,
        /// Where it should begin.
        offset: u64,
        /// `Content-Range`, as it came.
        answered: String,
    },
    /// It does not speak TLS.
    #[error(
        "registry {0} speaks plain HTTP, not TLS: start the engine with `--insecure-registry {0}` to allow that"
    )]
    Plain(String),
    /// It wants us to wait for longer than a pull waits.
    #[error("registry {host} answered {status} for {what}: it wants to be asked again in {} s{}", .wait.as_secs(), hint(*.status))]
    Wait {
        /// Which registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
        /// For how long.
        wait: Duration,
    },
    /// That is no host's name.
    #[error("{0:?} is no registry's name")]
    Host(String),
    /// It wants to see credentials, or other ones.
    #[error("registry {0}: unauthorized: log in with `sandlot login {0}`, or the image does not exist")]
    Unauthorized(String),
    /// Nobody may write there, or we may not.
    #[error(
        "registry {host}: denied: requested access to {repository} is denied: log in with `sandlot login {host}` as somebody who may push there"
    )]
    Denied {
        /// Which registry.
        host: String,
        /// Which of its repositories.
        repository: String,
    },
    /// It does not take what was sent.
    #[error("registry {host} refused {what} with {status}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Refused {
        /// Which registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was sent.
        what: String,
        /// Its own words.
        said: String,
    },
    /// What it has now is something else than what was sent.
    #[error("registry {host} took {expected} and says that it has {answered:?}: it is not believed")]
    Another {
        /// Which registry.
        host: String,
        /// What was sent.
        expected: Digest,
        /// What it says.
        answered: String,
    },
    /// An upload did not come to its end.
    #[error("registry {host}: the upload of blob {blob} broke off at {sent} of {size} bytes: {cause}")]
    Cut {
        /// Which registry.
        host: String,
        /// Which blob.
        blob: Digest,
        /// Bytes that it has.
        sent: u64,
        /// Bytes in all.
        size: u64,
        /// Why.
        cause: String,
    },
    /// It has no such thing.
    #[error("{}", absent(.host, .what))]
    NotFound {
        /// Which registry.
        host: String,
        /// What it does not have.
        what: String,
    },
    /// Another answer.
    #[error("registry {host} answered {status} for {what}{}", hint(*.status))]
    Status {
        /// Which registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
        /// When to try again.
        retry: Option<Duration>,
    },
    /// An answer that is longer than any real one.
    #[error("registry {host}: {what} is longer than {most} bytes: it is refused")]
    TooLarge {
        /// Which registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Bytes that are allowed.
        most: u64,
    },
    /// It leads in circles, or from TLS to plain HTTP.
    #[error("registry {0} redirects where we do not follow: {1}")]
    Redirect(String, &'static str),
    /// It is not what was asked for.
    #[error("the manifest has digest {found}, not {expected}: it is refused")]
    Wrong {
        /// As it should be.
        expected: Digest,
        /// As it is.
        found: Digest,
    },
}

/// The deepest cause says what happened ("connection refused"); those above only where.
pub(super) fn deepest(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut deepest = error.source();
    while let Some(deeper) = deepest.and_then(|e| e.source()) {
        deepest = Some(deeper);
    }
    deepest.map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether a TLS handshake was answered by something else.
fn speaks_plain_http(error: &reqwest::Error) -> bool {
    use rustls::{Error as Tls, InvalidMessage};
    use std::error::Error as _;
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(Tls::InvalidMessage(InvalidMessage::InvalidContentType)) = cause.downcast_ref() {
            return true;
        }
        // An `io::Error` shows what it wraps only so.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(|e| e.get_ref());
        next = wrapped.map(|e| e as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    false
}

/// Of a manifest, what Docker says.
fn absent(host: &str, what: &str) -> String {
    match what.strip_prefix("manifest for ") {
        Some(name) if host == "docker.io" => {
            let name = name.strip_prefix("library/").unwrap_or(name);
            format!("manifest for {name} not found: manifest unknown: manifest unknown")
        }
        Some(name) => format!("manifest for {host}/{name} not found: manifest unknown: manifest unknown"),
        None => format!("registry {host}: {what} not found"),
    }
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
        if speaks_plain_http(cause) {
            return Self::Plain(host.to_owned());
        }
        Self::Down { host: host.to_owned(), cause: deepest(cause) }
    }

    /// Whether it is worth trying again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Down { .. }
                | Self::Broken { .. }
                | Self::Cut { .. }
                | Self::Status { status: 429 | 500.., .. }
        )
    }

    /// How long the registry wants us to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry, .. } => *retry,
            _ => None,
        }
    }
}
