//! What is wrong with a course, for its author: file, line, words.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The course or lab cannot be used.
    Error,
    /// It can, but not all of it as its author meant.
    Warning,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How bad.
    pub severity: Severity,
    /// The file, relative to the course.
    pub file: String,
    /// The line, from 1; absent: the file as a whole.
    pub line: Option<u64>,
    /// What is wrong, and what to do.
    pub words: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let severity = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, ": {severity}{}", self.words)
    }
}

/// The most that are told of one course.
const MOST: usize = 200;

/// What was found while a course was loaded.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Something that makes it unusable.
    pub fn error(&mut self, file: &str, line: impl Into<Option<u64>>, words: impl Into<String>) {
        self.add(Severity::Error, file, line.into(), words.into());
    }

    /// Something to look at.
    pub fn warning(&mut self, file: &str, line: impl Into<Option<u64>>, words: impl Into<String>) {
        self.add(Severity::Warning, file, line.into(), words.into());
    }

    fn add(&mut self, severity: Severity, file: &str, line: Option<u64>, words: String) {
        // A line of 0 is that of a value which has no place of its own.
        let line = line.filter(|line| *line > 0);
        if self.0.len() < MOST {
            self.0.push(Fault { severity, file: file.to_owned(), line, words });
        }
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|fault| fault.severity == Severity::Error).count()
    }

    /// All, by file and line.
    #[must_use]
    pub fn all(mut self) -> Vec<Fault> {
        self.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self.0
    }
}
