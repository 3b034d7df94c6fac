//! The version that a client speaks: `/v1.43/info` is `/info`, answered as 1.43 had it.

use super::error::Error;
use super::{OLDEST, VERSION};
use axum::body::Body;
use axum::extract::FromRequestParts;
use hyper::Request;
use hyper::http::request::Parts;
use std::convert::Infallible;

/// The part after `1.` of the version that a call names; the newest where it names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u16);

impl<S: Sync> FromRequestParts<S> for Version {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(minor(VERSION).unwrap_or(u16::MAX))))
    }
}

fn minor(version: &str) -> Option<u16> {
    version.strip_prefix("1.")?.parse().ok()
}

/// The call without its version, which [`Version`] then tells.
///
/// # Errors
/// 400 for a version that is not spoken.
pub(super) fn without(mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|p| p.find('/').map(|at| p.split_at(at)))
    else {
        return Ok(request);
    };
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Ok(request);
    }
    let numbers = |v: &str| v.split('.').map(|n| n.parse::<u32>().unwrap_or(u32::MAX)).collect::<Vec<_>>();
    if numbers(version) > numbers(VERSION) {
        return Err(Error::bad(format!(
            "client version {version} is too new. Maximum supported API version is {VERSION}"
        )));
    }
    let spoken = minor(version).filter(|_| numbers(version) >= numbers(OLDEST)).ok_or_else(|| {
        Error::bad(format!(
            "client version {version} is too old. Minimum supported API version is {OLDEST}, please upgrade your \
             client to a newer version"
        ))
    })?;
    let uri = rest.parse();
    request.extensions_mut().insert(Version(spoken));
    if let Ok(uri) = uri {
        *request.uri_mut() = uri;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(path: &str) -> Result<(String, Option<Version>), String> {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let request = without(request).map_err(|e| format!("{e:?}"))?;
        Ok((request.uri().to_string(), request.extensions().get::<Version>().copied()))
    }

    #[test]
    fn versions_are_taken_off_and_kept() {
        assert_eq!(taken("/v1.43/info?a=b").unwrap(), ("/info?a=b".into(), Some(Version(43))));
        for plain in ["/info", "/volumes/v1.43", "/version", "/v", "/vx/y"] {
            assert_eq!(taken(plain).unwrap(), (plain.into(), None));
        }
    }

    #[test]
    fn what_is_not_spoken_is_refused_with_what_is() {
        for (path, word) in [
            ("/v1.11/info", "too old. Minimum supported API version is 1.24"),
            ("/v1.99/info", "too new. Maximum supported API version is 1.47"),
            ("/v2.0/info", "too new"),
            ("/v1/info", "too old"),
            ("/v99999999999/info", "too new"),
        ] {
            assert!(taken(path).unwrap_err().contains(word), "{path}");
        }
    }
}
