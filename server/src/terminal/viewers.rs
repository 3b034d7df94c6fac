//! Who looks at a terminal, and who is too slow for it.
//!
//! ```text
//!  Live ──a widest window is undrawn, and another viewer has room──▶ Behind ──caught up──▶ Live, with a fresh screen
//! ```
//! A viewer's [`Window`] is what it may leave unacknowledged. As long as a live viewer's window is full and nobody else's
//! is open, the pty is not read: the program waits. Who of them drives is in [`super::seat`]. Knows neither pty nor ring.

use super::outbox::{Outbox, Parting};
use super::protocol::{NoticeLevel, ServerMessage, TerminalMode};
use super::window::Window;
use super::{Arrival, Page, Person, ViewerId};
use sandlot_wire::Size;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The most viewers of one terminal: each may have a window of bytes that wait for it.
pub(super) const MOST: usize = 64;

/// How long after its first unconfirmed key a page is told what was taken: one message for a burst of typing.
const CONFIRM: Duration = Duration::from_millis(100);

/// How long a viewer may leave a full window without any acknowledgement before it is disconnected.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Live,
    Behind,
}

#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) mode: TerminalMode,
    pub(super) outbox: Arc<Outbox>,
    /// The page behind it, if it named itself.
    pub(super) page: Option<Page>,
    /// Who it is.
    pub(super) person: Person,
    /// The size of its screen, once told.
    pub(super) size: Option<Size>,
    /// When somebody last typed there.
    pub(super) typed: Option<Instant>,
    /// What is to be confirmed of its typing, and when.
    unconfirmed: Option<(u64, Instant)>,
    pace: Pace,
    window: Window,
    /// Since when its window is full.
    full_since: Option<Instant>,
    /// Whether it was already told that it only looks on.
    told: Option<ViewOnly>,
}

/// That a read-only viewer was told so.
#[derive(Debug, Clone, Copy)]
struct ViewOnly;

impl Watcher {
    fn send(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        self.window.sent(bytes.len() as u64, now);
        self.outbox.push_bytes(bytes);
        if !self.window.has_room() {
            self.full_since.get_or_insert(now);
        }
    }

    fn has_room(&self) -> bool {
        self.window.has_room()
    }

    /// So much of its typing was taken, in all; it is told soon.
    pub(super) fn took(&mut self, bytes: u64) {
        let due = self.unconfirmed.map_or_else(|| Instant::now() + CONFIRM, |(_, due)| due);
        self.unconfirmed = Some((bytes, due));
    }

    /// Tells a read-only viewer, once, that what it sends is dropped.
    pub(super) fn refuse(&mut self) {
        if self.told.replace(ViewOnly).is_none() {
            let text = "you are looking on: what you type is not sent".to_owned();
            self.outbox.push_message(ServerMessage::Notice { level: NoticeLevel::Warning, text });
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Viewers {
    pub(super) all: BTreeMap<ViewerId, Watcher>,
    next: u64,
    /// Who drives: see [`super::seat`].
    pub(super) driver: Option<ViewerId>,
}

impl Viewers {
    /// A new viewer, with the bytes that rebuild the screen.
    pub(super) fn add(
        &mut self,
        arrival: Arrival,
        greeting: impl IntoIterator<Item = ServerMessage>,
        replay: &[u8],
    ) -> (ViewerId, Arc<Outbox>) {
        let Arrival { mode, page, person } = arrival;
        let id = ViewerId(self.next);
        self.next += 1;
        let outbox = Arc::new(Outbox::default());
        greeting.into_iter().for_each(|message| outbox.push_message(message));
        let mut watcher = Watcher {
            mode,
            outbox: outbox.clone(),
            page,
            person,
            size: None,
            typed: None,
            unconfirmed: None,
            pace: Pace::Live,
            window: Window::new(),
            full_since: None,
            told: None,
        };
        if !replay.is_empty() {
            watcher.send(replay);
        }
        self.all.insert(id, watcher);
        (id, outbox)
    }

    pub(super) fn remove(&mut self, id: ViewerId) {
        self.all.remove(&id);
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn tell(&self, id: ViewerId, message: ServerMessage) {
        if let Some(viewer) = self.all.get(&id) {
            viewer.outbox.push_message(message);
        }
    }

    pub(super) fn get_mut(&mut self, id: ViewerId) -> Option<&mut Watcher> {
        self.all.get_mut(&id)
    }

    pub(super) fn announce(&self, message: &ServerMessage, except: Option<ViewerId>) {
        for (_, viewer) in self.all.iter().filter(|(id, _)| Some(**id) != except) {
            viewer.outbox.push_message(message.clone());
        }
    }

    pub(super) fn end(&mut self, parting: Parting) {
        std::mem::take(&mut self.all).into_values().for_each(|viewer| viewer.outbox.end(parting));
    }

    /// Whether the pty may be read: nobody looks, or a live viewer has room.
    pub(super) fn may_read(&self) -> bool {
        let mut live = self.all.values().filter(|viewer| viewer.pace == Pace::Live).peekable();
        live.peek().is_none() || live.any(Watcher::has_room)
    }

    /// Sends what the terminal printed. A live viewer that has not drawn even the widest window falls behind (another has
    /// room: else the pty had not been read).
    pub(super) fn send(&mut self, bytes: &[u8]) {
        for viewer in self.all.values_mut().filter(|viewer| viewer.pace == Pace::Live) {
            if viewer.window.keeps_up() {
                viewer.send(bytes);
            } else {
                viewer.pace = Pace::Behind;
            }
        }
    }

    /// Takes an acknowledgement; whether the viewer is due a fresh screen now.
    pub(super) fn ack(&mut self, id: ViewerId, bytes: u64) -> Due {
        let Some(viewer) = self.all.get_mut(&id) else { return Due::Nothing };
        let now = Instant::now();
        viewer.window.ack(bytes, now);
        viewer.full_since = (!viewer.has_room()).then_some(now);
        match viewer.pace {
            Pace::Behind if viewer.window.is_caught_up() => Due::FreshScreen,
            _ => Due::Nothing,
        }
    }

    /// Makes a viewer live again, with the bytes that rebuild the screen.
    pub(super) fn refresh(&mut self, id: ViewerId, replay: &[u8]) {
        if let Some(viewer) = self.all.get_mut(&id) {
            viewer.pace = Pace::Live;
            viewer.send(b"\x1bc");
            viewer.send(replay);
        }
    }

    /// Lets the guests of a share go.
    pub(super) fn let_go(&mut self, share: &str) {
        self.all.retain(|_, viewer| {
            let stays = viewer.person.share.as_deref() != Some(share);
            if !stays {
                viewer.outbox.clear();
                viewer.outbox.end(Parting::Revoked);
            }
            stays
        });
    }

    /// Ends the viewer that a person's page was before its connection broke: nothing it still sends is taken. Whether it
    /// drove. Another person's page of the same name is another page.
    pub(super) fn replace(&mut self, page: &Page, person: &Person) -> bool {
        let (driver, mut drove) = (self.driver, false);
        self.all.retain(|id, viewer| {
            let replaced = viewer.page.as_ref() == Some(page) && viewer.person == *person;
            if replaced {
                drove |= driver == Some(*id);
                viewer.outbox.clear();
                viewer.outbox.end(Parting::Closed);
            }
            !replaced
        });
        drove
    }

    /// When the next viewer's patience ends, or a page is to be told what was taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let stalled = self.all.values().filter_map(|viewer| viewer.full_since).map(|since| since + PATIENCE);
        let confirmed = self.all.values().filter_map(|viewer| viewer.unconfirmed).map(|(_, due)| due);
        stalled.chain(confirmed).min()
    }

    /// Tells the pages whose time has come by `now` what was taken of their typing.
    pub(super) fn confirm(&mut self, now: Instant) {
        for viewer in self.all.values_mut() {
            if let Some((bytes, _)) = viewer.unconfirmed.take_if(|(_, due)| *due <= now) {
                viewer.outbox.push_message(ServerMessage::Taken { bytes });
            }
        }
    }

    /// Disconnects those who acknowledged nothing for [`PATIENCE`]; whether there were any.
    pub(super) fn drop_stalled(&mut self) -> bool {
        let before = self.all.len();
        self.all.retain(|_, viewer| {
            let stalled = viewer.full_since.is_some_and(|since| since.elapsed() >= PATIENCE);
            if stalled {
                viewer.outbox.clear();
                viewer.outbox.end(Parting::Stalled);
            }
            !stalled
        });
        self.all.len() < before
    }
}

/// What an acknowledgement brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// The viewer was behind and has caught up.
    FreshScreen,
}
