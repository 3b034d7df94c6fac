//! Blobs that break off, are too short, too long, or another.

use crate::images::{Content, Image, Layer, file, noise};
use crate::registry::{Registry, Seen, cut, status, with};
use crate::stage::{Stage, says};
use axum::body::Body;
use axum::http::header::RANGE;
use futures_util::stream::{self, StreamExt};
use sandlot::image::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An image with one layer of a good megabyte, and that layer's blob.
fn large() -> (Image, Layer) {
    let layer = Layer::of(&file("noise", &noise(1, 1 << 20)));
    (Image::of(vec![layer.clone()]), layer)
}

#[tokio::test]
async fn a_blob_that_breaks_off_goes_on_by_range() {
    let (image, layer) = large();
    let (stage, half) = (Stage::new(), layer.packed.len() / 2);
    let blob = layer.clone();
    let registry = Registry::start(Content::of(&image), move |seen| {
        let first = seen.wants(&blob.digest()) && seen.before == 0;
        first.then(|| cut(&blob.packed[..half], blob.packed.len()))
    })
    .await;
    let pulled = stage.pull(&registry, "app").await.unwrap();
    assert_eq!(std::fs::read(pulled.layers[0].join("noise")).unwrap(), noise(1, 1 << 20));
    let asked = registry.asked_for(&layer.digest());
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header(RANGE).unwrap(), format!("bytes={half}-"));
}

#[tokio::test]
async fn a_registry_without_ranges_sends_it_all_again() {
    let (image, layer) = large();
    let (stage, blob) = (Stage::new(), layer.clone());
    let registry = Registry::start(Content::of(&image), move |seen| {
        let whole = blob.packed.len();
        seen.wants(&blob.digest()).then(|| match seen.before {
            0 => cut(&blob.packed[..whole / 2], whole),
            _ => with(200, &[], blob.packed.clone().into()),
        })
    })
    .await;
    stage.pull(&registry, "app").await.unwrap();
    assert_eq!(registry.asked_for(&layer.digest()).len(), 2);
}

/// The error named the repository in place of the registry, and no blob.
#[tokio::test]
async fn a_blob_that_breaks_off_each_time() {
    let (image, layer) = large();
    let (stage, blob) = (Stage::new(), layer.clone());
    let registry = Registry::start(Content::of(&image), move |seen| {
        let from = from(seen);
        seen.wants(&blob.digest()).then(|| part(&blob, from, Some(1000)))
    })
    .await;
    let words = stage.fails(&registry, "app").await;
    let so_far = format!("5000 of {} bytes", layer.packed.len());
    says(&words, &[&registry.host(), "broke off", &layer.digest().to_string(), &so_far]);
    assert_eq!(registry.asked_for(&layer.digest()).len(), 5);
}

fn from(seen: &Seen) -> usize {
    let range = seen.header(RANGE).and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
    range.map_or(0, |from| from.parse().unwrap())
}

/// A blob from a byte on; after so many bytes more the connection breaks.
fn part(blob: &Layer, from: usize, most: Option<usize>) -> crate::registry::Answer {
    let whole = blob.packed.len();
    let until = most.map_or(whole, |most| (from + most).min(whole));
    let mut answer = cut(&blob.packed[from..until], whole - from);
    if from > 0 {
        *answer.status_mut() = axum::http::StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {from}-{}/{whole}", whole - 1);
        answer.headers_mut().insert("content-range", range.parse().unwrap());
    }
    answer
}

#[tokio::test]
async fn a_blob_that_is_not_there_or_fails() {
    let stage = Stage::new();
    let (image, layer) = large();
    let digest = layer.digest();
    let registry = Registry::start(Content::of(&image), move |s| s.wants(&digest).then(|| status(404))).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), &digest.to_string(), "not found"]);
    let registry = Registry::start(Content::of(&image), move |s| s.wants(&digest).then(|| status(500))).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), &digest.to_string(), "500"]);
    let config = image.id();
    let registry = Registry::start(Content::of(&image), move |s| s.wants(&config).then(|| status(404))).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), &config.to_string(), "not found"]);
}

/// The tree of a layer in a blob with the wrong digest was kept before the digest was looked at.
#[tokio::test]
async fn a_blob_with_another_digest_whose_tree_is_right() {
    let stage = Stage::new();
    let (image, layer) = large();
    // The header's time stamp is no part of what is unpacked.
    let mut other = layer.packed.clone();
    other[4] ^= 1;
    let digest = layer.digest();
    let registry = Registry::start(Content::of(&image), move |seen| {
        seen.wants(&digest).then(|| with(200, &[], other.clone().into()))
    })
    .await;
    says(&stage.fails(&registry, "app").await, &["blob", &digest.to_string(), "it is refused"]);
}

#[tokio::test]
async fn a_layer_with_another_diff_id() {
    let stage = Stage::new();
    let mut layer = Layer::of(&file("app", b"app"));
    let said = layer.diff_id;
    layer = Layer { diff_id: sandlot::image::Digest::of(b"another"), ..layer };
    let image = Image::of(vec![layer.clone()]);
    let registry = Registry::good(Content::of(&image)).await;
    let words = stage.fails(&registry, "app").await;
    says(&words, &["layer", &said.to_string(), &layer.diff_id.to_string(), "it is refused"]);
}

#[tokio::test]
async fn a_manifest_with_another_digest() {
    let stage = Stage::new();
    let (image, other) = (Image::simple("app"), Image::simple("other"));
    let digest = sandlot::image::Digest::of(&image.bytes());
    let registry = Registry::start(Content::of(&other), move |seen| {
        let bytes = other.bytes().into();
        let kind = [("content-type", crate::images::OCI_MANIFEST)];
        seen.path.ends_with(&digest.to_string()).then(|| with(200, &kind, bytes))
    })
    .await;
    let words = stage.fails(&registry, &format!("app@{digest}")).await;
    says(&words, &["manifest", &digest.to_string(), "it is refused"]);
}

/// A blob that was shorter than its manifest said ended as "answered 416".
#[tokio::test]
async fn a_blob_of_another_size() {
    let stage = Stage::new();
    let (image, layer) = large();
    let has = layer.packed.len();
    for said in [has - 1, has + 1] {
        let mut image = image.clone();
        image.manifest["layers"][0]["size"] = said.into();
        // The length is said by the registry, or seen only at the end.
        for told in [true, false] {
            let blob = layer.clone();
            let registry = Registry::start(Content::of(&image), move |seen| {
                let pieces = stream::iter([Ok::<_, std::io::Error>(blob.packed.clone())]);
                let first = !told && seen.wants(&blob.digest()) && seen.before == 0;
                first.then(|| with(200, &[], Body::from_stream(pieces)))
            })
            .await;
            let words = stage.fails(&registry, "app").await;
            says(&words, &[&layer.digest().to_string(), &format!("{said}"), "its manifest says"]);
            assert!(!words.contains("416"), "{words}");
        }
    }
}

/// Another range than the one asked for was taken for the right one.
#[tokio::test]
async fn a_range_that_was_not_asked_for() {
    let stage = Stage::new();
    let (image, layer) = large();
    let whole = layer.packed.len();
    for range in [format!("bytes 5-{}/{whole}", whole - 1), "nonsense".to_owned(), String::new()] {
        let (blob, answered) = (layer.clone(), range.clone());
        let registry = Registry::start(Content::of(&image), move |seen| {
            seen.wants(&blob.digest()).then(|| match seen.before {
                0 => cut(&blob.packed[..100], whole),
                _ => with(206, &[("content-range", &answered)], blob.packed[100..].to_vec().into()),
            })
        })
        .await;
        let words = stage.fails(&registry, "app").await;
        says(&words, &[&registry.host(), &layer.digest().to_string(), "from byte 100 on", &range]);
    }
    // The right part of another whole.
    let blob = layer.clone();
    let registry = Registry::start(Content::of(&image), move |seen| {
        let range = format!("bytes 100-{}/{}", whole - 1, whole + 7);
        seen.wants(&blob.digest()).then(|| match seen.before {
            0 => cut(&blob.packed[..100], whole),
            _ => with(206, &[("content-range", &range)], blob.packed[100..].to_vec().into()),
        })
    })
    .await;
    says(
        &stage.fails(&registry, "app").await,
        &[&layer.digest().to_string(), &format!("{} bytes", whole + 7)],
    );
}

/// What a manifest claimed was believed, however much it was.
#[tokio::test]
async fn a_claim_to_be_too_large_is_refused_before_a_byte_comes() {
    let mut stage = Stage::new();
    stage.store = stage.store.limited(Limits { bytes: 1000, ..Limits::default() });
    let mut image = Image::of(vec![Layer::of(&file("a", b"a")), Layer::of(&file("b", b"b"))]);
    for (first, second, refused) in [(1001u64, 100u64, 0), (600, 600, 1), (u64::MAX, u64::MAX, 0)] {
        image.manifest["layers"][0]["size"] = first.into();
        image.manifest["layers"][1]["size"] = second.into();
        let registry = Registry::good(Content::of(&image)).await;
        let words = stage.fails(&registry, "app").await;
        says(&words, &[&image.layers[refused].digest().to_string(), "is refused", "1000 bytes"]);
        assert!(image.layers.iter().all(|l| registry.asked_for(&l.digest()).is_empty()));
    }
    let mut image = Image::simple("app");
    image.manifest["config"]["size"] = (1u64 << 40).into();
    let registry = Registry::good(Content::of(&image)).await;
    says(&stage.fails(&registry, "app").await, &[&image.id().to_string(), &(1u64 << 40).to_string()]);
}

/// The rest of a layer was downloaded when it was refused already.
#[tokio::test]
async fn what_is_refused_is_not_downloaded_further() {
    let stage = Stage::new();
    let mut bytes = file("../evil", b"evil");
    bytes.extend(noise(1, 64 << 20));
    let layer = Layer { packed: bytes.clone(), ..Layer::of(&bytes[..512]) };
    let image = Image::of(vec![layer.clone()]);
    let sent = Arc::new(AtomicUsize::new(0));
    let (count, blob) = (Arc::clone(&sent), layer.clone());
    let registry = Registry::start(Content::of(&image), move |seen| {
        let count = Arc::clone(&count);
        let pieces: Vec<Vec<u8>> = blob.packed.chunks(64 << 10).map(<[u8]>::to_vec).collect();
        let pieces = stream::iter(pieces).map(move |piece| {
            count.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, std::io::Error>(piece)
        });
        seen.wants(&blob.digest()).then(|| with(200, &[], Body::from_stream(pieces)))
    })
    .await;
    says(&stage.fails(&registry, "app").await, &[&layer.digest().to_string(), "evil", "leads out"]);
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 48 << 20, "{sent} of {} bytes were sent", bytes.len());
}
