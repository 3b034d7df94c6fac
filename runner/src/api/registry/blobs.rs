//! `/v2/NAME/blobs/DIGEST`: whole, or a range of it.

use super::{Answer, Call, DIGEST, built, empty};
use crate::image::distribution::{Error, digest};
use axum::body::Body;
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use hyper::{Method, StatusCode};
use std::io::{Seek, SeekFrom};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

pub(super) async fn get(call: &Call, name: &str, text: &str) -> Answer {
    let digest = digest(text)?;
    let mut blob = call.distribution.blob(name, digest).await?;
    let asked = call.header(&RANGE).filter(|_| call.method == Method::GET);
    let part = asked.map(|text| part(text, blob.size)).transpose()?.flatten();
    let (from, length) = part.unwrap_or((0, blob.size));
    let mut headers = vec![
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (ETAG, format!("\"{digest}\"")),
        (DIGEST, digest.to_string()),
    ];
    let status = match part {
        Some(_) => {
            headers.push((CONTENT_RANGE, format!("bytes {from}-{}/{}", from + length - 1, blob.size)));
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    if call.method == Method::HEAD {
        return built(status, &headers, Body::empty());
    }
    blob.file.seek(SeekFrom::Start(from)).map_err(Error::Io)?;
    let file = tokio::fs::File::from_std(blob.file).take(length);
    built(status, &headers, Body::from_stream(ReaderStream::with_capacity(file, PIECE)))
}

pub(super) fn delete(call: &Call, name: &str, text: &str) -> Answer {
    call.distribution.delete_blob(call.who(), name, digest(text)?)?;
    empty(StatusCode::ACCEPTED, &[])
}

/// Where a range begins and how long it is; what is no single range of bytes is passed over, as RFC 9110 allows.
fn part(text: &str, size: u64) -> Result<Option<(u64, u64)>, Error> {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let none = || Error::RangeInvalid { size };
    let (from, to) = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.min(size.saturating_sub(1))),
        (Ok(from), Err(_)) if to.trim().is_empty() => (from, size.saturating_sub(1)),
        (Err(_), Ok(last)) if from.trim().is_empty() && last > 0 => {
            (size.saturating_sub(last), size.saturating_sub(1))
        }
        (Err(_), Ok(0)) if from.trim().is_empty() => return Err(none()),
        _ => return Ok(None),
    };
    if from >= size {
        return Err(none());
    }
    Ok(Some((from, to - from + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (text, expected) in [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=5-", Some((5, 95))),
            ("bytes=-10", Some((90, 10))),
            ("bytes=-1000", Some((0, 100))),
            ("bytes=90-1000", Some((90, 10))),
            ("bytes=9-5", None),
            ("bytes=0-1,5-6", None),
            ("pages=1-2", None),
        ] {
            assert_eq!(part(text, 100).unwrap(), expected, "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert!(matches!(part(text, 100), Err(Error::RangeInvalid { size: 100 })), "{text}");
        }
    }
}
