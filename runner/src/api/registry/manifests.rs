//! `/v2/NAME/manifests/REFERENCE`.

use super::{Answer, Call, DIGEST, SUBJECT, built, empty};
use crate::image::distribution::{Error, Key};
use axum::body::Body;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use hyper::{Method, StatusCode};

/// The largest manifest.
const LONGEST: usize = 4 << 20;

pub(super) async fn get(call: &Call, name: &str, key: &str) -> Answer {
    let served = call.distribution.manifest(name, &Key::read(key)?).await?;
    let digest = served.digest.to_string();
    let headers = [
        (CONTENT_TYPE, served.media_type),
        (CONTENT_LENGTH, served.bytes.len().to_string()),
        (ETAG, format!("\"{digest}\"")),
        (DIGEST, digest),
    ];
    let body = if call.method == Method::HEAD { Body::empty() } else { Body::from(served.bytes) };
    built(StatusCode::OK, &headers, body)
}

pub(super) async fn put(call: &Call, name: &str, key: &str, body: Body) -> Answer {
    let key = Key::read(key)?;
    let kind = call.header(&CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or("").trim().to_owned());
    let (distribution, owner) = (call.distribution.clone(), call.owner.clone());
    let bytes = axum::body::to_bytes(body, LONGEST).await.map_err(|_| Error::ManifestLong(LONGEST as u64))?;
    let repository = name.to_owned();
    let put = move || {
        let who = crate::image::distribution::Who { owner: owner.as_deref() };
        let kind = kind.as_deref().filter(|kind| !kind.is_empty());
        distribution.put_manifest(who, &repository, &key, kind, &bytes)
    };
    let put = tokio::task::spawn_blocking(put).await.map_err(|e| Error::Io(std::io::Error::other(e)))??;
    let mut headers = vec![
        (LOCATION, format!("/v2/{name}/manifests/{}", put.digest)),
        (DIGEST, put.digest.to_string()),
        (CONTENT_LENGTH, "0".to_owned()),
    ];
    headers.extend(put.subject.map(|subject| (SUBJECT, subject.to_string())));
    empty(StatusCode::CREATED, &headers)
}

pub(super) fn delete(call: &Call, name: &str, key: &str) -> Answer {
    call.distribution.delete_manifest(call.who(), name, &Key::read(key)?)?;
    empty(StatusCode::ACCEPTED, &[])
}
