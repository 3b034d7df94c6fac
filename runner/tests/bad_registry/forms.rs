//! The forms that images come in: compression, OCI's and Docker's documents, indexes, tags and digests.

use crate::images::{Content, Image, Layer, OCI_MANIFEST, file};
use crate::registry::Registry;
use crate::stage::Stage;
use sandlot::image::Digest;
use serde_json::json;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn layers_in_gzip_zstd_and_plain() {
    let stage = Stage::new();
    let plain = file("plain", b"plain");
    let tar = file("zstd", b"zstd");
    let layers = vec![
        Layer {
            packed: plain.clone(),
            media_type: "application/vnd.oci.image.layer.v1.tar",
            ..Layer::of(&plain)
        },
        Layer {
            packed: zstd::encode_all(&tar[..], 3).unwrap(),
            media_type: "application/vnd.oci.image.layer.v1.tar+zstd",
            ..Layer::of(&tar)
        },
        Layer::of(&file("gzip", b"gzip")),
    ];
    let registry = Registry::good(Content::of(&Image::of(layers))).await;
    let pulled = stage.pull(&registry, "app").await.unwrap();
    for (layer, name) in pulled.layers.iter().zip(["plain", "zstd", "gzip"]) {
        assert_eq!(std::fs::read_to_string(layer.join(name)).unwrap(), name);
    }
}

#[tokio::test]
async fn dockers_schema_2() {
    let stage = Stage::new();
    let mut image = Image::simple("app");
    image.manifest["mediaType"] = DOCKER_MANIFEST.into();
    image.manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json".into();
    image.manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip".into();
    let content = Content::of(&image).document("app", "latest", DOCKER_MANIFEST, image.bytes());
    let registry = Registry::good(content).await;
    let pulled = stage.pull(&registry, "app").await.unwrap();
    assert_eq!(pulled.id, image.id());
    assert_eq!(std::fs::read_to_string(pulled.layers[0].join("app")).unwrap(), "app");
}

#[tokio::test]
async fn an_index_by_platform_and_everything_by_digest() {
    for (list, manifest) in [(OCI_INDEX, OCI_MANIFEST), (DOCKER_LIST, DOCKER_MANIFEST)] {
        let stage = Stage::new();
        let mut content = Content::default();
        let mut entries = Vec::new();
        let architectures = ["arm64", "amd64", "unknown"];
        let images = architectures.map(Image::simple);
        for (architecture, mut image) in architectures.into_iter().zip(images.clone()) {
            image.manifest["mediaType"] = manifest.into();
            content = content.image("app", architecture, &image);
            content = content.document("app", architecture, manifest, image.bytes());
            let os = if architecture == "unknown" { "unknown" } else { "linux" };
            entries.push(json!({
                "mediaType": manifest, "digest": Digest::of(&image.bytes()), "size": image.bytes().len(),
                "platform": { "os": os, "architecture": architecture },
            }));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": list, "manifests": entries }).to_string();
        let digest = Digest::of(index.as_bytes());
        let registry =
            Registry::good(content.document("app", "latest", list, index.clone().into_bytes())).await;
        let by_tag = stage.pull(&registry, "app").await.unwrap();
        assert_eq!(by_tag.id, images[1].id());
        assert_eq!(by_tag.tags, [format!("{}/app:latest", registry.host())]);
        assert_eq!(by_tag.digests, [format!("{}/app@{digest}", registry.host())]);
        let fresh = Stage::new();
        let by_digest = fresh.pull(&registry, &format!("app@{digest}")).await.unwrap();
        assert_eq!((by_digest.id, &by_digest.digests), (by_tag.id, &by_tag.digests));
    }
}

/// What a crash left between a layer's arrival and the index is removed by the next start.
#[tokio::test]
async fn what_nothing_names_is_gone_after_a_start() {
    let mut stage = Stage::new();
    let registry = Registry::good(Content::of(&Image::simple("app"))).await;
    let kept = stage.pull(&registry, "app").await.unwrap();
    let before = stage.listing();
    let images = stage.dir.path().join("images");
    for place in ["layers", "making"] {
        let name = Digest::of(place.as_bytes()).hex();
        std::fs::create_dir_all(images.join(place).join(&name).join("sub")).unwrap();
        std::fs::write(images.join(place).join(name).join("sub/file"), "left").unwrap();
    }
    std::fs::write(images.join("blobs").join(Digest::of(b"blob").hex()), "left").unwrap();
    stage.store = sandlot::image::Store::open(stage.dir.path()).unwrap();
    assert_eq!(stage.listing(), before);
    assert!(stage.store.resolve(&kept.id.to_string()).unwrap().layers[0].join("app").is_file());
}
