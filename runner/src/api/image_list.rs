//! `GET /images/json`: what `docker images` shows, and which of them.

use super::error::Answer;
use super::filters::{Filters, glob};
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::image::{Image, Reference, with_tag};
use axum::Json;
use axum::extract::{Query, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether the sizes that images share are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    /// They are.
    Counted,
    /// They are not; -1 says so.
    Uncounted,
}

/// The handler.
pub(super) async fn list(
    State(engine): State<Engine>,
    spoken: Version,
    Query(p): Query<Parameters>,
) -> Answer<Json<Vec<Value>>> {
    let filters = Filters::of(&p, &["reference", "label", "label!", "dangling", "before", "since", "until"])?;
    let dangling = filters.switch("dangling")?;
    let moment = |kind| match filters.values(kind).first() {
        Some(key) => engine.images.resolve(key).map(|image| created(&image)),
        None => Ok(None),
    };
    let (before, since, until) = (moment("before")?, moment("since")?, filters.until()?);
    let suits = |image: &&Image| {
        let labels = image.config.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default();
        filters.labels(&labels.into_iter().collect())
            && dangling.is_none_or(|dangling| image.tags.is_empty() == dangling)
            && before.is_none_or(|before| created(image).is_none_or(|c| c < before))
            && since.is_none_or(|since| created(image).is_some_and(|c| c > since))
            && until.is_none_or(|until| created(image).is_none_or(|c| c < until))
    };
    let shared = if p.on("shared-size") { Shared::Counted } else { Shared::Uncounted };
    let mut all = engine.images.list()?;
    all.sort_by_key(|image| std::cmp::Reverse(created(image)));
    let sizes = shared_sizes(&all, shared);
    let patterns = filters.values("reference");
    if !patterns.is_empty() {
        // Of an image of several names, those alone are shown.
        let named = |name: &String| patterns.iter().any(|pattern| like(pattern, name));
        for image in &mut all {
            image.tags.retain(named);
            image.digests.retain(named);
        }
    }
    let named = |image: &&Image| patterns.is_empty() || !image.tags.is_empty() || !image.digests.is_empty();
    let chosen = all.iter().filter(|image| suits(image) && named(image));
    Ok(Json(chosen.map(|image| summary(image, spoken, sizes.get(&image.id.to_string()), None)).collect()))
}

/// All images as `system df` shows them, and the bytes of all their layers.
pub(super) fn usage(engine: &Engine, spoken: Version) -> Answer<(Vec<Value>, u64)> {
    let all = engine.images.list()?;
    let sizes = shared_sizes(&all, Shared::Counted);
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for container in engine.containers() {
        *used.entry(container.record().image).or_default() += 1;
    }
    let one = |image: &Image| {
        let id = image.id.to_string();
        summary(image, spoken, sizes.get(&id), Some(used.get(&id).copied().unwrap_or(0)))
    };
    let layers: BTreeMap<&String, u64> = all.iter().flat_map(layers).collect();
    Ok((all.iter().map(one).collect(), layers.values().sum()))
}

/// The layers of an image with their sizes.
fn layers(image: &Image) -> impl Iterator<Item = (&String, u64)> {
    image.config.rootfs().diff_ids().iter().zip(image.layer_sizes())
}

/// By id, the bytes of layers that another image has, too.
fn shared_sizes(all: &[Image], shared: Shared) -> BTreeMap<String, u64> {
    if shared == Shared::Uncounted {
        return BTreeMap::new();
    }
    let mut users: BTreeMap<&String, usize> = BTreeMap::new();
    for (layer, _) in all.iter().flat_map(layers) {
        *users.entry(layer).or_default() += 1;
    }
    let size = |image: &Image| {
        layers(image).filter(|(l, _)| users.get(l).is_some_and(|n| *n > 1)).map(|(_, s)| s).sum()
    };
    all.iter().map(|image| (image.id.to_string(), size(image))).collect()
}

/// When an image was made.
pub(super) fn created(image: &Image) -> Option<jiff::Timestamp> {
    image.config.created().as_deref()?.parse().ok()
}

fn summary(
    image: &Image,
    Version(spoken): Version,
    shared: Option<&u64>,
    containers: Option<usize>,
) -> Value {
    let mut all = json!({
        "Id": image.id,
        "ParentId": "",
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Created": created(image).map_or(0, |c| c.as_second()),
        "Size": image.size,
        "SharedSize": shared.map_or(json!(-1), |shared| json!(shared)),
        "Labels": image.config.config().as_ref().and_then(|c| c.labels().clone()),
        "Containers": containers.map_or(json!(-1), |n| json!(n)),
    });
    if spoken < 44 {
        all["VirtualSize"] = json!(image.size);
    }
    if spoken < 43 && image.tags.is_empty() && image.digests.is_empty() {
        all["RepoTags"] = json!(["<none>:<none>"]);
        all["RepoDigests"] = json!(["<none>@<none>"]);
    }
    all
}

/// Whether a name is like a pattern, which may be of its repository alone, or in full.
fn like(pattern: &str, name: &str) -> bool {
    let bare = name.split_once('@').map_or(name, |(bare, _)| bare);
    let bare = bare.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(bare, |(bare, _)| bare);
    let tagged = with_tag(pattern) == pattern;
    let full = pattern.parse::<Reference>().ok();
    let full = full.map(|full| if tagged { full.to_string() } else { full.familiar_name() });
    glob(pattern, name) || glob(pattern, bare) || full.is_some_and(|full| full == name || full == bare)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn references_by_pattern() {
        for (pattern, tag, fits) in [
            ("a/b", "a/b:1", true),
            ("a/b:1", "a/b:1", true),
            ("a/*", "a/b:1", true),
            ("*", "a/b:1", false),
            ("*/*:2", "a/b:1", false),
            ("b", "a/b:1", false),
            ("docker.io/library/busybox", "busybox:1", true),
            ("docker.io/library/busybox:2", "busybox:1", false),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x:1", true),
            ("a/*", "a/b@sha256:12", true),
        ] {
            assert_eq!(like(pattern, tag), fits, "{pattern} {tag}");
        }
    }
}
