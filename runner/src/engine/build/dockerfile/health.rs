//! `HEALTHCHECK`: its options, and Go's way of writing times.

use super::flags::Flag;
use super::instruction::{Command, command};
use serde_json::{Value, json};

/// How a container's health is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not at all.
    None,
    /// By a command; times in nanoseconds, 0 where nothing was said.
    Command {
        /// What is run.
        command: Command,
        /// Between two.
        interval: u64,
        /// How long one may take.
        timeout: u64,
        /// How long failures do not count.
        start_period: u64,
        /// Between two, in that time.
        start_interval: u64,
        /// How many failures make it unhealthy.
        retries: u32,
    },
}

impl Health {
    /// As an image's configuration has it; `shell` runs a command that is one string.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let Self::Command { command, interval, timeout, start_period, start_interval, retries } = self else {
            return json!({ "Test": ["NONE"] });
        };
        let test: Vec<String> = match command {
            Command::Shell(text) => vec!["CMD-SHELL".into(), text.clone()],
            Command::Exec(words) => std::iter::once("CMD".to_owned()).chain(words.iter().cloned()).collect(),
        };
        let mut value = json!({ "Test": test });
        for (name, time) in [
            ("Interval", *interval),
            ("Timeout", *timeout),
            ("StartPeriod", *start_period),
            ("StartInterval", *start_interval),
            ("Retries", u64::from(*retries)),
        ] {
            if time != 0 {
                value[name] = json!(time);
            }
        }
        value
    }
}

/// What follows `HEALTHCHECK` and its flags.
pub(super) fn parse(flags: &[Flag], rest: &str) -> Result<Health, String> {
    let (mut interval, mut timeout, mut start_period, mut start_interval, mut retries) = (0, 0, 0, 0, 0);
    for flag in flags {
        let time = || duration(flag.text()?).ok_or_else(|| bad(flag));
        match flag.name.as_str() {
            "interval" => interval = time()?,
            "timeout" => timeout = time()?,
            "start-period" => start_period = time()?,
            "start-interval" => start_interval = time()?,
            "retries" => retries = flag.text()?.parse().map_err(|_| bad(flag))?,
            other => return Err(format!("unknown flag: --{other}")),
        }
    }
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match kind.to_ascii_uppercase().as_str() {
        "NONE" if rest.trim().is_empty() && flags.is_empty() => Ok(Health::None),
        "NONE" => Err("HEALTHCHECK NONE takes no arguments".into()),
        "CMD" if rest.trim().is_empty() => Err("Missing command after HEALTHCHECK CMD".into()),
        "CMD" => {
            let command = command(rest.trim());
            Ok(Health::Command { command, interval, timeout, start_period, start_interval, retries })
        }
        "" => Err("HEALTHCHECK requires at least one argument".into()),
        other => Err(format!("Unknown type \"{other}\" in HEALTHCHECK (try CMD)")),
    }
}

fn bad(flag: &Flag) -> String {
    format!("--{}: {} is no time or number that can be", flag.name, flag.text().unwrap_or_default())
}

/// `1m30s`, `500ms`: nanoseconds; at least a millisecond, or 0.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut nanos = 0_u64;
    if rest == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let length = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..length] {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        nanos = nanos.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[length..];
    }
    (nanos == 0 || nanos >= 1_000_000).then_some(nanos)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_gos() {
        for (text, nanos) in [
            ("1m30s", Some(90_000_000_000)),
            ("500ms", Some(500_000_000)),
            ("0s", Some(0)),
            ("1ns", None),
            ("5", None),
            ("x", None),
            ("9999999999h", None),
        ] {
            assert_eq!(duration(text), nanos, "{text}");
        }
    }
}
