//! One image: `inspect` and `history`.

use super::image_list::created;
use super::version::Version;
use crate::image::Image;
use serde_json::{Map, Value, json};

/// The configuration with the fields that Docker always has.
fn config(document: &Value) -> Value {
    with_defaults(document["config"].as_object().cloned().unwrap_or_default())
}

fn with_defaults(own: Map<String, Value>) -> Value {
    let mut all = json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false,
        "AttachStderr": false, "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": null, "Cmd": null,
        "Image": "", "Volumes": null, "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": null,
    });
    if let Value::Object(all) = &mut all {
        all.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
    }
    all
}

/// `GET /images/{name}/json`; the `document` also has what only Docker knows: `Healthcheck`, `OnBuild`, `Shell`.
pub(super) fn inspect(Version(spoken): Version, image: &Image, document: &Value) -> Value {
    let layers: Vec<String> = image.config.rootfs().diff_ids().to_vec();
    let history = image.config.history().clone().unwrap_or_default();
    let said = history.last().and_then(|entry| entry.comment().clone()).unwrap_or_default();
    let mut all = json!({
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": said,
        "Created": created(image).map(|c| c.to_string()),
        "DockerVersion": "",
        "Author": image.config.author().clone().unwrap_or_default(),
        "Config": config(document),
        "Architecture": image.config.architecture(),
        "Os": image.config.os(),
        "Size": image.size,
        "GraphDriver": { "Name": "overlay2", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": layers },
        "Metadata": { "LastTagTime": "0001-01-01T00:00:00Z" },
    });
    // What an image was made of, nobody knows any more; older clients look for the fields.
    if spoken < 45 {
        all["Container"] = json!("");
        all["ContainerConfig"] = with_defaults(Map::new());
    }
    if spoken < 44 {
        all["VirtualSize"] = json!(image.size);
    }
    all
}

/// `GET /images/{name}/history`
pub(super) fn history(image: &Image) -> Vec<Value> {
    let entries = image.config.history().clone().unwrap_or_default();
    // Each step but the empty ones made a layer.
    let mut sizes = image.layer_sizes().into_iter();
    let mut size = |empty: Option<bool>| if empty == Some(true) { 0 } else { sizes.next().unwrap_or(0) };
    let sizes: Vec<u64> = entries.iter().map(|entry| size(entry.empty_layer())).collect();
    let rows = entries.iter().zip(sizes).rev().enumerate().map(|(n, (entry, size))| {
        json!({
            "Id": if n == 0 { image.id.to_string() } else { "<missing>".to_owned() },
            "Created": entry.created().as_deref().and_then(|c| c.parse::<jiff::Timestamp>().ok()).map_or(0, |c| c.as_second()),
            "CreatedBy": entry.created_by().clone().unwrap_or_default(),
            "Comment": entry.comment().clone().unwrap_or_default(),
            "Tags": if n == 0 { json!(image.tags) } else { Value::Null },
            "Size": size,
        })
    });
    rows.collect()
}
