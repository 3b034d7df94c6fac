//! What is typed, and what is to come of it.
//!
//! ```text
//! # A comment.
//! docker run --rm $image false      a line for `sh -c`; `until LINE` repeats it until it succeeds
//! =1                                the exit code of the line above, if it is not 0
//! ~ reason                          why ours says something else than dockerd, on purpose
//! | text                            then: the lines that ours prints, to its output and after that to its errors
//! ```
//!
//! Variables: `$image`, `$name` (the file's), `$dir` (a folder for the scenario alone, also the working directory),
//! `$registry` and `$guarded`.

use std::path::Path;

/// A row.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// Where it stands in its file.
    pub(super) number: usize,
    /// What is typed.
    pub(super) line: String,
    /// The exit code.
    pub(super) code: i32,
    /// Why ours differs.
    pub(super) reason: Option<String>,
    /// What ours prints then.
    pub(super) ours: String,
}

/// All scenarios, with their names.
pub(super) fn all() -> Vec<(String, Vec<Row>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/rows");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let wanted = std::env::var("SANDLOT_TESTS_ROWS").unwrap_or_default();
    let named = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let chosen = |name: &str| wanted.is_empty() || wanted.split(',').any(|w| w == name);
    let paths = paths.iter().filter(|path| chosen(&named(path)));
    paths.map(|path| (named(path), parse(&std::fs::read_to_string(path).unwrap()))).collect()
}

fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mark = line.chars().next();
        match (mark, rows.last_mut()) {
            (None | Some('#'), _) => {}
            (Some('='), Some(row)) => row.code = line[1..].parse().unwrap(),
            (Some('~'), Some(row)) => row.reason = Some(line[1..].trim().to_owned()),
            (Some('|'), Some(row)) => {
                let separator = if row.ours.is_empty() { "" } else { "\n" };
                row.ours += &format!("{separator}{}", line[1..].strip_prefix(' ').unwrap_or(""));
            }
            _ => rows.push(Row { number: number + 1, line: line.to_owned(), ..Row::default() }),
        }
    }
    rows
}

#[test]
fn a_row_has_its_code_its_reason_and_its_text() {
    let rows = parse("# first\ndocker one\n\ndocker two\n=125\n~ because\n| out\n|\n| err\n");
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].number, rows[0].code, rows[0].reason.as_deref()), (2, 0, None));
    assert_eq!(
        (rows[1].code, rows[1].reason.as_deref(), rows[1].ours.as_str()),
        (125, Some("because"), "out\n\nerr")
    );
}
