//! Numbers and times in the words that people and Docker use.

use jiff::Timestamp;

/// The first `length` characters.
pub(super) fn short(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// At most `length` characters; what is cut off shows as an ellipsis.
pub(super) fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    short(text, length.saturating_sub(1)) + "…"
}

/// A moment, in seconds since 1970, as Docker prints it in this machine's time zone: `2026-05-04 10:00:00 +0000 UTC`.
pub(super) fn at(then: i64) -> String {
    let zoned =
        Timestamp::from_second(then).unwrap_or_default().to_zoned_datetime(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// How long ago a moment, in seconds since 1970, is: `3 minutes ago`.
pub(super) fn ago(then: i64) -> String {
    format!("{} ago", span(Timestamp::now().as_second() - then))
}

/// Seconds in words, as Docker's go-units.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, (seconds + 1800) / 3600, seconds / 86_400);
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (s @ ..60, ..) => format!("{s} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, m @ ..60, _) => format!("{m} minutes"),
        (_, _, ..=1) => "About an hour".to_owned(),
        (_, _, h @ ..48) => format!("{h} hours"),
        _ if days < 14 => format!("{days} days"),
        _ if days < 60 => format!("{} weeks", days / 7),
        _ if days < 730 => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}

/// Bytes by powers of 1000 with three digits: `4.43MB`, as images are listed.
pub(super) fn decimal(bytes: f64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"], 3)
}

/// Bytes by powers of 1024 with four digits: `1.5MiB`, as memory is shown.
pub(super) fn binary(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"], 4)
}

/// A number with its unit and so many significant digits, without zeros at the end.
fn scaled(mut number: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut unit = 0;
    while number >= base && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let whole = format!("{number:.0}").len();
    let text = format!("{number:.*}", digits.saturating_sub(whole));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::{at, binary, cut, decimal, short, span};

    #[test]
    fn words() {
        for (seconds, words) in
            [(0, "Less than a second"), (59, "59 seconds"), (60, "About a minute"), (7200, "2 hours")]
        {
            assert_eq!(span(seconds), words);
        }
        assert_eq!((binary(1_572_864.0), cut("abcdef", 4)), ("1.5MiB".to_owned(), "abc…".to_owned()));
        assert!(at(0).contains("19"), "{}", at(0));
        assert_eq!((decimal(4_430_000.0), decimal(999.0)), ("4.43MB".to_owned(), "999B".to_owned()));
        assert_eq!(short("äbc", 2), "äb");
    }
}
