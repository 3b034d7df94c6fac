//! How a container's health is looked at, in the words of the Docker Engine API.

use super::super::error::Error;
use super::nullable;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `Healthcheck` of a configuration; times are nanoseconds, and 0 inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the fields are those of the Docker Engine API, which says what they mean")]
pub struct Healthcheck {
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "zero")]
    pub interval: i64,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "zero")]
    pub timeout: i64,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "zero")]
    pub start_period: i64,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "zero")]
    pub start_interval: i64,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "zero")]
    pub retries: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn zero(n: &i64) -> bool {
    *n == 0
}

/// Docker's defaults, and the shortest time that it takes.
const USUAL: Duration = Duration::from_secs(30);
const USUAL_START: Duration = Duration::from_secs(5);
const USUAL_RETRIES: u64 = 3;
const SHORTEST: i64 = 1_000_000;

/// What is run to see whether a container is well, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The command.
    pub command: Vec<String>,
    /// Between two runs.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How long after the start a failure counts nothing.
    pub start_period: Duration,
    /// Between two runs in that time.
    pub start_interval: Duration,
    /// So many failures on end make a container unhealthy.
    pub retries: u64,
}

impl Healthcheck {
    /// Takes from an image's what was not said.
    pub fn inherit(&mut self, image: Self) {
        let number = |own: &mut i64, other: i64| {
            if *own == 0 {
                *own = other;
            }
        };
        if self.test.is_empty() {
            self.test = image.test;
        }
        number(&mut self.interval, image.interval);
        number(&mut self.timeout, image.timeout);
        number(&mut self.start_period, image.start_period);
        number(&mut self.start_interval, image.start_interval);
        number(&mut self.retries, image.retries);
    }

    /// What of it is to be done; `None` if nothing is. `shell` is what runs a command that is one string.
    ///
    /// # Errors
    /// [`Error::Invalid`] with Docker's words.
    pub fn check(&self, shell: Option<&[String]>) -> Result<Option<Check>, Error> {
        for (name, value) in [
            ("Interval", self.interval),
            ("Timeout", self.timeout),
            ("StartPeriod", self.start_period),
            ("StartInterval", self.start_interval),
        ] {
            if value != 0 && value < SHORTEST {
                return Err(Error::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
            }
        }
        if self.retries < 0 {
            return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
        }
        let words = |words: &[String]| words.to_vec();
        let command = match self.test.split_first() {
            None => return Ok(None),
            Some((kind, _)) if kind == "NONE" => return Ok(None),
            Some((kind, rest)) if kind == "CMD" && !rest.is_empty() => words(rest),
            Some((kind, rest)) if kind == "CMD-SHELL" && !rest.is_empty() => {
                let usual = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
                let shell = shell.filter(|s| !s.is_empty()).map_or_else(usual, words);
                shell.into_iter().chain([rest.join(" ")]).collect()
            }
            Some((kind, _)) => {
                return Err(Error::invalid(format!(
                    "unknown type of Healthcheck: {kind}: use CMD or CMD-SHELL"
                )));
            }
        };
        let time = |nanos: i64, usual| match u64::try_from(nanos) {
            Ok(nanos @ 1..) => Duration::from_nanos(nanos),
            _ => usual,
        };
        Ok(Some(Check {
            command,
            interval: time(self.interval, USUAL),
            timeout: time(self.timeout, USUAL),
            start_period: time(self.start_period, Duration::ZERO),
            start_interval: time(self.start_interval, USUAL_START),
            retries: u64::try_from(self.retries).ok().filter(|n| *n > 0).unwrap_or(USUAL_RETRIES),
        }))
    }
}

impl super::Config {
    /// How a container's health is looked at, if it is.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        // What cannot be was refused when the container was created.
        self.healthcheck.as_ref()?.check(self.shell.as_deref()).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn what_is_not_said_is_the_images_then_dockers() {
        let mut own = Healthcheck { interval: 2_000_000_000, ..Healthcheck::default() };
        own.inherit(Healthcheck {
            test: words(&["CMD-SHELL", "look here"]),
            interval: 1,
            retries: 7,
            ..Healthcheck::default()
        });
        let check = own.check(None).unwrap().unwrap();
        assert_eq!(check.command, words(&["/bin/sh", "-c", "look here"]));
        assert_eq!((check.interval, check.retries), (Duration::from_secs(2), 7));
        assert_eq!((check.timeout, check.start_period), (USUAL, Duration::ZERO));
        let shell = words(&["/bin/busybox", "ash", "-c"]);
        assert_eq!(own.check(Some(&shell)).unwrap().unwrap().command.len(), 4);
    }

    #[test]
    fn none_is_none_and_what_cannot_be_is_named() {
        let check = |test: &[&str], interval, retries| {
            Healthcheck { test: words(test), interval, retries, ..Healthcheck::default() }.check(None)
        };
        assert_eq!(check(&["NONE"], 0, 0).unwrap(), None);
        assert_eq!(check(&[], 0, 0).unwrap(), None);
        assert!(check(&["CMD", "x"], 1, 0).unwrap_err().to_string().contains("Interval in Healthcheck"));
        assert!(check(&["CMD", "x"], 0, -1).unwrap_err().to_string().contains("Retries"));
        assert!(check(&["SHELL", "x"], 0, 0).unwrap_err().to_string().contains("SHELL"));
    }
}
