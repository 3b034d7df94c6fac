//! `sandlot doctor`, `info` and `version`: what this host and this engine are.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use crate::container::host::probe;
use clap::Args;
use serde_json::Value;

/// Show what this host offers, what is missing, and what brings it
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Where the engine keeps its state
    #[arg(long, env = "SANDLOT_STATE", default_value = "/var/lib/sandlot", value_name = "DIR")]
    state: std::path::PathBuf,
    /// table, or json
    #[arg(long, default_value = "table")]
    format: String,
}

impl Doctor {
    /// Runs it; needs no engine.
    pub(super) fn run(&self) -> Result<u8, Error> {
        let findings = probe(&self.state);
        if self.format == "json" {
            return format::line(&serde_json::to_string_pretty(&findings).unwrap_or_default()).map(|()| 0);
        }
        let mut rows =
            vec![["", "FEATURE", "FOUND", "WITHOUT IT", "WHAT TO DO"].map(ToOwned::to_owned).to_vec()];
        for finding in findings {
            let value: Value = serde_json::to_value(&finding).unwrap_or_default();
            let cell = |name: &str| format::text(&value[name]);
            let found = value["found"].as_bool().unwrap_or(false);
            let (cost, remedy) =
                if found { (String::new(), String::new()) } else { (cell("cost"), cell("remedy")) };
            let mark = if found { "✓" } else { "✗" };
            rows.push(vec![mark.to_owned(), cell("name"), cell("detail"), cost, remedy]);
        }
        format::print(&format::table(rows)).map(|()| 0)
    }
}

/// Prints an answer of the engine, indented.
pub(super) async fn show(client: &Client, path: &str) -> Result<u8, Error> {
    let found: Value = client.json(Call::get(path)).await?;
    let all = found.as_object().into_iter().flatten();
    let plain =
        all.filter(|(_, value)| !value.is_object() && !value.is_array() && !format::text(value).is_empty());
    let text: String = plain.map(|(name, value)| format!("{name}: {}\n", format::text(value))).collect();
    format::print(&text).map(|()| 0)
}
