//! Checkpoints: what of them this host could do, and that there are none.

use super::error::{Answer, Error};
use crate::container::checkpoint;
use crate::engine::Engine;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest name.
const NAME: usize = 255;

/// What is asked for.
#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "CheckpointID")]
    name: String,
}

/// `POST /containers/{id}/checkpoints`: always refused, with the reason.
pub(super) async fn create(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<StatusCode> {
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|e| Error::bad(format!("invalid body: {e}")))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begun = wanted.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begun || wanted.name.len() > NAME || !wanted.name.chars().all(plain) {
        return Err(Error::bad(format!("invalid checkpoint name: {:?}", wanted.name)));
    }
    let container = engine.find(&id)?;
    if container.state().alive().is_none() {
        return Err(Error::new(StatusCode::CONFLICT, format!("Container {} is not running", container.id)));
    }
    let checked = tokio::task::spawn_blocking(checkpoint::possible).await;
    let checked = checked.map_err(|e| Error::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    let why = match checked {
        Err(cannot) => format!("this host can not make a checkpoint, because {cannot}"),
        Ok(_) => "Sandlot makes no checkpoints yet, although criu runs on this host; pause keeps a container in memory".into(),
    };
    Err(Error::new(StatusCode::NOT_IMPLEMENTED, why))
}

/// `GET /containers/{id}/checkpoints`
pub(super) async fn list(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    engine.find(&id)?;
    Ok(Json(json!([])))
}

/// `DELETE /containers/{id}/checkpoints/{checkpoint}`
pub(super) async fn remove(
    State(engine): State<Engine>,
    Path((id, name)): Path<(String, String)>,
) -> Answer<StatusCode> {
    Err(absent(&engine.find(&id)?.name(), &name))
}

/// That there is none of this name.
pub(super) fn absent(container: &str, name: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("checkpoint {name} does not exist for container {container}"))
}
