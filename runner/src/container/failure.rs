//! Why a process does not run: told by the child in which it went wrong, through the spawner, to the engine.

use serde::{Deserialize, Serialize};

/// Why a process does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}{}{message}", if step.is_empty() { "" } else { ": " })]
pub struct Failure {
    /// What was being done; empty where the message says all.
    pub step: String,
    /// What went wrong.
    pub message: String,
    /// The exit code that Docker gives for it: 125 (set-up), 126 (not executable), 127 (not found).
    pub exit_code: i32,
}

impl Failure {
    /// A failure of ours, not of the command.
    #[must_use]
    pub fn setup(step: &str, cause: &impl ToString) -> Self {
        Self { step: step.to_owned(), message: cause.to_string(), exit_code: 125 }
    }

    /// The same with at most `most` bytes of each text: a command's name may be of any length.
    #[must_use]
    pub fn shortened(mut self, most: usize) -> Self {
        for text in [&mut self.step, &mut self.message] {
            if text.len() > most {
                let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(end.unwrap_or(0));
                text.push('…');
            }
        }
        self
    }
}
