//! What waits to be sent to one viewer: bytes, joined into few large pieces, and messages, in their order.
//!
//! Bounded by the terminal, which puts in no more bytes than the viewer's window leaves room for. Knows no socket.

use super::protocol::ServerMessage;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The most bytes in one piece: large enough to cost little, small enough to be interleaved.
pub const PIECE: usize = 256 * 1024;

/// The most messages that wait; a viewer that lets so many wait misses later ones.
const MESSAGES: usize = 256;

/// Why the server ends a viewer's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The terminal's process has ended.
    Exited,
    /// The terminal was closed, or its session has ended.
    Closed,
    /// The viewer did not acknowledge for too long.
    Stalled,
    /// More input than the program reads.
    Flooding,
    /// The share link by which it came was revoked.
    Revoked,
}

/// One thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Bytes of the terminal.
    Bytes(Bytes),
    /// A control message.
    Message(ServerMessage),
    /// Nothing more will come.
    End(Parting),
}

#[derive(Debug)]
enum Waiting {
    Bytes(BytesMut),
    Message(ServerMessage),
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Waiting>,
    end: Option<Parting>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Notify,
}

impl Outbox {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn push_bytes(&self, bytes: &[u8]) {
        self.with(|state| match state.items.back_mut() {
            Some(Waiting::Bytes(last)) => last.extend_from_slice(bytes),
            _ => state.items.push_back(Waiting::Bytes(BytesMut::from(bytes))),
        });
        self.filled.notify_one();
    }

    pub(super) fn push_message(&self, message: ServerMessage) {
        self.with(|state| {
            if state.items.len() < MESSAGES {
                state.items.push_back(Waiting::Message(message));
            }
        });
        self.filled.notify_one();
    }

    pub(super) fn end(&self, parting: Parting) {
        self.with(|state| state.end.get_or_insert(parting).to_owned());
        self.filled.notify_one();
    }

    /// Forgets what waits, for the viewer does not take it.
    pub(super) fn clear(&self) {
        self.with(|state| state.items.clear());
    }

    /// The next thing to send; waits for it. Cancel-safe. One caller at a time.
    pub async fn next(&self) -> Item {
        loop {
            if let Some(item) = self.with(take) {
                return item;
            }
            self.filled.notified().await;
        }
    }
}

fn take(state: &mut State) -> Option<Item> {
    match state.items.pop_front() {
        Some(Waiting::Bytes(mut bytes)) => {
            if bytes.len() > PIECE {
                let rest = bytes.split_off(PIECE);
                state.items.push_front(Waiting::Bytes(rest));
            }
            Some(Item::Bytes(bytes.freeze()))
        }
        Some(Waiting::Message(message)) => Some(Item::Message(message)),
        None => state.end.map(Item::End),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> ServerMessage {
        ServerMessage::Notice { level: super::super::protocol::NoticeLevel::Info, text: text.to_owned() }
    }

    #[tokio::test]
    async fn bytes_are_joined_and_the_order_is_kept() {
        let outbox = Outbox::default();
        outbox.push_bytes(b"a");
        outbox.push_bytes(b"b");
        outbox.push_message(notice("n"));
        outbox.push_bytes(b"c");
        outbox.end(Parting::Closed);
        assert_eq!(outbox.next().await, Item::Bytes("ab".into()));
        assert_eq!(outbox.next().await, Item::Message(notice("n")));
        assert_eq!(outbox.next().await, Item::Bytes("c".into()));
        assert_eq!(outbox.next().await, Item::End(Parting::Closed));
        assert_eq!(outbox.next().await, Item::End(Parting::Closed));
    }

    #[tokio::test]
    async fn large_pieces_are_cut() {
        let outbox = Outbox::default();
        outbox.push_bytes(&vec![1; PIECE + 5]);
        assert!(matches!(outbox.next().await, Item::Bytes(b) if b.len() == PIECE));
        assert!(matches!(outbox.next().await, Item::Bytes(b) if b.len() == 5));
    }

    #[tokio::test]
    async fn messages_that_nobody_takes_are_bounded() {
        let outbox = Outbox::default();
        (0..10 * MESSAGES).for_each(|_| outbox.push_message(notice("n")));
        assert_eq!(outbox.with(|state| state.items.len()), MESSAGES);
    }
}
