//! Images that go away: one by one, or all that nobody uses.

use super::error::Answer;
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::Engine;
use crate::image::{Digest, Force, Removed, Use, starter};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who uses an image.
fn used(engine: &Engine, id: &Digest) -> Option<Use> {
    let id = id.to_string();
    let users = engine.containers().into_iter().filter(|c| c.record().image == id);
    let users: Vec<Use> = users
        .map(|c| if c.state().active() { Use::Running(c.id.clone()) } else { Use::Stopped(c.id.clone()) })
        .collect();
    users.iter().find(|user| matches!(user, Use::Running(_))).or(users.first()).cloned()
}

type Labels = BTreeMap<String, String>;

/// Tells of a removal; what of it the client is told.
fn told(engine: &Engine, id: &str, labels: &Labels, removed: Removed) -> Vec<Value> {
    // Layers have no events.
    let image = removed.deleted.first().map_or(&[][..], std::slice::from_ref);
    engine.events.removed(id, labels, &removed.untagged, image);
    let names = removed.untagged.into_iter().map(|name| json!({ "Untagged": name }));
    names.chain(removed.deleted.into_iter().map(|id| json!({ "Deleted": id }))).collect()
}

/// `DELETE /images/{name}`
pub(super) async fn remove(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<Json<Vec<Value>>> {
    let force = if p.on("force") { Force::Yes } else { Force::No };
    let id = engine.images.resolve(&name)?.id.to_string();
    let labels = engine.image_labels(&id);
    let removed = engine.images.remove(&name, force, |id| used(&engine, id))?;
    Ok(Json(told(&engine, &id, &labels, removed)))
}

/// `POST /images/prune`: those without a name, or, with `dangling=false`, all that no container was made of. The built-in
/// one stays.
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["dangling", "label", "label!", "until"])?;
    let named = filters.switch("dangling")? == Some(false);
    let until = filters.until()?;
    let (mut gone, mut bytes) = (Vec::new(), 0);
    for image in engine.images.list()? {
        let labels = engine.image_labels(&image.id.to_string());
        let made = super::image_list::created(&image);
        let chosen = (named || image.tags.is_empty())
            && filters.labels(&labels)
            && until.is_none_or(|until| made.is_none_or(|made| made < until));
        let kept = image.tags.iter().any(|tag| tag == starter::NAME);
        if !chosen || kept || used(&engine, &image.id).is_some() {
            continue;
        }
        // One that a container was made of meanwhile stays.
        let id = image.id.to_string();
        if let Ok(removed) = engine.images.remove(&id, Force::Yes, |id| used(&engine, id)) {
            bytes += if removed.deleted.is_empty() { 0 } else { image.size };
            gone.extend(told(&engine, &id, &labels, removed));
        }
    }
    engine.events.pruned("image", bytes);
    Ok(Json(json!({ "ImagesDeleted": Some(gone).filter(|gone| !gone.is_empty()), "SpaceReclaimed": bytes })))
}
