//! Uploads to a registry (OCI distribution specification 1.1, "Push"): one call each; what to do when one fails is for whoever
//! drives them.

use super::access::{Ask, Scope};
use super::{Client, Error, header, headers};
use crate::image::Digest;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use reqwest::{Body, Method, Response, StatusCode};
use serde_json::Value;
use url::Url;

/// What a registry calls the digest of what it has.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const OCTETS: &str = "application/octet-stream";
/// The most that is read of an answer that refuses.
const MAX_REFUSAL: usize = 16 << 10;
/// The most of its words that are told.
const WORDS: usize = 400;

/// How an upload began.
#[derive(Debug)]
pub(in crate::image) enum Begun {
    /// Not at all: the registry has the blob, from another of its repositories.
    Mounted,
    /// Bytes go there.
    At(Url),
}

/// How far an upload is.
#[derive(Debug)]
pub(in crate::image) struct Reached {
    /// Where it goes on.
    pub(in crate::image) at: Url,
    /// The bytes that the registry has, where it says so.
    pub(in crate::image) bytes: Option<u64>,
}

/// A part of a blob.
pub(in crate::image) struct Part<'a> {
    /// Where in the blob it begins.
    pub(in crate::image) from: u64,
    /// Its bytes; at least one.
    pub(in crate::image) length: u64,
    /// Makes the bytes, anew for each time that they are sent.
    pub(in crate::image) bytes: &'a (dyn Fn() -> Body + Send + Sync),
}

impl Client {
    /// Whether a repository has a blob of that size.
    ///
    /// # Errors
    /// What the registry answers beside yes and no.
    pub(in crate::image) async fn has(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<bool, Error> {
        let url = self.url(&format!("{repository}/blobs/{digest}"))?;
        let response = self.send(&Ask::new(Method::HEAD, url, Scope::push(repository, None))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let response = self.accepted(response, repository, &blob(repository, digest)).await?;
        let another = header(&response, &CONTENT_LENGTH).is_some_and(|length| length != size.to_string());
        Ok(!another && names(&response, digest))
    }

    /// Begins an upload; where the registry can, it takes the blob from one of its other repositories instead.
    ///
    /// # Errors
    /// What the registry answers.
    pub(in crate::image) async fn begin(
        &self,
        repository: &str,
        digest: &Digest,
        from: Option<&str>,
    ) -> Result<Begun, Error> {
        let mut url = self.url(&format!("{repository}/blobs/uploads/"))?;
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from);
        }
        let scope = Scope::push(repository, from);
        let ask = Ask::new(Method::POST, url, scope).header(CONTENT_LENGTH, "0");
        let response = self.send(&ask).await?;
        let response = self.accepted(response, repository, &blob(repository, digest)).await?;
        if response.status() == StatusCode::CREATED && from.is_some() {
            return self.is(&response, digest).map(|()| Begun::Mounted);
        }
        Ok(Begun::At(self.location(&response)?))
    }

    /// How far an upload is that broke off; `None` if the registry does not know it any more.
    ///
    /// # Errors
    /// What the registry answers.
    pub(in crate::image) async fn reached(
        &self,
        repository: &str,
        at: &Url,
    ) -> Result<Option<Reached>, Error> {
        let response = self.send(&Ask::get(at.clone(), Scope::push(repository, None))).await?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(None),
            _ => {
                let response = self.accepted(response, repository, "the state of an upload").await?;
                self.state(&response, at).map(Some)
            }
        }
    }

    /// Sends a part of a blob.
    ///
    /// # Errors
    /// What the registry answers.
    pub(in crate::image) async fn append(
        &self,
        repository: &str,
        at: &Url,
        part: &Part<'_>,
    ) -> Result<Reached, Error> {
        let range = format!("{}-{}", part.from, part.from + part.length - 1);
        let ask = Ask::new(Method::PATCH, at.clone(), Scope::push(repository, None))
            .header(CONTENT_TYPE, OCTETS)
            .header(CONTENT_LENGTH, part.length.to_string())
            .header(CONTENT_RANGE, range)
            .body(part.bytes)
            .watched();
        let response = self.send(&ask).await?;
        let response = self.accepted(response, repository, "a part of a blob").await?;
        self.state(&response, at)
    }

    /// Ends an upload; `rest` is what has not been sent so far, perhaps all of it.
    ///
    /// # Errors
    /// What the registry answers; [`Error::Another`] if it says that it has something else now.
    pub(in crate::image) async fn finish(
        &self,
        repository: &str,
        at: &Url,
        digest: &Digest,
        rest: &[u8],
    ) -> Result<(), Error> {
        let mut url = at.clone();
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let body = || Body::from(rest.to_vec());
        let ask = Ask::new(Method::PUT, url, Scope::push(repository, None))
            .header(CONTENT_TYPE, OCTETS)
            .header(CONTENT_LENGTH, rest.len().to_string())
            .body(&body)
            .watched();
        let response = self.send(&ask).await?;
        let response = self.accepted(response, repository, &blob(repository, digest)).await?;
        self.is(&response, digest)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// What the registry answers.
    pub(in crate::image) async fn give_up(&self, repository: &str, at: &Url) -> Result<(), Error> {
        self.send(&Ask::new(Method::DELETE, at.clone(), Scope::push(repository, None))).await.map(drop)
    }

    /// Puts a manifest under a tag.
    ///
    /// # Errors
    /// What the registry answers; [`Error::Another`] if it says that it has something else now.
    pub(in crate::image) async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let url = self.url(&format!("{repository}/manifests/{tag}"))?;
        let body = || Body::from(bytes.to_vec());
        let ask = Ask::new(Method::PUT, url, Scope::push(repository, None))
            .header(CONTENT_TYPE, media_type)
            .body(&body);
        let response = self.send(&ask).await?;
        let response = self.accepted(response, repository, &format!("manifest {repository}:{tag}")).await?;
        self.is(&response, &Digest::of(bytes))
    }

    /// What `Location` and `Range` say of an upload.
    fn state(&self, response: &Response, at: &Url) -> Result<Reached, Error> {
        // Some registries name the place only once.
        let next = response.headers().contains_key(reqwest::header::LOCATION);
        let at = if next { self.location(response)? } else { at.clone() };
        let bytes = header(response, &RANGE).and_then(headers::reached);
        Ok(Reached { at, bytes })
    }

    /// Whether the registry has what we meant.
    fn is(&self, response: &Response, digest: &Digest) -> Result<(), Error> {
        if names(response, digest) {
            return Ok(());
        }
        let answered = header(response, &CONTENT_DIGEST).unwrap_or_default().chars().take(WORDS).collect();
        Err(Error::Another { host: self.host.clone(), expected: *digest, answered })
    }

    /// Turns an answer that is no success into an error, with the registry's own words.
    async fn accepted(&self, response: Response, repository: &str, what: &str) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let host = self.host.clone();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Error::Denied { host, repository: repository.to_owned() });
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(self.status(&response, what));
        }
        let (status, what) = (status.as_u16(), what.to_owned());
        Err(Error::Refused { host, status, what, said: refusal(response).await })
    }
}

/// How a blob is named in an error.
fn blob(repository: &str, digest: &Digest) -> String {
    format!("blob {repository}@{digest}")
}

/// Whether an answer is about that digest; one that names none is.
fn names(response: &Response, digest: &Digest) -> bool {
    header(response, &CONTENT_DIGEST).is_none_or(|said| said == digest.to_string())
}

/// The registry's reasons, in one line.
async fn refusal(response: Response) -> String {
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(Ok(piece)) = stream.next().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_REFUSAL {
            break;
        }
    }
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reasons = told["errors"].as_array().into_iter().flatten();
    let reasons =
        reasons.map(|one| format!("{}: {}", text(&one["code"]).to_lowercase(), text(&one["message"])));
    let words: Vec<String> = reasons.collect();
    words.join("; ").chars().filter(|c| !c.is_control()).take(WORDS).collect()
}
