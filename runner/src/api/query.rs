//! Query parameters as Docker's clients send them: `1`, `true`, `True`; numbers; text.

use super::error::{Answer, Error};
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

    /// A number, or nothing; anything else is an error.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Answer<Option<T>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Error::bad(format!("invalid {name}: {text:?} is no number")))
        };
        self.text(name).map(parse).transpose()
    }

    /// Columns and rows of a terminal (`w`, `h`).
    pub(super) fn size(&self) -> Answer<(u16, u16)> {
        let side = |name: &str| {
            let number = self.number::<u16>(name)?.filter(|n| *n > 0);
            number.ok_or_else(|| Error::bad(format!("invalid {name}: a terminal's size is a number from 1")))
        };
        Ok((side("w")?, side("h")?))
    }
}

/// All values of a parameter that may be given several times.
pub(super) fn all(query: Option<&str>, name: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}
