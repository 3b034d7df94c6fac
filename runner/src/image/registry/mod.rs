//! A client of one registry (OCI distribution specification 1.1): manifests and blobs, and who we are there.
//!
//! Tokens are kept for the client's life.

mod access;
mod challenge;
mod error;
mod headers;
mod loopback;
mod upload;

pub use error::Error;
pub(super) use upload::{Begun, Part};

use super::credentials::Credentials;
use super::manifest::{ACCEPT, MAX_MANIFEST};
use super::{Digest, manifest};
use access::{Ask, Scope};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT as ACCEPT_HEADER, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LINK, RANGE, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use sandlot_sys::userns::within;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use url::Url;

/// The most pages of a list of tags.
const PAGES: usize = 100;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(30);

/// A registry.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// For uploads: how long nothing comes says nothing while we are the ones who send.
    patient: reqwest::Client,
    host: String,
    base: Url,
    credentials: Option<Credentials>,
    tokens: Mutex<HashMap<String, String>>,
}

/// A manifest or index.
#[derive(Debug)]
pub struct Fetched {
    /// As it came.
    pub bytes: Vec<u8>,
    /// What the registry says it is.
    pub media_type: Option<String>,
    /// Of the bytes.
    pub digest: Digest,
}

/// A blob on its way.
pub struct Body {
    /// Where it really begins: 0 if the registry knows no ranges.
    pub offset: u64,
    /// Its bytes, or why no more come.
    pub stream: BoxStream<'static, Result<Bytes, String>>,
}

impl Client {
    /// A client of the registry at `host`: by TLS, or by plain HTTP if it is this machine's loopback or listed in `insecure`.
    ///
    /// # Errors
    /// [`Error::Host`] if that is no host.
    pub fn new(host: &str, insecure: &[String], credentials: Option<Credentials>) -> Result<Self, Error> {
        // The second call finds it installed: that is what is wanted.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let address = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
        let plain = loopback::is(name) || insecure.iter().any(|i| i == host);
        let scheme = if plain { "http" } else { "https" };
        let base = format!("{scheme}://{address}/v2/").parse().map_err(|_| Error::Host(host.to_owned()))?;
        let builder = || {
            let client = reqwest::Client::builder();
            // Many a session has no CA certificates, without which no client is made, and needs none on its loopback.
            let client = if plain && within() { client.tls_certs_only([]) } else { client };
            client
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .no_proxy()
                .user_agent(concat!("sandlot/", env!("CARGO_PKG_VERSION")))
        };
        let down = |e| Error::down(host, &e);
        let http = builder().read_timeout(SILENCE).build().map_err(down)?;
        let patient = builder().build().map_err(down)?;
        Ok(Self { http, patient, host: host.to_owned(), base, credentials, tokens: Mutex::default() })
    }

    /// The registry's name, as in a reference.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|_| Error::Host(self.host.clone()))
    }

    /// Whether the registry takes our credentials.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] if not.
    pub async fn check(&self) -> Result<(), Error> {
        let response = self.send(&Ask::get(self.url("")?, Scope::none())).await?;
        self.success(response, "its greeting").map(drop)
    }

    /// A manifest or index, by tag or by digest.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooLarge`], [`Error::Wrong`] if it is not what the digest says.
    pub async fn manifest(&self, repository: &str, key: &str) -> Result<Fetched, Error> {
        let url = self.url(&format!("{repository}/manifests/{key}"))?;
        let ask = Ask::get(url, Scope::pull(repository)).header(ACCEPT_HEADER, ACCEPT);
        let response = self.send(&ask).await?;
        let separator = if key.contains(':') { '@' } else { ':' };
        let what = format!("manifest for {repository}{separator}{key}");
        let response = self.success(response, &what)?;
        let media_type = header(&response, &CONTENT_TYPE).map(ToOwned::to_owned);
        let bytes = self.body(response, &what, MAX_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        match key.parse::<Digest>() {
            Ok(expected) if expected != digest => Err(Error::Wrong { expected, found: digest }),
            _ => Ok(Fetched { bytes, media_type, digest }),
        }
    }

    /// All tags of a repository.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::TooLarge`] for a list without end.
    pub(super) async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        let what = format!("list of tags of {repository}");
        let mut next = Some(self.url(&format!("{repository}/tags/list"))?);
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next.take() else { return Ok(tags) };
            let response = self.send(&Ask::get(url.clone(), Scope::pull(repository))).await?;
            let response = self.success(response, &what)?;
            // `</v2/…/tags/list?last=…>; rel="next"`
            let link = header(&response, &LINK).filter(|link| link.contains("rel=\"next\""));
            let more = link.and_then(|link| link.split_once('<')?.1.split_once('>')).map(|(to, _)| to);
            next = more.and_then(|to| url.join(to).ok()).filter(|to| to.origin() == self.base.origin());
            let text = self.body(response, &what, MAX_MANIFEST).await?;
            let page: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            let page = page["tags"].as_array().cloned().unwrap_or_default();
            tags.extend(page.iter().filter_map(|tag| tag.as_str()).map(ToOwned::to_owned));
        }
        Err(Error::TooLarge { host: self.host.clone(), what, most: PAGES as u64 * MAX_MANIFEST })
    }

    /// The bytes from `offset` on of a blob that should have `size` bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Status`]; [`Error::Size`], [`Error::Range`] if it is seen at once that it is another.
    pub async fn blob(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
        offset: u64,
    ) -> Result<Body, Error> {
        let url = self.url(&format!("{repository}/blobs/{digest}"))?;
        let range = format!("bytes={offset}-");
        let ask = Ask::get(url, Scope::pull(repository));
        let ask = if offset == 0 { ask } else { ask.header(RANGE, range) };
        let response = self.send(&ask).await?;
        let another = |found| Error::Size { host: self.host.clone(), blob: *digest, found, size };
        let range = header(&response, &CONTENT_RANGE).unwrap_or_default().to_owned();
        if offset > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // It ended where we want to go on.
            return Err(another(headers::whole_length(&range).unwrap_or(offset)));
        }
        let response = self.success(response, &format!("blob {repository}@{digest}"))?;
        let (begin, whole) = if response.status() == StatusCode::PARTIAL_CONTENT {
            let part = headers::content_range(&range).filter(|(begin, _)| *begin == offset);
            part.ok_or_else(|| Error::Range {
                host: self.host.clone(),
                blob: *digest,
                offset,
                answered: range,
            })?
        } else {
            (0, response.content_length())
        };
        if let Some(found) = whole.filter(|whole| *whole != size) {
            return Err(another(found));
        }
        let stream = response.bytes_stream().map_err(|e| error::deepest(&e)).boxed();
        Ok(Body { offset: begin, stream })
    }

    /// An answer's body, if it is not longer than `most`.
    async fn body(&self, response: Response, what: &str, most: u64) -> Result<Vec<u8>, Error> {
        let long = || Error::TooLarge { host: self.host.clone(), what: what.to_owned(), most };
        if response.content_length().is_some_and(|length| length > most) {
            return Err(long());
        }
        let mut stream = response.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.map_err(|e| Error::down(&self.host, &e))?);
            if bytes.len() as u64 > most {
                return Err(long());
            }
        }
        Ok(bytes)
    }

    /// Turns an answer that is no success into an error.
    fn success(&self, response: Response, what: &str) -> Result<Response, Error> {
        let host = self.host.clone();
        match response.status() {
            s if s.is_success() => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthorized(host)),
            StatusCode::NOT_FOUND => Err(Error::NotFound { host, what: what.to_owned() }),
            _ => Err(self.status(&response, what)),
        }
    }

    /// What a status says that has no meaning of its own, and when to ask again.
    fn status(&self, response: &Response, what: &str) -> Error {
        let (host, what, status) = (self.host.clone(), what.to_owned(), response.status().as_u16());
        let retry = header(response, &RETRY_AFTER).and_then(|v| headers::retry_after(v, Timestamp::now()));
        match retry.filter(|wait| *wait > error::LONGEST) {
            Some(wait) => Error::Wait { host, status, what, wait },
            None => Error::Status { host, status, what, retry },
        }
    }
}

/// A header's text, if it is there and is text.
fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|v| v.to_str().ok())
}

/// What is understood of manifests, for callers that look at one.
pub(super) fn parse(fetched: &Fetched) -> Result<manifest::Document, manifest::Error> {
    manifest::parse(&fetched.bytes, fetched.media_type.as_deref())
}
