//! The networks that there are: containers choose one, nobody makes another (yet).

use super::error::{Answer, Error};
use axum::Json;
use axum::extract::Path;
use hyper::StatusCode;
use serde_json::{Value, json};

const NETWORKS: [(&str, &str); 2] = [("none", "null"), ("internet", "bridge")];

fn show(name: &str, driver: &str) -> Value {
    json!({
        "Name": name,
        "Id": name,
        "Driver": driver,
        "Scope": "local",
        "EnableIPv6": false,
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "IPAM": { "Driver": "default", "Config": [] },
        "Containers": {},
        "Options": {},
        "Labels": {},
    })
}

/// `GET /networks`
pub(super) async fn list() -> Json<Vec<Value>> {
    Json(NETWORKS.iter().map(|(name, driver)| show(name, driver)).collect())
}

/// `GET /networks/{id}`
pub(super) async fn inspect(Path(id): Path<String>) -> Answer<Json<Value>> {
    let found = NETWORKS.iter().find(|(name, _)| *name == id).map(|(name, driver)| show(name, driver));
    found.map(Json).ok_or_else(|| Error::new(StatusCode::NOT_FOUND, format!("network {id} not found")))
}
