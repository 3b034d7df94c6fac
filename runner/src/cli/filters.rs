//! `--filter key=value` as the engine takes them.

use std::collections::BTreeMap;

/// The `filters` parameter, or none if nothing is filtered.
pub(super) fn filters(given: &[(String, String)]) -> Option<String> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, value) in given {
        all.entry(key).or_default().push(value);
    }
    (!all.is_empty()).then(|| serde_json::json!(all).to_string())
}
