//! The Docker Engine API over unix sockets, and Sandlot's extension endpoints; knows HTTP and the engine, nothing below.
//!
//! Three sockets: the engine's own, for root, with everything; a narrow one for the web server (see [`policy`]); and for the
//! web server, too, the [`registry`].

mod attach;
mod body;
mod browse;
mod build;
mod checkpoints;
mod configuration;
mod containers;
mod detach;
mod endpoints;
mod error;
mod events;
mod exec;
mod files;
mod filters;
mod hijack;
mod image_inspect;
mod image_list;
mod images;
mod info;
mod inspect;
mod list;
mod logs;
mod moment;
mod networks;
mod peer;
pub mod policy;
mod query;
mod registry;
mod removal;
mod router;
mod run;
mod sandlot;
mod save;
mod stats;
mod system;
mod transfer;
mod unknown;
mod unread;
mod version;
mod volumes;
mod websocket;

pub use error::Error;

use crate::engine::settings::OnStop;
use crate::engine::{Engine, Settings};
use axum::response::IntoResponse;
use hyper_util::rt::TokioIo;
use policy::Policy;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tower::ServiceExt;

/// The newest version of the Docker Engine API that is served.
pub const VERSION: &str = "1.47";
/// The oldest.
pub const OLDEST: &str = "1.24";

/// The most connections on one socket.
const CONNECTIONS: usize = 2048;

/// Why an engine does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine cannot take up its state.
    #[error(transparent)]
    Engine(#[from] crate::engine::Error),
    /// A socket cannot be made.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Runs an engine until `stop` says so; containers go on.
///
/// # Errors
/// See [`StartError`].
pub async fn run(settings: Settings, stop: watch::Receiver<bool>) -> Result<(), StartError> {
    let main = listen(&settings.socket, None)?;
    run_on(main, settings, stop).await
}

/// The same on a socket that somebody else has made.
///
/// # Errors
/// See [`StartError`].
pub async fn run_on(
    main: UnixListener,
    settings: Settings,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let narrow = settings.server.as_ref().map(|(path, uid)| listen(path, Some(*uid))).transpose()?;
    let uid = settings.server.as_ref().map_or(0, |(_, uid)| *uid);
    let registry = settings.registry.socket.as_ref().map(|path| listen(path, Some(uid))).transpose()?;
    let engine = Engine::open(settings).await?;
    let docker = |policy| Face::Docker(router::router(engine.clone(), policy));
    let all = serve(main, docker(Policy::Everything), Policy::Everything);
    let sessions = Policy::Sessions { uid };
    let narrow = maybe(narrow.map(|narrow| serve(narrow, docker(sessions), sessions)));
    let distribution = engine.distribution.clone();
    let swept = maybe(registry.is_some().then(|| distribution.clone().keep_swept()));
    let registry = registry.map(|socket| (socket, Face::Registry(registry::router(distribution))));
    let registry = maybe(registry.map(|(socket, face)| serve(socket, face, sessions)));
    tokio::select! {
        () = all => {}, () = narrow => {}, () = registry => {}, () = swept => {}, _ = stop.wait_for(|s| *s) => {}
    }
    let ending = engine.clone();
    if ending.settings.on_stop == OnStop::End {
        ending.end().await;
    }
    ending.close().await;
    Ok(())
}

/// A socket that root, or one user, may use; one that nobody listens on any more is replaced.
fn listen(path: &Path, owner: Option<u32>) -> Result<UnixListener, StartError> {
    let failed = |source| StartError::Listen { path: path.display().to_string(), source };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, "another engine listens there")));
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    if let Some(uid) = owner {
        std::os::unix::fs::chown(path, Some(uid), None).map_err(failed)?;
    }
    Ok(listener)
}

/// What a socket serves.
#[derive(Clone)]
enum Face {
    /// The Docker Engine API, and ours beside it.
    Docker(axum::Router),
    /// A registry.
    Registry(axum::Router),
}

/// What never ends where there is nothing to do.
async fn maybe(work: Option<impl Future<Output = ()>>) {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn serve(listener: UnixListener, face: Face, policy: Policy) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!("accept: {e}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        if !policy.admits(&stream) {
            continue;
        }
        let face = face.clone();
        tokio::spawn(async move {
            connection(stream, face).await;
            drop(place);
        });
    }
}

async fn connection(stream: UnixStream, face: Face) {
    let (peer, left) = (peer::Peer::of(&stream), unread::Left::default());
    let (to_peer, watched) = (peer.clone(), left.clone());
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let face = face.clone();
        request.extensions_mut().insert(to_peer.clone());
        let (request, rest) = unread::watched(request, &watched);
        async move {
            let answer = match face {
                Face::Registry(router) => router.oneshot(request).await?,
                Face::Docker(router) => match version::without(request) {
                    Ok(request) => router.oneshot(request).await?,
                    Err(refusal) => system::headers(refusal.into_response()).await,
                },
            };
            Ok::<_, std::convert::Infallible>(rest.settled(answer).await)
        }
    });
    let done = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(e) = done {
        // A client that went away in the middle is no concern of ours.
        tracing::debug!("connection: {e}");
    }
    if left.any()
        && let Some(stream) = peer.stream()
    {
        unread::thrown_away(stream).await;
    }
}
