//! The rows of the table: how they are written down, and how they read once the engine has answered.

use anyhow::{Context, Result, bail};

/// One call of Docker's, and how it is tried.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    /// The part of the table.
    pub(super) part: &'a str,
    /// As Docker's documents write it: `GET /containers/{id}/json`.
    pub(super) call: &'a str,
    /// Calls that prepare it.
    pub(super) before: Vec<&'a str>,
    /// The call that is made.
    pub(super) ask: &'a str,
    /// One more, which shows what it did.
    pub(super) then: Option<&'a str>,
    /// What the last answer must show.
    pub(super) look: Look<'a>,
    /// The refusal of a host that cannot.
    pub(super) or: Option<&'a str>,
    /// What differs from Docker's.
    pub(super) but: &'a str,
}

/// What an answer must show.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Look<'a> {
    /// A status.
    #[default]
    Status,
    /// A value at a place in its JSON, which is told.
    Value(&'a str),
    /// Any value there.
    There(&'a str),
    /// Words.
    Text(&'a str),
    /// A header.
    Head(&'a str),
}

/// What the engine does with a call.
#[derive(Debug)]
pub(super) enum Seen {
    /// It answers, and this shows.
    Works(String),
    /// It does, or says so where the host lacks something.
    WhereTheHostCan(String),
    /// It refuses, with a status and a reason.
    Refused(u16, String),
    /// It knows no such call.
    NotYet,
}

/// Reads the file of calls.
pub(super) fn rows(text: &str) -> Result<Vec<Row<'_>>> {
    let (mut rows, mut part, mut heads) = (Vec::<Row<'_>>::new(), "", 0);
    for line in text.lines().skip_while(|line| line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("# ") {
            (part, heads) = (name, heads + 1);
        } else if let Some(inner) = line.strip_prefix("  ") {
            let row = rows.last_mut().with_context(|| format!("no call above: {line}"))?;
            let (word, rest) = inner.split_once(' ').with_context(|| format!("a word and more: {line}"))?;
            match word {
                "do" => row.before.push(rest),
                "ask" => row.ask = rest,
                "then" => row.then = Some(rest),
                "see" => row.look = Look::Value(rest),
                "has" => row.look = Look::There(rest),
                "text" => row.look = Look::Text(rest),
                "head" => row.look = Look::Head(rest),
                "or" => row.or = Some(rest),
                "but" => row.but = rest,
                other => bail!("no line begins with {other}: {line}"),
            }
        } else if !line.is_empty() {
            rows.push(Row { part, call: line, ..Row::default() });
        }
    }
    anyhow::ensure!(heads > 0 && rows.iter().all(|row| !row.ask.is_empty()), "a call that is not asked");
    Ok(rows)
}

/// A line of the table.
pub(super) fn line(row: &Row<'_>, seen: &Seen) -> String {
    let (state, shown) = match seen {
        Seen::Works(shown) => ("works", shown.clone()),
        Seen::WhereTheHostCan(words) => ("works where the host can", format!("else: {words} …")),
        Seen::Refused(status, why) => ("refused", format!("`{status}` {why}")),
        Seen::NotYet => ("not yet", "`404` page not found".to_owned()),
    };
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {state} | {} | {} |\n", row.call, cell(&shown), cell(row.but)).replace("|  |", "| |")
}
