//! Typing rows to an engine.

use super::normal;
use super::rows::Row;
use anyhow::{Context, Result};
use portable_pty::CommandBuilder;
use sandlot_tests::wait::PATIENCE;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An engine, and a folder for what is typed to it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    host: String,
    folder: PathBuf,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The exit code.
    pub(super) code: i32,
    out: String,
    err: String,
}

impl Said {
    /// Whether two are the same, but for capitals in errors: since 23 Docker begins them with small letters.
    pub(super) fn like(&self, other: &Self) -> bool {
        (self.code, &self.out) == (other.code, &other.out) && self.err.eq_ignore_ascii_case(&other.err)
    }

    /// Output and errors.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.out, self.err).trim_end().to_owned()
    }
}

impl Peer {
    /// An engine as `DOCKER_HOST` has it.
    pub(super) fn new(host: &str, folder: &Path) -> Self {
        Self { host: host.to_owned(), folder: folder.to_owned() }
    }

    /// Types all rows of a scenario, one after the other.
    pub(super) async fn play(&self, name: &str, rows: &[Row]) -> Result<Vec<Said>> {
        let (peer, name, rows) = (self.clone(), name.to_owned(), rows.to_owned());
        tokio::task::spawn_blocking(move || {
            let folder = peer.folder.join(&name);
            std::fs::create_dir_all(folder.join("config"))?;
            rows.iter().map(|row| peer.type_in(&name, &folder, &row.line)).collect()
        })
        .await?
    }

    /// A line for a person at a terminal.
    pub(super) fn at_a_terminal(&self, name: &str, line: &str) -> CommandBuilder {
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", &format!("exec {line}")]);
        for (key, value) in self.variables(name, &self.folder.join(name)) {
            command.env(key, value);
        }
        command.cwd(self.folder.join(name));
        command
    }

    /// What a line finds in its environment.
    fn variables(&self, name: &str, folder: &Path) -> Vec<(&'static str, OsString)> {
        let text = |text: &str| OsString::from(text);
        vec![
            ("DOCKER_HOST", text(&self.host)),
            ("image", text(super::IMAGE)),
            ("name", text(name)),
            ("registry", text("127.0.0.1:5000")),
            ("guarded", text("127.0.0.1:5001")),
            ("DOCKER_BUILDKIT", text("0")),
            ("TZ", text("UTC")),
            ("LC_ALL", text("C")),
            ("dir", folder.into()),
            ("DOCKER_CONFIG", folder.join("config").into()),
        ]
    }

    fn type_in(&self, name: &str, folder: &Path, line: &str) -> Result<Said> {
        let patience = PATIENCE.as_secs().to_string();
        let repeated = line
            .strip_prefix("until ")
            .map(|line| format!("until {{ {line}; }} >/dev/null 2>&1; do sleep 0.05; done"));
        let mut command = Command::new("timeout");
        command.args([&patience, "sh", "-c", repeated.as_deref().unwrap_or(line)]);
        command.envs(self.variables(name, folder));
        let output =
            command.current_dir(folder).stdin(Stdio::null()).output().with_context(|| line.to_owned())?;
        let text = |bytes: &[u8]| normal::of(&String::from_utf8_lossy(bytes), folder);
        let (out, err) = (text(&output.stdout), normal::without_advice(&text(&output.stderr)));
        Ok(Said { code: output.status.code().unwrap_or(-1), out, err })
    }
}
