//! Text becomes values in range; each refusal says what is allowed.

use super::Account;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The least memory in which a shell runs.
const MEMORY: std::ops::RangeInclusive<u64> = 4 << 20..=1 << 42;
/// The least disk that a file system can be made on.
const DISK: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 44;
/// Less would end a recording with its first screen.
const RECORDING: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 44;
/// An upload is bounded by the session's disk as well.
const UPLOAD: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 40;
const PIDS: std::ops::RangeInclusive<u64> = 4..=4_194_304;
const NANO_CPUS: std::ops::RangeInclusive<f64> = 0.01..=1024.0;
const DURATION: std::ops::RangeInclusive<u64> = 1..=365 * 24 * 3600;
const TERMINALS: std::ops::RangeInclusive<usize> = 1..=32;
const MANY: usize = 100_000;
/// A shorter administrator's token could be guessed.
const TOKEN: usize = 16;

type Made<T> = Result<T, String>;

/// Bytes, with `k`, `m`, `g` or `t` as powers of 1024.
fn bytes(text: &str, range: &std::ops::RangeInclusive<u64>) -> Made<u64> {
    let lower = text.trim().to_lowercase();
    let (digits, shift) = match lower.trim_end_matches('b').chars().last() {
        Some('k') => (lower.trim_end_matches(['k', 'b']), 10),
        Some('m') => (lower.trim_end_matches(['m', 'b']), 20),
        Some('g') => (lower.trim_end_matches(['g', 'b']), 30),
        Some('t') => (lower.trim_end_matches(['t', 'b']), 40),
        _ => (lower.as_str(), 0),
    };
    let value = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    value
        .filter(|value| range.contains(value))
        .ok_or_else(|| format!("a number of bytes, as 512m or 2g, from {} to {}", range.start(), range.end()))
}

pub(super) fn memory(text: &str) -> Made<u64> {
    bytes(text, &MEMORY)
}

pub(super) fn disk(text: &str) -> Made<u64> {
    bytes(text, &DISK)
}

pub(super) fn recording(text: &str) -> Made<u64> {
    bytes(text, &RECORDING)
}

/// Whether something is done.
pub(super) fn switch(text: &str) -> Made<bool> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

pub(super) fn upload(text: &str) -> Made<u64> {
    bytes(text, &UPLOAD)
}

pub(super) fn pids(text: &str) -> Made<u64> {
    let allowed = || format!("a number from {} to {}", PIDS.start(), PIDS.end());
    text.parse().ok().filter(|n| PIDS.contains(n)).ok_or_else(allowed)
}

/// Processors, in billionths.
pub(super) fn cpus(text: &str) -> Made<u64> {
    let allowed = || format!("a number from {} to {}", NANO_CPUS.start(), NANO_CPUS.end());
    let cpus = text.parse::<f64>().ok().filter(|n| NANO_CPUS.contains(n)).ok_or_else(allowed)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range, and rounding is fine"
    )]
    Ok((cpus * 1e9) as u64)
}

/// Seconds, or with `s`, `m`, `h` or `d`.
pub(super) fn duration(text: &str) -> Made<Duration> {
    let allowed =
        || format!("a duration, as 90s, 30m or 4h, from {} s to {} s", DURATION.start(), DURATION.end());
    let text = text.trim();
    let (digits, unit) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1),
        Some('m') => (&text[..text.len() - 1], 60),
        Some('h') => (&text[..text.len() - 1], 3600),
        Some('d') => (&text[..text.len() - 1], 24 * 3600),
        _ => (text, 1),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    seconds.filter(|n| DURATION.contains(n)).map(Duration::from_secs).ok_or_else(allowed)
}

pub(super) fn count(text: &str) -> Made<u32> {
    text.parse().map_err(|_| "a number from 0".to_owned())
}

pub(super) fn size(text: &str) -> Made<usize> {
    text.parse().ok().filter(|n| *n <= MANY).ok_or_else(|| format!("a number from 0 to {MANY}"))
}

pub(super) fn positive(text: &str) -> Made<usize> {
    text.parse().ok().filter(|n| (1..=MANY).contains(n)).ok_or_else(|| format!("a number from 1 to {MANY}"))
}

pub(super) fn terminals(text: &str) -> Made<usize> {
    let allowed = || format!("a number from {} to {}", TERMINALS.start(), TERMINALS.end());
    text.parse().ok().filter(|n| TERMINALS.contains(n)).ok_or_else(allowed)
}

pub(super) fn address(text: &str) -> Made<SocketAddr> {
    text.parse().map_err(|_| "an address and a port, as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

pub(super) fn path(text: &str) -> Made<PathBuf> {
    if text.is_empty() { Err("a path".to_owned()) } else { Ok(text.into()) }
}

pub(super) fn socket(text: &str) -> Made<PathBuf> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if path.starts_with('/') { Ok(path.into()) } else { Err("unix:// and an absolute path".to_owned()) }
}

pub(super) fn optional_socket(text: &str) -> Made<Option<PathBuf>> {
    if text.is_empty() { Ok(None) } else { socket(text).map(Some) }
}

/// Name spaces of a registry.
pub(super) fn spaces(text: &str) -> Made<Vec<String>> {
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let edge = |name: &str| name.starts_with('-') || name.ends_with('-');
    list(text)
        .map(|name| match plain(name) && !edge(name) && name.len() <= 64 {
            true => Ok(name.to_owned()),
            false => Err("names of lower-case letters, digits and dashes, separated by commas".to_owned()),
        })
        .collect()
}

pub(super) fn optional_url(text: &str) -> Made<Option<Url>> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).ok().filter(|url| {
        ["http", "https"].contains(&url.scheme())
            && url.host().is_some()
            && url.path() == "/"
            && url.query().is_none()
    });
    url.map(Some).ok_or_else(|| "an http or https URL without a path, as https://sandlot.example".to_owned())
}

/// A domain of its own: a page below it could otherwise set cookies of the playground.
pub(super) fn preview(text: &str, public: Option<&Url>) -> Made<Option<String>> {
    let allowed =
        || "a domain without a port that neither contains public-url's nor lies below it".to_owned();
    let domain = match url::Host::parse(text) {
        _ if text.is_empty() => return Ok(None),
        Ok(url::Host::Domain(domain)) => domain,
        _ => return Err(allowed()),
    };
    let name = public.and_then(Url::host_str).unwrap_or("localhost");
    let local = |name: &str| name == "localhost" || name.ends_with(".localhost");
    match (domain.as_str(), name) {
        ("localhost", name) if local(name) => Ok(Some(domain)),
        // The default is for laptops; elsewhere nobody would find it.
        ("localhost", _) => Ok(None),
        (domain, name) => {
            let within = |a: &str, b: &str| a == b || a.ends_with(&format!(".{b}"));
            if within(domain, name) || within(name, domain) {
                Err(allowed())
            } else {
                Ok(Some(domain.to_owned()))
            }
        }
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn origins(text: &str) -> Made<Vec<String>> {
    list(text)
        .map(|origin| match optional_url(origin) {
            Ok(Some(url)) => Ok(url.origin().ascii_serialization()),
            _ => Err("origins, as https://docs.example, separated by commas".to_owned()),
        })
        .collect()
}

pub(super) fn hosts(text: &str) -> Made<Vec<String>> {
    list(text)
        .map(|host| match url::Host::parse(host) {
            Ok(parsed) => Ok(parsed.to_string()),
            Err(_) => Err("host names without ports, separated by commas".to_owned()),
        })
        .collect()
}

pub(super) fn account(text: &str) -> Made<Account> {
    let allowed = || "the name of a user, or UID:GID with both above 0".to_owned();
    if text.is_empty() {
        return Ok(Account::Usual);
    }
    if let Some((uid, gid)) = text.split_once(':') {
        let number = |text: &str| text.parse().ok().filter(|n| (1..u32::MAX).contains(n));
        let (uid, gid) = (number(uid).ok_or_else(allowed)?, number(gid).ok_or_else(allowed)?);
        return Ok(Account::Numbers { uid, gid });
    }
    let name = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if name && !text.starts_with(|c: char| c.is_ascii_digit()) && text != "root" {
        return Ok(Account::Named(text.to_owned()));
    }
    Err(allowed())
}

pub(super) fn token(text: &str) -> Made<Option<String>> {
    match text {
        "" => Ok(None),
        text if text.len() >= TOKEN && text.chars().all(|c| c.is_ascii_graphic()) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(format!("at least {TOKEN} visible ASCII characters")),
    }
}
