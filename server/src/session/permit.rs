//! What people do with a session beside its terminals, guests included, and for how long.
//!
//! What somebody does for a while, such as reading a large file or holding a preview's connection, may go on: for guests
//! until their link is revoked, for all others as long as they like.
//!
//! A revocation wakes all permits, and each asks whether it was its own: nothing is kept of who does what.

use super::error::Error;
use super::policy::{Caller, Guest};
use super::service::Sessions;
use super::table::Session;
use crate::terminal::protocol::TerminalMode;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use std::io;
use tokio::sync::watch;

/// See the module; cheap to clone.
#[derive(Clone)]
pub struct Permit {
    /// Whose it is, if it can end.
    guest: Option<Guest>,
    sessions: Sessions,
    revocations: watch::Receiver<()>,
}

/// What somebody does with a session: changing something keeps it from being idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Looks.
    Look,
    /// Changes something.
    Change,
}

impl Sessions {
    /// A session that is up, the caller's or shared with them, and its container.
    pub(super) fn up_shared(&self, caller: &Caller, id: &str, what: Use) -> Result<(Session, String), Error> {
        let (session, container) = match caller {
            Caller::Guest(guest) if guest.session == id => match (what, guest.mode) {
                (Use::Change, TerminalMode::View) => return Err(Error::LooksOn),
                _ => self.up(&Caller::Administrator, id)?,
            },
            _ => self.up(caller, id)?,
        };
        if what == Use::Change {
            session.activity.touch();
        }
        Ok((session, container))
    }

    /// That the caller may go on. Whoever has it when a link is revoked is told, however close together the two were.
    ///
    /// # Errors
    /// [`Error::Revoked`]: it was revoked already.
    pub async fn permit(&self, caller: &Caller) -> Result<Permit, Error> {
        // Listens first, asks then: what comes in between is heard.
        let revocations = self.inner.revocations.subscribe();
        let guest = match caller {
            Caller::Guest(guest) => Some(guest.clone()),
            Caller::Visitor(_) | Caller::Administrator => None,
        };
        let permit = Permit { guest, sessions: self.clone(), revocations };
        if permit.is_over().await { Err(Error::Revoked) } else { Ok(permit) }
    }
}

impl Permit {
    async fn is_over(&self) -> bool {
        let Some(guest) = &self.guest else { return false };
        let known = self.sessions.recall(&guest.session, &guest.share, guest.number).await;
        matches!(known, Err(Error::Revoked | Error::NoSession))
    }

    /// Comes when it is over; of those that never are, never.
    pub fn over(mut self) -> BoxFuture<'static, ()> {
        async move {
            if self.guest.is_none() {
                return std::future::pending().await;
            }
            // Who sends lives as long as the sessions that are held here.
            while self.revocations.changed().await.is_ok() && !self.is_over().await {}
        }
        .boxed()
    }

    /// A stream that breaks when it is over: whoever reads it must not take what came for the whole.
    pub fn hold<S, T, E>(self, stream: S) -> impl Stream<Item = Result<T, E>> + Send + 'static
    where
        S: Stream<Item = Result<T, E>> + Send + Unpin + 'static,
        T: Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
        futures_util::stream::unfold(Some((stream, self.over())), |held| async {
            let (mut stream, mut over) = held?;
            tokio::select! {
                biased;
                () = &mut over => Some((Err(io::Error::other("the link was revoked").into()), None)),
                item = stream.next() => Some((item?, Some((stream, over)))),
            }
        })
    }
}
