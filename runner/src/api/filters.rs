//! Docker's `filters`: `{"label": {"a=b": true}}`, or the older `{"label": ["a=b"]}`.

use super::error::{Answer, Error};
use super::query::Parameters;
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
