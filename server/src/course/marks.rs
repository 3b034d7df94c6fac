//! The marks that stand after code: `{{exec}}`, `{{copy}}` and their kin, as Killercoda and Katacoda write them too.
//!
//! CommonMark knows no text after a fence's end; [`gather`] moves such marks to where the fence begins.

/// What a click on a piece of code does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// What.
    pub deed: Deed,
    /// The terminal's name; `T2` is the second.
    pub terminal: Option<String>,
    /// Ctrl-C first.
    pub interrupt: bool,
    /// Nothing after it: the Enter key is the student's.
    pub bare: bool,
    /// The code is names of control keys, as `^C`.
    pub keys: bool,
}

/// See [`Mark`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deed {
    /// It is run.
    Exec,
    /// It is copied.
    Copy,
    /// The editor shows the file that it names.
    Open,
    /// Nothing.
    #[default]
    Nothing,
}

impl Deed {
    /// As the page is told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Copy => "copy",
            Self::Open => "open",
            Self::Nothing => "none",
        }
    }
}

/// The mark that a text within `{{` and `}}` is.
#[must_use]
pub fn parse(inside: &str) -> Option<Mark> {
    let mut words = inside.split_whitespace();
    let deed = match words.next() {
        None => Deed::Nothing,
        Some("exec" | "execute") => Deed::Exec,
        Some("copy") => Deed::Copy,
        Some("open") => Deed::Open,
        Some(_) => return None,
    };
    let mut mark = Mark { deed, ..Mark::default() };
    for word in words {
        match word {
            "interrupt" => mark.interrupt = true,
            "no-newline" => mark.bare = true,
            "ctrl-seq" => mark.keys = true,
            // Katacoda's hosts: there is one machine here.
            host if host.strip_prefix("HOST").is_some_and(|n| n.parse::<u8>().is_ok()) => {}
            name => mark.terminal = Some(name.to_owned()),
        }
    }
    Some(mark)
}

/// The mark at the beginning of a text, and how long it is.
#[must_use]
pub fn leading(text: &str) -> Option<(Mark, usize)> {
    let inside = text.strip_prefix("{{")?;
    let end = inside.find("}}")?;
    Some((parse(&inside[..end])?, end + 4))
}

/// What the word is that a fence's mark follows in its info string.
pub(super) const CARRIER: &str = "sandlot-mark=";

/// A fence that a line opens: its sign, how many, and what follows.
pub(super) fn fence(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim_start();
    let sign = line.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let count = line.chars().take_while(|c| *c == sign).count();
    let rest = &line[count..];
    (count >= 3 && !(sign == '`' && rest.contains('`'))).then_some((sign, count, rest.trim()))
}

/// Moves the marks after fences' ends to their beginnings: ```` ```sh sandlot-mark={{exec}} ````. Lines stay lines.
#[must_use]
pub fn gather(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut open: Option<(usize, char, usize)> = None;
    for n in 0..lines.len() {
        let Some((sign, count, rest)) = fence(&lines[n]) else { continue };
        let Some((start, mine, least)) = open else {
            open = Some((n, sign, count));
            continue;
        };
        if sign != mine || count < least {
            continue;
        }
        if rest.is_empty() {
            open = None;
        } else if rest.starts_with("{{") && rest.ends_with("}}") {
            let indent = lines[n].len() - lines[n].trim_start().len();
            let end = format!("{}{}", &lines[n][..indent], sign.to_string().repeat(count));
            let mark =
                rest.trim_start_matches('{').trim_end_matches('}').split_whitespace().collect::<Vec<_>>();
            let carried = format!(" {CARRIER}{}", mark.join(","));
            lines[start].push_str(&carried);
            lines[n] = end;
            open = None;
        }
    }
    lines.join("\n")
}

/// Marks that nobody knows, outside of code: line and word.
#[must_use]
pub fn unknown(text: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut within = false;
    for (n, line) in text.lines().enumerate() {
        if let Some((_, _, rest)) = fence(line) {
            within = !within;
            if within || rest.is_empty() {
                continue;
            }
        } else if within {
            continue;
        }
        // Within code in line, braces are somebody's template.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in plain.split("{{").skip(1) {
            let Some((inside, _)) = rest.split_once("}}") else { continue };
            let known = parse(inside).is_some() || inside.trim() == "terminal" || port(inside).is_some();
            if !known {
                found.push((n as u64 + 1, inside.to_owned()));
            }
        }
    }
    found
}

/// The port that a mark within a link means: `port 8080`, or Killercoda's `TRAFFIC_HOST1_8080`.
#[must_use]
pub fn port(inside: &str) -> Option<u16> {
    let inside = inside.trim();
    let number = match inside.strip_prefix("TRAFFIC_HOST") {
        Some(rest) => rest.split_once('_')?.1,
        None => inside.strip_prefix("port")?.trim(),
    };
    number.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_after_a_fence_is_moved_to_its_beginning() {
        let text = "a\n\n```sh\nls `x`\n```{{exec second interrupt}}\n\n- b\n  ```\n  c\n  ```\n";
        assert_eq!(
            gather(text),
            "a\n\n```sh sandlot-mark=exec,second,interrupt\nls `x`\n```\n\n- b\n  ```\n  c\n  ```"
        );
        assert_eq!(gather("````\n```{{exec}}\n````{{}}"), "```` sandlot-mark=\n```{{exec}}\n````");
    }

    #[test]
    fn marks_are_what_killercoda_and_katacoda_write() {
        assert_eq!(parse("execute T2 HOST1").unwrap().terminal.as_deref(), Some("T2"));
        assert!(parse("exec interrupt").unwrap().interrupt);
        assert!(parse("execute no-newline").unwrap().bare);
        assert_eq!(parse("").unwrap().deed, Deed::Nothing);
        assert_eq!(parse("TRAFFIC_HOST1_80"), None);
        assert_eq!(
            (port("TRAFFIC_HOST1_80"), port("port 8080"), port("port x")),
            (Some(80), Some(8080), None)
        );
        assert_eq!(leading("{{copy}} and").unwrap().1, 8);
    }

    #[test]
    fn what_is_no_mark_is_told_with_its_line() {
        let text = "`a`{{exec}}\n{{nonsense}} `{{ .Go }}`\n```\n{{template}}\n```{{exec}}\n[x]({{port 80}})";
        assert_eq!(unknown(text), [(2, "nonsense".to_owned())]);
    }
}
