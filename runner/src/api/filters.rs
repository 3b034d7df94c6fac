//! Docker's `filters`: `{"label": {"a=b": true}}`, or the older `{"label": ["a=b"]}`.

use super::error::{Answer, Error};
use super::query::Parameters;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// What is wanted, by kind.
#[derive(Debug, Default)]
pub(super) struct Filters(HashMap<String, Vec<String>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Map(BTreeMap<String, bool>),
    List(Vec<String>),
}

impl Filters {
    /// The filters of a call; a kind that is not in `known` is an error, for it would be ignored silently.
    pub(super) fn of(parameters: &Parameters, known: &[&str]) -> Answer<Self> {
        let Some(text) = parameters.text("filters") else { return Ok(Self::default()) };
        let parsed: HashMap<String, Values> =
            serde_json::from_str(text).map_err(|e| Error::bad(format!("invalid filters: {e}")))?;
        if let Some(unknown) = parsed.keys().find(|k| !known.contains(&k.as_str())) {
            return Err(Error::bad(format!("invalid filter '{unknown}'")));
        }
        let list = |values| match values {
            Values::Map(map) => map.into_iter().filter(|(_, on)| *on).map(|(value, _)| value).collect(),
            Values::List(list) => list,
        };
        Ok(Self(parsed.into_iter().map(|(kind, values)| (kind, list(values))).collect()))
    }

    /// The values of a kind.
    pub(super) fn values(&self, kind: &str) -> &[String] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }

    /// A kind whose value is yes or no; `None` where it is not asked for.
    pub(super) fn switch(&self, kind: &str) -> Answer<Option<bool>> {
        let read = |value: &String| match value.as_str() {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
            "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
            _ => Err(Error::bad(format!("invalid filter '{kind}={value}'"))),
        };
        self.values(kind).first().map(read).transpose()
    }

    /// The moment of `until`: a time, or how long ago (`10m`).
    pub(super) fn until(&self) -> Answer<Option<Timestamp>> {
        let read = |text: &String| {
            moment(text).ok_or_else(|| {
                Error::bad(format!("invalid filter 'until={text}': a time, or a duration like 10m"))
            })
        };
        self.values("until").first().map(read).transpose()
    }

    /// Whether one of the values of a kind suits; a kind that is not asked for always does.
    pub(super) fn any(&self, kind: &str, suits: impl Fn(&str) -> bool) -> bool {
        let values = self.values(kind);
        values.is_empty() || values.iter().any(|v| suits(v))
    }

    /// Whether all wanted labels (`key` or `key=value`) are there, and none of those that are not wanted (`label!`).
    pub(super) fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
            None => labels.contains_key(wanted),
        };
        self.values("label").iter().all(has) && !self.values("label!").iter().any(has)
    }
}

/// Seconds since 1970, a time in RFC 3339, or how long ago.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let ago: SignedDuration = text.parse().ok()?;
    Timestamp::now().checked_sub(ago).ok()
}

/// Whether a text is like a pattern: `*` is anything without a slash, `?` one such character.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let within = text.find('/').unwrap_or(text.len());
            let ends = text.char_indices().map(|(n, _)| n).chain([text.len()]);
            ends.take_while(|n| *n <= within).any(|n| glob(rest.as_str(), &text[n..]))
        }
        Some(wanted) => {
            let mut left = text.chars();
            let fits = |c| if wanted == '?' { c != '/' } else { c == wanted };
            left.next().is_some_and(fits) && glob(rest.as_str(), left.as_str())
        }
    }
}
