//! From text to logical lines: parser directives, comments, continued lines, here-documents.

use super::Error;
use super::words;

/// A here-document: `<<EOF` up to a line `EOF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// What ends it; for `COPY` also the file's name.
    pub name: String,
    /// What stands between.
    pub content: String,
    /// Whether variables in it have a meaning: not if the name was quoted.
    pub expands: bool,
}

/// An instruction's line, joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The first line that it stands on, from 1.
    pub(super) number: usize,
    /// All of it but the here-documents.
    pub(super) text: String,
    /// In the order in which they are named.
    pub(super) heredocs: Vec<Heredoc>,
    /// The text with the here-documents as they were written: what `ONBUILD` keeps.
    pub(super) whole: String,
}

impl Line {
    /// The instruction's name, and what follows.
    pub(super) fn verb(&self) -> (&str, &str) {
        let text = self.text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        (verb, rest.trim())
    }
}

/// All lines that say something, and the character that escapes.
pub(super) fn read(text: &str) -> Result<(char, Vec<Line>), Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = directives(text)?;
    read_with(text, escape)
}

/// The same, where the escape is known.
pub(super) fn read_with(text: &str, escape: char) -> Result<(char, Vec<Line>), Error> {
    let mut physical = (1..).zip(text.lines());
    let mut lines = Vec::new();
    while let Some((number, first)) = physical.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut joined = String::new();
        let mut next = Some(first);
        while let Some(line) = next {
            let Some(head) = continued(line, escape) else {
                joined.push_str(line.trim_end());
                break;
            };
            joined.push_str(head);
            // A comment within is none of the command's lines, nor is an empty one.
            next = physical.by_ref().map(|(_, l)| l).find(|l| {
                let bare = l.trim_start();
                !bare.is_empty() && !bare.starts_with('#')
            });
        }
        let joined = joined.trim_end().to_owned();
        let mut line = Line { number, whole: joined.clone(), text: joined, heredocs: Vec::new() };
        for wanted in heredocs(&line, escape) {
            let heredoc = content(&wanted, &mut physical, &mut line.whole)
                .ok_or_else(|| Error::at(number, format!("unterminated heredoc: {}", wanted.name)))?;
            line.heredocs.push(heredoc);
        }
        lines.push(line);
    }
    Ok((escape, lines))
}

/// `# key=value` at the very top.
fn directives(text: &str) -> Result<char, Error> {
    let mut escape = None;
    let mut seen = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|l| l.split_once('=')) else { break };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if !matches!(key.as_str(), "syntax" | "escape" | "check") {
            break;
        }
        if seen.contains(&key) {
            return Err(Error::at(number, format!("only one {key} parser directive can be used")));
        }
        if key == "escape" {
            escape = match value {
                "\\" => Some('\\'),
                "`" => Some('`'),
                other => {
                    return Err(Error::at(
                        number,
                        format!("invalid ESCAPE '{other}' does not match ` or \\"),
                    ));
                }
            };
        }
        seen.push(key);
    }
    Ok(escape.unwrap_or('\\'))
}

/// What stands before an escape at a line's end, which joins the next one to it.
fn continued(line: &str, escape: char) -> Option<&str> {
    let head = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    // Two of them are one that means itself.
    (!head.ends_with(escape)).then_some(head)
}

/// A here-document that a line announces.
struct Wanted {
    name: String,
    strips_tabs: bool,
    expands: bool,
}

fn heredocs(line: &Line, escape: char) -> Vec<Wanted> {
    let (mut verb, mut rest) = line.verb();
    if verb.eq_ignore_ascii_case("ONBUILD") {
        (verb, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    }
    if !["ADD", "COPY", "RUN"].iter().any(|v| v.eq_ignore_ascii_case(verb)) || rest.starts_with('[') {
        return Vec::new();
    }
    words::split(rest, escape).iter().filter_map(|word| announced(word)).collect()
}

/// `[FD]<<[-]NAME`, the name perhaps quoted.
fn announced(word: &str) -> Option<Wanted> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let bare: String = rest.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let good = !bare.is_empty() && bare.chars().all(plain) && !bare.starts_with('.');
    good.then(|| Wanted { expands: bare == rest, name: bare, strips_tabs })
}

/// The name of the here-document that a word stands for.
pub(super) fn heredoc_name(word: &str) -> Option<String> {
    announced(word).map(|wanted| wanted.name)
}

fn content<'t>(
    wanted: &Wanted,
    lines: &mut impl Iterator<Item = (usize, &'t str)>,
    whole: &mut String,
) -> Option<Heredoc> {
    let mut content = String::new();
    for (_, line) in lines {
        whole.push('\n');
        whole.push_str(line);
        let line = if wanted.strips_tabs { line.trim_start_matches('\t') } else { line };
        if line == wanted.name {
            return Some(Heredoc { name: wanted.name.clone(), content, expands: wanted.expands });
        }
        content.push_str(line);
        content.push('\n');
    }
    None
}
