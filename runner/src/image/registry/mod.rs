//! A client of one registry (OCI distribution specification 1.1): manifests and blobs, and who we are there.
//!
//! Redirects are followed by hand: what proves who we are goes to the registry and to the realm it names, and to no other
//! host (CVE-2020-15157). Tokens are kept for the client's life.

mod challenge;
mod error;
mod headers;

pub use error::Error;

use super::credentials::Credentials;
use super::manifest::{ACCEPT, MAX_MANIFEST};
use super::{Digest, manifest};
use bytes::Bytes;
use challenge::Challenge;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT as ACCEPT_HEADER, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LOCATION, RANGE,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The most redirects of one request.
const REDIRECTS: usize = 5;
/// The longest answer that holds a token.
const MAX_TOKEN: u64 = 256 << 10;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(30);

/// A registry.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
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
    /// A client of the registry at `host`: by TLS, or by plain HTTP if it is on loopback or listed in `insecure`.
    ///
    /// # Errors
    /// [`Error::Host`] if that is no host.
    pub fn new(host: &str, insecure: &[String], credentials: Option<Credentials>) -> Result<Self, Error> {
        // The second call finds it installed: that is what is wanted.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let address = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
        let plain = matches!(name, "localhost" | "127.0.0.1" | "[::1]") || insecure.iter().any(|i| i == host);
        let scheme = if plain { "http" } else { "https" };
        let base = format!("{scheme}://{address}/v2/").parse().map_err(|_| Error::Host(host.to_owned()))?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .no_proxy()
            .user_agent(concat!("sandlot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::down(host, &e))?;
        Ok(Self { http, host: host.to_owned(), base, credentials, tokens: Mutex::default() })
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
        let response = self.send(&Method::GET, self.url("")?, "", &[]).await?;
        self.success(response, "its greeting").map(drop)
    }

    /// A manifest or index, by tag or by digest.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooLarge`], [`Error::Wrong`] if it is not what the digest says.
    pub async fn manifest(&self, repository: &str, key: &str) -> Result<Fetched, Error> {
        let url = self.url(&format!("{repository}/manifests/{key}"))?;
        let response = self.send(&Method::GET, url, repository, &[(ACCEPT_HEADER.as_str(), ACCEPT)]).await?;
        let what = format!("manifest for {repository}:{key}");
        let response = self.success(response, &what)?;
        let media_type = header(&response, &CONTENT_TYPE).map(ToOwned::to_owned);
        let bytes = self.body(response, &what, MAX_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        match key.parse::<Digest>() {
            Ok(expected) if expected != digest => Err(Error::Wrong { expected, found: digest }),
            _ => Ok(Fetched { bytes, media_type, digest }),
        }
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
        let headers = [(RANGE.as_str(), range.as_str())];
        let headers = if offset == 0 { &[][..] } else { &headers[..] };
        let response = self.send(&Method::GET, url, repository, headers).await?;
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

    /// Sends a request, proves who we are if asked to, and follows redirects.
    async fn send(
        &self,
        method: &Method,
        url: Url,
        scope: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response, Error> {
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned();
        let response = self.follow(method, url.clone(), known.as_deref(), headers).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let asked = header(&response, &WWW_AUTHENTICATE).and_then(challenge::parse);
        let Some(proof) = self.proof(asked, scope).await? else { return Ok(response) };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), proof.clone());
        self.follow(method, url, Some(&proof), headers).await
    }

    async fn follow(
        &self,
        method: &Method,
        url: Url,
        proof: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Response, Error> {
        let origin = url.origin();
        let mut url = url;
        for _ in 0..=REDIRECTS {
            let mut request = self.http.request(method.clone(), url.clone());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(proof) = proof.filter(|_| url.origin() == origin) {
                request = request.header(AUTHORIZATION, proof);
            }
            let response = request.send().await.map_err(|e| Error::down(&self.host, &e))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = header(&response, &LOCATION).and_then(|l| url.join(l).ok());
            let next = to.ok_or_else(|| self.astray("it names no address"))?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(self.astray("from TLS to plain HTTP"));
            }
            url = next;
        }
        Err(self.astray("too many times"))
    }

    fn astray(&self, why: &'static str) -> Error {
        Error::Redirect(self.host.clone(), why)
    }

    /// The value of `Authorization` that answers a challenge.
    async fn proof(&self, asked: Option<Challenge>, scope: &str) -> Result<Option<String>, Error> {
        match (asked, &self.credentials) {
            (Some(Challenge::Basic), Some(own)) => Ok(Some(basic(own))),
            (Some(Challenge::Bearer { realm, service, scope: asked }), own) => {
                let scope = asked.unwrap_or_else(|| format!("repository:{scope}:pull"));
                self.token(&realm, service.as_deref(), &scope, own.as_ref()).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        own: Option<&Credentials>,
    ) -> Result<String, Error> {
        let mut url: Url = realm.parse().map_err(|_| Error::Host(realm.to_owned()))?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !local && self.base.scheme() == "https" {
            return Err(self.astray("a token by plain HTTP"));
        }
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", scope);
        let mut request = self.http.get(url);
        if let Some(own) = own {
            request = request.header(AUTHORIZATION, basic(own));
        }
        let response = request.send().await.map_err(|e| Error::down(&self.host, &e))?;
        let response = self.success(response, "a token")?;
        let text = self.body(response, "the answer with a token", MAX_TOKEN).await?;
        let answer: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let token = answer.get("token").or_else(|| answer.get("access_token")).and_then(|t| t.as_str());
        token.map(|t| format!("Bearer {t}")).ok_or_else(|| Error::Unauthorized(self.host.clone()))
    }

    /// Turns an answer that is no success into an error.
    fn success(&self, response: Response, what: &str) -> Result<Response, Error> {
        let status = response.status();
        let (host, what) = (self.host.clone(), what.to_owned());
        let retry = header(&response, &RETRY_AFTER).and_then(|v| headers::retry_after(v, Timestamp::now()));
        match status {
            s if s.is_success() => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthorized(host)),
            StatusCode::NOT_FOUND => Err(Error::NotFound { host, what }),
            s => Err(match retry.filter(|wait| *wait > error::LONGEST) {
                Some(wait) => Error::Wait { host, status: s.as_u16(), what, wait },
                None => Error::Status { host, status: s.as_u16(), what, retry },
            }),
        }
    }
}

/// A header's text, if it is there and is text.
fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|v| v.to_str().ok())
}

fn basic(own: &Credentials) -> String {
    use base64::Engine as _;
    let pair = format!("{}:{}", own.username, own.password);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// What is understood of manifests, for callers that look at one.
pub(super) fn parse(fetched: &Fetched) -> Result<manifest::Document, manifest::Error> {
    manifest::parse(&fetched.bytes, fetched.media_type.as_deref())
}
