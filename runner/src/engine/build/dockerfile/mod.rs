//! The Dockerfile language: from text to stages of typed instructions, by Docker's reference
//! (docs.docker.com/reference/dockerfile). Pure: it touches no file and knows no image.
//!
//! Variables stand in the instructions as they were written; [`expand`] puts their values in when a step is carried out,
//! for only then are they known.

pub mod expand;
mod flags;
mod health;
mod instruction;
mod lines;
mod words;

pub use health::Health;
pub use instruction::{Command, Copy, Instruction, Run, Source, Verb};
pub use lines::Heredoc;

use lines::Line;

/// The most bytes of a Dockerfile.
pub const SIZE: usize = 1 << 20;
/// The most instructions in one.
const STEPS: usize = 2000;

/// What is wrong with a Dockerfile, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dockerfile parse error line {line}: {why}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// In Docker's words, where it has them.
    pub why: String,
}

impl Error {
    fn at(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// What takes a character's meaning away, and joins lines.
    pub escape: char,
    /// The `ARG`s before the first `FROM`.
    pub arguments: Vec<(String, Option<String>)>,
    /// Its stages, at least one.
    pub stages: Vec<Stage>,
}

/// What stands between a `FROM` and the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The line of its `FROM`.
    pub line: usize,
    /// That line, as it was written.
    pub text: String,
    /// The image or the stage that it begins with; `scratch` is nothing.
    pub base: String,
    /// For which platform, where that was said.
    pub platform: Option<String>,
    /// Its name, in lower case.
    pub name: Option<String>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its first line.
    pub line: usize,
    /// As it was written, in one line.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// Reads a Dockerfile.
///
/// # Errors
/// See [`Error`].
pub fn parse(text: &str) -> Result<Dockerfile, Error> {
    if text.len() > SIZE {
        return Err(Error::at(1, format!("the Dockerfile has more than {SIZE} bytes")));
    }
    let (escape, lines) = lines::read(text)?;
    if lines.is_empty() {
        return Err(Error::at(1, "file with no instructions"));
    }
    if let Some(line) = lines.get(STEPS) {
        return Err(Error::at(line.number, format!("there are more than {STEPS} instructions")));
    }
    let mut file = Dockerfile { escape, arguments: Vec::new(), stages: Vec::new() };
    for line in lines {
        let (verb, _) = line.verb();
        if verb.eq_ignore_ascii_case("FROM") {
            file.stages.push(stage(&line)?);
            continue;
        }
        let step = step(&line, escape)?;
        match (file.stages.last_mut(), step.instruction) {
            (Some(stage), instruction) => stage.steps.push(Step { instruction, ..step }),
            (None, Instruction::Arg(list)) => file.arguments.extend(list),
            (None, _) => {
                return Err(Error::at(
                    line.number,
                    "no build stage in current context: the first instruction is FROM, or ARG before it",
                ));
            }
        }
    }
    if file.stages.is_empty() {
        return Err(Error::at(1, "no build stage in current context: there is no FROM"));
    }
    names_differ(&file.stages)?;
    Ok(file)
}

/// Reads what an `ONBUILD` has kept for the stages that begin with its image.
///
/// # Errors
/// See [`Error`]; the lines are those of the trigger.
pub fn trigger(text: &str, escape: char) -> Result<Vec<Step>, Error> {
    let (_, lines) = lines::read_with(text, escape)?;
    let steps = lines.iter().map(|line| {
        let (verb, _) = line.verb();
        instruction::may_wait(verb).map_err(|why| Error::at(line.number, why))?;
        step(line, escape)
    });
    steps.collect()
}

fn step(line: &Line, escape: char) -> Result<Step, Error> {
    let instruction = instruction::parse(line, escape).map_err(|why| Error::at(line.number, why))?;
    Ok(Step { line: line.number, text: line.text.clone(), instruction })
}

/// `FROM [--platform=P] IMAGE [AS NAME]`
fn stage(line: &Line) -> Result<Stage, Error> {
    let fail = |why: String| Error::at(line.number, why);
    let (flags, rest) = flags::take(line.verb().1).map_err(fail)?;
    let mut platform = None;
    for flag in flags {
        match flag.name.as_str() {
            "platform" => platform = Some(flag.text().map_err(fail)?.to_owned()),
            other => return Err(fail(format!("unknown flag: --{other}"))),
        }
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (base, name) = match words[..] {
        [base] => (base, None),
        [base, r#as, name] if r#as.eq_ignore_ascii_case("as") => (base, Some(name.to_ascii_lowercase())),
        _ => return Err(fail("FROM requires either one or three arguments".into())),
    };
    if let Some(name) = &name {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
            return Err(fail(format!(
                "invalid name for build stage: \"{name}\", name can't start with a number or contain symbols"
            )));
        }
    }
    let text = line.text.clone();
    Ok(Stage { line: line.number, text, base: base.to_owned(), platform, name, steps: Vec::new() })
}

fn names_differ(stages: &[Stage]) -> Result<(), Error> {
    for (n, stage) in stages.iter().enumerate() {
        if stage.name.is_some() && stages[..n].iter().any(|other| other.name == stage.name) {
            let name = stage.name.as_deref().unwrap_or_default();
            return Err(Error::at(
                stage.line,
                format!("duplicate name for build stage: {name} is the name of an earlier one"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
