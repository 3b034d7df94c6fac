//! `sandlot update`: other limits, or another restart policy, for containers that are there.

use super::client::{Call, Client};
use super::container_options::Limits;
use super::error::Error;
use super::{each, values};
use crate::engine::model::RestartPolicy;
use clap::Args;
use hyper::Method;
use serde_json::json;

/// Change the limits of containers
#[derive(Debug, Args)]
pub(super) struct Update {
    #[command(flatten)]
    limits: Limits,
    /// When to start again: no, always, unless-stopped, on-failure[:times]
    #[arg(long, value_parser = values::restart)]
    restart: Option<RestartPolicy>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Update {
    /// Runs it; what was not given stays.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let mut body = self.limits.given();
        if let Some(policy) = self.restart {
            body.insert("RestartPolicy".to_owned(), json!(policy));
        }
        if body.is_empty() {
            return Err(Error::Invalid("you must provide one or more flags when using this command".into()));
        }
        let call = |id: &str| Call::container(Method::POST, id, "update").json(&body);
        each::fallible(client, &self.containers, call).await
    }
}
