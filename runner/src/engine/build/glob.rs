//! Patterns: Go's `filepath.Match`, the same with `**` (as `.dockerignore` has it), and a shell's for variables.
//!
//! A bad pattern is an error only where somebody wrote it as one: [`path`] says so.

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub(super) struct BadPattern;

/// How much work one match may be: patterns come from strangers.
const STEPS: usize = 1 << 20;

/// What a `/` and a `**` mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A slash is matched by a slash alone.
    Path,
    /// The same, and `**` matches any number of directories.
    Deep,
    /// A slash is a character like any other.
    Text,
}

/// Whether the pattern has a meaning beyond itself.
#[must_use]
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Go's `filepath.Match`.
///
/// # Errors
/// [`BadPattern`].
pub(super) fn path(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    check(pattern)?;
    Ok(matches(pattern, name, Kind::Path))
}

/// The same, and `**` matches any number of directories.
///
/// # Errors
/// [`BadPattern`].
pub(super) fn deep(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    check(pattern)?;
    Ok(matches(pattern, name, Kind::Deep))
}

/// A shell's pattern over a whole text.
#[must_use]
pub(super) fn text(pattern: &str, name: &str) -> bool {
    check(pattern).is_ok() && matches(pattern, name, Kind::Text)
}

fn check(pattern: &str) -> Result<(), BadPattern> {
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next().ok_or(BadPattern)?),
            '[' => {
                let class: Vec<char> = rest.clone().collect();
                let (_, used) = class_of(&class, ' ').ok_or(BadPattern)?;
                rest.nth(used - 1);
            }
            _ => {}
        }
    }
    Ok(())
}

fn matches(pattern: &str, name: &str, kind: Kind) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let mut left = STEPS;
    step(&pattern, &name, kind, &mut left)
}

fn step(pattern: &[char], name: &[char], kind: Kind, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' if kind == Kind::Deep && rest.first() == Some(&'*') => {
            let mut rest = &rest[1..];
            // `**/x` is `x` at any depth, also at none.
            if rest.first() == Some(&'/') {
                rest = &rest[1..];
                let starts = (0..=name.len()).filter(|n| *n == 0 || name[n - 1] == '/');
                return starts.into_iter().any(|n| step(rest, &name[n..], kind, left));
            }
            (0..=name.len()).any(|n| step(rest, &name[n..], kind, left))
        }
        '*' => {
            let end = match kind {
                Kind::Text => name.len(),
                _ => name.iter().position(|c| *c == '/').unwrap_or(name.len()),
            };
            (0..=end).any(|n| step(rest, &name[n..], kind, left))
        }
        '?' => match name.split_first() {
            Some((c, name)) if *c != '/' || kind == Kind::Text => step(rest, name, kind, left),
            _ => false,
        },
        '[' => match name.split_first() {
            Some((c, name)) if *c != '/' || kind == Kind::Text => match class_of(rest, *c) {
                Some((true, used)) => step(&rest[used..], name, kind, left),
                _ => false,
            },
            _ => false,
        },
        '\\' => match (rest.split_first(), name.split_first()) {
            (Some((wanted, rest)), Some((c, name))) if wanted == c => step(rest, name, kind, left),
            _ => false,
        },
        wanted => match name.split_first() {
            Some((c, name)) if c == wanted => step(rest, name, kind, left),
            _ => false,
        },
    }
}

/// Whether `c` is in the class whose text follows a `[`, and how many characters that has with its `]`.
fn class_of(text: &[char], c: char) -> Option<(bool, usize)> {
    let mut at = 0;
    let negated = matches!(text.first(), Some('^' | '!'));
    if negated {
        at += 1;
    }
    let (mut found, mut first) = (false, true);
    loop {
        let next = |at: &mut usize| -> Option<char> {
            let mut c = *text.get(*at)?;
            if c == '\\' {
                *at += 1;
                c = *text.get(*at)?;
            }
            *at += 1;
            Some(c)
        };
        if *text.get(at)? == ']' && !first {
            return Some((found != negated, at + 1));
        }
        first = false;
        let low = next(&mut at)?;
        let high = if text.get(at) == Some(&'-') && text.get(at + 1).is_some_and(|c| *c != ']') {
            at += 1;
            next(&mut at)?
        } else {
            low
        };
        found |= (low..=high).contains(&c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_patterns() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "a/b", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^c]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a?b", "a/b", false),
            ("[\\-x]", "-", true),
            ("*x", "xxx", true),
            ("**/a", "x/y/a", false),
        ] {
            assert_eq!(path(pattern, name), Ok(expected), "{pattern} {name}");
        }
        for bad in ["[", "[^", "[^bc", "a[", "a\\", "[a-"] {
            assert_eq!(path(bad, "a"), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn directories_in_between() {
        for (pattern, name, expected) in [
            ("**", "a/b", true),
            ("**/a", "a", true),
            ("**/a", "x/y/a", true),
            ("**/a", "x/ya", false),
            ("a/**", "a/b/c", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("**/*.rs", "x/m.rs", true),
            ("*.rs", "x/m.rs", false),
        ] {
            assert_eq!(deep(pattern, name), Ok(expected), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_cannot_take_for_ever() {
        let name = "a".repeat(2000);
        assert!(!path(&"*a".repeat(200).replace("a*", "a*b"), &name).unwrap());
    }
}
