//! What two engines can never have in common is made the same: ids, times, addresses, sizes, paths of their state.

use serde_json::{Value, json};

/// Numbers that are a moment, a size or a process.
const NUMBERS: [&str; 28] = [
    "Created",
    "Pid",
    "time",
    "timeNano",
    "Size",
    "VirtualSize",
    "SharedSize",
    "SizeRw",
    "SizeRootFs",
    "LayersSize",
    "SpaceReclaimed",
    "usage",
    "max_usage",
    "limit",
    "total_usage",
    "usage_in_usermode",
    "usage_in_kernelmode",
    "system_cpu_usage",
    "value",
    "current",
    "NFd",
    "NGoroutines",
    "NEventsListener",
    "MemTotal",
    "size",
    "major",
    "minor",
    "failcnt",
];

/// A value without what is an engine's own; `root` is where its state lies.
pub(super) fn of(value: Value, root: &str) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(key, value)| (text(&key, root), named(&key, value, root))).collect(),
        ),
        Value::Array(list) => Value::Array(sorted(list.into_iter().map(|v| of(v, root)).collect())),
        Value::String(s) => Value::String(text(&s, root)),
        other => other,
    }
}

/// What has no order of its own: events of one moment, mounts, changes, images.
fn sorted(mut list: Vec<Value>) -> Vec<Value> {
    let unordered =
        |v: &Value| ["Action", "Destination", "Path", "RepoTags"].iter().any(|key| v.get(key).is_some());
    if list.iter().all(unordered) {
        list.sort_by_key(|v| {
            let first = v
                .get("Destination")
                .or(v.get("Action"))
                .or(v.get("Path"))
                .or(v.get("RepoTags"))
                .map(Value::to_string);
            (first, v.pointer("/Actor/Attributes/signal").map(Value::to_string), v.to_string())
        });
    }
    list
}

fn named(key: &str, value: Value, root: &str) -> Value {
    match value {
        Value::Number(n) if NUMBERS.contains(&key) && n.as_f64() != Some(0.0) => json!("a number"),
        Value::Array(rows) if key == "Processes" => rows.into_iter().map(process).collect(),
        Value::Array(list) if key == "percpu_usage" => {
            json!(format!("{} numbers", usize::from(!list.is_empty())))
        }
        Value::String(s) if key == "MacAddress" && s.starts_with("02:42:ac:11:") => json!("the same"),
        Value::String(s) if key == "Status" => json!(lasting(&s)),
        other => of(other, root),
    }
}

/// A line of `ps` without its numbers.
fn process(row: Value) -> Value {
    let Value::Array(cells) = row else { return row };
    let plain = |cell: Value| match cell.as_str() {
        Some(text) if text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.')) => json!("a number"),
        _ => cell,
    };
    cells.into_iter().map(plain).collect()
}

/// "Up 3 seconds" is "Up a while".
fn lasting(status: &str) -> String {
    let mut words: Vec<&str> = status.split(' ').collect();
    let unit = |word: &&str| ["second", "seconds", "minute", "minutes"].contains(word);
    if let Some(end) = words.iter().position(unit) {
        let start = words[..end].iter().rposition(|w| *w == "Up" || w.ends_with(')')).map_or(0, |n| n + 1);
        words.splice(start..=end, ["a", "while"]);
    }
    words.join(" ")
}

/// Words are what letters, digits and some marks make; ids and times are told by their form.
pub(super) fn text(s: &str, root: &str) -> String {
    let s = s.replace(root, "ROOT");
    let mut out = String::new();
    let mut word = String::new();
    for c in s.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+') || (c == ':' && in_time(&word)) {
            word.push(c);
        } else {
            out += &plain(&word);
            word.clear();
            out.push(c);
        }
    }
    out + &plain(&word)
}

fn in_time(word: &str) -> bool {
    word.as_bytes().get(10) == Some(&b'T') && word.starts_with("20")
}

fn plain(word: &str) -> String {
    let hex = |w: &str| w.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match word.len() {
        // Some names go on after an id: `…-init`, `…-json.log`.
        64.. if hex(&word[..64]) => format!("ID{}", &word[64..]),
        12 if hex(word) && word.bytes().any(|b| b.is_ascii_digit()) => "SHORT".to_owned(),
        20.. if in_time(word) => "TIME".to_owned(),
        // Who comes first has the first.
        10..=12 if word.starts_with("172.17.0.") && word != "172.17.0.1" => "172.17.0.N".to_owned(),
        _ => word.to_owned(),
    }
}
