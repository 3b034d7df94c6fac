//! Images that go out as archives.

use super::error::{Answer, Error};
use super::query::all;
use crate::engine::{Engine, pipe};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

/// `GET /images/get?names=…&names=…`
pub(super) async fn several(State(engine): State<Engine>, RawQuery(raw): RawQuery) -> Answer {
    // The real client sends one parameter an image; others a list with commas.
    let names = all(raw.as_deref(), "names");
    let names = names.iter().flat_map(|n| n.split(',')).filter(|n| !n.is_empty());
    save(&engine, names.map(ToOwned::to_owned).collect())
}

/// Images as one archive.
pub(super) fn save(engine: &Engine, names: Vec<String>) -> Answer<Response> {
    if names.is_empty() {
        return Err(Error::bad("no image is named"));
    }
    for name in &names {
        let image = engine.images.resolve(name)?;
        engine.image_event("save", &image.id.to_string(), name);
    }
    let (writer, stream) = pipe::pipe();
    let images = engine.images.clone();
    tokio::task::spawn_blocking(move || writer.fill(|out| images.save(&names, out)));
    Ok(([(hyper::header::CONTENT_TYPE, "application/x-tar")], Body::from_stream(stream)).into_response())
}
