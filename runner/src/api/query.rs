//! Query parameters as Docker's clients send them: `1`, `true`, `True`; numbers; text.

use serde::Deserialize;
use std::collections::HashMap;

/// The parameters of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Whether a switch is on; absent is off.
    pub(super) fn on(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|v| !matches!(v.to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none"))
    }

    /// Whether a switch is on; absent is on.
    pub(super) fn on_by_default(&self, name: &str) -> bool {
        !self.0.contains_key(name) || self.on(name)
    }

    /// Text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }
}

/// All values of a parameter that may be given several times.
pub(super) fn all(query: Option<&str>, name: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}
