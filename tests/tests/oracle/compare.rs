//! Two answers side by side.

use super::peer::Told;
use serde_json::Value;

/// A place at which two answers differ.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// Scenario, line and call.
    pub(super) call: String,
    /// `status`, `headers.x`, `body.State.Pid`; `[]` for a member of a list.
    pub(super) place: String,
    /// What ours has there.
    pub(super) ours: String,
    /// What Docker's has there.
    pub(super) docker: String,
}

/// Every difference of what two engines told.
pub(super) fn all(ours: &[Told], docker: &[Told]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (a, b) in ours.iter().zip(docker) {
        assert_eq!(a.call, b.call, "the two were told different things");
        values(&a.call, "", Some(&a.answer), Some(&b.answer), &mut found);
    }
    found
}

fn values(
    call: &str,
    place: &str,
    ours: Option<&Value>,
    docker: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (ours, docker) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                values(call, &below, a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for n in 0..a.len().max(b.len()) {
                values(call, &format!("{place}[]"), a.get(n), b.get(n), found);
            }
        }
        (a, b) if a == b => {}
        (Some(Value::String(a)), Some(Value::String(b))) if a.eq_ignore_ascii_case(b) => {
            found.push(Difference {
                call: call.to_owned(),
                place: format!("{place} (case)"),
                ours: a.clone(),
                docker: b.clone(),
            });
        }
        (a, b) => {
            let show = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), Value::to_string);
            found.push(Difference {
                call: call.to_owned(),
                place: place.to_owned(),
                ours: show(a),
                docker: show(b),
            });
        }
    }
}
