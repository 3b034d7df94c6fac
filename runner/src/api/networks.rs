//! Networks: `none` and `internet`, which stand for themselves, and those of the driver `bridge`.

use super::body::Body;
use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::Parameters;
use crate::engine::Engine;
use crate::engine::networks::request::{EndpointRequest, NetworkRequest};
use crate::engine::networks::{INTERNET, NONE, Network};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A network that stands for itself, and its driver's name.
const FIXED: [(&str, &str); 2] = [(INTERNET, "internet"), (NONE, "null")];

fn fixed(name: &str, driver: &str) -> Value {
    json!({
        "Name": name,
        "Id": name,
        "Created": "0001-01-01T00:00:00Z",
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": [] },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": {},
        "Options": {},
        "Labels": {},
    })
}

fn show(network: &Network) -> Value {
    let mut addresses = json!({ "Subnet": network.subnet, "Gateway": network.gateway });
    if let Some(range) = network.range {
        addresses["IPRange"] = json!(range);
    }
    if !network.kept.is_empty() {
        addresses["AuxiliaryAddresses"] = json!(network.kept);
    }
    let mut shown = fixed(&network.name, "bridge");
    shown["Id"] = json!(network.id);
    shown["Created"] = json!(network.created.to_string());
    let options = if network.predefined() { Value::Null } else { json!(network.ipam_options) };
    shown["IPAM"] = json!({ "Driver": "default", "Options": options, "Config": [addresses] });
    shown["Internal"] = json!(network.internal);
    shown["Attachable"] = json!(network.attachable);
    shown["Options"] = json!(network.options);
    shown["Labels"] = json!(network.labels);
    shown
}

/// With the containers that are in it.
fn show_whole(engine: &Engine, network: &Network) -> Value {
    let mut containers = Map::new();
    for container in engine.running_in(network) {
        let record = container.record();
        let live = record.endpoints.iter().find(|e| e.is_in(network)).and_then(|e| e.live.as_ref());
        let Some(live) = live else { continue };
        let shown = json!({
            "Name": record.name,
            "EndpointID": live.id,
            "MacAddress": super::endpoints::hardware(live),
            "IPv4Address": format!("{}/{}", live.address, network.subnet.prefix_len()),
            "IPv6Address": "",
        });
        containers.insert(record.id, shown);
    }
    let mut shown = show(network);
    shown["Containers"] = Value::Object(containers);
    shown
}

/// `GET /networks`
pub(super) async fn list(
    State(engine): State<Engine>,
    Query(p): Query<Parameters>,
) -> Answer<Json<Vec<Value>>> {
    let known = ["driver", "id", "label", "name", "scope", "type", "dangling"];
    let filters = Filters::of(&p, &known)?;
    if let Some(wrong) = filters.values("type").iter().find(|t| !matches!(t.as_str(), "builtin" | "custom")) {
        return Err(Error::bad(format!("invalid filter: 'type'='{wrong}'")));
    }
    let used = |network: &Value| {
        let all = engine.containers();
        all.iter().any(|c| {
            c.record().endpoints.iter().any(|e| Some(e.network.as_str()) == network["Name"].as_str())
        })
    };
    let suits = |network: &Value, labels: &BTreeMap<String, String>| {
        let text = |field: &str| network[field].as_str().unwrap_or_default();
        let builtin = matches!(text("Name"), NONE | INTERNET | "bridge");
        let dangling = |wanted: &str| matches!(wanted, "1" | "true") == (!builtin && !used(network));
        filters.any("driver", |d| text("Driver") == d)
            && filters.any("id", |id| text("Id").starts_with(id))
            && filters.any("name", |name| text("Name").contains(name))
            && filters.any("scope", |scope| scope == "local")
            && filters.any("type", |kind| (kind == "builtin") == builtin)
            && filters.any("dangling", dangling)
            && filters.labels(labels)
    };
    let mut found: Vec<Value> = Vec::new();
    for network in engine.networks.all() {
        let shown = show(&network);
        if suits(&shown, &network.labels) {
            found.push(shown);
        }
    }
    let none = BTreeMap::new();
    found.extend(FIXED.iter().map(|(name, driver)| fixed(name, driver)).filter(|n| suits(n, &none)));
    Ok(Json(found))
}

/// `GET /networks/{id}`
pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    if let Some((name, driver)) = FIXED.iter().find(|(name, _)| *name == id) {
        return Ok(Json(fixed(name, driver)));
    }
    Ok(Json(show_whole(&engine, &engine.networks.find(&id)?)))
}

/// `POST /networks/create`
pub(super) async fn create(
    State(engine): State<Engine>,
    Body(wanted): Body<NetworkRequest>,
) -> Answer<Response> {
    let network = engine.create_network(&wanted)?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": network.id, "Warning": "" }))).into_response())
}

/// `DELETE /networks/{id}`
pub(super) async fn remove(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<StatusCode> {
    engine.remove_network(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of connecting and disconnecting.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Member {
    container: String,
    endpoint_config: Option<EndpointRequest>,
}

/// `POST /networks/{id}/connect`
pub(super) async fn connect(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Body(member): Body<Member>,
) -> Answer<StatusCode> {
    engine.connect_network(&id, &member.container, &member.endpoint_config.unwrap_or_default()).await?;
    Ok(StatusCode::OK)
}

/// `POST /networks/{id}/disconnect`
pub(super) async fn disconnect(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Body(member): Body<Member>,
) -> Answer<StatusCode> {
    engine.disconnect_network(&id, &member.container).await?;
    Ok(StatusCode::OK)
}

/// `POST /networks/prune`
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer<Json<Value>> {
    let filters = Filters::of(&p, &["label", "until"])?;
    let until = filters.until()?;
    let gone = engine.prune_networks(|network| {
        filters.labels(&network.labels) && until.is_none_or(|until| network.created < until)
    });
    Ok(Json(json!({ "NetworksDeleted": gone })))
}
