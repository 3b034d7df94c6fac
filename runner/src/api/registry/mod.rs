//! The registry over a socket of its own: `/v2/` of the OCI distribution specification 1.1, in HTTP.
//!
//! Knows no login: the web server, which alone may connect beside root, has asked who it is and says so in a header. A call
//! without that header is whoever runs the registry.

mod blobs;
mod lists;
mod manifests;
mod refusal;
mod uploads;

use crate::image::distribution::{Distribution, Error, Who};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, StatusCode};
use refusal::Refusal;
use sandlot_wire::registry::{HEADER_OWNER, OVERVIEW, SWEEP, Target};

const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD: HeaderName = HeaderName::from_static("docker-upload-uuid");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What a call answers.
type Answer = Result<Response, Refusal>;

/// All calls.
pub(super) fn router(distribution: Distribution) -> Router {
    Router::new()
        .route(OVERVIEW, get(lists::overview))
        .route(SWEEP, post(lists::sweep))
        .fallback(call)
        .with_state(distribution)
}

/// A call's head, its parts read; its body goes beside it, for that alone cannot be shared.
struct Call {
    distribution: Distribution,
    method: Method,
    headers: HeaderMap,
    owner: Option<String>,
    query: Vec<(String, String)>,
}

impl Call {
    fn who(&self) -> Who<'_> {
        Who { owner: self.owner.as_deref() }
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn call(State(distribution): State<Distribution>, request: Request) -> Response {
    let answer = async {
        let (parts, body) = request.into_parts();
        let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let target = Target::of(&path).ok_or_else(|| Refusal::no_such_path(&path))?;
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = query.into_owned().collect();
        let owner = owner(&parts.headers)?;
        let call = Call { distribution, method: parts.method, headers: parts.headers, owner, query };
        answer(&call, target, body).await
    };
    let mut response = answer.await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(VERSION, hyper::header::HeaderValue::from_static("registry/2.0"));
    response
}

/// Whose doing it is.
fn owner(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(HEADER_OWNER) else { return Ok(None) };
    // Whoever cannot be named is nobody, not everybody.
    let name = value.to_str().ok().filter(|name| !name.is_empty());
    name.map(|name| Some(name.to_owned())).ok_or_else(|| Error::Denied("who asks is not known".into()).into())
}

async fn answer(call: &Call, target: Target, body: Body) -> Answer {
    match (call.method.as_str(), target) {
        ("GET" | "HEAD", Target::Base) => Ok(axum::Json(serde_json::json!({})).into_response()),
        ("GET", Target::Catalogue) => lists::catalogue(call),
        ("GET", Target::Tags(name)) => lists::tags(call, &name),
        ("GET", Target::Referrers(name, subject)) => lists::referrers(call, &name, &subject),
        ("GET" | "HEAD", Target::Manifest(name, key)) => manifests::get(call, &name, &key).await,
        ("PUT", Target::Manifest(name, key)) => manifests::put(call, &name, &key, body).await,
        ("DELETE", Target::Manifest(name, key)) => manifests::delete(call, &name, &key),
        ("GET" | "HEAD", Target::Blob(name, digest)) => blobs::get(call, &name, &digest).await,
        ("DELETE", Target::Blob(name, digest)) => blobs::delete(call, &name, &digest),
        ("POST", Target::Uploads(name)) => uploads::begin(call, &name, body).await,
        ("GET" | "HEAD", Target::Upload(name, id)) => uploads::status(call, &name, &id),
        ("PATCH", Target::Upload(name, id)) => uploads::append(call, &name, &id, body).await,
        ("PUT", Target::Upload(name, id)) => uploads::finish(call, &name, &id, body).await,
        ("DELETE", Target::Upload(name, id)) => uploads::cancel(call, &name, &id),
        (method, _) => Err(Refusal::no_such_method(method)),
    }
}

/// An answer without a body.
fn empty(status: StatusCode, headers: &[(HeaderName, String)]) -> Answer {
    built(status, headers, Body::empty())
}

fn built(status: StatusCode, headers: &[(HeaderName, String)], body: Body) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).map_err(|_| Error::UploadInvalid("a header cannot be written".to_owned()).into())
}
