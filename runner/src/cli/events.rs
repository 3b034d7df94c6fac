//! `sandlot events`: what happens, as it happens.

use super::client::{Call, Client};
use super::error::Error;
use super::filters::filters;
use super::{format, template, values};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

/// Show what happens to containers, images and volumes
#[derive(Debug, Args)]
pub(super) struct Events {
    /// Also what happened since then: a time, seconds since 1970, or how long ago (10m)
    #[arg(long, value_parser = values::moment)]
    since: Option<String>,
    /// Until then, and no longer
    #[arg(long, value_parser = values::moment)]
    until: Option<String>,
    /// Only those: container=…, image=…, event=…, type=…, label=…
    #[arg(short, long, value_parser = values::full_pair)]
    filter: Vec<(String, String)>,
    /// json, or a template like '{{.Action}} {{.Actor.ID}}'
    #[arg(long)]
    format: Option<String>,
}

impl Events {
    /// Runs it; without `--until` it never ends.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut call = Call::get("/events");
        for (name, value) in
            [("since", self.since), ("until", self.until), ("filters", filters(&self.filter))]
        {
            if let Some(value) = value {
                call = call.query(name, value);
            }
        }
        let chosen = self.format;
        let show = |event: Value| match chosen.as_deref() {
            None => format::line(&words(&event)),
            Some("json" | "{{json .}}") => format::line(&event.to_string()),
            Some(text) => format::line(&template::render(text, &event)?),
        };
        client.lines(call, show).await.map(|()| 0)
    }
}

/// An event as Docker prints it: `TIME TYPE ACTION ID (NAME=VALUE, …)`.
fn words(event: &Value) -> String {
    let nanos = event["timeNano"].as_i64().unwrap_or_default();
    let time = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    let attributes = event["Actor"]["Attributes"].as_object().into_iter().flatten();
    let attributes: Vec<String> = attributes.map(|(k, v)| format!("{k}={}", format::text(v))).collect();
    let attributes =
        if attributes.is_empty() { String::new() } else { format!(" ({})", attributes.join(", ")) };
    let field = |value: &Value| format::text(value);
    let (kind, action) = (field(&event["Type"]), field(&event["Action"]));
    format!("{time:.9} {kind} {action} {}{attributes}", field(&event["Actor"]["ID"]))
}
