//! `[[warmups]]` of the configuration file: which image, how many, and when, once or every week.

use super::Error;
use super::file::File;
use crate::session::policy::{Image, Scheduled};
use crate::session::pool::Window;
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use toml::Value;

/// The most entries.
const ENTRIES: usize = 200;

const KEYS: [&str; 6] = ["image", "count", "from", "until", "days", "zone"];

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The entries, of images of the catalogue; each of `most` sessions at most.
pub(super) fn read(file: &File, catalogue: &[Image], most: usize) -> Result<Vec<Scheduled>, Error> {
    let Some(value) = file.list("warmups") else { return Ok(Vec::new()) };
    let Some(list) = value.as_array().filter(|list| list.len() <= ENTRIES) else {
        return Err(file.wrong("warmups", value, &format!("at most {ENTRIES} tables [[warmups]]")));
    };
    list.iter().enumerate().map(|(n, value)| entry(file, n, value, (catalogue, most))).collect()
}

fn entry(
    file: &File,
    n: usize,
    value: &Value,
    (catalogue, most): (&[Image], usize),
) -> Result<Scheduled, Error> {
    let wrong = |key: &str, allowed: &str| {
        let found = value.get(key).unwrap_or(value);
        file.wrong(&format!("warmups[{n}].{key}"), found, allowed)
    };
    if let Some(unknown) =
        value.as_table().and_then(|table| table.keys().find(|key| !KEYS.contains(&key.as_str())))
    {
        return Err(wrong(unknown, &format!("no such key: there are {}", KEYS.join(", "))));
    }
    let word = |key: &str| value.get(key).and_then(Value::as_str);
    let image = word("image").filter(|name| catalogue.iter().any(|image| image.name == *name));
    let image = image.ok_or_else(|| wrong("image", "an image of [[images]], by its name"))?;
    let count = value.get("count").and_then(Value::as_integer).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| (1..=most).contains(count));
    let count =
        count.ok_or_else(|| wrong("count", &format!("a number from 1 to {most}, which is pool-count")))?;
    let window = match value.get("days") {
        None => once(word("from"), word("until")).ok_or_else(|| {
            wrong("until", "with `from` two times as 2026-11-24T08:45:00Z, the later one last; or `days` and times of day")
        })?,
        Some(days) => {
            let days = days.as_array().and_then(|days| days.iter().map(weekday).collect::<Option<Vec<_>>>());
            let days = days.filter(|days| !days.is_empty());
            let days = days.ok_or_else(|| wrong("days", "a list of mon, tue, wed, thu, fri, sat and sun"))?;
            let zone = word("zone").unwrap_or("UTC");
            let zone = TimeZone::get(zone)
                .map_err(|_| wrong("zone", "a time zone that this machine knows, as Europe/Berlin"))?;
            let (from, until) = times(word("from"), word("until")).ok_or_else(|| {
                wrong("until", "with `from` two times of one day as 08:45 and 12:00, the later one last")
            })?;
            Window::Weekly { days, from, until, zone }
        }
    };
    Ok(Scheduled { image: image.to_owned(), count, window })
}

fn weekday(value: &Value) -> Option<Weekday> {
    let name = value.as_str()?;
    DAYS.iter().find(|(known, _)| *known == name).map(|(_, day)| *day)
}

fn once(from: Option<&str>, until: Option<&str>) -> Option<Window> {
    let (from, until): (Timestamp, Timestamp) = (from?.parse().ok()?, until?.parse().ok()?);
    (from < until).then_some(Window::Once { from: from.as_second(), until: until.as_second() })
}

fn times(from: Option<&str>, until: Option<&str>) -> Option<(Time, Time)> {
    let (from, until): (Time, Time) = (from?.parse().ok()?, until?.parse().ok()?);
    (from < until).then_some((from, until))
}
