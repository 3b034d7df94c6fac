//! `/sandlot/v1`: what the web server needs beyond Docker's API (see `sandlot_wire`).

use super::error::{Answer, Error};
use super::hijack::hand_over;
use crate::engine::Engine;
use crate::engine::commit::CommitError;
use crate::engine::terminals::Handover;
use axum::Json;
use axum::extract::{FromRequest, Path, Request, State};
use sandlot_wire::{
    Dial, HEADER_TERMINAL, Keep, Kept, Listen, Meter, OpenTerminal, Port, Script, ScriptEnd, Terminal,
};

/// `POST …/terminals`
pub(super) async fn open(State(engine): State<Engine>, Path(id): Path<String>, request: Request) -> Answer {
    let (wanted, request) = body::<OpenTerminal>(request).await?;
    give(request, engine.open_terminal(&id, wanted).await?)
}

/// `POST …/terminals/{terminal}/take`
pub(super) async fn take(
    State(engine): State<Engine>,
    Path((id, terminal)): Path<(String, String)>,
    request: Request,
) -> Answer {
    give(request, engine.take_terminal(&id, &terminal).await?)
}

fn give(request: Request, handover: Handover) -> Answer {
    hand_over(request, Some((HEADER_TERMINAL, &handover.id)), vec![handover.master, handover.ring])
}

/// `GET …/terminals`
pub(super) async fn list(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Answer<Json<Vec<Terminal>>> {
    Ok(Json(engine.terminals(&id).await?))
}

/// `GET …/terminals/{terminal}/wait`
pub(super) async fn wait(
    State(engine): State<Engine>,
    Path((id, terminal)): Path<(String, String)>,
) -> Answer<Json<Terminal>> {
    Ok(Json(engine.wait_terminal(&id, &terminal).await?))
}

/// `DELETE …/terminals/{terminal}`
pub(super) async fn close(
    State(engine): State<Engine>,
    Path((id, terminal)): Path<(String, String)>,
) -> Answer<hyper::StatusCode> {
    engine.close_terminal(&id, &terminal).await?;
    Ok(hyper::StatusCode::NO_CONTENT)
}

/// `POST …/dial`
pub(super) async fn dial(State(engine): State<Engine>, Path(id): Path<String>, request: Request) -> Answer {
    let (wanted, request) = body::<Dial>(request).await?;
    hand_over(request, None, vec![engine.dial(&id, wanted.port).await?])
}

/// `GET …/ports`
pub(super) async fn ports(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Vec<Port>>> {
    Ok(Json(engine.ports(&id).await?))
}

/// `POST …/listen`
pub(super) async fn listen(State(engine): State<Engine>, Path(id): Path<String>, request: Request) -> Answer {
    let (wanted, request) = body::<Listen>(request).await?;
    hand_over(request, None, vec![engine.listen(&id, wanted.port).await?])
}

/// `GET …/meter`
pub(super) async fn meter(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Meter>> {
    Ok(Json(engine.meter(&id).await?))
}

/// `POST …/script`
pub(super) async fn script(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Json(wanted): Json<Script>,
) -> Answer<Json<ScriptEnd>> {
    // To its end, or its time limit, also if nobody waits for the answer any more: nothing is to be left running.
    let run = tokio::spawn(async move { engine.run_script(&id, wanted).await });
    Ok(Json(run.await.map_err(|e| Error::new(hyper::StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))??))
}

/// `POST …/keep`
pub(super) async fn keep(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Json(wanted): Json<Keep>,
) -> Answer<Json<Kept>> {
    Ok(Json(engine.keep(&id, wanted).await.map_err(explain)?))
}

/// `DELETE /sandlot/v1/kept/{name}`
pub(super) async fn forget(
    State(engine): State<Engine>,
    Path(name): Path<String>,
) -> Answer<hyper::StatusCode> {
    engine.forget_kept(&name).await.map_err(explain)?;
    Ok(hyper::StatusCode::NO_CONTENT)
}

fn explain(error: CommitError) -> Error {
    match error {
        CommitError::Engine(error) => error.into(),
        CommitError::Image(error) => error.into(),
    }
}

/// `GET /sandlot/v1/meters`
pub(super) async fn meters(State(engine): State<Engine>) -> Answer<Json<Vec<Meter>>> {
    Ok(Json(engine.meters().await?))
}

/// The body of a call whose connection is taken over afterwards.
async fn body<T: serde::de::DeserializeOwned>(request: Request) -> Answer<(T, Request)> {
    let (parts, body) = request.into_parts();
    let mut rest = Request::new(axum::body::Body::empty());
    *rest.extensions_mut() = parts.extensions.clone();
    let whole = Request::from_parts(parts, body);
    let bytes = axum::body::Bytes::from_request(whole, &()).await.map_err(|e| Error::bad(e.to_string()))?;
    let wanted = serde_json::from_slice(&bytes).map_err(|e| Error::bad(format!("invalid body: {e}")))?;
    Ok((wanted, rest))
}
