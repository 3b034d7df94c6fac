//! How many bytes a viewer may leave unacknowledged: as many as it draws in a moment, so that what is typed acts soon
//! however slow the viewer is.
//!
//! What a viewer has not drawn yet stands between a key (Ctrl-C) and its effect. So the window shrinks while bytes wait
//! longer than [`TARGET`] at the viewer, beyond what the network itself takes, and grows while they do not. Knows no viewer.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The widest window.
pub const WIDEST: u64 = 1024 * 1024;

/// The window of a viewer of whom nothing is known yet.
pub(super) const FIRST: u64 = 256 * 1024;

/// The narrowest: still 640 KiB a second to a viewer on the other side of the world.
const NARROWEST: u64 = 64 * 1024;

/// How long bytes may wait to be drawn.
const TARGET: Duration = Duration::from_millis(40);

/// The longest way that a network is believed to take by itself.
const FARTHEST: Duration = Duration::from_millis(400);

/// Moments of sending that are remembered at once.
const MARKS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    sent: u64,
    acked: u64,
    marks: VecDeque<(u64, Instant)>,
    /// The shortest time in which bytes came back: the network's own.
    nearest: Duration,
    /// The size is not changed again before this much is acknowledged.
    settled: u64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { size: FIRST, sent: 0, acked: 0, marks: VecDeque::new(), nearest: FARTHEST, settled: 0 }
    }

    fn unacked(&self) -> u64 {
        self.sent - self.acked
    }

    pub(super) fn has_room(&self) -> bool {
        self.unacked() < self.size
    }

    /// Whether the viewer may still be sent what others read: it has a widest window at most to draw.
    pub(super) fn keeps_up(&self) -> bool {
        self.unacked() < WIDEST
    }

    /// Whether a viewer that was too slow has drawn nearly all that it was sent.
    pub(super) fn is_caught_up(&self) -> bool {
        self.unacked() <= self.size / 8
    }

    pub(super) fn sent(&mut self, bytes: u64, now: Instant) {
        self.sent += bytes;
        if self.marks.len() < MARKS {
            self.marks.push_back((self.sent, now));
        }
    }

    /// Takes an acknowledgement; no more than was sent is believed.
    pub(super) fn ack(&mut self, bytes: u64, now: Instant) {
        self.acked = self.acked.saturating_add(bytes).min(self.sent);
        let mut took = None;
        while let Some((_, at)) = self.marks.front().filter(|(end, _)| *end <= self.acked) {
            took = Some(now.duration_since(*at));
            self.marks.pop_front();
        }
        let Some(took) = took else { return };
        self.nearest = self.nearest.min(took);
        if self.acked < self.settled {
            return;
        }
        let waited = took.saturating_sub(self.nearest);
        self.size = match waited {
            _ if waited > TARGET => (self.size / 2).max(NARROWEST),
            _ if waited < TARGET / 2 => (self.size + self.size / 4).min(WIDEST),
            _ => self.size,
        };
        self.settled = self.sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A viewer that draws so many bytes a millisecond, over a network that takes so long; what its window comes to.
    fn settle(drawn: u64, network: u64) -> u64 {
        let (start, mut window) = (Instant::now(), Window::new());
        let mut queue: VecDeque<(u64, u64)> = VecDeque::new();
        for now in 0..4_000_u64 {
            let at = start + Duration::from_millis(now);
            while window.has_room() {
                window.sent(16 * 1024, at);
                queue.push_back((now + network, 16 * 1024));
            }
            let mut left = drawn;
            while let Some((arrived, bytes)) =
                queue.front_mut().filter(|(arrived, _)| *arrived <= now && left > 0)
            {
                let n = left.min(*bytes);
                (left, *bytes) = (left - n, *bytes - n);
                window.ack(n, at);
                let _ = arrived;
                if *bytes == 0 {
                    queue.pop_front();
                }
            }
        }
        window.size
    }

    #[test]
    fn a_fast_viewer_gets_the_widest_window_and_a_slow_one_what_it_draws_in_a_moment() {
        assert_eq!(settle(100 * 1024, 0), WIDEST);
        let slow = settle(3 * 1024, 0);
        assert!((NARROWEST..=256 * 1024).contains(&slow), "{slow}");
        assert_eq!(settle(256, 0), NARROWEST);
    }

    #[test]
    fn a_far_viewer_is_no_slow_one() {
        assert_eq!(settle(100 * 1024, 150), WIDEST);
    }

    #[test]
    fn what_was_never_sent_cannot_be_acknowledged() {
        let mut window = Window::new();
        window.sent(FIRST, Instant::now());
        assert!(!window.has_room());
        window.ack(u64::MAX, Instant::now());
        window.sent(WIDEST, Instant::now());
        assert!(!window.has_room());
    }
}
