//! A student's values of a lab's variables: drawn once, stored, put into texts and into scripts' environments.

use super::model::{Values, Variable};
use std::collections::BTreeMap;

/// Letters and digits that nobody mistakes for one another.
const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Draws a value.
///
/// # Errors
/// The system gives no random numbers.
pub fn draw(variable: &Variable) -> Result<String, getrandom::Error> {
    Ok(match &variable.values {
        Values::Number(from, to) => {
            let span = u64::try_from(i128::from(*to) - i128::from(*from) + 1).unwrap_or(u64::MAX);
            let drawn = i128::from(*from) + i128::from(below(span)?);
            drawn.to_string()
        }
        Values::Choice(choice) => {
            let drawn = usize::try_from(below(choice.len() as u64)?).unwrap_or(0);
            choice.get(drawn).cloned().unwrap_or_default()
        }
        Values::Secret(length) => {
            let mut text = String::new();
            for _ in 0..*length {
                let drawn = usize::try_from(below(SIGNS.len() as u64)?).unwrap_or(0);
                text.push(char::from(SIGNS[drawn]));
            }
            text
        }
    })
}

/// A random number below another; so large a range is drawn from that a remainder favours nobody noticeably.
fn below(most: u64) -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let drawn = u128::from_ne_bytes(bytes) % u128::from(most.max(1));
    Ok(u64::try_from(drawn).unwrap_or(0))
}

/// The values as environment of scripts: `LAB_` and the name in capitals.
#[must_use]
pub fn environment(values: &BTreeMap<String, String>) -> Vec<String> {
    let name = |name: &str| name.to_uppercase().replace('-', "_");
    values.iter().map(|(key, value)| format!("LAB_{}={value}", name(key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_range_and_secrets_differ() {
        let of = |values| Variable { name: "v".to_owned(), values };
        for _ in 0..100 {
            let number: i64 = draw(&of(Values::Number(-2, 2))).unwrap().parse().unwrap();
            assert!((-2..=2).contains(&number));
        }
        assert_eq!(draw(&of(Values::Choice(vec!["red".to_owned()]))).unwrap(), "red");
        let (a, b) = (draw(&of(Values::Secret(20))).unwrap(), draw(&of(Values::Secret(20))).unwrap());
        assert!(a.len() == 20 && a != b);
        let values = BTreeMap::from([("my-port".to_owned(), "5".to_owned())]);
        assert_eq!(environment(&values), ["LAB_MY_PORT=5"]);
    }
}
