//! How lists are printed: aligned columns, JSON lines, or a template a line.

use super::error::Error;
use super::template::render;
use serde_json::{Map, Value};
use std::io::Write;

/// The least width of a column and the space after its text, as Docker's.
const LEAST: usize = 10;
const GAP: usize = 3;

/// A column: its head, and the field of a row that it shows.
pub(super) type Column = (&'static str, &'static str);

/// Writes text to standard output.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::io("standard output"))
}

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> Result<(), Error> {
    print(&format!("{text}\n"))
}

/// A list: as a table of `columns`, or as `format` says: `json`, `table TEMPLATE`, or a template.
pub(super) fn list(format: Option<&str>, columns: &[Column], rows: &[Value]) -> Result<String, Error> {
    let format = format.filter(|f| !matches!(*f, "" | "table"));
    let Some(format) = format else {
        let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
        let row = |row: &Value| columns.iter().map(|(_, field)| text(&row[*field])).collect();
        return Ok(table(std::iter::once(heads).chain(rows.iter().map(row)).collect()));
    };
    if matches!(format, "json" | "{{json .}}") {
        return Ok(rows.iter().map(|row| format!("{row}\n")).collect());
    }
    let Some(rest) = format.strip_prefix("table ") else {
        return rows.iter().map(|row| Ok(render(format, row)? + "\n")).collect();
    };
    let fields = rows.first().and_then(Value::as_object).into_iter().flatten();
    let mut head: Map<String, Value> = fields.map(|(field, _)| (field.clone(), heading(field))).collect();
    head.extend(columns.iter().map(|(head, field)| ((*field).to_owned(), Value::from(*head))));
    let cells = |row: &Value| Ok(render(rest, row)?.split('\t').map(str::to_owned).collect());
    let rows = std::iter::once(&Value::Object(head)).chain(rows).map(cells).collect::<Result<_, Error>>()?;
    Ok(table(rows))
}

/// The head of a column that is usually not shown: `CreatedAt` is `CREATED AT`.
fn heading(field: &str) -> Value {
    let mut head = String::new();
    let mut small = false;
    for c in field.chars() {
        if small && c.is_uppercase() {
            head.push(' ');
        }
        small = c.is_lowercase();
        head.extend(c.to_uppercase());
    }
    Value::from(head)
}

/// One thing after the other, each as `format` says; without one, all as an indented JSON list.
pub(super) fn objects(format: Option<&str>, all: &[Value]) -> Result<String, Error> {
    match format.unwrap_or_default() {
        "" => Ok(serde_json::to_string_pretty(all)? + "\n"),
        "json" => Ok(serde_json::to_string(all)? + "\n"),
        template => all.iter().map(|one| Ok(render(template, one)? + "\n")).collect(),
    }
}

/// One thing, as `format` says.
pub(super) fn object(format: Option<&str>, one: &Value) -> Result<String, Error> {
    match format {
        None | Some("" | "json") => Ok(format!("{one}\n")),
        Some(template) => Ok(render(template, one)? + "\n"),
    }
}

/// One field of each row, a line each.
pub(super) fn ids(rows: &[Value], field: &str) -> Result<u8, Error> {
    print(&rows.iter().map(|row| text(&row[field]) + "\n").collect::<String>()).map(|()| 0)
}

/// Rows of cells, aligned.
pub(super) fn table(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count() + GAP).max().unwrap_or_default().max(LEAST)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        for (n, cell) in row.iter().enumerate() {
            if n + 1 == row.len() {
                out += cell;
            } else {
                out += &format!("{cell:width$}", width = widths[n]);
            }
        }
        out.push('\n');
    }
    out
}

/// A value as people read it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::list;
    use serde_json::json;

    const COLUMNS: &[super::Column] = &[("CONTAINER ID", "ID"), ("NAMES", "Names")];

    #[test]
    fn lists() {
        let rows = [json!({"ID": "abc", "Names": "x"})];
        assert_eq!(list(None, COLUMNS, &rows).unwrap(), "CONTAINER ID   NAMES\nabc            x\n");
        assert_eq!(list(Some("{{.Names}}"), COLUMNS, &rows).unwrap(), "x\n");
        assert_eq!(list(Some("json"), COLUMNS, &rows).unwrap(), "{\"ID\":\"abc\",\"Names\":\"x\"}\n");
        let table = list(Some("table {{.Names}}\\t{{.ID}}"), COLUMNS, &rows).unwrap();
        assert_eq!(table, "NAMES     CONTAINER ID\nx         abc\n");
        let more = [json!({"ID": "abc", "Names": "x", "CreatedAt": "now"})];
        let table = list(Some("table {{.CreatedAt}}"), COLUMNS, &more).unwrap();
        assert_eq!(table, "CREATED AT\nnow\n");
    }
}
