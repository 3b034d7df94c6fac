//! One request passed on over a connection into the session, and its answer back; after a 101, bytes both ways.

use super::headers;
use super::words;
use crate::http::App;
use crate::session::permit::Permit;
use crate::session::ports::Place;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use futures_util::StreamExt;
use http_body_util::BodyStream;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a program may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(120);
/// The longest head of an answer.
const HEAD: usize = 256 * 1024;

/// Passes a request on, as long as it is permitted; `Err` is a page in words.
pub(super) async fn on(
    app: &App,
    mut request: Request,
    connection: OwnedFd,
    (place, permit): (Place, Permit),
) -> Result<Response, Response> {
    let broken = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "a preview broke");
        let more = "It closed the connection, or what it said is no HTTP.";
        words::page(StatusCode::BAD_GATEWAY, "the program in the session gave no answer", more)
    };
    let stream = std::net::TcpStream::from(connection);
    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
    let stream = stream.map_err(|e| broken(&e))?;
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD);
    let (mut sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let over = permit.clone().over();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = driver.with_upgrades() => ended,
            () = over => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a preview's connection ended");
        }
    });
    let browser = headers::upgrade(request.headers()).map(|_| hyper::upgrade::on(&mut request));
    let sent = sender.send_request(inward(app, request).map_err(|e| broken(&e))?);
    let answer = match tokio::time::timeout(ANSWER, sent).await {
        Ok(answer) => answer.map_err(|e| broken(&e))?,
        Err(_) => {
            let more = "It took the request, and is still thinking. Is the session paused?";
            let what = "the program in the session does not answer";
            return Err(words::page(StatusCode::GATEWAY_TIMEOUT, what, more));
        }
    };
    match (answer.status(), browser) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(browser)) => Ok(switched(answer, browser, (place, permit))),
        (StatusCode::SWITCHING_PROTOCOLS, None) => Err(broken(&"a change of protocol that nobody asked for")),
        _ => {
            let (mut parts, body) = answer.into_parts();
            headers::outward(&mut parts.headers);
            Ok(Response::from_parts(parts, held(body, place, permit)))
        }
    }
}

/// The request as the program gets it: by path alone, for itself as the host.
fn inward(app: &App, request: Request) -> Result<Request, axum::http::Error> {
    let (mut parts, body) = request.into_parts();
    headers::inward(&app.web, &mut parts.headers);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::builder().path_and_query(path).build()?;
    parts.version = axum::http::Version::HTTP_11;
    Ok(Request::from_parts(parts, body))
}

/// A body that keeps its connection's place until its end.
fn held(body: Incoming, place: Place, permit: Permit) -> Body {
    let frames = permit.hold(BodyStream::new(body).map(move |frame| {
        let _kept = &place;
        frame.map_err(io::Error::other)
    }));
    Body::new(http_body_util::StreamBody::new(Box::pin(frames)))
}

fn switched(
    mut answer: hyper::Response<Incoming>,
    browser: hyper::upgrade::OnUpgrade,
    (place, permit): (Place, Permit),
) -> Response {
    let program = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let _place = place;
        let (Ok(browser), Ok(program)) = tokio::join!(browser, program) else { return };
        let (mut browser, mut program) = (TokioIo::new(browser), TokioIo::new(program));
        let ended = tokio::select! {
            ended = tokio::io::copy_bidirectional(&mut browser, &mut program) => ended.map(drop),
            () = permit.over() => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a preview's socket ended");
        }
    });
    let (mut parts, _) = answer.into_parts();
    headers::outward(&mut parts.headers);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}
