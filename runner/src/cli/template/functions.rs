//! The functions of templates: Go's own, and those that Docker adds. Pure.

use super::{Outcome, truth};
use crate::cli::format::text;
use serde_json::Value;
use std::cmp::Ordering;

/// The widest field that `printf` and `pad` fill.
const WIDTH: usize = 1000;
/// Those that there are.
const KNOWN: &str = "json, join, split, upper, lower, title, len, index, slice, truncate, pad, println, print, printf, \
                     eq, ne, lt, le, gt, ge, and, or, not";

/// Calls a function; a value that was piped is its last argument.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Outcome<Value> {
    let all = arguments.as_slice();
    Ok(match (name, all) {
        ("json", [value]) => Value::from(value.to_string()),
        ("upper", [value]) => Value::from(text(value).to_uppercase()),
        ("lower", [value]) => Value::from(text(value).to_lowercase()),
        ("title", [value]) => Value::from(title(&text(value))),
        ("join", [Value::Array(list), between]) => {
            Value::from(list.iter().map(text).collect::<Vec<_>>().join(&text(between)))
        }
        ("join", [Value::Null, _]) => Value::from(""),
        ("split", [value, between]) => {
            text(value).split(&text(between)).map(ToOwned::to_owned).collect::<Vec<String>>().into()
        }
        ("len", [value]) => match value {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => text(other).len(),
        }
        .into(),
        ("index", [value, keys @ ..]) => {
            keys.iter().try_fold(value.clone(), |value, key| index(&value, key))?
        }
        ("slice", [value, bounds @ ..]) => slice(value, bounds)?,
        ("truncate", [value, length]) => {
            Value::from(text(value).chars().take(size(length)?).collect::<String>())
        }
        ("pad", [value, before, after]) => {
            let spaces = |n: &Value| Ok::<_, String>(" ".repeat(size(n)?.min(WIDTH)));
            Value::from(format!("{}{}{}", spaces(before)?, text(value), spaces(after)?))
        }
        ("print", values) => Value::from(values.iter().map(text).collect::<String>()),
        ("println", values) => Value::from(values.iter().map(text).collect::<Vec<_>>().join(" ") + "\n"),
        ("printf", [Value::String(format), values @ ..]) => Value::from(printf(format, values)?),
        ("eq", [first, others @ ..]) if !others.is_empty() => others.iter().any(|o| equal(first, o)).into(),
        ("ne", [a, b]) => (!equal(a, b)).into(),
        ("lt", [a, b]) => compare(a, b)?.is_lt().into(),
        ("le", [a, b]) => compare(a, b)?.is_le().into(),
        ("gt", [a, b]) => compare(a, b)?.is_gt().into(),
        ("ge", [a, b]) => compare(a, b)?.is_ge().into(),
        ("not", [value]) => (!truth(value)).into(),
        ("and", [.., last]) => all.iter().find(|v| !truth(v)).unwrap_or(last).clone(),
        ("or", [.., last]) => all.iter().find(|v| truth(v)).unwrap_or(last).clone(),
        (known, given) if KNOWN.split(", ").any(|k| k == known) => {
            return Err(format!("{known} cannot be called with {} such arguments", given.len()));
        }
        (unknown, _) => {
            return Err(format!(
                "{unknown:?} is no function: {KNOWN} are; a field begins with a point, as in {{{{.Name}}}}"
            ));
        }
    })
}

fn title(text: &str) -> String {
    let mut start = true;
    let one = |c: char| {
        let shown = if start { c.to_uppercase().collect::<String>() } else { c.to_string() };
        start = !c.is_alphanumeric();
        shown
    };
    text.chars().map(one).collect()
}

fn size(value: &Value) -> Outcome<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("{value} is no length"))
}

fn index(value: &Value, key: &Value) -> Outcome<Value> {
    match (value, key) {
        (Value::Object(map), Value::String(key)) => Ok(map.get(key).cloned().unwrap_or(Value::Null)),
        (Value::Null, _) => Ok(Value::Null),
        (Value::Array(list), key) => {
            let found = key.as_u64().and_then(|n| list.get(usize::try_from(n).ok()?));
            found.cloned().ok_or_else(|| format!("index {key} is out of range: there are {}", list.len()))
        }
        (other, key) => Err(format!("{other} has no index {key}")),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Outcome<Value> {
    let bounds = bounds.iter().map(size).collect::<Outcome<Vec<_>>>()?;
    let length = match value {
        Value::Array(list) => list.len(),
        other => text(other).len(),
    };
    let (from, to) = match bounds[..] {
        [] => (0, length),
        [from] => (from, length),
        [from, to] => (from, to),
        _ => return Err("slice takes a beginning and an end".to_owned()),
    };
    let wrong = || format!("slice {from} to {to} is out of range: there are {length}");
    match value {
        Value::Array(list) => list.get(from..to).map(|part| part.to_vec().into()).ok_or_else(wrong),
        other => text(other).get(from..to).map(Value::from).ok_or_else(wrong),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Outcome<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (a, b) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => Ok(a.total_cmp(&b)),
            _ => Err(format!("{a} and {b} cannot be compared")),
        },
    }
}

/// `%s %v %d %q %t %f %x %%`, with `-`, `0`, a width and a precision.
fn printf(format: &str, values: &[Value]) -> Outcome<String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out += before;
        let end = after.find(|c: char| c.is_ascii_alphabetic() || c == '%').ok_or("printf: % at the end")?;
        let (flags, verb) = (&after[..end], &after[end..=end]);
        rest = &after[end + 1..];
        if verb == "%" {
            out.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| format!("printf: nothing is there for %{verb}"))?;
        let wrong = || format!("printf: %{verb} cannot print {value}");
        let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
        let digits = width.trim_start_matches(['-', '0', '+', ' ']);
        let number = |text: &str| match text {
            "" => Ok(None),
            text => text.parse::<usize>().ok().filter(|n| *n <= WIDTH).map(Some).ok_or_else(wrong),
        };
        let (least, precision) = (number(digits)?.unwrap_or(0), number(precision)?);
        let shown = match verb {
            "s" | "v" => {
                let shown = text(value);
                precision.map_or(shown.clone(), |n| shown.chars().take(n).collect())
            }
            "q" => Value::from(text(value)).to_string(),
            "d" => value
                .as_i64()
                .map(|n| n.to_string())
                .or(value.as_u64().map(|n| n.to_string()))
                .ok_or_else(wrong)?,
            "t" => value.as_bool().ok_or_else(wrong)?.to_string(),
            "f" => format!("{:.*}", precision.unwrap_or(6), value.as_f64().ok_or_else(wrong)?),
            "x" => value.as_u64().map_or_else(|| hex::encode(text(value)), |n| format!("{n:x}")),
            _ => return Err(format!("printf: %{verb} is not known")),
        };
        let missing = least.saturating_sub(shown.chars().count());
        out += &if width.starts_with('-') {
            shown + &" ".repeat(missing)
        } else if width.starts_with('0') && matches!(verb, "d" | "f" | "x") {
            "0".repeat(missing) + &shown
        } else {
            " ".repeat(missing) + &shown
        };
    }
    Ok(out + rest)
}
