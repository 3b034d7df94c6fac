//! Who of a terminal's viewers drives: the terminal has their size, and their page answers programs' questions.
//!
//! ```text
//!  nobody ──tells a size, or types──▶ driver ──another types after a pause, or asks──▶ that one
//!    ▲                                  └──leaves──▶ who typed last of those with a size
//!    └────────────────────────────────────────────── nobody with a size is left
//! ```
//! Two who type at once do not tear the size back and forth: the seat is kept for [`TURN`] after each key. Who looks on
//! never drives.

use super::ViewerId;
use super::protocol::{Onlooker, ServerMessage, TerminalMode};
use super::viewers::Viewers;
use sandlot_wire::Size;
use std::time::Duration;
use tokio::time::Instant;

/// How long after its last key a driver keeps the seat.
const TURN: Duration = Duration::from_secs(3);

impl Viewers {
    /// Whether a page is there that answers programs' questions: one that told its size is a terminal.
    pub(super) fn is_driven(&self) -> bool {
        self.seated().is_some()
    }

    /// The driver's size.
    fn seated(&self) -> Option<Size> {
        self.all.get(&self.driver?)?.size
    }

    /// Somebody typed; the size that the terminal is to have if the seat changes by it.
    pub(super) fn typed(&mut self, id: ViewerId, now: Instant) -> Option<Size> {
        let last = self.driver.filter(|driver| *driver != id).and_then(|driver| self.all.get(&driver));
        let taken = last.is_some_and(|driver| driver.typed.is_some_and(|at| now.duration_since(at) < TURN));
        let viewer = self.all.get_mut(&id)?;
        viewer.typed = Some(now);
        if taken || self.driver == Some(id) {
            return None;
        }
        self.drive(id)
    }

    /// Somebody has a size; whether the terminal is to have it.
    pub(super) fn sized(&mut self, id: ViewerId, size: Size) -> Option<Size> {
        self.all.get_mut(&id)?.size = Some(size);
        match self.driver {
            Some(driver) if driver == id => Some(size),
            // A program that types and has no screen leaves the size to those who have one.
            Some(_) if self.seated().is_some() => None,
            _ => self.drive(id),
        }
    }

    /// Gives somebody the seat; the size that comes with it.
    pub(super) fn drive(&mut self, id: ViewerId) -> Option<Size> {
        let viewer = self.all.get(&id).filter(|viewer| viewer.mode == TerminalMode::Control)?;
        let size = viewer.size;
        self.driver = Some(id);
        self.tell_people();
        size
    }

    /// Somebody has left, or several have; the size of who drives now instead.
    pub(super) fn left(&mut self) -> Option<Size> {
        let gone = self.driver.is_some_and(|driver| !self.all.contains_key(&driver));
        if gone {
            self.driver = None;
            let able = |(_, viewer): &(_, &super::viewers::Watcher)| {
                viewer.mode == TerminalMode::Control && viewer.size.is_some()
            };
            let next = self.all.iter().filter(able).max_by_key(|(id, viewer)| (viewer.typed, **id));
            if let Some(id) = next.map(|(id, _)| *id) {
                return self.drive(id);
            }
        }
        self.tell_people();
        None
    }

    /// Tells everybody who is there.
    pub(super) fn tell_people(&self) {
        for (reader, viewer) in &self.all {
            let people = self.all.iter().map(|(id, other)| Onlooker {
                name: other.person.name.clone(),
                mode: other.mode,
                drives: self.driver == Some(*id),
                you: id == reader,
            });
            viewer.outbox.push_message(ServerMessage::People { people: people.collect() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Arrival;

    const WIDE: Size = Size { cols: 120, rows: 40 };
    const NARROW: Size = Size { cols: 40, rows: 20 };

    fn join(viewers: &mut Viewers, mode: TerminalMode) -> ViewerId {
        viewers.add(Arrival::from(mode), [], b"").0
    }

    #[test]
    fn the_size_follows_who_types_and_not_who_only_has_another() {
        let (mut viewers, now) = (Viewers::default(), Instant::now());
        let (a, b) = (join(&mut viewers, TerminalMode::Control), join(&mut viewers, TerminalMode::Control));
        assert_eq!(viewers.sized(a, WIDE), Some(WIDE));
        assert_eq!(viewers.sized(b, NARROW), None);
        assert_eq!(viewers.typed(a, now), None);
        assert_eq!(viewers.typed(b, now + TURN / 2), None, "both type: nothing jumps");
        assert_eq!(viewers.typed(b, now + TURN), Some(NARROW));
        assert_eq!(viewers.drive(a), Some(WIDE), "asked for");
        viewers.remove(a);
        assert_eq!(viewers.left(), Some(NARROW));
        viewers.remove(b);
        assert_eq!((viewers.left(), viewers.is_driven()), (None, false));
    }

    #[test]
    fn who_looks_on_and_who_has_no_screen_leave_the_size_alone() {
        let (mut viewers, now) = (Viewers::default(), Instant::now());
        let looks = join(&mut viewers, TerminalMode::View);
        assert_eq!(viewers.drive(looks), None);
        assert!(!viewers.is_driven());
        let program = join(&mut viewers, TerminalMode::Control);
        assert_eq!(viewers.typed(program, now), None);
        assert!(!viewers.is_driven(), "a program without a size answers no questions");
        let page = join(&mut viewers, TerminalMode::Control);
        assert_eq!(viewers.sized(page, WIDE), Some(WIDE));
        assert!(viewers.is_driven());
    }
}
