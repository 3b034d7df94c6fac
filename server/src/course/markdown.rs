//! Markdown becomes HTML that is safe to show: marks on code, values of variables, and nothing that could run.
//!
//! Whatever was written, in Markdown or as HTML, passes one sanitiser at the end.

use super::marks::{self, CARRIER, Deed, Mark};
use ammonia::Builder;
use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

/// With what a text is rendered.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Values of variables by name.
    pub values: BTreeMap<String, String>,
    /// What paths of images begin with, with `/` at its end.
    pub base: String,
}

/// The Markdown that is understood.
#[must_use]
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
}

/// Renders a text.
#[must_use]
pub fn render(text: &str, setting: &Setting) -> String {
    let text = with_values(text, &setting.values);
    let text = marks::gather(&with_ports(&text));
    let mut events = Vec::new();
    let mut parser = TextMergeStream::new(Parser::new_ext(&text, options())).peekable();
    while let Some(event) = parser.next() {
        match event {
            Event::Code(code) => {
                let mark = match parser.peek() {
                    Some(Event::Text(text)) => marks::leading(text),
                    _ => None,
                };
                let length = mark.as_ref().map_or(0, |(_, length)| *length);
                events.push(html(inline(&code, mark.map(|(mark, _)| mark).as_ref())));
                if let Some(Event::Text(text)) = parser.next_if(|_| length > 0) {
                    events.push(Event::Text(text[length..].to_owned().into()));
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let mut code = String::new();
                for event in parser.by_ref() {
                    match event {
                        Event::Text(text) => code.push_str(&text),
                        Event::End(TagEnd::CodeBlock) => break,
                        _ => {}
                    }
                }
                events.push(html(block(&kind, &code)));
            }
            Event::TaskListMarker(done) => events.push(Event::Text(if done { "☑ " } else { "☐ " }.into())),
            other => events.push(other),
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    pulldown_cmark::html::push_html(&mut out, events.into_iter());
    clean(&out, &setting.base)
}

fn html(text: String) -> Event<'static> {
    Event::InlineHtml(CowStr::from(text))
}

fn inline(code: &str, mark: Option<&Mark>) -> String {
    format!("<code{}>{}</code>", attributes(mark), escape(code))
}

fn block(kind: &CodeBlockKind<'_>, code: &str) -> String {
    let info = match kind {
        CodeBlockKind::Fenced(info) => info.as_ref(),
        CodeBlockKind::Indented => "",
    };
    let mark = info.split_whitespace().find_map(|word| word.strip_prefix(CARRIER));
    let mark = mark.and_then(|carried| marks::parse(&carried.replace(',', " ")));
    // A block can always be copied, unless its author said no.
    let mark = mark.unwrap_or(Mark { deed: Deed::Copy, ..Mark::default() });
    let language =
        info.split_whitespace().next().filter(|word| !word.starts_with(CARRIER)).unwrap_or_default();
    let language: String =
        language.chars().take_while(|c| c.is_ascii_alphanumeric() || "+-_#".contains(*c)).collect();
    let mut attributes = attributes(Some(&mark));
    if !language.is_empty() {
        let _ = write!(attributes, " data-language=\"{language}\"");
    }
    format!("<pre{attributes}><code>{}</code></pre>\n", escape(code))
}

fn attributes(mark: Option<&Mark>) -> String {
    let Some(mark) = mark else { return String::new() };
    let mut out = format!(" data-mark=\"{}\"", mark.deed.name());
    if let Some(terminal) = &mark.terminal {
        let _ = write!(out, " data-terminal=\"{}\"", escape(terminal));
    }
    for (set, name) in [(mark.interrupt, "interrupt"), (mark.bare, "bare"), (mark.keys, "keys")] {
        if set {
            let _ = write!(out, " data-{name}=\"yes\"");
        }
    }
    out
}

/// A text as HTML shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// `[[name]]` becomes the value, where there is one of that name.
#[must_use]
pub fn with_values<'t>(text: &'t str, values: &BTreeMap<String, String>) -> Cow<'t, str> {
    if values.is_empty() || !text.contains("[[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[[") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let value = after[2..].find("]]").and_then(|end| Some((values.get(&after[2..end + 2])?, end + 4)));
        match value {
            Some((value, length)) => {
                out.push_str(value);
                rest = &after[length..];
            }
            None => {
                out.push_str("[[");
                rest = &after[2..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `{{port 80}}` becomes `#port-80`: a link's address has no room for blanks; the page knows where the port is shown.
fn with_ports(text: &str) -> Cow<'_, str> {
    if !text.contains("({{") && !text.contains("{{TRAFFIC_") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        match after.find("}}").and_then(|end| Some((marks::port(&after[2..end])?, end + 2))) {
            Some((port, length)) => {
                let _ = write!(out, "#port-{port}");
                rest = &after[length..];
            }
            None => {
                out.push_str("{{");
                rest = &after[2..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What the sanitiser lets through beyond its own list.
const ATTRIBUTES: [&str; 6] =
    ["data-mark", "data-terminal", "data-interrupt", "data-bare", "data-keys", "data-language"];

/// HTML without anything that runs, and with pictures of the course alone.
fn clean(html: &str, base: &str) -> String {
    let relative = |url: &str| !url.contains([':', '\\']) && !url.starts_with('/') && !url.contains("..");
    let base = base.to_owned();
    Builder::default()
        .add_tags(["details", "summary", "mark"])
        .rm_tags(["map", "area"])
        .add_tag_attributes("details", ["open"])
        .add_generic_attributes(ATTRIBUTES)
        .add_tag_attributes("sup", ["id"])
        .add_tag_attributes("div", ["id"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("noopener noreferrer"))
        // An element called as one that the page looks for would be found in its place.
        .id_prefix(Some("text-"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            // Pictures come from the course: a foreign one would tell its server who reads.
            ("img", "src") => relative(value).then(|| format!("{base}{value}").into()),
            ("a", "href") => match value.strip_prefix('#') {
                Some(id) if !id.starts_with("port-") => Some(format!("#text-{id}").into()),
                _ => Some(value.into()),
            },
            _ => Some(value.into()),
        })
        .clean(html)
        .to_string()
}

/// The text's first heading, if it begins with one, as plain text, and what follows.
#[must_use]
pub fn take_heading(text: &str) -> (Option<String>, String) {
    let mut parser = Parser::new_ext(text, options()).into_offset_iter();
    let Some((Event::Start(Tag::Heading { level, .. }), range)) = parser.next() else {
        return (None, text.to_owned());
    };
    if level > HeadingLevel::H3 {
        return (None, text.to_owned());
    }
    let mut title = String::new();
    for (event, _) in parser {
        match event {
            Event::Text(text) | Event::Code(text) => title.push_str(&text),
            Event::SoftBreak | Event::HardBreak => title.push(' '),
            Event::End(TagEnd::Heading(_)) => break,
            _ => {}
        }
    }
    (Some(title.trim().to_owned()), text[range.end..].trim_start_matches('\n').to_owned())
}

/// The text of Markdown without its signs, in one line; at most `most` characters.
#[must_use]
pub fn plain(text: &str, most: usize) -> String {
    let mut out = String::new();
    for event in Parser::new_ext(text, options()) {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(TagEnd::Paragraph) => break,
            _ => {}
        }
    }
    out.chars().take(most).collect()
}

pub(super) use marks::unknown as unknown_marks;
