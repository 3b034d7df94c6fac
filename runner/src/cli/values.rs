//! Values of options: sizes, limits, environment, labels, mounts. Pure text in, valid values or an explanation out.

use crate::engine::model::{RestartPolicy, Throttle, Ulimit};

/// An option's value, or why it is none.
type Value<T> = Result<T, String>;

/// Bytes as Docker writes them: `512m`, `2g`, `1.5GiB`, `1024`; powers of 1024.
pub(super) fn bytes(text: &str) -> Value<i64> {
    let wrong = || format!("{text:?} is no size: write a number and b, k, m, g or t, as in 512m");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let factor = 1_i64 << shift;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 9 || part.contains('.') {
        return Err(wrong());
    }
    let too_large = || format!("{text:?} is larger than any machine");
    let whole: i64 = whole.parse().map_err(|_| too_large())?;
    let part = match part {
        "" => 0,
        part => {
            let scale = 10_i128.pow(u32::try_from(part.len()).unwrap_or_default());
            let part: i128 = part.parse().map_err(|_| wrong())?;
            i64::try_from(part * i128::from(factor) / scale).map_err(|_| too_large())?
        }
    };
    whole.checked_mul(factor).and_then(|n| n.checked_add(part)).ok_or_else(too_large)
}

/// [`bytes`], or -1 for no limit.
pub(super) fn bytes_or_unlimited(text: &str) -> Value<i64> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// CPUs as a decimal number, in billionths.
pub(super) fn cpus(text: &str) -> Value<i64> {
    let wrong = || format!("{text:?} is no number of cpus: write for example 1.5");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if (whole.is_empty() && part.is_empty()) || part.len() > 9 {
        return Err(wrong());
    }
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let part: i64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000_000).and_then(|n| n.checked_add(part)).ok_or_else(wrong)
}

/// `name=soft[:hard]`; -1 or `unlimited` is no limit.
pub(super) fn ulimit(text: &str) -> Value<Ulimit> {
    let number = |n: &str| match n {
        "-1" | "unlimited" => Ok(-1),
        n => n.parse::<i64>().ok().filter(|n| *n >= 0).ok_or(format!("{n:?} in {text:?} is no number")),
    };
    let (name, values) = text
        .split_once('=')
        .filter(|(name, values)| !name.is_empty() && !values.is_empty())
        .ok_or(format!("{text:?} is no ulimit: write name=soft or name=soft:hard, as in nofile=1024:2048"))?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(format!("in {text:?} the soft limit is above the hard one"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

/// `/dev/sda:1mb`: bytes a second of a device.
pub(super) fn device_bps(text: &str) -> Value<Throttle> {
    let (path, rate) = device(text, "/dev/sda:1mb")?;
    let rate = bytes(rate)?;
    let rate = u64::try_from(rate).map_err(|_| format!("{text:?}: the rate is negative"))?;
    Ok(Throttle { path: path.to_owned(), rate })
}

/// `/dev/sda:1000`: operations a second of a device.
pub(super) fn device_iops(text: &str) -> Value<Throttle> {
    let (path, rate) = device(text, "/dev/sda:1000")?;
    let rate =
        rate.parse().map_err(|_| format!("{rate:?} in {text:?} is no number of operations a second"))?;
    Ok(Throttle { path: path.to_owned(), rate })
}

fn device<'a>(text: &'a str, example: &str) -> Value<(&'a str, &'a str)> {
    text.split_once(':')
        .filter(|(path, rate)| path.starts_with("/dev/") && !rate.is_empty())
        .ok_or(format!("{text:?} is no limit of a device: write its path and a rate, as in {example}"))
}

/// `NAME=value`, or `NAME` alone for this process's own value.
pub(super) fn env(text: &str) -> Value<String> {
    match text.split_once('=') {
        Some(("", _)) => Err(format!("{text:?} has no name before the =")),
        None if text.is_empty() => Err("an empty name".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Environment as the engine takes it: names alone get their values from `lookup`, or are left out.
pub(super) fn resolve(given: Vec<String>, lookup: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let one = |given: String| {
        if given.contains('=') {
            return Some(given);
        }
        lookup(&given).map(|value| format!("{given}={value}"))
    };
    given.into_iter().filter_map(one).collect()
}

/// The lines of an `--env-file`; empty ones and those that begin with # count for nothing.
pub(super) fn env_file(text: &str) -> Value<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("line {}: {name:?} is no name of a variable", n + 1));
        }
        found.push(line.to_owned());
    }
    Ok(found)
}

/// The lines of several files, in their order.
pub(super) fn env_files(paths: &[std::path::PathBuf]) -> Value<Vec<String>> {
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        all.extend(env_file(&text).map_err(|e| format!("{}: {e}", path.display()))?);
    }
    Ok(all)
}

/// `key=value`, or `key` for an empty value.
pub(super) fn pair(text: &str) -> Value<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() { Err(format!("{text:?} has no key")) } else { Ok((key.to_owned(), value.to_owned())) }
}

/// The labels of `--label-file`s: a `key=value` a line.
pub(super) fn label_files(paths: &[std::path::PathBuf]) -> Value<std::collections::BTreeMap<String, String>> {
    let mut all = std::collections::BTreeMap::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let lines = text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#'));
        for line in lines {
            all.extend([pair(line).map_err(|e| format!("{}: {e}", path.display()))?]);
        }
    }
    Ok(all)
}

/// A time like `1m30s` or `500ms`, in nanoseconds.
pub(super) fn nanoseconds(text: &str) -> Value<i64> {
    let time = text.parse::<jiff::SignedDuration>().ok();
    let nanos = time.filter(|t| !t.is_negative()).and_then(|t| i64::try_from(t.as_nanos()).ok());
    nanos.ok_or_else(|| format!("{text:?} is no time: write 30s, 1m30s or 500ms"))
}

/// `key=value`, and nothing less.
pub(super) fn full_pair(text: &str) -> Value<(String, String)> {
    if text.contains('=') { pair(text) } else { Err(format!("{text:?}: write key=value")) }
}

/// `-v`: `source:target[:options]` or a target alone. A relative source that looks like a path becomes absolute.
pub(super) fn volume(text: &str) -> Value<String> {
    let wrong = |why: &str| {
        format!("{text:?}: {why}; write host-directory-or-name:/path/inside, with :ro to deny writing")
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, None),
        [source, target] => (Some(source), target, None),
        [source, target, options] => (Some(source), target, Some(options)),
        _ => return Err(wrong("too many colons")),
    };
    if !target.starts_with('/') {
        return Err(wrong("the path inside is not absolute"));
    }
    if target.trim_matches('/').is_empty() {
        return Err(wrong("the path inside cannot be /"));
    }
    if options.is_some_and(|o| {
        o.split(',').any(|o| !["ro", "rw", "z", "Z", "nocopy", "private", "rprivate"].contains(&o))
    }) {
        return Err(wrong("unknown option"));
    }
    let Some(source) = source else { return Ok(target.to_owned()) };
    if source.is_empty() {
        return Err(wrong("nothing stands before the colon"));
    }
    let source = if source.starts_with('.') || source.starts_with('~') {
        let path = std::path::absolute(source).map_err(|e| wrong(&e.to_string()))?;
        std::fs::canonicalize(&path).unwrap_or(path).to_string_lossy().into_owned()
    } else {
        source.to_owned()
    };
    Ok(options.map_or(format!("{source}:{target}"), |o| format!("{source}:{target}:{o}")))
}

/// `--tmpfs`: `/path[:options]`.
pub(super) fn tmpfs(text: &str) -> Value<(String, String)> {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    if !path.starts_with('/') {
        return Err(format!("{text:?}: the path inside is not absolute; write for example /tmp:size=64m"));
    }
    Ok((path.to_owned(), options.to_owned()))
}

/// `--restart`: `no`, `always`, `unless-stopped`, `on-failure[:times]`.
pub(super) fn restart(text: &str) -> Value<RestartPolicy> {
    let wrong = || format!("{text:?} is none of no, always, unless-stopped, on-failure[:times]");
    let (name, times) = text.split_once(':').map_or((text, None), |(name, times)| (name, Some(times)));
    let maximum_retry_count = match (name, times) {
        ("no" | "always" | "unless-stopped" | "on-failure", None) => 0,
        ("on-failure", Some(times)) => times.parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count })
}

/// A moment: seconds since 1970, a time like `2026-05-04T10:00:00Z`, or how long ago: `1h30m`. Answers seconds since 1970.
pub(super) fn moment(text: &str) -> Value<String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Ok(text.to_owned());
    }
    let seconds = |time: jiff::Timestamp| format!("{}.{:09}", time.as_second(), time.subsec_nanosecond());
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(seconds(time));
    }
    if let Ok(time) = text.parse::<jiff::civil::DateTime>()
        && let Ok(time) = time.to_zoned_datetime(jiff::tz::TimeZone::system())
    {
        return Ok(seconds(time.timestamp()));
    }
    let ago = text.parse::<jiff::SignedDuration>().ok();
    let then = ago.and_then(|ago| jiff::Timestamp::now().checked_sub(ago).ok());
    then.map(seconds).ok_or_else(|| {
        format!("{text:?} is no moment: write seconds since 1970, 2026-05-04T10:00:00Z, or 10m for ten minutes ago")
    })
}

/// `--add-host`: `name:address`, or `name=address`.
pub(super) fn host(text: &str) -> Value<String> {
    let (name, address) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .filter(|(name, _)| !name.is_empty())
        .ok_or(format!("{text:?}: write name:address, as in db:10.0.0.2"))?;
    let address = address.trim_matches(['[', ']']);
    if address != "host-gateway" && address.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("{address:?} in {text:?} is no IP address"));
    }
    Ok(format!("{name}:{address}"))
}

#[cfg(test)]
mod tests;
