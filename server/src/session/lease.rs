//! How long a session has left: its lifetime, and the time until it is ended because nobody types.
//!
//! In seconds that remain, so that nobody's clock has to be right but the server's. Pure: the caller says what time it is.

use super::policy::Policy;
use super::service::{rfc3339, seconds};
use super::table::Session;
use crate::terminal::protocol::ServerMessage;

/// Seconds before an end at which a session's viewers are told.
const WARNINGS: [i64; 2] = [300, 60];

/// What a session has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Seconds of its lifetime.
    pub remaining: u64,
    /// Seconds until it is ended if nobody types; only while it is up.
    pub idle_remaining: Option<u64>,
    /// How often it may be extended.
    pub extensions_left: u32,
}

impl Lease {
    /// What `session` has left at second `now`.
    #[must_use]
    pub fn of(session: &Session, policy: &Policy, now: i64) -> Self {
        let until = |second: i64| u64::try_from(second.saturating_sub(now)).unwrap_or(0);
        Self {
            remaining: until(session.expires_at),
            idle_remaining: session.state.is_up().then(|| until(idle_end(session, policy))),
            extensions_left: policy.extensions.saturating_sub(session.extensions),
        }
    }

    /// The message that tells it to a session's viewers.
    #[must_use]
    pub fn message(self, session: &Session) -> ServerMessage {
        ServerMessage::Lease {
            expires_at: rfc3339(session.expires_at),
            remaining_seconds: self.remaining,
            extensions_left: self.extensions_left,
        }
    }
}

/// The second in which a session is ended if nobody types until then.
pub(super) fn idle_end(session: &Session, policy: &Policy) -> i64 {
    session.activity.last().saturating_add(seconds(policy.idle))
}

/// What viewers are to be told between two looks at the clock, for one of [`WARNINGS`] was passed.
pub(super) fn warning(session: &Session, policy: &Policy, before: i64, now: i64) -> Option<String> {
    let passed = |end: i64| {
        let crossed = |left: &&i64| end - before > **left && end - now <= **left;
        WARNINGS.iter().rev().find(crossed)
    };
    if let Some(left) = passed(session.expires_at) {
        let more = match Lease::of(session, policy, now).extensions_left {
            0 => "save what you need",
            _ => "extend it if you need more",
        };
        return Some(format!("this session ends in {} min: {more}", left / 60));
    }
    let left = passed(idle_end(session, policy))?;
    Some(format!("nobody has typed for a while: this session ends in {} min unless you type", left / 60))
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{policy, session};
    use super::*;
    use std::time::Duration;

    fn lasting(idle: u64, extensions: u32) -> Policy {
        Policy { idle: Duration::from_secs(idle), extensions, ..policy() }
    }

    #[test]
    fn each_warning_comes_once_and_the_nearest_end_wins() {
        let mut session = session("1", "a");
        session.activity.touch();
        let now = session.activity.last();
        session.expires_at = now + 400;
        let policy = lasting(100_000, 0);
        let told: Vec<String> =
            (now..now + 400).filter_map(|second| warning(&session, &policy, second, second + 1)).collect();
        let expected = [
            "this session ends in 5 min: save what you need",
            "this session ends in 1 min: save what you need",
        ];
        assert_eq!(told, expected);
        assert!(warning(&session, &lasting(100_000, 1), now + 99, now + 100).unwrap().contains("extend"));
        // A server that slept through both tells the later one.
        assert!(warning(&session, &policy, now, now + 390).unwrap().contains("1 min"));
        session.expires_at = now + 100_000;
        let idle = warning(&session, &lasting(600, 0), now + 299, now + 300).unwrap();
        assert!(idle.contains("5 min unless you type"), "{idle}");
    }

    #[test]
    fn what_is_left_is_never_less_than_nothing() {
        let mut session = session("1", "a");
        session.expires_at = 10;
        let lease = Lease::of(&session, &policy(), 20);
        assert_eq!((lease.remaining, lease.idle_remaining), (0, None));
    }
}
