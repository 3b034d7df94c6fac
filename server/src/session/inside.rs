//! What a session reaches on its own loopback: a service that was handed in, listening inside the session's network namespace.
//!
//! The listener is there before anything of the visitor's runs, and says by itself which session asks. Knows no protocol.

use super::Sessions;
use super::policy::Caller;
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::task::AbortHandle;

/// A service for sessions.
pub trait Service: Send + Sync + 'static {
    /// The name by which sessions call it.
    fn name(&self) -> &str;
    /// The port of the loopback.
    fn port(&self) -> u16;
    /// Serves who connects, until the handle is used.
    fn serve(&self, session: String, listener: TcpListener) -> AbortHandle;
}

/// The service, if there is one, and where it listens.
#[derive(Default)]
pub(super) struct Inside {
    service: OnceLock<Arc<dyn Service>>,
    open: Mutex<HashMap<String, Open>>,
}

/// One listener, closed when dropped.
struct Open(AbortHandle);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inside {
    /// What stands in a session's hosts file.
    pub(super) fn names(&self) -> Vec<String> {
        self.service.get().map(|service| service.name().to_owned()).into_iter().collect()
    }

    /// Closes the listener in a container.
    pub(super) fn close(&self, container: &str) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
        drop(open);
    }
}

impl Sessions {
    /// Hands the service in, once, before [`Sessions::run`].
    pub fn offer(&self, service: Arc<dyn Service>) {
        if self.inner.inside.service.set(service).is_err() {
            tracing::warn!("a second service for sessions was handed in: the first one stays");
        }
    }

    /// Lets the service listen in a session's container. Without it the session goes on.
    pub(super) async fn furnish(&self, session: &str, container: &str) {
        let inside = &self.inner.inside;
        let (Some(service), Some(ports)) = (inside.service.get(), self.inner.engine.ports()) else { return };
        match ports.listen(container, service.port()).await {
            Ok(listener) => {
                let handle = service.serve(session.to_owned(), TcpListener::from(listener));
                let mut open = inside.open.lock().unwrap_or_else(PoisonError::into_inner);
                open.insert(container.to_owned(), Open(handle));
            }
            Err(error) => {
                let (service, port) = (service.name(), service.port());
                tracing::warn!(session, service, port, %error, "a service cannot be reached by the session");
            }
        }
    }

    /// The port at which the service listens in a container, and not a program of the session's.
    #[must_use]
    pub fn served(&self, container: &str) -> Option<u16> {
        let open = self.inner.inside.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.inside.service.get().filter(|_| open.contains_key(container)).map(|service| service.port())
    }

    /// Whose a session is that is not over.
    #[must_use]
    pub fn owner(&self, session: &str) -> Option<Caller> {
        self.table(|table| {
            let session = table.get(session).filter(|session| !session.state.is_ended())?;
            Some(Caller::named(&session.owner))
        })
    }
}
