//! The options of a tmpfs, as `--tmpfs` and as `--mount type=tmpfs` give them.

use super::super::error::Error;
use super::super::model::TmpfsOptions;
use super::Source;

/// `size=1m,mode=1770,…`.
pub(super) fn short(options: &str) -> Result<Source, Error> {
    let mut kept = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option.split_once('=').map_or(option, |(key, _)| key) {
            "size" | "mode" | "uid" | "gid" | "nr_inodes" => kept.push(option),
            // What every tmpfs of a container is anyway, or may be.
            "rw" | "nosuid" | "nodev" | "noexec" | "exec" | "suid" | "dev" => {}
            other => return Err(Error::invalid(format!("--tmpfs: the option {other} is not known"))),
        }
    }
    if !kept.iter().any(|o| o.starts_with("size=")) {
        kept.push("size=64m");
    }
    Ok(Source::Tmpfs(kept.join(",")))
}

/// In fields of their own.
pub(super) fn long(options: &TmpfsOptions) -> Result<Source, Error> {
    if options.size_bytes < 0 {
        return Err(Error::invalid("invalid tmpfs size: it must not be negative"));
    }
    let mut words: Vec<String> = options.options.iter().map(|words| words.join("=")).collect();
    if options.size_bytes > 0 {
        words.push(format!("size={}", options.size_bytes));
    }
    if options.mode > 0 {
        words.push(format!("mode={:o}", options.mode & 0o7777));
    }
    short(&words.join(","))
}
