//! Images: what is here, and what they are called.

use super::error::{Answer, Error};
use super::image_list::created;
use super::query::Parameters;
use crate::engine::Engine;
use crate::image::{self, Image, Reference};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Self {
        use image::Error as E;
        let status = match &error {
            E::NotFound(_) | E::NoneToPush(_) | E::NoTag(_) => StatusCode::NOT_FOUND,
            E::NameInUse { .. } | E::Conflict { .. } => StatusCode::CONFLICT,
            E::Damaged(_) | E::Wrong { .. } | E::Unpack(_) | E::Layer { .. } => StatusCode::BAD_REQUEST,
            E::Registry(image::RegistryError::NotFound { .. } | image::RegistryError::Unauthorized(_)) => {
                StatusCode::NOT_FOUND
            }
            E::Registry(_) | E::Io(_) | E::Write { .. } | E::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// `GET /images/search`
pub(super) async fn search() -> Answer {
    Err(Error::bad("searching is refused: the engine asks registries only for images that are named"))
}

/// `GET /images/{name}/json`, `…/history` and `…/get`
pub(super) async fn get(State(engine): State<Engine>, Path(path): Path<String>) -> Answer {
    if let Some(name) = path.strip_suffix("/json") {
        let image = engine.images.resolve(name)?;
        return Ok(Json(inspect(&image, &engine.images.document(&image.id)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/history") {
        return Ok(Json(history(&engine.images.resolve(name)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/get") {
        return super::save::save(&engine, vec![name.to_owned()]);
    }
    Err(Error::new(StatusCode::NOT_FOUND, format!("GET /images/{path}: this call is not there (yet)")))
}

/// `document` also has what only Docker knows: `Healthcheck`, `OnBuild`, `Shell`.
fn inspect(image: &Image, document: &Value) -> Value {
    let layers: Vec<String> = image.config.rootfs().diff_ids().to_vec();
    json!({
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": "",
        "Created": created(image).map(|c| c.to_string()),
        "Author": image.config.author(),
        "Config": document["config"],
        "Architecture": image.config.architecture(),
        "Os": image.config.os(),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": { "Name": "overlay2", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": layers },
        "Metadata": { "LastTagTime": "0001-01-01T00:00:00Z" },
    })
}

fn history(image: &Image) -> Vec<Value> {
    let entries = image.config.history().clone().unwrap_or_default();
    // Each step but the empty ones made a layer.
    let mut sizes = image.layer_sizes().into_iter();
    let mut size = |empty: Option<bool>| if empty == Some(true) { 0 } else { sizes.next().unwrap_or(0) };
    let sizes: Vec<u64> = entries.iter().map(|entry| size(entry.empty_layer())).collect();
    let rows = entries.iter().zip(sizes).rev().enumerate().map(|(n, (entry, size))| {
        json!({
            "Id": if n == 0 { image.id.to_string() } else { "<missing>".to_owned() },
            "Created": entry.created().as_deref().and_then(|c| c.parse::<jiff::Timestamp>().ok()).map_or(0, |c| c.as_second()),
            "CreatedBy": entry.created_by().clone().unwrap_or_default(),
            "Comment": entry.comment().clone().unwrap_or_default(),
            "Tags": if n == 0 { json!(image.tags) } else { Value::Null },
            "Size": size,
        })
    });
    rows.collect()
}

/// `POST /images/{name}/tag` and `…/push`
pub(super) async fn post(
    State(engine): State<Engine>,
    Path(path): Path<String>,
    Query(p): Query<Parameters>,
    headers: HeaderMap,
) -> Answer {
    if let Some(name) = path.strip_suffix("/push") {
        return super::transfer::push(engine, name, &p, &headers).await;
    }
    let Some(name) = path.strip_suffix("/tag") else {
        let words = format!("POST /images/{path}: this call is not there (yet)");
        return Err(Error::new(StatusCode::NOT_FOUND, words));
    };
    let repository = p.text("repo").unwrap_or_default();
    if repository.contains('@') {
        return Err(Error::bad("refusing to create a tag with a digest reference"));
    }
    let target = p.text("tag").map_or(repository.to_owned(), |tag| format!("{repository}:{tag}"));
    let target = reference(&target)?;
    engine.images.tag(name, &target)?;
    if let Ok(image) = engine.images.resolve(name) {
        engine.events.image("tag", &image.id.to_string(), &target.to_string());
    }
    Ok(StatusCode::CREATED.into_response())
}

pub(super) fn reference(text: &str) -> Answer<Reference> {
    text.parse().map_err(|e: image::ParseReferenceError| Error::bad(e.to_string()))
}
