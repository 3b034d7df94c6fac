//! Promise: a scenario of Killercoda's or Katacoda's is read as it is, and what cannot be had is told.

use sandlot_server::course::import::import;
use sandlot_server::course::load;
use std::path::Path;

/// A scenario that uses each key of the format.
const INDEX: &str = r#"{
  "title": "My scenario", "description": "Some *words*.", "difficulty": "Beginner", "time": "15-20 minutes",
  "details": {
    "intro": { "text": "intro.md", "background": "bg.sh", "foreground": "fg.sh", "courseData": "data.sh" },
    "steps": [
      { "title": "First", "text": "step1/text.md", "verify": "step1/verify.sh", "hint": "step1/hint.md", "answer": "step1/answer.md" },
      { "title": "Second", "text": "step2.md", "code": "step2.sh" }
    ],
    "finish": { "text": "finish.md" },
    "assets": { "host01": [ { "file": "*", "target": "/opt/lab", "chmod": "+x" }, { "file": "conf/*.yaml", "target": "~/conf" } ] }
  },
  "backend": { "imageid": "kubernetes-kubeadm-1node" },
  "interface": { "layout": "editor-terminal" },
  "wibble": 1
}"#;

fn scenario(folder: &Path) {
    for (path, text) in [
        ("index.json", INDEX),
        (
            "intro.md",
            "Hello\n\n`pwd`{{exec}} `x`{{copy}} `y`{{}} `ls`{{execute T2 HOST1}} `^C`{{execute ctrl-seq}}\n",
        ),
        ("bg.sh", "#!/bin/bash\nsleep 1\n"),
        ("fg.sh", "clear\n"),
        ("data.sh", "echo data\n"),
        (
            "step1/text.md",
            "See {{TRAFFIC_HOST1_80}} and [it](https://[[HOST_SUBDOMAIN]]-80-[[KATACODA_HOST]].environments.katacoda.com/)\n\n\
             ```\nls\n```{{exec interrupt}}\n\n<details><summary>More</summary>x</details>\n\n\
             <pre class=\"file\" data-filename=\"app.js\" data-target=\"replace\">let a &lt; 1;\n</pre>\n\n`app.js`{{open}} [[UUID]]\n",
        ),
        ("step1/verify.sh", "#!/bin/bash\n[ -f /tmp/a ]\n"),
        ("step1/hint.md", "A hint.\n"),
        ("step1/answer.md", "`touch /tmp/a`{{exec}}\n"),
        ("step2.md", "Read on.\n"),
        ("step2.sh", "echo two\n"),
        ("finish.md", "Done.\n"),
        ("assets/tool.sh", "echo tool\n"),
        ("assets/conf/a.yaml", "a: 1\n"),
    ] {
        let full = folder.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }
}

#[test]
fn every_key_of_a_scenario_becomes_something_or_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    scenario(&from.join("first"));
    std::fs::write(
        from.join("structure.json"),
        r#"{"title": "All", "items": [{"path": "first", "title": "x"}]}"#,
    )
    .unwrap();
    let reports = import(&from, &to, &["sandlot/starter".to_owned()]).unwrap();
    let told = reports[0].differences.join("\n");
    for words in
        ["no Kubernetes", "editor-terminal", "\"wibble\"", "foreground", "busybox", "[[UUID]]", "into a file"]
    {
        assert!(told.contains(words), "{words} is not told: {told}");
    }
    let loaded = load(&to);
    let errors: Vec<_> =
        loaded.faults.iter().map(ToString::to_string).filter(|f| !f.contains("warning")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let course = loaded.course.unwrap();
    assert_eq!(course.title, "All");
    let lab = course.lab("first").unwrap();
    assert_eq!((lab.title.as_str(), lab.minutes, lab.steps.len()), ("My scenario", Some(15), 2));
    assert!(lab.intro.as_ref().unwrap().contains("{{execute T2 HOST1}}"));
    assert!(lab.setup.as_ref().unwrap().contains("/etc/killercoda/host"));
    let first = &lab.steps[0];
    assert_eq!((first.title.as_str(), first.hints.len()), ("First", 2));
    assert!(first.check.as_ref().unwrap().script.contains("/tmp/a"));
    assert!(
        first.text.contains("[it]({{port 80}})") && first.text.contains("cat > app.js"),
        "{}",
        first.text
    );
    assert!(lab.steps[1].setup.as_ref().unwrap().contains("echo two"));
    let assets: Vec<_> = lab.assets.iter().map(|asset| (asset.to.as_str(), asset.mode)).collect();
    assert_eq!(assets, [("/opt/lab/tool.sh", Some(0o755)), ("/root/conf/a.yaml", None)]);
    assert!(import(&from, &to, &[]).is_err(), "what is there is not written over");
}

#[test]
fn what_cannot_be_read_is_told_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    let said = |from: &Path| import(from, &to, &[]).unwrap_err().to_string();
    assert!(said(&from).contains("neither structure.json nor index.json"));
    std::fs::write(from.join("index.json"), "{\"title\": 5}").unwrap();
    assert!(said(&from).contains("index.json") && said(&from).contains("line 1"));
    std::fs::write(
        from.join("index.json"),
        r#"{"title": "A", "details": {"steps": [{"text": "../../etc/passwd"}]}}"#,
    )
    .unwrap();
    assert!(said(&from).contains("leads out"), "{}", said(&from));
}
