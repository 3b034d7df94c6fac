//! What a build tells while it goes on. Stages that run side by side are told one after the other, in their order: what a later
//! one says waits, up to a limit, until the earlier ones are through.

use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Something that is told.
#[derive(Debug, Clone)]
pub enum Told {
    /// A piece of text.
    Text(String),
    /// How far a pull is, as Docker's clients show it.
    Pull(Value),
    /// An image was made: its id.
    Image(String),
}

/// Bytes that one stage may have waiting.
const WAITING: usize = 1 << 20;

/// Where one stage tells what it does; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    out: mpsc::Sender<Told>,
    turn: Arc<Mutex<Turn>>,
}

#[derive(Debug, Default)]
struct Turn {
    live: bool,
    waiting: Vec<String>,
    bytes: usize,
}

impl Reporter {
    /// One that has to wait for its turn.
    pub(super) fn new(out: mpsc::Sender<Told>) -> Self {
        Self { out, turn: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a text; holds whoever tells back while nobody listens.
    pub(super) async fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if !self.keep(&text) {
            // A listener that left ends the build, not this.
            self.out.send(Told::Text(text)).await.unwrap_or_default();
        }
    }

    /// Whether the text waits for the turn.
    fn keep(&self, text: &str) -> bool {
        let mut turn = self.lock();
        if turn.live {
            return false;
        }
        match turn.bytes {
            bytes if bytes > WAITING => {}
            bytes if bytes + text.len() > WAITING => {
                turn.bytes = usize::MAX;
                turn.waiting.push(format!("[output clipped, a stage that waits may say {WAITING} bytes]\n"));
            }
            bytes => {
                turn.bytes = bytes + text.len();
                turn.waiting.push(text.to_owned());
            }
        }
        true
    }

    /// It is this stage's turn.
    pub(super) async fn go(&self) {
        loop {
            let waiting = {
                let mut turn = self.lock();
                turn.live = turn.waiting.is_empty();
                std::mem::take(&mut turn.waiting)
            };
            if waiting.is_empty() {
                return;
            }
            for text in waiting {
                self.out.send(Told::Text(text)).await.unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_are_told_in_their_order() {
        let (out, mut told) = mpsc::channel(100);
        let (first, second) = (Reporter::new(out.clone()), Reporter::new(out));
        first.go().await;
        second.say("c").await;
        first.say("a").await;
        second.say("d").await;
        first.say("b").await;
        second.go().await;
        second.say("e").await;
        drop((first, second));
        let mut all = String::new();
        while let Some(Told::Text(text)) = told.recv().await {
            all.push_str(&text);
        }
        assert_eq!(all, "abcde");
    }

    #[tokio::test]
    async fn a_flood_that_waits_is_clipped() {
        let (out, mut told) = mpsc::channel(100_000);
        let stage = Reporter::new(out);
        for _ in 0..100 {
            stage.say("x".repeat(50_000)).await;
        }
        stage.go().await;
        drop(stage);
        let mut bytes = 0;
        while let Some(Told::Text(text)) = told.recv().await {
            bytes += text.len();
        }
        assert!(bytes < WAITING + 100, "{bytes}");
    }
}
