//! A folder becomes a course: the list of what it contains, its slides, its labs.
//!
//! What is wrong is collected, not only the first of it; a lab that has mistakes does not take its neighbours with it.

use super::fault::{Fault, Faults};
use super::folder::{Folder, beside};
use super::format::{CourseFile, Item};
use super::load_lab;
use super::located::At;
use super::markdown;
use super::model::{Content, Course, Deck, Place};
use super::slides;
use rustix::fs::FileType;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Bytes of a YAML file.
const YAML: u64 = 1 << 20;
/// Bytes of a Markdown file.
pub(super) const MARKDOWN: u64 = 512 << 10;
/// Decks and labs of a course.
const CONTENTS: usize = 500;
/// Characters of a name.
const NAME: usize = 64;
/// What a course's folder has.
pub const FILE: &str = "course.yaml";

/// What became of a folder.
#[derive(Debug)]
pub struct Loaded {
    /// The course, if there is one at all.
    pub course: Option<Course>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Reads the course in a folder.
#[must_use]
pub fn load(path: &Path) -> Loaded {
    let mut faults = Faults::default();
    let course = match Folder::open(path) {
        Ok(folder) => course(&folder, &mut faults),
        Err(error) => {
            faults.error(FILE, None, error.to_string());
            None
        }
    };
    Loaded { course, faults: faults.all() }
}

fn course(folder: &Folder, faults: &mut Faults) -> Option<Course> {
    let file: CourseFile = yaml(folder, FILE, faults)?;
    let full = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if !is_name(&name) {
        faults.error(FILE, None, format!("the folder is called {name:?}: {NAMES}"));
    }
    title(&file.title, FILE, faults);
    let place = Place::new(file.image.0.clone(), file.nested, file.engine);
    let mut contents = Vec::new();
    let items = items(folder, file.contents.clone(), faults);
    for At { value: item, line } in items.into_iter().take(CONTENTS) {
        match (item.slides, item.lab) {
            (Some(path), None) => contents.extend(deck(folder, &path, line, faults).map(Content::Deck)),
            (None, Some(lab)) if !is_name(&lab) => {
                faults.error(FILE, line, format!("lab: {lab:?} is no name: {NAMES}"));
            }
            (None, Some(lab)) => contents.push(match load_lab::load(folder, &lab, &place, faults) {
                Some(found) => Content::Lab(Box::new(found)),
                None => Content::Broken(lab),
            }),
            _ => faults.error(FILE, line, "an item is either `slides: FILE` or `lab: NAME`"),
        }
    }
    unique(&contents, faults);
    Some(Course {
        name,
        title: file.title.value,
        description: file.description,
        difficulty: file.difficulty,
        minutes: file.minutes,
        authors: file.authors,
        place,
        contents,
    })
}

/// What the course says, or else all there is.
fn items(folder: &Folder, said: Option<Vec<At<Item>>>, faults: &mut Faults) -> Vec<At<Item>> {
    if let Some(said) = said {
        if said.len() > CONTENTS {
            faults.error(
                FILE,
                None,
                format!("contents has {} items, at most {CONTENTS} are read", said.len()),
            );
        }
        return said;
    }
    let mut names = |path: &str, kind| {
        folder.names(path, kind).unwrap_or_else(|error| {
            faults.error(path, None, error.to_string());
            Vec::new()
        })
    };
    let decks = names("slides", FileType::RegularFile).into_iter().filter(|name| name.ends_with(".md"));
    let decks = decks.map(|name| Item { slides: Some(format!("slides/{name}")), lab: None });
    let labs = names("labs", FileType::Directory).into_iter();
    let labs = labs.map(|name| Item { slides: None, lab: Some(name) });
    let all: Vec<_> = decks.chain(labs).map(|value| At { value, line: 0 }).collect();
    if all.is_empty() {
        faults.error(FILE, None, "the course has neither slides/*.md nor labs/*/lab.yaml");
    }
    all
}

fn unique(contents: &[Content], faults: &mut Faults) {
    let mut seen = std::collections::HashSet::new();
    for content in contents {
        let (kind, name) = match content {
            Content::Deck(deck) => ("slides", &deck.name),
            Content::Lab(lab) => ("lab", &lab.name),
            Content::Broken(name) => ("lab", name),
        };
        if !seen.insert((kind, name)) {
            faults.error(FILE, None, format!("{kind} {name:?} is there twice"));
        }
    }
}

fn deck(folder: &Folder, path: &str, line: u64, faults: &mut Faults) -> Option<Deck> {
    let text = match folder.text(path, MARKDOWN) {
        Ok(text) => text,
        Err(error) => {
            faults.error(FILE, line, error.to_string());
            return None;
        }
    };
    let slides = slides::split(&text);
    if slides.is_empty() {
        faults.error(path, None, "there is no slide in it: a level-1 heading (`# Title`) starts one");
        return None;
    }
    for (n, word) in markdown::unknown_marks(&text) {
        faults.warning(path, n, format!("{{{{{word}}}}} is no mark of Sandlot's: it stays in the text"));
    }
    let name = stem(path);
    if !is_name(&name) {
        faults.error(path, None, format!("the file's name gives {name:?}: {NAMES}"));
    }
    let title = slides.iter().map(|slide| slide.title.clone()).find(|title| !title.is_empty());
    Some(Deck { title: title.unwrap_or_else(|| name.clone()), name, slides })
}

/// What a name is.
pub(super) const NAMES: &str =
    "names have a-z, 0-9, - and _, begin with a letter or digit and have at most 64 characters";

/// Whether a text is a name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=NAME).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['-', '_'])
}

/// The name of a Markdown file without its ending and the digits before it.
pub(super) fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".md").unwrap_or(name);
    let short = name.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['-', '_', '.']);
    if short.is_empty() { name.to_owned() } else { short.to_owned() }
}

pub(super) fn title(title: &At<String>, file: &str, faults: &mut Faults) {
    if title.value.trim().is_empty() || title.value.chars().count() > 200 {
        faults.error(file, title.line, "title must have 1 to 200 characters");
    }
}

/// A YAML file as what it is to be.
pub(super) fn yaml<T: DeserializeOwned>(folder: &Folder, path: &str, faults: &mut Faults) -> Option<T> {
    let text = match folder.text(path, YAML) {
        Ok(text) => text,
        Err(error) => {
            faults.error(path, None, error.to_string());
            return None;
        }
    };
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options(&text, options) {
        Ok(value) => Some(value),
        Err(error) => {
            let line = error.location().map(|location| location.line());
            let words = error.to_string();
            // The place is told by the fault itself.
            let words = words.split(" at line ").next().unwrap_or(&words).lines().next().unwrap_or_default();
            faults.error(path, line, words.to_owned());
            None
        }
    }
}

/// Markdown that a YAML file names.
pub(super) fn prose(folder: &Folder, file: &str, path: &At<String>, faults: &mut Faults) -> Option<String> {
    let full = beside(file, &path.value);
    match folder.text(&full, MARKDOWN) {
        Ok(text) => {
            for (n, word) in markdown::unknown_marks(&text) {
                faults.warning(
                    &full,
                    n,
                    format!("{{{{{word}}}}} is no mark of Sandlot's: it stays in the text"),
                );
            }
            Some(text)
        }
        Err(error) => {
            faults.error(file, path.line, error.to_string());
            None
        }
    }
}
