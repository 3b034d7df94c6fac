//! The server as a whole: put together, listening, shut down.
//!
//! Sessions go on when it ends: containers are the engine's, and what terminals print is kept in their rings.

use crate::config::{Patience, Web};
use crate::course::learning::Learning;
use crate::course::shelf::Shelf;
use crate::http::App;
use crate::http::auth::{self, Keys, Token};
use crate::session::engine::Engine;
use crate::session::policy::Policy;
use crate::session::{self, Sessions};
use crate::store::{self, Store};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 4096;

/// Bytes of a request's head.
const HEAD: usize = 64 * 1024;

/// How long requests that are being answered may take once the server is to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// After a connection could not be accepted (no descriptors left), before the next try.
const BREATH: Duration = Duration::from_millis(100);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The sessions.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] auth::Error),
    /// The state folder.
    #[error("cannot use the state folder: {0}")]
    State(#[from] io::Error),
}

/// See the module.
pub struct Server {
    app: App,
    patience: Patience,
    sessions: Sessions,
    store: Store,
    tasks: [AbortHandle; 4],
    stop: CancellationToken,
    login: Option<String>,
}

impl Server {
    /// Opens the state in `folder` and begins to take up the sessions that it knows.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn new(
        folder: &Path,
        engine: Arc<dyn Engine>,
        policy: Policy,
        web: Web,
        admin_token: Option<String>,
    ) -> Result<Self, Error> {
        let (keys, made) = Keys::open(folder, admin_token)?;
        let store = Store::open(&folder.join("sandlot.db")).await?;
        let sessions = Sessions::load(engine, store.clone(), policy, node(folder)?, folder).await?;
        let base =
            web.public_url.as_ref().map_or_else(|| crate::config::url(web.listen), ToString::to_string);
        let login = (made == Token::Made).then(|| format!("{base}admin?token={}", keys.token()));
        let (patience, stop) = (web.patience, CancellationToken::new());
        // Another engine has no registry for us.
        let web = Web { registry: web.registry.filter(|_| sessions.voids().is_empty()), ..web };
        let registry = web.registry.is_some();
        let learning = Learning::new(Shelf::new(web.courses.clone()), sessions.clone(), store.clone());
        let app = App::new(learning, sessions.clone(), keys, web, stop.clone());
        if registry {
            sessions.offer(app.inside());
        }
        let tasks = sessions.run();
        Ok(Self { app, patience, sessions, store, tasks, stop, login })
    }

    /// The address that makes a browser the administrator's, if its token was made just now.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// Whether the sessions of before the start were taken up.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.sessions.is_recovered()
    }

    /// What ends [`Server::listen`].
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Serves until it is stopped, then lets requests end and closes the database.
    pub async fn listen(self, listener: TcpListener) {
        let (places, tracker) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        let service = TowerToHyperService::new(self.app.clone().router());
        loop {
            let accept = async {
                let place = places.clone().acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accept => accepted,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = serve(stream, service.clone(), self.patience, self.stop.clone());
                    tracker.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(listener);
        tracker.close();
        let _ = tokio::time::timeout(FAREWELL, tracker.wait()).await;
        self.tasks.iter().for_each(AbortHandle::abort);
        self.sessions.let_go().await;
        self.store.close().await;
    }
}

async fn serve(
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
    patience: Patience,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

/// This server's name among others: random, made once.
fn node(folder: &Path) -> Result<String, io::Error> {
    let file = folder.join("node");
    match std::fs::read_to_string(&file) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Ok(_) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(error),
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = hex::encode(random);
    std::fs::write(&file, &name)?;
    Ok(name)
}
