//! A Markdown file becomes slides: a level-1 heading starts one, and so does a rule.
//!
//! Decks that were made for other tools open as they are: front matter is passed over, notes are found in each tool's way.

use super::markdown;
use super::marks;
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

/// The most slides of a deck.
const SLIDES: usize = 500;

/// One slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slide {
    /// Its heading as plain text; empty if it has none.
    pub title: String,
    /// Its Markdown, heading included.
    pub text: String,
    /// What the speaker reads, in Markdown.
    pub notes: String,
    /// Whether a terminal stands on it.
    pub terminal: Terminal,
}

/// Whether a terminal stands on a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// No.
    Absent,
    /// Its author asked for it, or something is run in it.
    Beside,
}

/// Splits a deck.
#[must_use]
pub fn split(text: &str) -> Vec<Slide> {
    let text = marks::gather(without_front_matter(text));
    let mut cuts = vec![0];
    let mut ends = Vec::new();
    let mut depth = 0_usize;
    for (event, range) in Parser::new_ext(&text, markdown::options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) if depth == 0 => {
                depth += 1;
                cuts.push(range.start);
            }
            Event::Rule if depth == 0 => {
                ends.push(range.clone());
                cuts.push(range.end);
            }
            Event::Start(_) => depth += 1,
            Event::End(TagEnd::Heading(_) | _) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    cuts.push(text.len());
    let piece = |pair: &[usize]| {
        let (start, end) = (pair[0], pair[1]);
        // The rule itself belongs to no slide.
        let end = ends.iter().find(|rule| rule.end == end).map_or(end, |rule| rule.start);
        text.get(start..end).unwrap_or_default().to_owned()
    };
    let pieces = cuts.windows(2).map(piece).filter(|piece| !piece.trim().is_empty());
    pieces.take(SLIDES).map(|piece| slide(&piece)).filter(|slide| !slide.is_empty()).collect()
}

impl Slide {
    fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.notes.is_empty() && self.terminal == Terminal::Absent
    }
}

fn without_front_matter(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return text };
    let key = rest.lines().next().is_some_and(|line| line.contains(':') || line.starts_with('#'));
    match rest.find("\n---").filter(|_| key) {
        Some(end) => rest[end + 4..].split_once('\n').map_or("", |(_, body)| body),
        None => text,
    }
}

/// One slide's text, its notes apart.
fn slide(piece: &str) -> Slide {
    let mut text = String::new();
    let mut notes = String::new();
    let mut terminal = Terminal::Absent;
    let mut code: Option<(char, usize)> = None;
    let (mut noting, mut comment) = (false, false);
    for line in piece.lines() {
        let trimmed = line.trim();
        code = match (code, marks::fence(line)) {
            (None, Some((sign, count, _))) => Some((sign, count)),
            (Some((sign, least)), Some((other, count, ""))) if sign == other && count >= least => None,
            (open, _) => open,
        };
        if code.is_none() && !comment && !noting {
            if trimmed == "{{terminal}}" {
                terminal = Terminal::Beside;
                continue;
            }
            if trimmed == "???" || trimmed == "Note:" || trimmed.starts_with("Note: ") {
                noting = true;
                push(&mut notes, trimmed.trim_start_matches("???").trim_start_matches("Note:").trim_start());
                continue;
            }
            if let Some(inside) = trimmed.strip_prefix("<!--") {
                comment = !inside.contains("-->");
                push(&mut notes, said(inside.split("-->").next().unwrap_or_default()));
                continue;
            }
        } else if comment {
            comment = !trimmed.contains("-->");
            push(&mut notes, trimmed.split("-->").next().unwrap_or_default());
            continue;
        }
        if line.contains("{{exec") || line.contains(&format!("{}exec", marks::CARRIER)) {
            terminal = Terminal::Beside;
        }
        push(if noting { &mut notes } else { &mut text }, line);
    }
    let title = markdown::take_heading(text.trim_start()).0.unwrap_or_default();
    Slide { title, text, notes: notes.trim().to_owned(), terminal }
}

/// A comment that is a setting of another tool (`_class: lead`) is no note.
fn said(comment: &str) -> &str {
    let comment = comment.trim();
    let setting = comment.split_once(':').is_some_and(|(key, _)| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.$".contains(c))
    });
    if setting && !comment.starts_with("Note:") { "" } else { comment }
}

fn push(to: &mut String, line: &str) {
    to.push_str(line);
    to.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Vec<String> {
        split(text).into_iter().map(|slide| slide.title).collect()
    }

    #[test]
    fn a_heading_of_either_style_starts_a_slide() {
        assert_eq!(
            titles("# One\n\ntext\n\nTwo\n===\n\n## Part\n\n# `Three` *now*\n"),
            ["One", "Two", "Three now"]
        );
        assert_eq!(titles("# One\n\n```sh\n# a comment\n```\n\n> # quoted\n"), ["One"]);
    }

    #[test]
    fn a_rule_starts_one_too_and_front_matter_none() {
        let marp = "---\nmarp: true\ntheme: x\n---\n\n# One\n\n---\n\n# Two\n\n---\n\nthree\n";
        assert_eq!(titles(marp), ["One", "Two", ""]);
        assert!(split(marp).iter().all(|slide| !slide.text.contains("---") && !slide.text.contains("marp")));
    }

    #[test]
    fn notes_are_apart_in_each_tools_way() {
        for text in [
            "# A\n\nb\n\nNote: say this\nand that",
            "# A\n\nb\n\n???\nsay this\nand that",
            "# A\n\n<!-- say this\nand that -->\n\nb",
        ] {
            let slides = split(text);
            assert_eq!(slides.len(), 1, "{text}");
            assert_eq!(
                slides[0].notes.split_whitespace().collect::<Vec<_>>(),
                ["say", "this", "and", "that"]
            );
            assert!(slides[0].text.contains('b') && !slides[0].text.contains("say"), "{text}");
        }
        assert_eq!(split("# A\n<!-- _class: lead -->\n")[0].notes, "");
    }

    #[test]
    fn a_terminal_stands_where_it_is_asked_for_or_used() {
        let found = split("# A\n\n{{terminal}}\n\n# B\n\n```\nls\n```{{exec}}\n\n# C\n\n```\nls\n```\n");
        let found: Vec<_> = found.iter().map(|slide| slide.terminal).collect();
        assert_eq!(found, [Terminal::Beside, Terminal::Beside, Terminal::Absent]);
    }
}
