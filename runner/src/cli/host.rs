//! `sandlot doctor`, `info` and `version`: what this host and this engine are.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use crate::container::host::probe;
use clap::Args;
use serde_json::{Value, json};

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
                if found { (String::new(), String::new()) } else { (cell("without"), cell("remedy")) };
            let mark = if found { "✓" } else { "✗" };
            rows.push(vec![mark.to_owned(), cell("name"), cell("detail"), cost, remedy]);
        }
        let missing = rows.iter().filter(|row| row[0] == "✗").count();
        format::print(&format::table(rows))?;
        let verdict = match missing {
            0 => "Everything is there.".to_owned(),
            n => format!(
                "{n} missing: what that costs stands under WITHOUT IT, what brings it under WHAT TO DO."
            ),
        };
        format::line(&verdict).map(|()| 0)
    }
}

/// Show what the engine is and holds
#[derive(Debug, Args)]
pub(super) struct Info {
    /// json, or a template like '{{.ServerVersion}}'
    #[arg(short, long)]
    format: Option<String>,
}

impl Info {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let found: Value = client.json(Call::get("/info")).await?;
        if self.format.is_some() {
            return format::print(&format::object(self.format.as_deref(), &found)?).map(|()| 0);
        }
        format::print(&plain(&found, "")).map(|()| 0)
    }
}

/// Show the versions
#[derive(Debug, Args)]
pub(super) struct Version {
    /// json, or a template like '{{.Server.Version}}'
    #[arg(short, long)]
    format: Option<String>,
}

impl Version {
    /// Runs it; our own version is shown also where no engine answers.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let server: Result<Value, Error> = client.json(Call::get("/version")).await;
        let ours = json!({
            "Version": env!("CARGO_PKG_VERSION"),
            "Os": std::env::consts::OS,
            "Arch": std::env::consts::ARCH,
        });
        let known = server.as_ref().ok().cloned();
        let both = json!({ "Client": ours, "Server": known });
        if self.format.is_some() {
            format::print(&format::object(self.format.as_deref(), &both)?)?;
        } else {
            format::print(&format!("Client:\n{}", plain(&both["Client"], " ")))?;
            if known.is_some() {
                format::print(&format!("\nServer:\n{}", plain(&both["Server"], " ")))?;
            }
        }
        server.map(|_| 0)
    }
}

/// The fields that are a word or a number, a line each.
fn plain(found: &Value, indent: &str) -> String {
    let all = found.as_object().into_iter().flatten();
    let words =
        all.filter(|(_, value)| !value.is_object() && !value.is_array() && !format::text(value).is_empty());
    words.map(|(name, value)| format!("{indent}{name}: {}\n", format::text(value))).collect()
}
