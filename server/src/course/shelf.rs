//! All courses of a server: the folders below one folder, read anew when a file of theirs changes.

use super::fault::Fault;
use super::load::{FILE, Loaded, is_name, load};
use super::model::Course;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Courses of a server.
const COURSES: usize = 1000;
/// How long what was found is believed.
const FRESH: Duration = Duration::from_secs(1);

/// A course's folder as it was last read.
#[derive(Debug)]
pub struct Entry {
    /// The folder.
    pub folder: PathBuf,
    /// Changes with every change of the folder.
    pub version: u64,
    /// The course, if it can be used.
    pub course: Option<Course>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

#[derive(Debug, Default)]
struct State {
    looked: Option<Instant>,
    entries: BTreeMap<String, Arc<Entry>>,
}

/// See the module; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    folder: Option<PathBuf>,
    state: Arc<Mutex<State>>,
}

impl Shelf {
    /// The courses below a folder; without one there are none.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, state: Arc::default() }
    }

    /// All courses by name. Reads files: not for a thread that must not wait.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Arc<Entry>> {
        let Some(folder) = &self.folder else { return BTreeMap::new() };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_none_or(|at| at.elapsed() > FRESH) {
            state.entries = look(folder, &state.entries);
            state.looked = Some(Instant::now());
        }
        state.entries.clone()
    }

    /// One course. Reads files.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.all().remove(name)
    }
}

fn look(folder: &Path, known: &BTreeMap<String, Arc<Entry>>) -> BTreeMap<String, Arc<Entry>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.join(FILE).is_file());
    let mut found = BTreeMap::new();
    for path in folders.take(COURSES) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name)) else {
            continue;
        };
        let version = super::folder::Folder::open(&path).map_or(0, |folder| folder.fingerprint());
        let entry = match known.get(name).filter(|old| old.version == version) {
            Some(same) => same.clone(),
            None => {
                let Loaded { course, faults } = load(&path);
                for fault in &faults {
                    tracing::warn!(course = name, "{fault}");
                }
                Arc::new(Entry { folder: path.clone(), version, course, faults })
            }
        };
        found.insert(name.to_owned(), entry);
    }
    found
}
