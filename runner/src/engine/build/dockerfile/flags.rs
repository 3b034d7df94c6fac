//! `--name=value` before an instruction's arguments.

use super::words;

/// One flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flag {
    pub(super) name: String,
    value: Option<String>,
}

impl Flag {
    /// Its value, which must be there.
    pub(super) fn text(&self) -> Result<&str, String> {
        let value = self.value.as_deref().filter(|v| !v.is_empty());
        value.ok_or_else(|| format!("missing a value on flag: {}", self.name))
    }

    /// A switch: there, `=true` or `=false`.
    pub(super) fn on(&self) -> Result<bool, String> {
        match self.value.as_deref() {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(format!("expecting boolean value for flag {}, not: {other}", self.name)),
        }
    }
}

/// The flags, and the rest.
pub(super) fn take(text: &str) -> Result<(Vec<Flag>, &str), String> {
    let (mut flags, mut rest) = (Vec::new(), text.trim_start());
    while let Some(body) = rest.strip_prefix("--") {
        let end = end(rest);
        let word = &body[..end - 2];
        rest = rest[end..].trim_start();
        if word.is_empty() {
            break;
        }
        let unquoted = |v: &str| {
            let quote = v.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inner = quote.and_then(|q| v.strip_prefix(q)?.strip_suffix(q));
            inner.unwrap_or(v).to_owned()
        };
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(unquoted(value))),
            None => (word, None),
        };
        flags.push(Flag { name: name.to_owned(), value });
    }
    Ok((flags, rest))
}

/// Where the first word ends.
fn end(text: &str) -> usize {
    let first = words::split(text, '\\').into_iter().next().unwrap_or_default();
    first.len()
}
