//! How many sessions of each kind are to be ready: from what was asked for lately, what was announced, and the budget.
//!
//! Pure: the caller says what time it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a request is remembered.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// The time within which requests count as one burst: as long as it may take to make so many anew.
const BURST: Duration = Duration::from_secs(10);

/// Requests of a kind that are remembered; more than a budget is large do not matter.
const REQUESTS: usize = 1024;

/// What sessions that are made ahead may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// How many, of all kinds together.
    pub count: usize,
    /// Bytes of memory, of all kinds together.
    pub memory: u64,
    /// How many of each image of the catalogue, also if nobody asked lately.
    pub minimum: usize,
}

/// When sessions of a kind were asked for.
#[derive(Debug, Default)]
pub(super) struct Demand(VecDeque<Instant>);

impl Demand {
    /// Notes a request.
    pub(super) fn note(&mut self, now: Instant) {
        self.forget(now);
        if self.0.len() >= REQUESTS {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// The largest burst that is remembered.
    pub(super) fn peak(&mut self, now: Instant) -> usize {
        self.forget(now);
        let (mut first, mut most) = (0, 0);
        for (last, time) in self.0.iter().enumerate() {
            while time.duration_since(self.0[first]) > BURST {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    /// When somebody last asked.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.back().copied()
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|time| now.duration_since(*time) > MEMORY) {
            self.0.pop_front();
        }
    }
}

/// How many of one kind would be good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Want {
    /// Announced for a time that is now.
    pub(super) announced: usize,
    /// Always.
    pub(super) minimum: usize,
    /// The largest burst of late.
    pub(super) peak: usize,
}

/// How many of each kind there are to be, at most `room` in all: what was announced first, then every kind's minimum, then
/// what is likely; among equals who stands first.
pub(super) fn share(wants: &[Want], room: usize) -> Vec<usize> {
    let mut shares = vec![0; wants.len()];
    let mut left = room;
    let rounds: [fn(&Want) -> usize; 3] = [|want| want.announced, |want| want.minimum, |want| want.peak];
    for round in rounds {
        for (share, want) in shares.iter_mut().zip(wants) {
            let more = round(want).saturating_sub(*share).min(left);
            *share += more;
            left -= more;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_burst_counts_until_it_is_long_ago() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut demand = Demand::default();
        for second in [0, 100, 101, 102, 200] {
            demand.note(at(second));
        }
        assert_eq!((demand.peak(at(201)), demand.last()), (3, Some(at(200))));
        assert_eq!(demand.peak(at(102 + 900)), 1);
        assert_eq!(demand.peak(at(200 + 901)), 0);
        for _ in 0..2 * REQUESTS {
            demand.note(at(2000));
        }
        assert_eq!(demand.peak(at(2000)), REQUESTS);
    }

    #[test]
    fn what_was_announced_goes_first_and_the_budget_is_never_exceeded() {
        let want = |announced, minimum, peak| Want { announced, minimum, peak };
        let wants = [want(0, 1, 9), want(0, 1, 3), want(4, 1, 0), want(0, 0, 2)];
        assert_eq!(share(&wants, 100), [9, 3, 4, 2]);
        assert_eq!(share(&wants, 10), [5, 1, 4, 0]);
        assert_eq!(share(&wants, 5), [1, 0, 4, 0]);
        assert_eq!(share(&wants, 3), [0, 0, 3, 0]);
        assert_eq!(share(&wants, 0), [0; 4]);
        assert_eq!(share(&[], 7), Vec::<usize>::new());
    }
}
