//! `sandlot stats`: what containers use, once or again and again.

use super::client::{Call, Client};
use super::each::Failures;
use super::error::Error;
use super::{format, people};
use clap::Args;
use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};
use std::io::IsTerminal;

const COLUMNS: &[format::Column] = &[
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
];
/// Clears a terminal and goes to its beginning.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Show what containers use
#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Once, and no more
    #[arg(long)]
    no_stream: bool,
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Show ids in full length
    #[arg(long)]
    no_trunc: bool,
    /// json, or a template like '{{.Name}}: {{.CPUPerc}}'
    #[arg(long)]
    format: Option<String>,
    /// Names or ids; without any, those that run
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Stats {
    /// Runs it; live, it ends when none of the named containers runs any more.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
        loop {
            let mut failures = Failures::default();
            let names =
                if self.containers.is_empty() { self.listed(client).await? } else { self.containers.clone() };
            // The engine takes a second for each: it reads twice.
            let one = |id: &str| {
                let call = Call::container(Method::GET, id, "stats").query("stream", "0");
                client.json::<Value>(call)
            };
            let mut rows = Vec::new();
            for (name, found) in names.iter().zip(join_all(names.iter().map(|n| one(n))).await) {
                match found {
                    // It ended meanwhile, or never ran.
                    Err(Error::Refused { status, .. }) if status == hyper::StatusCode::CONFLICT => {
                        rows.push(self.row(name, &json!({ "id": name, "name": name })));
                    }
                    // Nobody named it, and it is gone.
                    Err(Error::Refused { .. }) if self.containers.is_empty() => {}
                    found => rows.extend(failures.note(found)?.map(|found| self.row(name, &found))),
                }
            }
            if rows.is_empty() && !names.is_empty() && self.no_stream {
                return failures.code();
            }
            let shown = format::list(self.format.as_deref(), COLUMNS, &rows)?;
            let end = self.no_stream || (rows.is_empty() && !self.containers.is_empty());
            format::print(&if end { shown } else { format!("{clear}{shown}") })?;
            if end {
                return failures.code();
            }
            if names.is_empty() {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }

    async fn listed(&self, client: &Client) -> Result<Vec<String>, Error> {
        let call = Call::get("/containers/json").query("all", if self.all { "1" } else { "0" });
        let found: Vec<Value> = client.json(call).await?;
        Ok(found.iter().map(|one| format::text(&one["Id"])).collect())
    }

    fn row(&self, asked: &str, found: &Value) -> Value {
        let (id, name) = (format::text(&found["id"]), format::text(&found["name"]));
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let memory = &found["memory_stats"];
        let cache = &memory["stats"]["inactive_file"];
        let (used, limit) = ((number(&memory["usage"]) - number(cache)).max(0.0), number(&memory["limit"]));
        let networks = found["networks"].as_object();
        let network = |field: &str| -> f64 {
            networks
                .into_iter()
                .flatten()
                .map(|(_, network)| number(&network[field]))
                .fold(0.0, |all, one| all + one)
        };
        let block = |op: &str| -> f64 {
            let all = found["blkio_stats"]["io_service_bytes_recursive"].as_array();
            all.into_iter()
                .flatten()
                .filter(|e| e["op"] == op)
                .map(|e| number(&e["value"]))
                .fold(0.0, |all, one| all + one)
        };
        let both = |a: f64, b: f64| format!("{} / {}", people::decimal(a), people::decimal(b));
        json!({
            "ID": if self.no_trunc { id.clone() } else { people::short(&id, 12) },
            "Container": asked,
            "Name": name.trim_start_matches('/'),
            "CPUPerc": format!("{:.2}%", processor(found)),
            "MemUsage": format!("{} / {}", people::binary(used), people::binary(limit)),
            "MemPerc": format!("{:.2}%", if limit > 0.0 { used / limit * 100.0 } else { 0.0 }),
            "NetIO": both(network("rx_bytes"), network("tx_bytes")),
            "BlockIO": both(block("read"), block("write")),
            "PIDs": format::text(&found["pids_stats"]["current"]),
        })
    }
}

/// Of all processors' time between two readings, how much was the container's, in percent of one processor.
fn processor(found: &Value) -> f64 {
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let (now, before) = (&found["cpu_stats"], &found["precpu_stats"]);
    let used = number(&now["cpu_usage"]["total_usage"]) - number(&before["cpu_usage"]["total_usage"]);
    let machine = number(&now["system_cpu_usage"]) - number(&before["system_cpu_usage"]);
    if used > 0.0 && machine > 0.0 { used / machine * number(&now["online_cpus"]) * 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::processor;
    use serde_json::json;

    #[test]
    fn half_of_one_of_two_processors() {
        let reading = |used, machine| json!({"cpu_usage": {"total_usage": used}, "system_cpu_usage": machine, "online_cpus": 2});
        let found = json!({"cpu_stats": reading(150, 1400), "precpu_stats": reading(100, 1200)});
        assert!((processor(&found) - 50.0).abs() < 0.001);
    }
}
