//! Variables, quotes and escapes in an instruction's words, as Docker's reference has them: `$v`, `${v}`, and the modifiers
//! `:-` `:+` `:?` `-` `+` `?` `#` `##` `%` `%%` `/` `//`.

use crate::engine::build::glob;
use std::iter::Peekable;
use std::str::Chars;

/// Where values of variables come from.
pub trait Values {
    /// The value of a variable, if it is set.
    fn value(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Values for F {
    fn value(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// How deep modifiers may stand in each other.
const DEPTH: usize = 32;
/// The longest text that may come out.
const LONGEST: usize = 1 << 20;

/// Puts values in, and takes quotes and escapes away.
///
/// # Errors
/// What is wrong with the text, in Docker's words.
pub fn word(text: &str, values: &dyn Values, escape: char) -> Result<String, String> {
    let mut lexer =
        Lexer { rest: text.chars().peekable(), text, values, escape, quotes: Quotes::Taken, depth: 0 };
    lexer.until(None)
}

/// The same, quotes left as they are: what stands in a here-document.
///
/// # Errors
/// As [`word`].
pub fn here(text: &str, values: &dyn Values, escape: char) -> Result<String, String> {
    let mut lexer =
        Lexer { rest: text.chars().peekable(), text, values, escape, quotes: Quotes::Kept, depth: 0 };
    lexer.until(None)
}

/// The same, and splits at the white space that values brought in.
///
/// # Errors
/// As [`word`].
pub fn words(text: &str, values: &dyn Values, escape: char) -> Result<Vec<String>, String> {
    Ok(word(text, values, escape)?.split_whitespace().map(ToOwned::to_owned).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Taken,
    Kept,
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    text: &'t str,
    values: &'t dyn Values,
    escape: char,
    quotes: Quotes,
    depth: usize,
}

impl Lexer<'_> {
    /// Up to `end`, which is taken, or to the end of the text if there is none.
    fn until(&mut self, end: Option<char>) -> Result<String, String> {
        let mut out = String::new();
        loop {
            if out.len() > LONGEST {
                return Err(format!("what becomes of {:.40}… is longer than {LONGEST} bytes", self.text));
            }
            let Some(c) = self.rest.next() else {
                return match end {
                    None => Ok(out),
                    Some(end) => Err(format!("syntax error: missing '{end}' in {:?}", self.text)),
                };
            };
            match c {
                c if Some(c) == end => return Ok(out),
                '\'' if self.quotes == Quotes::Taken => self.single(&mut out)?,
                '"' if self.quotes == Quotes::Taken => self.double(&mut out)?,
                '$' => out.push_str(&self.dollar()?),
                c if c == self.escape => match self.rest.next() {
                    Some(next) if self.quotes == Quotes::Taken => out.push(next),
                    Some(next) if next == '$' || next == self.escape => out.push(next),
                    Some(next) => out.extend([c, next]),
                    None => out.push(c),
                },
                c => out.push(c),
            }
        }
    }

    fn single(&mut self, out: &mut String) -> Result<(), String> {
        loop {
            match self.rest.next() {
                None => {
                    return Err("unexpected end of statement while looking for matching single-quote".into());
                }
                Some('\'') => return Ok(()),
                Some(c) => out.push(c),
            }
        }
    }

    fn double(&mut self, out: &mut String) -> Result<(), String> {
        loop {
            match self.rest.next() {
                None => {
                    return Err("unexpected end of statement while looking for matching double-quote".into());
                }
                Some('"') => return Ok(()),
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) if c == self.escape => match self.rest.next() {
                    Some(next) if next == '"' || next == '$' || next == self.escape => out.push(next),
                    Some(next) => out.extend([c, next]),
                    None => out.push(c),
                },
                Some(c) => out.push(c),
            }
        }
    }

    /// What follows a `$`.
    fn dollar(&mut self) -> Result<String, String> {
        if self.rest.next_if_eq(&'{').is_some() {
            return self.braces();
        }
        let name = self.name();
        Ok(if name.is_empty() { "$".to_owned() } else { self.values.value(&name).unwrap_or_default() })
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        let first = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '*' | '#');
        let Some(c) = self.rest.next_if(first) else { return name };
        name.push(c);
        // Digits and signs are names of one character, which have no value here.
        if c.is_ascii_alphabetic() || c == '_' {
            while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                name.push(c);
            }
        }
        name
    }

    fn braces(&mut self) -> Result<String, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("substitutions stand more than {DEPTH} deep in each other"));
        }
        let done = self.substitution();
        self.depth -= 1;
        done
    }

    fn substitution(&mut self) -> Result<String, String> {
        let name = self.name();
        if name.is_empty() {
            return Err(format!("syntax error: bad substitution in {:?}", self.text));
        }
        let value = self.values.value(&name);
        let missing = || format!("syntax error: missing '}}' in {:?}", self.text);
        let modifier = self.rest.next().ok_or_else(missing)?;
        let colon = modifier == ':';
        let modifier = if colon { self.rest.next().ok_or_else(missing)? } else { modifier };
        let set = value.as_ref().is_some_and(|v| !colon || !v.is_empty());
        match modifier {
            '}' if !colon => Ok(value.unwrap_or_default()),
            '-' => {
                let other = self.until(Some('}'))?;
                Ok(value.filter(|_| set).unwrap_or(other))
            }
            '+' => {
                let other = self.until(Some('}'))?;
                Ok(if set { other } else { String::new() })
            }
            '?' => {
                let words = self.until(Some('}'))?;
                let words =
                    if words.is_empty() { "is not allowed to be unset or empty".into() } else { words };
                value.filter(|_| set).ok_or(format!("{name}: {words}"))
            }
            sign @ ('#' | '%') if !colon => {
                let longest = self.rest.next_if_eq(&sign).is_some();
                let pattern = self.raw('}')?;
                Ok(cut(&value.unwrap_or_default(), &pattern, sign == '#', longest))
            }
            '/' if !colon => {
                let all = self.rest.next_if_eq(&'/').is_some();
                let pattern = self.raw('/')?;
                let with = self.until(Some('}'))?;
                Ok(replaced(&value.unwrap_or_default(), &pattern, &with, all))
            }
            other => Err(format!("unsupported modifier ({other}) in substitution")),
        }
    }

    /// A pattern up to `end`: escapes stay, for they are the pattern's.
    fn raw(&mut self, end: char) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.rest.next() {
                None => return Err(format!("syntax error: missing '{end}' in {:?}", self.text)),
                Some(c) if c == end => return Ok(out),
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) if c == self.escape => match self.rest.next() {
                    Some(next) if next == end => out.push(next),
                    Some(next) => out.extend(['\\', next]),
                    None => out.push(c),
                },
                Some(c) => out.push(c),
            }
        }
    }
}

/// Takes what matches away from the beginning or the end: the least, or the most.
fn cut(value: &str, pattern: &str, front: bool, longest: bool) -> String {
    let places: Vec<usize> = value.char_indices().map(|(n, _)| n).chain([value.len()]).collect();
    // The shortest cut first: from the front the least index, from the back the greatest.
    let mut order: Vec<usize> = if front { places } else { places.into_iter().rev().collect() };
    if longest {
        order.reverse();
    }
    for at in order {
        let (head, tail) = value.split_at(at);
        let (tried, kept) = if front { (head, tail) } else { (tail, head) };
        if glob::text(pattern, tried) {
            return kept.to_owned();
        }
    }
    value.to_owned()
}

/// Puts `with` where the pattern matches: the longest match, once or everywhere.
fn replaced(value: &str, pattern: &str, with: &str, all: bool) -> String {
    let (mut out, mut rest, mut done) = (String::new(), value, false);
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(n, c)| n + c.len_utf8()).rev();
        let found = ends.filter(|_| all || !done).find(|end| glob::text(pattern, &rest[..*end]));
        match found {
            Some(end) if !pattern.is_empty() => {
                out.push_str(with);
                rest = &rest[end..];
                done = true;
            }
            _ => {
                let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
                out.push_str(&rest[..next]);
                rest = &rest[next..];
            }
        }
    }
    out
}
