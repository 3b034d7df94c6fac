//! Images: what is here, and what they are called.

use super::error::{Answer, Error};
use super::image_inspect::{history, inspect};
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::image::{self, Reference};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use hyper::{HeaderMap, StatusCode};

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
pub(super) async fn get(State(engine): State<Engine>, spoken: Version, Path(path): Path<String>) -> Answer {
    if let Some(name) = path.strip_suffix("/json") {
        let image = engine.images.resolve(name)?;
        return Ok(Json(inspect(spoken, &image, &engine.images.document(&image.id)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/history") {
        return Ok(Json(history(&engine.images.resolve(name)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/get") {
        return super::save::save(&engine, vec![name.to_owned()]);
    }
    Err(Error::new(StatusCode::NOT_FOUND, "page not found"))
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
        return Err(Error::new(StatusCode::NOT_FOUND, "page not found"));
    };
    let repository = p.text("repo").unwrap_or_default();
    if repository.contains('@') {
        return Err(Error::bad("refusing to create a tag with a digest reference"));
    }
    let target = p.text("tag").map_or(repository.to_owned(), |tag| format!("{repository}:{tag}"));
    let target = reference(&target)?;
    engine.images.tag(name, &target)?;
    if let Ok(image) = engine.images.resolve(name) {
        engine.image_event("tag", &image.id.to_string(), &target.to_string());
    }
    Ok(StatusCode::CREATED.into_response())
}

pub(super) fn reference(text: &str) -> Answer<Reference> {
    text.parse().map_err(|e: image::ParseReferenceError| Error::bad(e.to_string()))
}
