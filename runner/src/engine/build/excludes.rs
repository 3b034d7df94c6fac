//! Patterns of what is left out: `.dockerignore` and `--exclude`. The last pattern that matches a path, or a directory above
//! it, decides; `!` takes back.

use super::glob;
use std::path::{Component, Path};

/// The most patterns.
const PATTERNS: usize = 10_000;

/// Patterns, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excludes(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    takes_back: bool,
}

impl Excludes {
    /// The patterns of a `.dockerignore`'s text.
    ///
    /// # Errors
    /// Names the pattern that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self::of(text.lines().filter(|line| !line.starts_with('#')))
    }

    /// These patterns.
    ///
    /// # Errors
    /// Names the pattern that is none.
    pub fn of<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Self, String> {
        let mut all = Vec::new();
        for line in lines {
            let line = line.trim();
            let (takes_back, body) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            if body.is_empty() {
                if takes_back {
                    return Err(format!("illegal exclusion pattern: {line:?}"));
                }
                continue;
            }
            let text = clean(body);
            glob::deep(&text, "").map_err(|e| format!("the pattern {line:?}: {e}"))?;
            all.push(Pattern { text, takes_back });
            if all.len() > PATTERNS {
                return Err(format!("there are more than {PATTERNS} patterns"));
            }
        }
        Ok(Self(all))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what is at `path` (from the root of what is copied) is left out.
    #[must_use]
    pub fn hide(&self, path: &Path) -> bool {
        let Some(text) = path.to_str() else { return false };
        let mut hidden = false;
        for pattern in &self.0 {
            if pattern.takes_back == hidden && pattern.covers(text) {
                hidden = !pattern.takes_back;
            }
        }
        hidden
    }

    /// Whether all that is in a directory that is left out is left out, too: no pattern may take something back there.
    #[must_use]
    pub fn hide_all(&self, path: &Path) -> bool {
        let Some(text) = path.to_str() else { return false };
        let below = |pattern: &Pattern| {
            let mut own = pattern.text.split('/');
            let mut parts = text.split('/');
            // As far as both go, part by part; `**` may be anything.
            loop {
                match (own.next(), parts.next()) {
                    (Some("**"), _) | (_, None) | (None, _) => return true,
                    (Some(own), Some(part)) if !glob::path(own, part).unwrap_or(true) => return false,
                    _ => {}
                }
            }
        };
        self.hide(path) && !self.0.iter().any(|pattern| pattern.takes_back && below(pattern))
    }
}

impl Pattern {
    /// Whether the pattern matches the path or a directory above it.
    fn covers(&self, path: &str) -> bool {
        let matches = |path: &str| glob::deep(&self.text, path).unwrap_or(false);
        matches(path) || path.match_indices('/').any(|(end, _)| matches(&path[..end]))
    }
}

/// Without a leading slash, `.`, and `..` where something stands before it.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(pattern).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_decides() {
        let cases: [(&str, &str, bool); 17] = [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/README.md", true),
            ("/a", "a/b/c", true),
            ("a", "b/a", false),
            ("a/", "a/x", true),
            ("./a/../b", "b", true),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*\n!src", "src/main.rs", false),
            ("*\n!src/**/*.rs", "src/a/b.rs", false),
            ("*\n!src/**/*.rs", "src/a/b.c", true),
            ("# *\n\n  \nx", "y", false),
            ("*/temp*", "somedir/temporary.txt", true),
            ("*/*/temp*", "somedir/temp", false),
            ("temp?", "tempa", true),
            ("**", "x/y", true),
        ];
        for (text, path, hidden) in cases {
            assert_eq!(Excludes::parse(text).unwrap().hide(Path::new(path)), hidden, "{text:?} {path}");
        }
        assert!(Excludes::parse("[").unwrap_err().contains("syntax error"));
        assert!(Excludes::parse("!").unwrap_err().contains("illegal exclusion"));
    }

    #[test]
    fn a_directory_is_passed_over_only_where_nothing_is_taken_back() {
        let all = |text: &str, path: &str| Excludes::parse(text).unwrap().hide_all(Path::new(path));
        assert!(all("target", "target"));
        assert!(!all("target\n!target/keep", "target"));
        assert!(!all("*\n!**/x", "a"));
        assert!(all("*\n!src/x", "a"));
        assert!(!all("*\n!src/x", "src"));
    }
}
