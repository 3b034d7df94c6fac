//! Numbers and times in the words that people and Docker use.

use jiff::Timestamp;

/// The first `length` characters.
pub(super) fn short(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
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
    use super::{decimal, short, span};

    #[test]
    fn words() {
        for (seconds, words) in
            [(0, "Less than a second"), (59, "59 seconds"), (60, "About a minute"), (7200, "2 hours")]
        {
            assert_eq!(span(seconds), words);
        }
        assert_eq!((decimal(4_430_000.0), decimal(999.0)), ("4.43MB".to_owned(), "999B".to_owned()));
        assert_eq!(short("äbc", 2), "äb");
    }
}
