//! Lists: `_catalog`, `tags/list`, `referrers`, and what the catalogue's page shows.

use super::refusal::Refusal;
use super::{Answer, Call, FILTERS, built};
use crate::image::distribution::{Distribution, Error, More, Page, Referrer, digest};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_TYPE, LINK};
use hyper::{HeaderMap, StatusCode};
use sandlot_wire::registry::{HEADER_SPACES, Shown};
use serde_json::json;

/// The most of a page.
const MOST: usize = 20_000;
/// The most referrers of an answer.
const REFERRERS: usize = 1000;

/// The name spaces that are told of.
fn spaces(headers: &HeaderMap) -> Option<Vec<&str>> {
    let names = headers.get(HEADER_SPACES)?.to_str().unwrap_or_default();
    Some(names.split(',').filter(|name| !name.is_empty()).collect())
}

pub(super) async fn overview(
    State(distribution): State<Distribution>,
    headers: HeaderMap,
) -> Json<Vec<Shown>> {
    Json(distribution.overview(spaces(&headers).as_deref()))
}

pub(super) async fn sweep(State(distribution): State<Distribution>) -> Response {
    let swept = tokio::task::spawn_blocking(move || distribution.sweep()).await;
    match swept.map_err(|e| Error::Io(std::io::Error::other(e))).and_then(|swept| swept) {
        Ok(swept) => Json(swept).into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

pub(super) fn catalogue(call: &Call) -> Answer {
    let spaces = spaces(&call.headers);
    let page = call.distribution.repositories(spaces.as_deref(), call.asked("last"), number(call)?);
    let link = more(&page, "/v2/_catalog", call);
    paged(json!({ "repositories": page.names }), link)
}

pub(super) fn tags(call: &Call, name: &str) -> Answer {
    let page = call.distribution.tags(name, call.asked("last"), number(call)?)?;
    let link = more(&page, &format!("/v2/{name}/tags/list"), call);
    paged(json!({ "name": name, "tags": page.names }), link)
}

pub(super) fn referrers(call: &Call, name: &str, subject: &str) -> Answer {
    let subject = digest(subject)?;
    let filter = call.asked("artifactType");
    let is_asked = |one: &Referrer| filter.is_none() || one.artifact_type.as_deref() == filter;
    let after = call.asked("last").map(digest).transpose()?;
    let all = call.distribution.referrers(name, subject)?;
    let mut rest =
        all.iter().filter(|one| is_asked(one)).filter(|one| after.is_none_or(|d| one.digest() > d));
    let shown: Vec<&Referrer> = rest.by_ref().take(REFERRERS).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": shown.iter().map(|one| one.json()).collect::<Vec<_>>(),
    });
    let mut headers = vec![(CONTENT_TYPE, "application/vnd.oci.image.index.v1+json".to_owned())];
    if filter.is_some() {
        headers.push((FILTERS, "artifactType".to_owned()));
    }
    if let Some(last) = shown.last().filter(|_| rest.next().is_some()) {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("last", &last.digest().to_string());
        if let Some(kind) = filter {
            query.append_pair("artifactType", kind);
        }
        headers.push((LINK, format!("</v2/{name}/referrers/{subject}?{}>; rel=\"next\"", query.finish())));
    }
    built(StatusCode::OK, &headers, Body::from(index.to_string()))
}

/// How many are asked for.
fn number(call: &Call) -> Result<Option<usize>, Error> {
    let number = |text: &str| text.parse().map_err(|_| Error::PageInvalid(MOST));
    call.asked("n").map(number).transpose()
}

/// Where the next page is.
fn more(page: &Page, path: &str, call: &Call) -> Option<String> {
    let last = page.names.last().filter(|_| page.more == More::Some)?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("last", last).append_pair("n", call.asked("n").unwrap_or("20000"));
    Some(format!("<{path}?{}>; rel=\"next\"", query.finish()))
}

fn paged(list: serde_json::Value, link: Option<String>) -> Answer {
    let mut headers = vec![(CONTENT_TYPE, "application/json".to_owned())];
    headers.extend(link.map(|link| (LINK, link)));
    built(StatusCode::OK, &headers, Body::from(list.to_string()))
}
