//! `POST /sandlot/v1/run`: a container from its creation to its end in one call (see `sandlot_wire::run`).

use super::body;
use super::containers::{Creation, make};
use super::error::Error;
use super::hijack::Framing;
use super::query::Parameters;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::lifecycle::Wait;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use sandlot_wire::run::{HEADER_CONTAINER, ended};
use std::convert::Infallible;
use std::sync::Arc;

/// The handler.
pub(super) async fn run(
    State(engine): State<Engine>,
    Query(parameters): Query<Parameters>,
    body::Body(wanted): body::Body<Option<Creation>>,
) -> Response {
    if wanted.as_ref().is_some_and(Creation::converses) {
        return Error::bad("a terminal or an input is not for this call: create, attach and start it")
            .into_response();
    }
    // Who leaves in the middle leaves no half of it: made and never started.
    let running = tokio::spawn(async move {
        let container = match make(&engine, &parameters, wanted).await {
            Ok(container) => container,
            Err(refusal) => return refusal.into_response(),
        };
        let answered = started(&engine, &container).await.unwrap_or_else(IntoResponse::into_response);
        named(answered, &container.id)
    });
    running
        .await
        .unwrap_or_else(|e| Error::from(crate::engine::Error::Conflict(e.to_string())).into_response())
}

/// Starts it; the answer is what it prints, and its code.
async fn started(engine: &Engine, container: &Arc<Container>) -> Result<Response, Error> {
    let removed = container.record().host.auto_remove;
    let output = container.output.attach();
    engine.events.container("attach", container);
    let end = engine.wait(&container.id, if removed { Wait::Removed } else { Wait::NextExit })?;
    engine.start(&container.id).await?;
    let printed = stream::unfold(output, |mut output| async move {
        let chunk = output.recv().await?;
        Some((Bytes::from(Framing::Multiplexed.encode(&chunk)), output))
    });
    let last = stream::once(async move { Bytes::copy_from_slice(&ended(end.await)) });
    Ok(Body::from_stream(printed.chain(last).map(Ok::<_, Infallible>)).into_response())
}

fn named(mut answer: Response, id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(HEADER_CONTAINER, id);
    }
    answer
}
