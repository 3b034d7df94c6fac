//! Scenarios in Killercoda's format, and in Katacoda's before it, become a course in ours; what cannot be had is reported.
//!
//! Reads `structure.json` (a course) or `index.json` (one scenario) from a folder, and writes a folder.

mod scenario;
mod text;

use super::folder::{Folder, beside};
use super::load::is_name;
use serde::Deserialize;
use std::collections::HashSet;
use std::io;
use std::path::Path;

/// Bytes of a JSON file.
const JSON: u64 = 1 << 20;
/// Scenarios of a course.
const SCENARIOS: usize = 500;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is neither file.
    #[error("there is neither structure.json nor index.json in {0}")]
    Nothing(String),
    /// A file is no JSON, or not of this format.
    #[error("{file}: {words}")]
    Syntax {
        /// Which.
        file: String,
        /// Where and why.
        words: String,
    },
    /// Something cannot be read.
    #[error(transparent)]
    Read(#[from] super::folder::Error),
    /// Something cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// What.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// What became of a scenario.
#[derive(Debug)]
pub struct Report {
    /// Its lab's name.
    pub lab: String,
    /// What is not as it was, in words; none: all is.
    pub differences: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Structure {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    items: Vec<StructureItem>,
}

#[derive(Debug, Deserialize)]
struct StructureItem {
    path: String,
}

/// What is written: files relative to the new course.
pub(super) struct Writer<'a> {
    to: &'a Path,
}

impl Writer<'_> {
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let full = self.to.join(path);
        let parent = full.parent().unwrap_or(self.to);
        let failed = |error| Error::Write { path: path.to_owned(), error };
        std::fs::create_dir_all(parent).map_err(failed)?;
        std::fs::write(&full, bytes).map_err(failed)
    }
}

/// Imports what is in a folder as a new course; `image` is what its labs run in.
///
/// # Errors
/// [`Error`]; a scenario that cannot be read ends it all.
pub fn import(from: &Path, to: &Path, image: &[String]) -> Result<Vec<Report>, Error> {
    if to.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let error =
            io::Error::other("there is something in this folder: name one that is empty, or not there");
        return Err(Error::Write { path: to.display().to_string(), error });
    }
    let folder = Folder::open(from)?;
    let writer = Writer { to };
    let structure: Option<Structure> = json(&folder, "structure.json")?;
    let paths: Vec<String> = match &structure {
        Some(structure) => structure.items.iter().take(SCENARIOS).map(|item| item.path.clone()).collect(),
        None => vec![String::new()],
    };
    let mut reports = Vec::new();
    let mut names = HashSet::new();
    let mut title = structure.as_ref().and_then(|structure| structure.title.clone());
    for path in paths {
        let file = if path.is_empty() { "index.json".to_owned() } else { format!("{path}/index.json") };
        let Some(scenario) = json::<scenario::Scenario>(&folder, &file)? else {
            if structure.is_none() {
                return Err(Error::Nothing(from.display().to_string()));
            }
            return Err(Error::Syntax {
                file,
                words: "structure.json names it, and it is not there".to_owned(),
            });
        };
        let name = unused(name_of(if path.is_empty() { &scenario.title } else { &path }), &mut names);
        title.get_or_insert_with(|| scenario.title.clone());
        let place = scenario::Place { folder: &folder, file: &file, writer: &writer };
        reports.push(scenario::convert(&place, &name, scenario)?);
    }
    let description = structure.and_then(|structure| structure.description).unwrap_or_default();
    let course = serde_json::json!({
        "title": title.unwrap_or_else(|| "Imported".to_owned()),
        "description": description,
        "image": image,
        "contents": reports.iter().map(|report| serde_json::json!({"lab": report.lab})).collect::<Vec<_>>(),
    });
    writer.write("course.yaml", yaml(&course).as_bytes())?;
    Ok(reports)
}

/// JSON is YAML; written so that people can go on with it.
pub(super) fn yaml(value: &serde_json::Value) -> String {
    let serde_json::Value::Object(table) = value else { return format!("{value}\n") };
    let mut out = String::new();
    for (key, value) in table {
        match value {
            serde_json::Value::Array(items)
                if items.iter().all(serde_json::Value::is_object) && !items.is_empty() =>
            {
                out += &format!("{key}:\n");
                for item in items {
                    let item = yaml(item);
                    let mut lines = item.lines();
                    out += &format!("  - {}\n", lines.next().unwrap_or("{}"));
                    lines.for_each(|line| out += &format!("    {line}\n"));
                }
            }
            value if value.is_null() || value == "" => {}
            value => out += &format!("{key}: {value}\n"),
        }
    }
    out
}

fn json<T: serde::de::DeserializeOwned>(folder: &Folder, file: &str) -> Result<Option<T>, Error> {
    let text = match folder.text(file, JSON) {
        Ok(text) => text,
        Err(super::folder::Error::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let parsed = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    parsed.map(Some).map_err(|error| Error::Syntax { file: file.to_owned(), words: error.to_string() })
}

/// A name in our sense of a path or title.
fn name_of(text: &str) -> String {
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text).to_lowercase();
    let plain: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let mut name: String = plain.trim_matches(['-', '_']).chars().take(48).collect();
    if !is_name(&name) {
        name = "scenario".to_owned();
    }
    name
}

fn unused(name: String, names: &mut HashSet<String>) -> String {
    let mut free = name.clone();
    for n in 2.. {
        if names.insert(free.clone()) {
            break;
        }
        free = format!("{name}-{n}");
    }
    free
}

/// The file that a scenario names, wherever its `index.json` is.
pub(super) fn of_scenario(index: &str, path: &str) -> String {
    beside(index, path.trim_start_matches("./"))
}
