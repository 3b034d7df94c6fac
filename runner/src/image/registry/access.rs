//! How a request reaches a registry: proof of who we are where it is asked for, and redirects, followed by hand.
//!
//! What proves who we are goes to the registry and to the realm that the registry itself names, and to no other host
//! (CVE-2020-15157): neither a redirect nor an upload's `Location` takes it along, and no other host's challenge is answered.

use super::challenge::{self, Challenge};
use super::{Client, Error, header};
use crate::image::credentials::Credentials;
use reqwest::header::{AUTHORIZATION, HeaderName, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Body, Method, Response, StatusCode};
use std::sync::PoisonError;
use url::Url;

/// The most redirects of one request.
const REDIRECTS: usize = 5;
/// The longest answer that holds a token.
const MAX_TOKEN: u64 = 256 << 10;

/// What a token must allow, in the words of the token service: `repository:a/b:pull,push`.
#[derive(Debug, Clone)]
pub(super) struct Scope(Vec<String>);

impl Scope {
    /// Nothing in particular.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Reading a repository.
    pub(super) fn pull(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull")])
    }

    /// Writing to one; reading another, where something comes from there.
    pub(super) fn push(repository: &str, from: Option<&str>) -> Self {
        let mut all = vec![format!("repository:{repository}:pull,push")];
        all.extend(from.map(|from| format!("repository:{from}:pull")));
        Self(all)
    }

    /// What a token is kept under.
    fn key(&self) -> String {
        self.0.join(" ")
    }

    /// What is asked for: what we need, and what the registry says.
    fn wanted(&self, asked: Option<String>) -> Vec<String> {
        let mut all = self.0.clone();
        let Some(asked) = asked else { return all };
        // `…:pull` is a part of `…:pull,push`.
        all.retain(|own| !asked.starts_with(own.as_str()));
        if !all.iter().any(|own| own.starts_with(&asked)) {
            all.push(asked);
        }
        all
    }
}

/// A request.
pub(super) struct Ask<'a> {
    method: Method,
    url: Url,
    scope: Scope,
    headers: Vec<(HeaderName, String)>,
    /// Makes the body, anew for each time that the request is sent.
    body: Option<&'a (dyn Fn() -> Body + Send + Sync)>,
    silence: Silence,
}

/// Who minds that nothing comes from the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// The connection: after [`super::SILENCE`] it counts as broken.
    Bounded,
    /// The caller, who sees also what goes there.
    Watched,
}

impl<'a> Ask<'a> {
    /// Of that kind.
    pub(super) fn new(method: Method, url: Url, scope: Scope) -> Self {
        Self { method, url, scope, headers: Vec::new(), body: None, silence: Silence::Bounded }
    }

    /// One that changes nothing.
    pub(super) fn get(url: Url, scope: Scope) -> Self {
        Self::new(Method::GET, url, scope)
    }

    /// With a header.
    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body.
    pub(super) fn body(mut self, body: &'a (dyn Fn() -> Body + Send + Sync)) -> Self {
        self.body = Some(body);
        self
    }

    /// The caller gives up by itself when nothing moves any more.
    pub(super) fn watched(mut self) -> Self {
        self.silence = Silence::Watched;
        self
    }
}

impl Client {
    /// Sends a request, proves who we are if asked to, and follows redirects.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Response, Error> {
        let key = ask.scope.key();
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let response = self.follow(ask, known.as_deref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || response.url().origin() != self.base.origin() {
            return Ok(response);
        }
        let asked = header(&response, &WWW_AUTHENTICATE).and_then(challenge::parse);
        let Some(proof) = self.proof(asked, &ask.scope).await? else { return Ok(response) };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(key, proof.clone());
        self.follow(ask, Some(&proof)).await
    }

    async fn follow(&self, ask: &Ask<'_>, proof: Option<&str>) -> Result<Response, Error> {
        let origin = self.base.origin();
        let http = match ask.silence {
            Silence::Bounded => &self.http,
            Silence::Watched => &self.patient,
        };
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = http.request(ask.method.clone(), url.clone());
            for (name, value) in &ask.headers {
                request = request.header(name, value);
            }
            if let Some(proof) = proof.filter(|_| url.origin() == origin) {
                request = request.header(AUTHORIZATION, proof);
            }
            if let Some(body) = ask.body {
                request = request.body(body());
            }
            let response = request.send().await.map_err(|e| Error::down(&self.host, &e))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = self.location(&response)?;
        }
        Err(self.astray("too many times"))
    }

    /// Where an answer says that it goes on.
    pub(super) fn location(&self, response: &Response) -> Result<Url, Error> {
        let from = response.url();
        let to = header(response, &LOCATION).and_then(|l| from.join(l).ok());
        let next = to.ok_or_else(|| self.astray("it names no address"))?;
        if from.scheme() == "https" && next.scheme() != "https" {
            return Err(self.astray("from TLS to plain HTTP"));
        }
        Ok(next)
    }

    pub(super) fn astray(&self, why: &'static str) -> Error {
        Error::Redirect(self.host.clone(), why)
    }

    /// The value of `Authorization` that answers a challenge.
    async fn proof(&self, asked: Option<Challenge>, scope: &Scope) -> Result<Option<String>, Error> {
        match (asked, &self.credentials) {
            (Some(Challenge::Basic), Some(own)) => Ok(Some(basic(own))),
            (Some(Challenge::Bearer { realm, service, scope: asked }), own) => {
                self.token(&realm, service.as_deref(), &scope.wanted(asked), own.as_ref()).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
        own: Option<&Credentials>,
    ) -> Result<String, Error> {
        let mut url: Url = realm.parse().map_err(|_| Error::Host(realm.to_owned()))?;
        // Nor by plain HTTP to this machine: a stranger's registry has no business with what listens here.
        if url.scheme() != "https" && self.base.scheme() == "https" {
            return Err(self.astray("a token by plain HTTP"));
        }
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        for scope in scopes {
            url.query_pairs_mut().append_pair("scope", scope);
        }
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
}

fn basic(own: &Credentials) -> String {
    use base64::Engine as _;
    let pair = format!("{}:{}", own.username, own.password);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}
