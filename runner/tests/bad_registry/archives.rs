//! Archives that are loaded are as hostile as registries: nothing outside of them is read, nothing is left, and nobody waits.

use crate::images::{Image, Item, Layer, file, tar};
use crate::stage::{Stage, says};
use sandlot::image::Digest;
use serde_json::json;
use tar::EntryType;

/// Loads what cannot be loaded, within a minute.
async fn refused(stage: &Stage, archive: Vec<u8>, words: &[&str]) {
    let before = stage.listing();
    let store = stage.store.clone();
    let load = tokio::task::spawn_blocking(move || store.load(&archive[..]));
    let Ok(done) = tokio::time::timeout(std::time::Duration::from_secs(60), load).await else {
        panic!("the load does not end")
    };
    says(&done.unwrap().unwrap_err().to_string(), words);
    assert_eq!(stage.listing(), before);
}

fn manifest(config: &str, layers: &[&str]) -> String {
    json!([{ "Config": config, "RepoTags": ["app:latest"], "Layers": layers }]).to_string()
}

#[tokio::test]
async fn files_that_are_links_out_or_pipes() {
    let stage = Stage::new();
    let outside = stage.dir.path().join("outside");
    let image = Image::simple("app");
    std::fs::write(&outside, &image.config).unwrap();
    let outside = outside.to_str().unwrap();
    let text = manifest("config", &["layer"]);
    let layer = file("app", b"app");
    let good: [Item<'_>; 3] = [
        (EntryType::Regular, "manifest.json", "", text.as_bytes()),
        (EntryType::Regular, "config", "", &image.config),
        (EntryType::Regular, "layer", "", &layer),
    ];
    for (n, name) in [(1, "config"), (2, "layer")] {
        let mut odd = good;
        odd[n] = (EntryType::Symlink, name, outside, b"");
        refused(&stage, tar(&odd), &["the archive has no file", name]).await;
        odd[n] = (EntryType::Fifo, name, "", b"");
        refused(&stage, tar(&odd), &["the archive has no file", name, "something else"]).await;
    }
    assert_eq!(stage.store.load(&tar(&good)[..]).unwrap(), ["app:latest"]);
}

/// The first of two images stayed when the second was refused.
#[tokio::test]
async fn one_bad_image_of_two() {
    let stage = Stage::new();
    let (image, layer) = (Image::simple("app"), file("app", b"app"));
    let other = Image::of(vec![Layer::of(&file("other", b"other"))]);
    let text = json!([
        { "Config": "config", "RepoTags": ["app:latest"], "Layers": ["layer"] },
        { "Config": "other", "RepoTags": ["other:latest"], "Layers": ["layer"] },
    ]);
    let text = text.to_string();
    let archive = tar(&[
        (EntryType::Regular, "manifest.json", "", text.as_bytes()),
        (EntryType::Regular, "config", "", &image.config),
        (EntryType::Regular, "other", "", &other.config),
        (EntryType::Regular, "layer", "", &layer),
    ]);
    let expected = other.layers[0].diff_id.to_string();
    refused(&stage, archive, &["the layer has digest", &expected]).await;
}

/// A layer that was here already was not compared with the file that claims to be it, and the file was saved in its place.
#[tokio::test]
async fn a_known_layer_that_is_another_file() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let text = manifest("config", &["layer"]);
    let archive = |layer: &[u8]| {
        tar(&[
            (EntryType::Regular, "manifest.json", "", text.as_bytes()),
            (EntryType::Regular, "config", "", &image.config),
            (EntryType::Regular, "layer", "", layer),
        ])
    };
    stage.store.load(&archive(&file("app", b"app"))[..]).unwrap();
    let expected = image.layers[0].diff_id.to_string();
    refused(&stage, archive(&file("app", b"another")), &["the layer has digest", &expected]).await;
    // In another compression it is the same layer.
    stage.store.load(&archive(&image.layers[0].packed)[..]).unwrap();
}

#[tokio::test]
async fn a_layout_whose_documents_are_others() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let wanted = Digest::of(&image.bytes());
    let place = format!("blobs/sha256/{}", wanted.hex());
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": crate::images::OCI_MANIFEST, "digest": wanted, "size": 10 }],
    })
    .to_string();
    let mut other = image.bytes();
    other.push(b' ');
    let archive = tar(&[
        (EntryType::Regular, "index.json", "", index.as_bytes()),
        (EntryType::Regular, &place, "", &other),
    ]);
    refused(&stage, archive, &["manifest", &wanted.to_string(), "refused"]).await;
}

#[tokio::test]
async fn no_archive_and_no_image() {
    let stage = Stage::new();
    refused(&stage, file("readme", b"hello"), &["neither manifest.json nor index.json"]).await;
    refused(&stage, vec![b'x'; 2000], &["unpacking"]).await;
    refused(&stage, tar(&[(EntryType::Regular, "manifest.json", "", b"{")]), &["manifest.json"]).await;
    let missing = manifest("missing", &[]);
    let archive = tar(&[(EntryType::Regular, "manifest.json", "", missing.as_bytes())]);
    refused(&stage, archive, &["the archive has no file", "missing"]).await;
}
