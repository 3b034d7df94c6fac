//! Scripts of a lab's author, run in a session: as root or as a student, with the student's values, for a limited time.

use super::error::Error;
use super::learning::{Learning, Outcome};
use super::model::{Check, Lab};
use super::prepare::quoted;
use super::values;
use crate::session::policy::Caller;
use crate::session::scripts::{Script, ScriptEnd};
use crate::store::{LabSessionRow, Verdict};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is told of a script's output: lines and characters.
const LINES: usize = 20;
const CHARACTERS: usize = 2000;
/// How long set-ups and solutions may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between a try of a check and the next.
const PAUSE: Duration = Duration::from_secs(1);

impl Learning {
    /// A student's values and the session's name, as scripts get them.
    pub(super) async fn environment(
        &self,
        row: &LabSessionRow,
        lab: &Lab,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut values = self.values(&row.owner, &row.course, lab).await?;
        values.insert("session".to_owned(), row.session.clone());
        Ok(values)
    }

    /// Runs a script as root; its failure is an error.
    pub(super) async fn run(
        &self,
        caller: &Caller,
        session: &str,
        what: &str,
        (script, environment): (&str, &BTreeMap<String, String>),
    ) -> Result<(), Error> {
        let wanted = Script {
            script: by_its_interpreter(script)?,
            user: None,
            env: values::environment(environment),
            timeout_ms: milliseconds(PATIENCE),
        };
        let end = self.sessions.run_script(caller, session, &wanted).await?;
        match end.exit_code {
            Some(0) => Ok(()),
            Some(_) => Err(Error::Script { what: what.to_owned(), said: last_lines(&end.output) }),
            None => {
                let said = format!("it took longer than {} s", PATIENCE.as_secs());
                Err(Error::Script { what: what.to_owned(), said })
            }
        }
    }

    /// Runs a check, and again as often as its author wants.
    pub(super) async fn run_check(
        &self,
        caller: &Caller,
        session: &str,
        check: &Check,
        environment: &BTreeMap<String, String>,
    ) -> Result<Outcome, Error> {
        let wanted = Script {
            script: check.script.clone(),
            user: check.user.clone(),
            env: values::environment(environment),
            timeout_ms: milliseconds(check.timeout),
        };
        let mut left = check.retries;
        loop {
            let end = self.sessions.run_script(caller, session, &wanted).await?;
            if end.exit_code == Some(0) || left == 0 {
                return Ok(outcome(&end, check));
            }
            left -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn outcome(end: &ScriptEnd, check: &Check) -> Outcome {
    let said = last_lines(&end.output);
    match end.exit_code {
        Some(0) => Outcome { verdict: Verdict::Passed, feedback: said },
        Some(_) => Outcome { verdict: Verdict::Failed, feedback: said },
        None => {
            let limit = format!("The check took longer than {} s and was ended.", check.timeout.as_secs());
            let feedback = if said.is_empty() { limit } else { format!("{said}\n{limit}") };
            Outcome { verdict: Verdict::Failed, feedback }
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The last lines of an output, without what would draw on a terminal.
#[must_use]
pub fn last_lines(output: &str) -> String {
    let mut text = String::with_capacity(output.len());
    let mut signs = output.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' {
            // A sequence ends with its first letter; others are two characters.
            if signs.next_if_eq(&'[').is_some() {
                while signs.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            } else {
                signs.next();
            }
        } else if sign == '\n' || sign == '\t' || !sign.is_control() {
            text.push(sign);
        }
    }
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let kept = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let over = kept.chars().count().saturating_sub(CHARACTERS);
    kept.chars().skip(over).collect()
}

/// A script whose first line names another interpreter is run by that one, from a file: of the image's programs none reads a script
/// from anywhere else.
fn by_its_interpreter(script: &str) -> Result<String, Error> {
    let Some(first) = script.strip_prefix("#!").and_then(|rest| rest.lines().next()) else {
        return Ok(script.to_owned());
    };
    let interpreter = first.trim();
    if interpreter.split_whitespace().next().is_none_or(|program| program == "/bin/sh") {
        return Ok(script.to_owned());
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    let end = format!("END-{}", hex::encode(random));
    let words: Vec<String> = interpreter.split_whitespace().map(quoted).collect();
    Ok(format!(
        "f=$(mktemp /tmp/lab.XXXXXX) || exit 1\ncat > \"$f\" <<'{end}'\n{}\n{end}\n{} \"$f\"\nc=$?\nrm -f \"$f\"\nexit $c\n",
        script.trim_end_matches('\n'),
        words.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_the_last_lines_without_signs_for_terminals() {
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        assert_eq!(last_lines(&text).lines().count(), LINES);
        assert!(last_lines(&text).ends_with("line 99"));
        assert_eq!(last_lines("\u{1b}[31mred\u{1b}[0m\u{7}\r\n"), "red");
        assert_eq!(last_lines(&"x".repeat(10_000)).len(), CHARACTERS);
    }

    #[test]
    fn another_interpreter_runs_the_script_from_a_file() {
        assert_eq!(by_its_interpreter("echo a").unwrap(), "echo a");
        assert_eq!(by_its_interpreter("#!/bin/sh\necho a").unwrap(), "#!/bin/sh\necho a");
        let script = by_its_interpreter("#!/usr/bin/env python3\nprint('a')\n").unwrap();
        assert!(script.contains("'/usr/bin/env' 'python3' \"$f\"") && script.contains("\nprint('a')\n"));
    }
}
