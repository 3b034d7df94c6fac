//! `/v2/NAME/blobs/uploads/`: blobs in one request, in pieces, and continued; or taken over from another repository.

use super::refusal::Refusal;
use super::{Answer, Call, DIGEST, UPLOAD, empty};
use crate::image::Digest;
use crate::image::distribution::{Error, Mounted, Progress, digest};
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};

/// So much of what is refused is read before the answer: a client that still writes would not see it.
const REST: u64 = 64 << 20;

pub(super) async fn begin(call: &Call, name: &str, body: Body) -> Answer {
    if let Some(text) = call.asked("mount") {
        let mounted = call.distribution.mount(call.who(), name, digest(text)?, call.asked("from"))?;
        if mounted == Mounted::Yes {
            return created(name, digest(text)?);
        }
    }
    let said = call.asked("digest").map(digest).transpose()?;
    let begun = call.distribution.begin_upload(call.who(), name)?;
    let Some(said) = said else { return accepted(StatusCode::ACCEPTED, name, &begun) };
    whole(call, name, &begun.id, (None, said), body).await
}

pub(super) fn status(call: &Call, name: &str, id: &str) -> Answer {
    accepted(StatusCode::NO_CONTENT, name, &call.distribution.upload(call.who(), name, id)?)
}

pub(super) async fn append(call: &Call, name: &str, id: &str, body: Body) -> Answer {
    let progress = take(call, name, id, begins(call)?, body).await?;
    accepted(StatusCode::ACCEPTED, name, &progress)
}

pub(super) async fn finish(call: &Call, name: &str, id: &str, body: Body) -> Answer {
    let said = call.asked("digest").ok_or_else(|| Error::DigestInvalid(String::new()))?;
    let (said, from) = (digest(said)?, begins(call)?);
    whole(call, name, id, (from, said), body).await
}

pub(super) fn cancel(call: &Call, name: &str, id: &str) -> Answer {
    call.distribution.cancel_upload(call.who(), name, id)?;
    empty(StatusCode::NO_CONTENT, &[])
}

/// Takes the last bytes and makes a blob of all.
async fn whole(call: &Call, name: &str, id: &str, (from, said): (Option<u64>, Digest), body: Body) -> Answer {
    take(call, name, id, from, body).await?;
    call.distribution.finish_upload(call.who(), name, id, said).await?;
    created(name, said)
}

async fn take(call: &Call, name: &str, id: &str, from: Option<u64>, body: Body) -> Result<Progress, Refusal> {
    let mut body = body.into_data_stream();
    let done = call.distribution.append(call.who(), name, id, from, &mut body).await;
    if done.is_err() {
        drain(&mut body).await;
    }
    done.map_err(|error| Refusal::of_upload(error, format!("/v2/{name}/blobs/uploads/{id}")))
}

async fn drain(body: &mut BodyDataStream) {
    let mut read = 0;
    while let Some(Ok(piece)) = body.next().await {
        read += piece.len() as u64;
        if read > REST {
            return;
        }
    }
}

/// Where a piece begins: `Content-Range: FROM-TO`.
fn begins(call: &Call) -> Result<Option<u64>, Error> {
    let Some(text) = call.header(&CONTENT_RANGE) else { return Ok(None) };
    let range = text.trim_start_matches("bytes").trim_start_matches(['=', ' ']);
    let from = range.split_once('-').and_then(|(from, _)| from.parse().ok());
    from.map(Some).ok_or_else(|| Error::UploadInvalid(format!("Content-Range {text:?} is not FROM-TO")))
}

/// What came so far, as the specification writes it: both ends are counted.
pub(super) fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

fn accepted(status: StatusCode, name: &str, progress: &Progress) -> Answer {
    let headers: [(HeaderName, String); 4] = [
        (LOCATION, format!("/v2/{name}/blobs/uploads/{}", progress.id)),
        (RANGE, range(progress.received)),
        (UPLOAD, progress.id.clone()),
        (CONTENT_LENGTH, "0".to_owned()),
    ];
    let most = if status == StatusCode::NO_CONTENT { 3 } else { 4 };
    empty(status, &headers[..most])
}

fn created(name: &str, blob: Digest) -> Answer {
    let headers = [
        (LOCATION, format!("/v2/{name}/blobs/{blob}")),
        (DIGEST, blob.to_string()),
        (CONTENT_LENGTH, "0".to_owned()),
    ];
    empty(StatusCode::CREATED, &headers)
}
