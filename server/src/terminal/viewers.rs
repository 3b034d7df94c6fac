//! Who looks at a terminal, and who is too slow for it.
//!
//! ```text
//!  Live ──window full, and another viewer is not──▶ Behind ──caught up──▶ Live, with a fresh screen
//! ```
//! A viewer's window is what it has not acknowledged. As long as a live viewer's window is full and nobody else's is
//! open, the pty is not read: the program waits. Knows neither pty nor ring.

use super::outbox::{Outbox, Parting};
use super::protocol::{NoticeLevel, ServerMessage, TerminalMode};
use super::{Page, ViewerId, WINDOW};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A viewer that is behind is live again once no more than this is unacknowledged.
const CAUGHT_UP: u64 = WINDOW / 8;

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
    /// What is to be confirmed of its typing, and when.
    unconfirmed: Option<(u64, Instant)>,
    pace: Pace,
    unacked: u64,
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
        self.unacked += bytes.len() as u64;
        self.outbox.push_bytes(bytes);
        if self.unacked >= WINDOW {
            self.full_since.get_or_insert_with(Instant::now);
        }
    }

    fn has_room(&self) -> bool {
        self.unacked < WINDOW
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
    all: BTreeMap<ViewerId, Watcher>,
    next: u64,
}

impl Viewers {
    /// A new viewer, with the bytes that rebuild the screen.
    pub(super) fn add(
        &mut self,
        mode: TerminalMode,
        page: Option<Page>,
        hello: ServerMessage,
        replay: &[u8],
    ) -> (ViewerId, Arc<Outbox>) {
        let id = ViewerId(self.next);
        self.next += 1;
        let outbox = Arc::new(Outbox::default());
        outbox.push_message(hello);
        let mut watcher = Watcher {
            mode,
            outbox: outbox.clone(),
            page,
            unconfirmed: None,
            pace: Pace::Live,
            unacked: 0,
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

    /// Sends what the terminal printed. Live viewers whose window is full fall behind (another has room: else the pty
    /// had not been read).
    pub(super) fn send(&mut self, bytes: &[u8]) {
        for viewer in self.all.values_mut().filter(|viewer| viewer.pace == Pace::Live) {
            if viewer.has_room() {
                viewer.send(bytes);
            } else {
                viewer.pace = Pace::Behind;
            }
        }
    }

    /// Takes an acknowledgement; whether the viewer is due a fresh screen now.
    pub(super) fn ack(&mut self, id: ViewerId, bytes: u64) -> Due {
        let Some(viewer) = self.all.get_mut(&id) else { return Due::Nothing };
        viewer.unacked = viewer.unacked.saturating_sub(bytes);
        viewer.full_since = (!viewer.has_room()).then(Instant::now);
        match viewer.pace {
            Pace::Behind if viewer.unacked <= CAUGHT_UP => Due::FreshScreen,
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

    /// Ends the viewer that a page was before its connection broke: nothing it still sends is taken.
    pub(super) fn replace(&mut self, page: &Page) {
        self.all.retain(|_, viewer| {
            let replaced = viewer.page.as_ref() == Some(page);
            if replaced {
                viewer.outbox.clear();
                viewer.outbox.end(Parting::Closed);
            }
            !replaced
        });
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

    /// Disconnects those who acknowledged nothing for [`PATIENCE`].
    pub(super) fn drop_stalled(&mut self) {
        self.all.retain(|_, viewer| {
            let stalled = viewer.full_since.is_some_and(|since| since.elapsed() >= PATIENCE);
            if stalled {
                viewer.outbox.clear();
                viewer.outbox.end(Parting::Stalled);
            }
            !stalled
        });
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
