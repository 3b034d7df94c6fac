//! Promise: a course's folder becomes a course, or its author is told by file and line why not; and nothing that is written in it
//! runs in anybody's page.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod attacks;
mod imports;

use sandlot_server::course::fault::Severity;
use sandlot_server::course::model::{Answer, Values};
use sandlot_server::course::{Loaded, format, load, template};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A course's folder, removed in the end.
pub(crate) struct Folder {
    _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Folder {
    /// The course that `course new` makes.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine");
        template::create(&path).unwrap();
        Self { _dir: dir, path }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let full = self.path.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    /// What is wrong, as `course check` prints it.
    pub(crate) fn faults(&self) -> Vec<String> {
        load(&self.path).faults.iter().map(ToString::to_string).collect()
    }

    /// The only fault begins so and has this in it.
    #[track_caller]
    fn says(&self, place: &str, words: &str) {
        let faults = self.faults();
        let found = faults.iter().any(|fault| fault.starts_with(place) && fault.contains(words));
        assert!(found, "expected {place} … {words}, got {faults:#?}");
    }
}

const LAB: &str = "labs/first/lab.yaml";

fn loaded(path: &Path) -> sandlot_server::course::model::Course {
    let Loaded { course, faults } = load(path);
    assert_eq!(faults, [], "{}", path.display());
    course.unwrap()
}

#[test]
fn a_new_course_has_nothing_wrong() {
    let folder = Folder::new();
    let course = loaded(&folder.path);
    assert_eq!((course.name.as_str(), course.title.as_str()), ("mine", "A new course"));
    let lab = course.lab("first").unwrap();
    let names: Vec<_> = lab.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["file", "end"]);
    assert_eq!(lab.steps[0].title, "Make a file");
    assert!(lab.steps[0].check.as_ref().unwrap().script.contains("LAB_WORD"));
    assert!(matches!(&lab.variables[0].values, Values::Choice(words) if words.len() == 3));
    assert!(matches!(&lab.steps[1].quiz[0].answer, Answer::Single(choices) if choices.len() == 2));
    assert!(template::create(&folder.path).is_err(), "it is not written over");
}

#[test]
fn the_courses_that_ship_have_nothing_wrong() {
    let courses = Path::new(env!("CARGO_MANIFEST_DIR")).join("../courses");
    let mut labs = 0;
    for folder in courses.read_dir().unwrap() {
        labs += loaded(&folder.unwrap().path()).labs().count();
    }
    assert!(labs > 0, "there is none");
}

#[test]
fn every_mistake_is_told_with_its_file_and_line() {
    let head = "title: A\nsteps:\n";
    for (yaml, line, words) in [
        ("title: A\nsteps:\n  - text: [\n", 0, ""),
        ("title: A\nstops: []\n", 2, "stops"),
        ("title: A\nsteps: []\n", 2, "1 to 2000 steps"),
        ("title: ''\nsteps:\n  - text: 10-file.md\n", 1, "title"),
        (&format!("{head}  - text: nothing.md\n"), 3, "no file labs/first/nothing.md"),
        (&format!("{head}  - text: 10-file.md\n    check: none.sh\n"), 4, "no file labs/first/none.sh"),
        (&format!("{head}  - text: 10-file.md\n    check: {{ run: a, script: b }}\n"), 4, "one of"),
        (
            &format!("{head}  - text: 10-file.md\n    check: {{ run: a, timeout: 0 }}\n"),
            4,
            "between 1 and 120",
        ),
        (&format!("{head}  - text: 10-file.md\n    check: {{ run: a, retries: 99 }}\n"), 4, "more than 10"),
        (&format!("{head}  - text: 10-file.md\n    after: [file]\n"), 3, "waits for"),
        (&format!("{head}  - text: 10-file.md\n    after: [other]\n"), 3, "none of that name"),
        (&format!("{head}  - text: 10-file.md\n  - text: 10-file.md\n"), 4, "two steps called"),
        (&format!("{head}  - text: 10-file.md\n    name: A B\n"), 3, "names have a-z"),
        (
            &format!("{head}  - text: 10-file.md\n    quiz:\n      - name: q\n        question: a\n"),
            5,
            "either",
        ),
        (
            &format!(
                "{head}  - text: 10-file.md\n    quiz:\n      - name: q\n        question: a\n        answer: '('\n"
            ),
            7,
            "no regular expression",
        ),
        ("title: A\nvariables:\n  a: { number: [5, 1] }\nsteps:\n  - text: 10-file.md\n", 3, "one of"),
        (
            "title: A\nfiles:\n  - { from: 10-file.md, to: here }\nsteps:\n  - text: 10-file.md\n",
            3,
            "absolute",
        ),
        ("title: A\nfiles:\n  - { from: x.md, to: /a }\nsteps:\n  - text: 10-file.md\n", 3, "no file"),
    ] {
        let folder = Folder::new();
        folder.write(LAB, yaml);
        let place = if line == 0 { format!("{LAB}:") } else { format!("{LAB}:{line}:") };
        folder.says(&place, words);
        let course = load(&folder.path).course.expect("the course goes on without the lab");
        assert_eq!(course.labs().count(), 0, "{yaml}");
    }
}

#[test]
fn a_broken_course_is_told_too() {
    let folder = Folder::new();
    folder.write("course.yaml", "title: A\ncontents:\n  - lab: ../..\n  - slides: none.md\n  - {}\n");
    folder.says("course.yaml:3:", "no name");
    folder.says("course.yaml:4:", "no file none.md");
    folder.says("course.yaml:5:", "either");
    folder.write("course.yaml", "title: [\n");
    assert!(load(&folder.path).course.is_none());
    let nowhere = load(Path::new("/nowhere/course"));
    assert!(nowhere.course.is_none() && nowhere.faults[0].severity == Severity::Error);
}

#[test]
fn no_path_leads_out_of_the_course() {
    let folder = Folder::new();
    std::fs::write(folder.path.parent().unwrap().join("secret.md"), "# Secret\n").unwrap();
    for path in ["../../../secret.md", "/etc/passwd", "link.md"] {
        let _ = std::os::unix::fs::symlink("../../../secret.md", folder.path.join("labs/first/link.md"));
        folder.write(LAB, &format!("title: A\nsteps:\n  - text: {path}\n"));
        let course = load(&folder.path);
        assert_eq!(course.course.unwrap().labs().count(), 0, "{path}");
        assert!(course.faults.iter().any(|fault| fault.file == LAB && fault.line == Some(3)), "{path}");
    }
    // The same file within the course is read.
    folder.write("labs/first/secret.md", "# Secret\n");
    folder.write(LAB, "title: A\nsteps:\n  - text: secret.md\n");
    assert_eq!(load(&folder.path).course.unwrap().labs().count(), 1);
}

#[test]
fn what_is_too_large_is_refused() {
    let folder = Folder::new();
    let steps =
        |n: usize| (0..n).map(|n| format!("  - text: 10-file.md\n    name: s{n}\n")).collect::<String>();
    folder.write(LAB, &format!("title: A\nsteps:\n{}", steps(2001)));
    folder.says(&format!("{LAB}:"), "1 to 2000 steps, not 2001");
    folder.write(LAB, &format!("title: A\nsteps:\n{}", steps(2000)));
    assert_eq!(loaded(&folder.path).lab("first").unwrap().steps.len(), 2000);
    folder.write(LAB, &format!("title: A\nsteps:\n  - text: 10-file.md\n# {}\n", "x".repeat(1 << 20)));
    folder.says(LAB, "larger than 1048576 bytes");
    folder.write(LAB, "title: A\nsteps:\n  - text: 10-file.md\n");
    folder.write("labs/first/10-file.md", &"x".repeat((512 << 10) + 1));
    folder.says(&format!("{LAB}:3:"), "larger than 524288 bytes");
    // References that multiply: a few lines that would be billions.
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    folder.write(LAB, &bomb);
    let began = Instant::now();
    assert!(!folder.faults().is_empty());
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn three_hundred_labs_are_checked_within_two_seconds() {
    let folder = Folder::new();
    let names: Vec<_> = (0..300).map(|n| format!("lab{n}")).collect();
    for name in &names {
        let mut yaml = format!("title: Lab {name}\nsteps:\n");
        for n in 0..8 {
            yaml += &format!("  - text: {n}0-step{n}.md\n    check: check{n}.sh\n    solve: check{n}.sh\n");
            folder.write(
                &format!("labs/{name}/{n}0-step{n}.md"),
                &format!(
                    "# Step {n}\n\n{}\n\n```sh\nls\n```{{{{exec}}}}\n",
                    "Some words of prose. ".repeat(60)
                ),
            );
            folder.write(&format!("labs/{name}/check{n}.sh"), "true\n");
        }
        folder.write(&format!("labs/{name}/lab.yaml"), &yaml);
    }
    folder.write("course.yaml", "title: Many\n");
    let began = Instant::now();
    let course = loaded(&folder.path);
    let took = began.elapsed();
    assert_eq!(course.labs().count(), 301);
    // Debug code on a machine that does much else; the optimised program takes a tenth of it.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_published_schemas_know_every_key() {
    let lab = serde_json::to_string(&format::schema("lab").unwrap()).unwrap();
    for key in ["steps", "variables", "terminals", "retries", "\"as\"", "additionalProperties\":false"] {
        assert!(lab.contains(key), "{key}");
    }
    assert!(serde_json::to_string(&format::schema("course").unwrap()).unwrap().contains("contents"));
    assert!(format::schema("other").is_none());
}
