//! The structure of the source: what no compiler checks, and what `docs/architecture.md` promises.
//!
//! Reads the tracked files as text. Knows nothing of what the code does.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file has one subject; longer than this, it has two.
const LINES: usize = 400;

/// Rooms of the runner, and those that each may import: what the arrows of `docs/architecture.md` allow.
const RUNNER: &[(&str, &[&str])] = &[
    ("cli", &["api", "engine", "spawner", "container", "image"]),
    ("api", &["engine", "spawner", "container", "image"]),
    ("engine", &["spawner", "container", "image"]),
    ("spawner", &["container"]),
    ("container", &[]),
    ("image", &[]),
];

/// Rooms of the server: no SQL beneath bytes.
const SERVER: &[(&str, &[&str])] = &[
    ("http", &["session", "terminal", "config", "store", "course"]),
    ("course", &["session", "store"]),
    ("config", &["session", "terminal"]),
    ("session", &["terminal", "store"]),
    ("store", &[]),
    ("terminal", &[]),
];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "manager", "impl"];

struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every tracked or new file that git does not ignore and that is text.
fn sources(extensions: &[&str]) -> Vec<Source> {
    let list = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
    let found: Vec<Source> = String::from_utf8(list.stdout)
        .unwrap()
        .lines()
        .filter(|path| extensions.is_empty() || extensions.iter().any(|e| path.ends_with(&format!(".{e}"))))
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect();
    assert!(!found.is_empty(), "no sources found");
    found
}

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources(&["rs"]).into_iter().filter(|s| !s.text.starts_with("//! "));
    report(silent.map(|s| format!("{}: does not begin with //!", s.path)).collect());
}

#[test]
fn files_are_short() {
    let long = sources(&["rs", "ts", "svelte", "sh", "mjs", "c"]).into_iter().filter_map(|s| {
        let lines = s.text.lines().count();
        (lines > LINES && !s.path.contains("generated")).then(|| format!("{}: {lines} lines", s.path))
    });
    report(long.collect());
}

#[test]
fn files_have_names() {
    let nameless = sources(&["rs", "ts", "svelte"]).into_iter().filter(|s| {
        let path = Path::new(&s.path);
        path.with_extension("").components().any(|part| EMPTY_NAMES.iter().any(|n| part.as_os_str() == *n))
    });
    report(nameless.map(|s| format!("{}: a name that says nothing", s.path)).collect());
}

#[test]
fn unsafe_has_one_home() {
    let mut faults = Vec::new();
    for s in sources(&["rs"]) {
        let crate_root = ["src/lib.rs", "src/main.rs"].iter().any(|root| s.path.ends_with(root));
        let home = s.path.starts_with("runner/sys/");
        if crate_root && !home && !s.text.contains("#![forbid(unsafe_code)]") {
            faults.push(format!("{}: does not forbid unsafe code", s.path));
        }
        let used =
            s.text.lines().any(|l| !is_comment(l) && (l.contains("unsafe {") || l.contains("unsafe fn")));
        if used && !home && s.path != "tests/tidy.rs" {
            faults.push(format!("{}: unsafe outside runner/sys", s.path));
        }
    }
    report(faults);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut faults = Vec::new();
    for s in sources(&["rs"]).iter().filter(|s| s.path != "tests/tidy.rs") {
        for (n, line) in s.text.lines().enumerate() {
            let words = [
                "todo!(",
                "unimplemented!(",
                "dbg!(",
                "#[ignore",
                "allow(dead_code",
                "TODO",
                "FIXME",
                "XXX:",
            ];
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                faults.push(format!("{}:{}: {word}", s.path, n + 1));
            }
            if is_code_in_comment(line) {
                faults.push(format!("{}:{}: code in a comment: {}", s.path, n + 1, line.trim()));
            }
        }
    }
    report(faults);
}

#[test]
fn product_code_does_not_panic_by_hand() {
    let mut faults = Vec::new();
    for s in sources(&["rs"]).iter().filter(|s| is_product(&s.path)) {
        for (n, line) in s.text.lines().take_while(|l| !l.contains("#[cfg(test)]")).enumerate() {
            if !is_comment(line) && (line.contains(".unwrap()") || line.contains(".expect(")) {
                faults.push(format!("{}:{}: {}", s.path, n + 1, line.trim()));
            }
        }
    }
    report(faults);
}

#[test]
fn imports_run_one_way() {
    let mut faults = Vec::new();
    for (base, rooms) in [("runner/src/", RUNNER), ("server/src/", SERVER)] {
        let allowed: BTreeMap<&str, &[&str]> = rooms.iter().copied().collect();
        for s in sources(&["rs"]).iter().filter(|s| s.path.starts_with(base)) {
            let Some((room, _)) = s.path[base.len()..].split_once('/') else { continue };
            let Some(may) = allowed.get(room) else {
                faults.push(format!("{}: the room `{room}` is not on the map (tests/tidy.rs)", s.path));
                continue;
            };
            for (n, line) in s.text.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
                for other in imported(line) {
                    if other != room && allowed.contains_key(other.as_str()) && !may.contains(&other.as_str())
                    {
                        faults.push(format!("{}:{}: {room} imports {other}", s.path, n + 1));
                    }
                }
            }
        }
    }
    report(faults);
}

#[test]
fn the_map_is_the_one_that_is_checked() {
    let map = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    assert!(
        map.contains("cli, api → engine → spawner → container → sys"),
        "docs/architecture.md drew new arrows"
    );
    for (base, rooms) in [("runner/src", RUNNER), ("server/src", SERVER)] {
        for entry in std::fs::read_dir(root().join(base)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                assert!(rooms.iter().any(|(room, _)| *room == name), "{base}/{name} is not on the map");
            }
        }
    }
}

#[test]
fn the_protocol_and_the_model_of_the_page_know_no_dom() {
    for room in ["protocol", "model"] {
        let config = std::fs::read_to_string(root().join(format!("web/src/{room}/tsconfig.json"))).unwrap();
        assert!(!config.to_lowercase().contains("dom"), "web/src/{room} is compiled with the DOM's types");
    }
}

#[test]
fn documents_link_to_what_is_there() {
    let mut faults = Vec::new();
    for s in sources(&["md"]) {
        let folder = root().join(&s.path).parent().unwrap().to_owned();
        for target in s.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            // A port of a session is no file (docs/labs.md).
            if !file.is_empty()
                && !file.starts_with("{{")
                && !file.contains("://")
                && !folder.join(file).exists()
            {
                faults.push(format!("{}: links to {target}, which is not there", s.path));
            }
        }
    }
    report(faults);
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn is_code_in_comment(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix("// ") else { return false };
    let starts =
        ["let ", "use ", "fn ", "pub ", "impl ", "struct ", "enum ", "mod ", "match ", "return ", "#["];
    comment == "}" || starts.iter().any(|s| comment.starts_with(s)) && comment.ends_with([';', '{', ']'])
}

fn is_product(path: &str) -> bool {
    let tests = path.contains("/tests") || path.contains("_tests.rs") || path.ends_with("tests.rs");
    !tests && ["runner/", "server/"].iter().any(|folder| path.starts_with(folder))
}

/// The rooms that a line names after `crate::`, braces of one level included.
fn imported(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').map_or_else(|| vec![rest], |inner| inner.split(',').collect());
        rooms.extend(list.iter().map(|item| {
            item.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        }));
    }
    rooms
}
