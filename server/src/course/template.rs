//! `course new`: a small course that works, to be changed into one's own.

use super::load::{NAMES, is_name};
use std::io;
use std::path::Path;

/// What it consists of.
const FILES: [(&str, &str); 7] = [
    (
        "course.yaml",
        "title: A new course\ndescription: |\n  What it is about, in a paragraph.\nminutes: 15\ncontents:\n  \
         - slides: slides/10-welcome.md\n  - lab: first\n",
    ),
    (
        "slides/10-welcome.md",
        "# Welcome\n\n## What comes\n\n- a slide, and a terminal on it\n- a lab whose steps check themselves\n\n\
         Note: this is for the speaker.\n\n# Try it\n\n```sh\nuname -a\n```{{exec}}\n",
    ),
    (
        "labs/first/lab.yaml",
        "title: A first lab\ndescription: Make a file.\nminutes: 5\nvariables:\n  word: { choice: [apple, pear, plum] }\n\
         steps:\n  - text: 10-file.md\n    check: check/10-file.sh\n    solve: solve/10-file.sh\n    hints:\n      \
         - Something that prints, and `>`.\n  - text: 20-end.md\n    quiz:\n      - name: where\n        \
         question: Where is the file?\n        choices:\n          - { text: In the container, right: true }\n          \
         - { text: On the host, why: Nothing of the host can be written. }\n",
    ),
    (
        "labs/first/10-file.md",
        "# Make a file\n\nWrite the word **[[word]]** into a file:\n\n```sh\necho [[word]] > /tmp/word\n```{{exec}}\n\n\
         Then have it checked.\n",
    ),
    ("labs/first/20-end.md", "# Think about it\n\nLook at it with `cat /tmp/word`{{exec}}.\n"),
    (
        "labs/first/check/10-file.sh",
        "[ -f /tmp/word ] || { echo \"There is no file /tmp/word yet.\"; exit 1; }\n\
         grep -qx \"$LAB_WORD\" /tmp/word || { echo \"It does not say $LAB_WORD.\"; exit 1; }\n\
         echo \"There it is.\"\n",
    ),
    ("labs/first/solve/10-file.sh", "echo \"$LAB_WORD\" > /tmp/word\n"),
];

/// Makes a course in a folder that is not there, or is empty.
///
/// # Errors
/// What making files answers; a folder that has something in it, or a name that is none.
pub fn create(folder: &Path) -> io::Result<()> {
    let full = std::path::absolute(folder)?;
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_name(name) {
        return Err(io::Error::other(format!("a course cannot be called {name:?}: {NAMES}")));
    }
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(io::Error::other(
            "there is something in this folder: name one that is empty, or not there",
        ));
    }
    for (path, text) in FILES {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}
