//! What two engines can never have in common is made the same: ids, times, how long ago, the widths of columns.

use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

/// A pattern, and what stands for whatever is like it.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b[0-9a-f]{64}\b", "ID"),
        (r"\b[0-9a-f]{12}\b", "ID"),
        // 2024-02-03T04:05:06.7Z, 2024-02-03 04:05:06 +0000 UTC.
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4} UTC| ?[+-]\d\d:?\d\d|Z)?", "TIME"),
        (r"Less than a second|About a(n hour| minute)|\b\d+ (second|minute|hour|year)s?", "A WHILE"),
        (r"  +", "  "),
    ]
    .into_iter()
    .map(|(pattern, place)| (Regex::new(pattern).unwrap(), place))
    .collect()
});

/// A text without what is an engine's own; `folder` is where it was typed.
pub(super) fn of(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "$dir");
    RULES.iter().fold(text, |text, (pattern, place)| pattern.replace_all(&text, *place).into_owned())
}

/// Errors without what the client adds to each of them.
pub(super) fn without_advice(text: &str) -> String {
    let advice = [
        "Run 'docker ",
        "See 'docker ",
        "DEPRECATED: The legacy builder",
        "BuildKit is currently disabled",
        "environment-variable.",
    ];
    // Who is refused while it still sends a copy's archive logs that by chance, with either engine.
    let logged = |line: &str| line.starts_with("time=") && line.contains("io: read/write on closed pipe");
    let kept = |line: &&str| {
        !line.trim().is_empty() && !logged(line) && !advice.iter().any(|a| line.trim_start().starts_with(a))
    };
    text.lines().filter(kept).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn ids_times_and_durations_are_the_same() {
    let text = format!("{} 0123456789ab 2024-02-03T04:05:06.7Z   Up 3 seconds, 5 years ago", "a".repeat(64));
    assert_eq!(of(&text, Path::new("/x")), "ID ID TIME  Up A WHILE, A WHILE ago");
    let logged =
        "time=\"TIME\" level=error msg=\"Can't close tar writer: io: read/write on closed pipe\"\nwrong\n";
    assert_eq!(without_advice(logged), "wrong\n");
    assert_eq!(without_advice("wrong\n\nRun 'docker run --help' for more information\n"), "wrong\n");
}
