//! Images that go: out as archives (`save`), and away when nobody uses them (`prune`).

use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::{Parameters, all};
use crate::engine::{Engine, pipe};
use crate::image::{Digest, starter};
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

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
        engine.events.image("save", &image.id.to_string(), name);
    }
    let (writer, stream) = pipe::pipe();
    let images = engine.images.clone();
    tokio::task::spawn_blocking(move || writer.fill(|out| images.save(&names, out)));
    Ok(([(hyper::header::CONTENT_TYPE, "application/x-tar")], Body::from_stream(stream)).into_response())
}

/// `POST /images/prune`: those without a name, or, with `dangling=false`, all that no container was made of. The built-in
/// one stays.
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["dangling", "label"])?;
    let named = filters.values("dangling").iter().any(|v| matches!(v.as_str(), "0" | "false"));
    let used = |id: &Digest| engine.containers().iter().any(|c| c.record().image == id.to_string());
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for image in engine.images.list()? {
        let labels = image.config.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default();
        let chosen = (named || image.tags.is_empty()) && filters.labels(&labels.into_iter().collect());
        if !chosen || used(&image.id) || image.tags.iter().any(|tag| tag == starter::NAME) {
            continue;
        }
        // One that a container was made of meanwhile stays.
        if let Ok((untagged, deleted)) = engine.images.remove(&image.id.to_string(), true, used) {
            engine.events.removed(&image.id.to_string(), &untagged, &deleted);
            gone.extend(untagged.into_iter().map(|name| json!({ "Untagged": name })));
            gone.extend(deleted.into_iter().map(|id| json!({ "Deleted": id })));
            bytes += image.size;
        }
    }
    engine.events.pruned("image", bytes);
    Ok(Json(json!({ "ImagesDeleted": Some(gone).filter(|gone| !gone.is_empty()), "SpaceReclaimed": bytes })))
}
