//! How much each page has typed so far, so that one whose connection broke knows what to send again and what not.
//!
//! A page names itself when it attaches and keeps what was not confirmed. Kept in memory only: a server that was started
//! again knows no page, and says so. Knows no viewer.

use std::collections::{HashMap, VecDeque};

/// Pages that are remembered; with more, the one that came first is forgotten.
const PAGES: usize = 64;

/// The longest name, in bytes.
const NAME: usize = 64;

/// The name that a page gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page(String);

impl Page {
    /// A name out of a request: letters and digits, not too many.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let fits = (1..=NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(name.to_owned()))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Taken {
    bytes: HashMap<Page, u64>,
    order: VecDeque<Page>,
}

impl Taken {
    /// What was taken of a page before; `None`: it comes for the first time, and is remembered from here on.
    pub(super) fn of(&mut self, page: &Page) -> Option<u64> {
        if let Some(bytes) = self.bytes.get(page) {
            return Some(*bytes);
        }
        if self.order.len() >= PAGES
            && let Some(first) = self.order.pop_front()
        {
            self.bytes.remove(&first);
        }
        self.bytes.insert(page.clone(), 0);
        self.order.push_back(page.clone());
        None
    }

    /// Takes so many bytes more; all of them.
    pub(super) fn add(&mut self, page: &Page, bytes: usize) -> Option<u64> {
        let count = self.bytes.get_mut(page)?;
        *count += bytes as u64;
        Some(*count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_finds_its_count_again_and_the_oldest_of_many_is_forgotten() {
        let mut taken = Taken::default();
        let first = Page::named("first").unwrap();
        assert_eq!(taken.of(&first), None);
        assert_eq!((taken.add(&first, 3), taken.add(&first, 4)), (Some(3), Some(7)));
        assert_eq!(taken.of(&first), Some(7));
        for n in 0..PAGES {
            taken.of(&Page::named(&format!("p{n}")).unwrap());
        }
        assert_eq!(taken.add(&first, 1), None);
        assert_eq!((taken.of(&first), taken.bytes.len()), (None, PAGES));
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["", "a b", "é", "../x", &"x".repeat(65)] {
            assert_eq!(Page::named(name), None, "{name:?}");
        }
    }
}
