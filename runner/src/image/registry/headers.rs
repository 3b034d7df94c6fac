//! `Retry-After`, `Content-Range` (RFC 9110) and an upload's `Range`, read into numbers; knows no registry.

use jiff::Timestamp;
use std::time::Duration;

/// How long to wait, as seconds or until a date; `None` for what is neither.
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
    // What is over already needs no waiting.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// `bytes 5-9/10`: where the part begins, and how long the whole is if that is said.
pub(super) fn content_range(header: &str) -> Option<(u64, Option<u64>)> {
    let (part, whole) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = part.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let whole = match whole.trim() {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    (first <= last && whole.is_none_or(|w| last < w)).then_some((first, whole))
}

/// `bytes */10`, with 416: how long the whole is.
pub(super) fn whole_length(header: &str) -> Option<u64> {
    header.trim().strip_prefix("bytes */")?.trim().parse().ok()
}

/// `0-9`, also `bytes=0-9`, of an upload: the bytes that have arrived. `0-0` is said of none as well as of one.
pub(super) fn reached(header: &str) -> Option<u64> {
    let header = header.trim();
    let (first, last) = header.strip_prefix("bytes=").unwrap_or(header).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    if first.trim() != "0" {
        return None;
    }
    Some(if last == 0 { 0 } else { last.checked_add(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[test]
    fn ranges_begin_somewhere_and_end_inside() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
        for wrong in ["", "bytes", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "items 5-9/10", "bytes */10"]
        {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
        assert_eq!([reached("0-9"), reached("bytes=0-9"), reached("0-0")], [Some(10), Some(10), Some(0)]);
        for wrong in ["", "-", "1-9", "0-", "0-x", "0-18446744073709551615"] {
            assert_eq!(reached(wrong), None, "{wrong}");
        }
        assert_eq!(whole_length("bytes */10"), Some(10));
        assert_eq!(whole_length("bytes 5-9/10"), None);
    }
}
