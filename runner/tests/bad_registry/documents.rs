//! Manifests, indexes and configurations that are too long, nested, contradictory or nonsense.

use crate::images::{Content, Image, OCI_MANIFEST};
use crate::registry::{Registry, with};
use crate::stage::{Stage, says};
use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt};
use sandlot::image::Digest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn a_manifest_of_100_megabytes() {
    // With its length said, and without.
    for said in [true, false] {
        let stage = Stage::new();
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let registry = Registry::start(Content::default(), move |_| {
            let count = Arc::clone(&count);
            let body = stream::iter(0..1600).map(move |_| {
                count.fetch_add(1 << 16, Ordering::Relaxed);
                Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1 << 16]))
            });
            let length = (1600usize << 16).to_string();
            let headers = [("content-type", OCI_MANIFEST), ("content-length", length.as_str())];
            Some(with(200, &headers[..1 + usize::from(said)], Body::from_stream(body)))
        })
        .await;
        let words = stage.fails(&registry, "app").await;
        says(&words, &[&registry.host(), "manifest for app:latest", "longer than", "refused"]);
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < 32 << 20, "{sent} bytes of it were read");
    }
}

fn index(manifests: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests }).to_string().into_bytes()
}

fn entry(kind: &str, bytes: &[u8]) -> Value {
    let platform = json!({ "os": "linux", "architecture": "amd64" });
    json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len(), "platform": platform })
}

#[tokio::test]
async fn an_index_that_nests_without_end() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let mut content = Content::of(&image);
    let mut inner = (OCI_MANIFEST, image.bytes());
    for depth in 1..=30 {
        inner = (OCI_INDEX, index(&[entry(inner.0, &inner.1)]));
        content = content.document("app", &format!("nested-{depth}"), OCI_INDEX, inner.1.clone());
    }
    let registry = Registry::good(content).await;
    says(&stage.fails(&registry, "app:nested-30").await, &["indexes of app", "nested", "deep"]);
    assert!(registry.seen().len() < 10, "{} requests", registry.seen().len());
    assert_eq!(stage.pull(&registry, "app:nested-2").await.unwrap().id, image.id());
}

#[tokio::test]
async fn an_index_that_leads_to_itself() {
    let stage = Stage::new();
    let own = Digest::of(b"no content has the digest of what names it");
    let circle = json!({ "mediaType": OCI_INDEX, "digest": own, "size": 1 });
    let bytes = index(&[circle]);
    let registry = Registry::start(Content::default(), move |_| {
        Some(with(200, &[("content-type", OCI_INDEX)], bytes.clone().into()))
    })
    .await;
    says(&stage.fails(&registry, "app").await, &["manifest", &own.to_string(), "refused"]);
    assert_eq!(registry.seen().len(), 2);
}

#[tokio::test]
async fn no_image_for_this_platform() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let mut other = entry(OCI_MANIFEST, &image.bytes());
    other["platform"]["architecture"] = "s390x".into();
    let content = Content::of(&image).document("app", "old", OCI_INDEX, index(&[other]));
    let registry = Registry::good(content).await;
    says(&stage.fails(&registry, "app:old").await, &["app has no image for linux/amd64"]);
}

#[tokio::test]
async fn documents_that_are_none() {
    let stage = Stage::new();
    let fine = Image::simple("app");
    let changed = |how: fn(&mut Value)| {
        let mut manifest = fine.manifest.clone();
        how(&mut manifest);
        manifest.to_string().into_bytes()
    };
    let cases = [
        (b"<html>".to_vec(), "JSON"),
        (b"[[[[".to_vec(), "JSON"),
        (b"[".repeat(1 << 20), "JSON"),
        (changed(|m| m["schemaVersion"] = 1.into()), "schema 1"),
        (changed(|m| m["mediaType"] = "text/html".into()), "text/html"),
        (changed(|m| m["manifests"] = json!([])), "both"),
        (changed(|m| m["config"]["digest"] = "md5:00".into()), "md5:00"),
        (changed(|m| m["layers"] = json!([])), "0 layers, the configuration 1"),
        (changed(|m| m["layers"] = vec![m["layers"][0].clone(); 501].into()), "501"),
        (changed(|m| m["config"]["size"] = (-1).into()), "-1"),
    ];
    for (bytes, words) in cases {
        let content = Content::of(&fine).document("app", "odd", OCI_MANIFEST, bytes);
        let registry = Registry::good(content).await;
        says(&stage.fails(&registry, "app:odd").await, &[words]);
    }
}

#[tokio::test]
async fn configurations_that_are_none() {
    let stage = Stage::new();
    let cases = [
        (b"nonsense".to_vec(), "configuration"),
        (b"{}".to_vec(), "configuration"),
        (
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["../../x"]}}"#
                .to_vec(),
            "../../x",
        ),
    ];
    for (config, words) in cases {
        let mut image = Image::simple("app");
        image.manifest["config"]["digest"] = Digest::of(&config).to_string().into();
        image.manifest["config"]["size"] = config.len().into();
        image.config = config;
        let registry = Registry::good(Content::of(&image)).await;
        says(&stage.fails(&registry, "app").await, &[words]);
    }
}
