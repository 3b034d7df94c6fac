//! How lists are printed: aligned columns, JSON lines, or a template a line; and `{{.Field}}` templates themselves.

use super::error::Error;
use serde_json::Value;
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
    if format == "json" {
        return Ok(rows.iter().map(|row| format!("{row}\n")).collect());
    }
    let Some(rest) = format.strip_prefix("table ") else {
        return rows.iter().map(|row| Ok(render(format, row)? + "\n")).collect();
    };
    let head = columns.iter().map(|(head, field)| ((*field).to_owned(), Value::from(*head))).collect();
    let cells = |row: &Value| Ok(render(rest, row)?.split('\t').map(str::to_owned).collect());
    let rows = std::iter::once(&Value::Object(head)).chain(rows).map(cells).collect::<Result<_, Error>>()?;
    Ok(table(rows))
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

/// A template: `{{.Field.Of.Field}}`, `{{json .Field}}`, `{{len .}}`, `{{upper .}}`, `{{lower .}}`; `\t` and `\n`.
pub(super) fn render(template: &str, value: &Value) -> Result<String, Error> {
    let template = template.replace("\\t", "\t").replace("\\n", "\n");
    let mut out = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let unclosed = || Error::Invalid(format!("template {template:?}: a {{{{ is not closed"));
        let (action, after) = after.split_once("}}").ok_or_else(unclosed)?;
        out += before;
        out += &evaluate(action.trim_matches(['-', ' ']), value)?;
        rest = after;
    }
    Ok(out + rest)
}

fn evaluate(action: &str, value: &Value) -> Result<String, Error> {
    let (path, function) = match action.split_once('|') {
        Some((path, function)) => (path.trim(), Some(function.trim())),
        None => match action.split_once(' ') {
            Some((function, path)) => (path.trim(), Some(function)),
            None => (action, None),
        },
    };
    let found = field(path, value)?;
    Ok(match function {
        None => text(found),
        Some("json") => found.to_string(),
        Some("upper") => text(found).to_uppercase(),
        Some("lower") => text(found).to_lowercase(),
        Some("len") => match found {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => text(other).len(),
        }
        .to_string(),
        Some(other) => {
            return Err(Error::Invalid(format!(
                "template: the function {other:?} is not known; json, len, upper and lower are"
            )));
        }
    })
}

fn field<'a>(path: &str, value: &'a Value) -> Result<&'a Value, Error> {
    let Some(path) = path.strip_prefix('.') else {
        return Err(Error::Invalid(format!(
            "template: {path:?} is no field: write for example {{{{.Name}}}}"
        )));
    };
    path.split('.').filter(|name| !name.is_empty()).try_fold(value, |value, name| {
        value.get(name).ok_or_else(|| {
            let known = value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>().join(", "));
            let known = known.unwrap_or_else(|| "no fields".to_owned());
            Error::Invalid(format!("template: there is no field {name:?}; there are: {known}"))
        })
    })
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
    use super::{list, render};
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
    }

    #[test]
    fn templates() {
        let value = json!({"State": {"Pid": 7, "Args": ["a", "b"]}, "Name": "/x"});
        assert_eq!(render("{{.State.Pid}}-{{ .Name }}", &value).unwrap(), "7-/x");
        assert_eq!(render("{{json .State.Args}}{{len .State.Args}}", &value).unwrap(), "[\"a\",\"b\"]2");
        assert_eq!(render("{{.State.Args}}", &value).unwrap(), "[a b]");
        for bad in ["{{.Nme}}", "{{Name}}", "{{.Name", "{{wat .Name}}"] {
            assert!(render(bad, &value).is_err(), "{bad}");
        }
    }
}
