//! A scenario's Markdown as ours: most of it is the same; addresses of ports and Katacoda's file boxes are not.

use regex::{Captures, Regex};
use std::sync::LazyLock;

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// `https://[[HOST_SUBDOMAIN]]-80-[[KATACODA_HOST]].environments.katacoda.com/`, `[[HOST2_SUBDOMAIN]]`, Killercoda's `{{TRAFFIC_HOST1_80}}`.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?:https?://)?\[\[HOST\d?_SUBDOMAIN\]\]-(\d+)-\[\[(?:KATACODA|KILLERCODA)_(?:HOST|DOMAIN)\]\](?:\.environments\.katacoda\.com)?/?",
    )
});
/// Any other place that is filled in.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\[\[([A-Z][A-Z0-9_]+)\]\]"));
/// A box whose text goes into a file.
static BOX: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"(?is)<pre\s+class="file"([^>]*)>(.*?)</pre>"#));
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"(?i)data-(filename|target)="([^"]*)""#));
/// Lines of a fence that are highlighted: ```` ```sh {1,3-4} ````.
static LINES: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?m)^(\s*(?:```+|~~~+)[^\n{]*)\{[\d,\s-]+\}[ \t]*$"));

/// Converts; what is not as it was is added to `differences`.
pub(super) fn convert_text(text: &str, differences: &mut Vec<String>) -> String {
    let (Some(address), Some(place), Some(file), Some(lines)) = (&*ADDRESS, &*PLACE, &*BOX, &*LINES) else {
        return text.to_owned();
    };
    let mut text = address.replace_all(text, "{{port $1}}").into_owned();
    text = bare_ports(&text);
    if file.is_match(&text) {
        differences.push("text that a click wrote into a file is run or copied here".to_owned());
        text = file.replace_all(&text, |found: &Captures<'_>| file_box(&found[1], &found[2])).into_owned();
    }
    if lines.is_match(&text) {
        differences.push("lines of code are not highlighted one by one".to_owned());
        text = lines.replace_all(&text, "$1").into_owned();
    }
    for found in place.captures_iter(&text) {
        let words = format!("[[{}]] stays as it is: nothing here is called so", &found[1]);
        if !differences.contains(&words) {
            differences.push(words);
        }
    }
    for (line, mark) in crate::course::marks::unknown(&text) {
        if !mark.contains("TRAFFIC_") {
            differences.push(format!("line {line} of a text: the mark {{{{{mark}}}}} means nothing here"));
        }
    }
    text
}

/// An address that stands alone is a link to the port.
fn bare_ports(text: &str) -> String {
    let Some(alone) = pattern(r"(^|[\s(>])\{\{port (\d+)\}\}($|[\s.,;)<])") else { return text.to_owned() };
    alone
        .replace_all(text, |found: &Captures<'_>| {
            // Within a Markdown link's brackets it is an address already.
            if &found[1] == "(" {
                found[0].to_owned()
            } else {
                format!("{}[port {}]({{{{port {}}}}}){}", &found[1], &found[2], &found[2], &found[3])
            }
        })
        .into_owned()
}

fn file_box(attributes: &str, inside: &str) -> String {
    let attribute = |name: &str| {
        let pattern = ATTRIBUTE.as_ref()?;
        pattern
            .captures_iter(attributes)
            .find(|one| one[1].eq_ignore_ascii_case(name))
            .map(|one| one[2].to_owned())
    };
    let text = inside.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let text = text.trim_matches('\n');
    let Some(name) = attribute("filename") else { return format!("\n```\n{text}\n```{{{{copy}}}}\n") };
    let sign = if attribute("target").is_some_and(|target| target == "append") { ">>" } else { ">" };
    format!("\n```sh\ncat {sign} {name} <<'EOF'\n{text}\nEOF\n```{{{{exec}}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> (String, Vec<String>) {
        let mut differences = Vec::new();
        (convert_text(text, &mut differences), differences)
    }

    #[test]
    fn addresses_of_ports_become_links_to_them() {
        let katacoda = "https://[[HOST_SUBDOMAIN]]-8080-[[KATACODA_HOST]].environments.katacoda.com/";
        assert_eq!(converted(&format!("[x]({katacoda})")), ("[x]({{port 8080}})".to_owned(), vec![]));
        assert_eq!(converted(&format!("See {katacoda} now")).0, "See [port 8080]({{port 8080}}) now");
        assert_eq!(converted("[x]({{TRAFFIC_HOST1_80}})").1, Vec::<String>::new());
    }

    #[test]
    fn file_boxes_write_files_and_strange_things_are_told() {
        let text = "<pre class=\"file\" data-filename=\"a.js\" data-target=\"append\">x &lt; 1\n</pre>";
        let (text, told) = converted(text);
        assert_eq!(text, "\n```sh\ncat >> a.js <<'EOF'\nx < 1\nEOF\n```{{exec}}\n");
        assert_eq!(told.len(), 1);
        assert!(converted("[[UUID]]").1[0].contains("[[UUID]]"));
        assert!(converted("{{nonsense}}").1[0].contains("nonsense"));
        assert_eq!(converted("```sh {1,3}\nls\n```{{execute T2}}").0, "```sh \nls\n```{{execute T2}}");
    }
}
