//! What happened, for those who listen and those who ask later.

use super::Engine;
use super::container::Container;
use super::record::Record;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many events are kept, and how many a slow listener may be behind.
const KEPT: usize = 1024;

/// The longest action and value that are told whole: a command or a label may be as long as its maker likes.
const VALUE: usize = 4096;
/// The most bytes of an event's attributes; what does not fit is left out.
const ATTRIBUTES: usize = 32 << 10;

/// One event, in the words of the Docker Engine API.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// `container`, `image`, `volume`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// `create`, `start`, `die`, …
    pub action: String,
    /// To whom.
    pub actor: Actor,
    /// `local`, always.
    #[serde(rename = "scope")]
    pub scope: &'static str,
    /// Seconds since 1970.
    #[serde(rename = "time")]
    pub seconds: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub nanos: i64,
}

/// To whom an event happened.
#[derive(Debug, Clone, Serialize)]
pub struct Actor {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its labels, name and image, and what the event says.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}

/// The events of an engine.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    kept: Mutex<VecDeque<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(KEPT), kept: Mutex::default() }
    }
}

impl Engine {
    /// Something happened to an image that is called `key`; `name` is what the event says of it, beside its labels.
    pub fn image_event(&self, action: &str, key: &str, name: &str) {
        let mut attributes = self.image_labels(key);
        attributes.insert("name".into(), name.to_owned());
        self.events.tell("image", action, key.to_owned(), attributes);
    }

    /// The labels of an image; none of one that is not there.
    #[must_use]
    pub fn image_labels(&self, key: &str) -> BTreeMap<String, String> {
        let image = self.images.resolve(key).ok();
        let labels = image.and_then(|image| image.config.config().as_ref()?.labels().clone());
        labels.unwrap_or_default().into_iter().collect()
    }
}

impl Events {
    /// Something happened to a container.
    pub fn container(&self, action: &str, container: &Container) {
        self.container_with(action, container, &[]);
    }

    /// Something happened to a container, and there is more to be said of it.
    pub fn container_with(&self, action: &str, container: &Container, more: &[(&str, &str)]) {
        let record = container.record();
        let mut attributes = record.config.labels;
        attributes.insert("name".into(), record.name);
        attributes.insert("image".into(), record.config.image);
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self.tell("container", action, container.id.clone(), attributes);
    }

    /// A container's first process has ended, as its record says.
    pub(super) fn died(&self, container: &Container, record: &Record) {
        let Some(exit) = record.state.exit() else { return };
        if exit.oom_killed {
            self.container("oom", container);
        }
        let lasted = exit.lasted().unwrap_or_default().as_secs();
        let (code, lasted) = (exit.code.to_string(), lasted.to_string());
        self.container_with("die", container, &[("exitCode", &code), ("execDuration", &lasted)]);
    }

    /// An image with these labels has lost these names, and is gone if its id is among the `deleted`: then nobody knows its
    /// labels any more.
    pub fn removed(
        &self,
        id: &str,
        labels: &BTreeMap<String, String>,
        untagged: &[String],
        deleted: &[String],
    ) {
        let named = |id: &str| ("name".to_owned(), id.to_owned());
        for _ in untagged {
            let attributes = labels.clone().into_iter().chain([named(id)]).collect();
            self.tell("image", "untag", id.to_owned(), attributes);
        }
        for id in deleted {
            self.tell("image", "delete", id.clone(), [named(id)].into());
        }
    }

    /// What nobody used has gone.
    pub fn pruned(&self, kind: &'static str, bytes: u64) {
        self.tell(kind, "prune", String::new(), [("reclaimed".to_owned(), bytes.to_string())].into());
    }

    /// Something happened.
    pub fn tell(&self, kind: &'static str, action: &str, id: String, attributes: BTreeMap<String, String>) {
        let now = jiff::Timestamp::now();
        let event = Event {
            kind,
            action: cut(action),
            actor: Actor { id, attributes: bounded(attributes) },
            scope: "local",
            seconds: now.as_second(),
            nanos: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Nobody need be listening.
        self.sender.send(event).map(drop).unwrap_or_default();
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// What is remembered, and what is to come: nothing lies between.
    #[must_use]
    pub fn follow(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.iter().cloned().collect(), self.sender.subscribe())
    }
}

/// The beginning of a text, with three points where something was left out.
fn cut(text: &str) -> String {
    match text.char_indices().take_while(|(at, _)| *at < VALUE).last() {
        Some((at, last)) if at + last.len_utf8() < text.len() => format!("{}...", &text[..at]),
        _ => text.to_owned(),
    }
}

/// As much of them as is kept.
fn bounded(attributes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut left = ATTRIBUTES;
    let mut keep = |name: &str, value: &str| {
        let bytes = name.len() + value.len();
        let fits = bytes <= left;
        left = left.saturating_sub(if fits { bytes } else { 0 });
        fits
    };
    let all = attributes.into_iter().map(|(name, value)| (name, cut(&value)));
    all.filter(|(name, value)| keep(name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_event_is_bounded_whatever_a_command_or_a_label_says() {
        let events = Events::default();
        let long = "\u{e4}".repeat(1 << 20);
        let labels = (0..100).map(|n| (format!("label{n}"), long.clone()));
        let labels = labels.chain([("name".to_owned(), "box".to_owned()), (long.clone(), "x".to_owned())]);
        events.tell("container", &format!("exec_create: {long}"), "id".into(), labels.collect());
        let kept = events.follow().0.pop().unwrap();
        assert!(kept.action.starts_with("exec_create: \u{e4}") && kept.action.ends_with("..."));
        assert!(kept.action.len() < VALUE + 8, "{}", kept.action.len());
        let attributes = &kept.actor.attributes;
        let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= ATTRIBUTES && attributes["name"] == "box", "{bytes}");
        assert_eq!((cut("short"), cut(&"x".repeat(VALUE))), ("short".to_owned(), "x".repeat(VALUE)));
    }
}
