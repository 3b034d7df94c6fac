//! Ranges of host ids: each container holds one, and no two hold the same, but within a container, whose one range all share.

use crate::container::spec::IdRange;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many ids a container has.
const COUNT: u32 = 65_536;

/// The ranges that are handed out.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Mutex<Free>>);

#[derive(Debug)]
struct Free {
    first: u32,
    /// How far the next range is.
    stride: u32,
    next: u32,
    most: u32,
    returned: BTreeSet<u32>,
}

/// A range that is held; dropping gives it back.
#[derive(Debug)]
pub struct Slot {
    number: u32,
    range: IdRange,
    from: Slots,
}

impl Slots {
    /// `most` ranges from the host id `first` on.
    #[must_use]
    pub fn new(first: u32, most: u32) -> Self {
        Self::every(COUNT, first, most.min((u32::MAX - first) / COUNT))
    }

    /// `most` times the range that the engine itself has, id by id.
    #[must_use]
    pub fn shared(most: u32) -> Self {
        Self::every(0, 0, most)
    }

    fn every(stride: u32, first: u32, most: u32) -> Self {
        Self(Arc::new(Mutex::new(Free { first, stride, next: 0, most, returned: BTreeSet::new() })))
    }

    /// A free range; `None` when all are held.
    #[must_use]
    pub fn take(&self) -> Option<Slot> {
        let number = {
            let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match free.returned.pop_first() {
                Some(number) => number,
                None if free.next < free.most => {
                    free.next += 1;
                    free.next - 1
                }
                None => return None,
            }
        };
        Some(self.slot(number))
    }

    /// The range of that number, which a record says is held; `None` if another holds it.
    #[must_use]
    pub fn claim(&self, number: u32) -> Option<Slot> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if number >= free.most {
            return None;
        }
        while free.next <= number {
            let next = free.next;
            free.returned.insert(next);
            free.next += 1;
        }
        let free_now = free.returned.remove(&number);
        drop(free);
        free_now.then(|| self.slot(number))
    }

    fn slot(&self, number: u32) -> Slot {
        let (first, stride) = {
            let free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (free.first, free.stride)
        };
        let range = IdRange { base: first + number * stride, count: COUNT };
        Slot { number, range, from: self.clone() }
    }
}

impl Slot {
    /// The number that stands in a record.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The ids.
    #[must_use]
    pub fn range(&self) -> IdRange {
        self.range
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.from.0.lock().unwrap_or_else(PoisonError::into_inner).returned.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_hold_the_same_and_what_is_dropped_comes_back() {
        let slots = Slots::new(1 << 20, 2);
        let (a, b) = (slots.take().unwrap(), slots.take().unwrap());
        assert_ne!(a.range(), b.range());
        assert!(slots.take().is_none());
        let number = a.number();
        drop(a);
        assert_eq!(slots.take().unwrap().number(), number);
    }

    #[test]
    fn a_claimed_one_is_not_handed_out() {
        let slots = Slots::new(1 << 20, 4);
        let held = slots.claim(2).unwrap();
        assert!(slots.claim(2).is_none() && slots.claim(4).is_none());
        let others: Vec<u32> = std::iter::from_fn(|| slots.take())
            .map(|s| {
                let number = s.number();
                std::mem::forget(s);
                number
            })
            .collect();
        assert_eq!(others, [0, 1, 3]);
        drop(held);
        assert_eq!(slots.take().unwrap().number(), 2);
    }

    #[test]
    fn ranges_never_reach_past_the_last_id() {
        let slots = Slots::new(u32::MAX - 3 * COUNT, 100);
        assert_eq!(std::iter::from_fn(|| slots.take().map(std::mem::ManuallyDrop::new)).count(), 3);
    }
}
