//! Ends what has lived long enough: sessions whose lifetime is over, that nobody uses, or that left the queue.

use super::lease::{idle_end, warning};
use super::policy::Policy;
use super::service::{Sessions, now};
use super::state::{Reason, State};
use super::table::Session;
use crate::terminal::protocol::{NoticeLevel, ServerMessage};
use std::time::Duration;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(1);

/// Seconds without a question after which a queued session has left.
const LEFT: i64 = 120;

/// Seconds for which an ended session can still be looked at.
const REMEMBERED: i64 = 24 * 3600;

impl Sessions {
    /// Starts the tasks that keep sessions in order; they end with the process.
    pub fn run(&self) -> [tokio::task::AbortHandle; 4] {
        let compared = tokio::spawn(self.clone().keep_compared());
        let reaped = tokio::spawn(self.clone().keep_reaped());
        let filled = tokio::spawn(self.clone().keep_pool());
        let metered = tokio::spawn(self.clone().keep_metered());
        [compared, reaped, filled, metered].map(|task| task.abort_handle())
    }

    async fn keep_reaped(self) {
        let mut before = now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = now();
            self.reap(before, now).await;
            before = now;
        }
    }

    async fn reap(&self, before: i64, now: i64) {
        let all: Vec<Session> =
            self.table(|table| table.all().filter(|session| !session.state.is_ended()).cloned().collect());
        for session in all {
            match due(&session, self.policy(), now) {
                Some((reason, message)) => self.end(&session.id, reason, message).await,
                None => self.warn(&session, before, now).await,
            }
        }
        self.table(|table| table.forget_ended(now - REMEMBERED));
        if now / 3600 != before / 3600 {
            let store = &self.inner.store;
            let forgotten = store.forget_ended(&self.inner.node, now - REMEMBERED).await;
            if let Err(error) = async { forgotten.map(drop).and(store.forget_shares().await) }.await {
                tracing::warn!(%error, "old sessions could not be forgotten");
            }
        }
    }

    /// Tells viewers that the end is near.
    async fn warn(&self, session: &Session, before: i64, now: i64) {
        if let Some(text) = warning(session, self.policy(), before, now).filter(|_| session.state.is_up()) {
            self.announce(session, &ServerMessage::Notice { level: NoticeLevel::Warning, text }).await;
        }
    }
}

/// Why a session is to end now.
fn due(session: &Session, policy: &Policy, now: i64) -> Option<(Reason, &'static str)> {
    match session.state {
        State::Queued if now - session.seen_at > LEFT => {
            Some((Reason::Abandoned, "nobody waited for this session any more"))
        }
        State::Running | State::Paused if now >= session.expires_at => {
            Some((Reason::Expired, "the session's time is over"))
        }
        State::Running | State::Paused if now >= idle_end(session, policy) => {
            Some((Reason::Idle, "nobody typed for a while, so the session was ended"))
        }
        _ => None,
    }
}
