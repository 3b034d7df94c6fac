//! What sessions ask of whoever runs containers about ports: what listens, and a connection to it.
//!
//! Knows no HTTP.

use super::engine::Reply;
use super::permit::Use;
use super::policy::Caller;
use super::{Error, Sessions};
pub use sandlot_wire::Port;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections to one session at once.
const CONNECTIONS: usize = 64;

/// Ports of containers.
pub trait Ports: Send + Sync {
    /// What listens, in order.
    fn list<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Port>>;
    /// A TCP connection to a port of the container's loopback.
    fn dial<'a>(&'a self, container: &'a str, port: u16) -> Reply<'a, OwnedFd>;
    /// A socket that listens at a port of the container's loopback.
    fn listen<'a>(&'a self, container: &'a str, port: u16) -> Reply<'a, OwnedFd>;
}

/// How many connections each session has.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<String, usize>>>);

/// The place of one connection.
#[derive(Debug)]
pub struct Place {
    session: String,
    connections: Connections,
}

impl Connections {
    /// A place for one more connection to a session, if there is any.
    #[must_use]
    pub fn take(&self, session: &str) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(session.to_owned()).or_default();
        if *count >= CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Place { session: session.to_owned(), connections: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get_mut(&self.session).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            all.remove(&self.session);
        }
    }
}

impl Sessions {
    /// The ports of a session that is up, and its container.
    ///
    /// # Errors
    /// [`Error`]: neither the caller's nor shared with them, not up, an engine that has no such calls.
    pub fn ports(&self, caller: &Caller, id: &str) -> Result<(&dyn Ports, String), Error> {
        let (_, container) = self.up_shared(caller, id, Use::Look)?;
        let ports = self.inner.engine.ports().ok_or(Error::NotOffered("ports of a session"))?;
        Ok((ports, container))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_so_many_connections_and_no_more() {
        let connections = Connections::default();
        let mut places: Vec<Place> = (0..CONNECTIONS).map(|_| connections.take("a").unwrap()).collect();
        assert!(connections.take("a").is_none());
        assert!(connections.take("b").is_some(), "another session has its own");
        places.pop();
        assert!(connections.take("a").is_some());
        places.clear();
        assert!(connections.0.lock().unwrap().is_empty());
    }
}
