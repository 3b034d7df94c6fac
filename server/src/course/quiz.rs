//! An answer to a question is judged. Pure: the page never holds what is right.

use super::model::{Answer, Choice, Question};
use crate::store::Verdict;
use std::collections::HashSet;

/// The longest answer in words, in bytes.
const ANSWER: usize = 1000;

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The choices that were ticked, by their numbers.
    Choices(Vec<usize>),
    /// Text.
    Text(String),
}

/// The verdict, and what is to be said of the choices that were ticked.
#[must_use]
pub fn judge(question: &Question, given: &Given) -> (Verdict, Vec<String>) {
    let (choices, given) = match (&question.answer, given) {
        (Answer::Text(pattern), Given::Text(text)) if text.len() <= ANSWER => {
            let verdict = if pattern.is_match(text.trim()) { Verdict::Passed } else { Verdict::Failed };
            return (verdict, Vec::new());
        }
        (Answer::Single(choices) | Answer::Multiple(choices), Given::Choices(given)) => (choices, given),
        _ => return (Verdict::Failed, Vec::new()),
    };
    let given: HashSet<usize> = given.iter().copied().collect();
    let right = choices.iter().enumerate().all(|(n, choice)| choice.right == given.contains(&n))
        && given.iter().all(|n| *n < choices.len());
    let why = |(n, choice): (usize, &Choice)| given.contains(&n).then(|| choice.why.clone())?;
    let said = choices.iter().enumerate().filter_map(why).collect();
    (if right { Verdict::Passed } else { Verdict::Failed }, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(text: &str, right: bool) -> Choice {
        Choice { text: text.to_owned(), right, why: (!right).then(|| format!("not {text}")) }
    }

    #[test]
    fn all_right_choices_and_no_other_pass() {
        let answer = Answer::Multiple(vec![choice("a", true), choice("b", false), choice("c", true)]);
        let question = Question { name: "q".to_owned(), question: String::new(), answer };
        let judged = |ticked: &[usize]| judge(&question, &Given::Choices(ticked.to_vec()));
        assert_eq!(judged(&[2, 0]), (Verdict::Passed, vec![]));
        assert_eq!(judged(&[0]).0, Verdict::Failed);
        assert_eq!(judged(&[0, 1, 2]), (Verdict::Failed, vec!["not b".to_owned()]));
        assert_eq!(judged(&[0, 2, 7]).0, Verdict::Failed);
        assert_eq!(judge(&question, &Given::Text("a".to_owned())).0, Verdict::Failed);
    }

    #[test]
    fn a_text_must_match_as_a_whole() {
        let answer = Answer::Text(regex::Regex::new("^(?:(?i)setns)$").unwrap());
        let question = Question { name: "q".to_owned(), question: String::new(), answer };
        let judged = |text: &str| judge(&question, &Given::Text(text.to_owned())).0;
        assert_eq!(
            (judged(" SETNS "), judged("setns2"), judged("")),
            (Verdict::Passed, Verdict::Failed, Verdict::Failed)
        );
    }
}
