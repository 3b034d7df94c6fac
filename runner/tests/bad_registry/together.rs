//! Several at once: pulls, loads and removals of images share layers, and none takes from another what it needs.

use crate::images::{Content, Image, Layer, file, noise, tar};
use crate::registry::{Registry, with};
use crate::stage::{Stage, says};
use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt};
use sandlot::image::Force;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tar::EntryType;
use tokio::sync::Notify;

/// An image of two layers, and a registry that holds the second one's last byte back until it is told, and changes it by
/// `spoil`.
async fn held_back(spoil: u8) -> (Image, Registry, Arc<Notify>) {
    let image = Image::of(vec![Layer::of(&file("low", b"low")), Layer::of(&file("high", b"high"))]);
    let last = image.layers[1].clone();
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let registry = Registry::start(Content::of(&image), move |seen| {
        let (start, end) = last.packed.split_at(last.packed.len() - 1);
        let (start, end) = (Bytes::copy_from_slice(start), Bytes::from(vec![end[0] ^ spoil]));
        let gate = Arc::clone(&gate);
        let late = stream::once(async move {
            gate.notified().await;
            Ok::<_, std::io::Error>(end)
        });
        let body = stream::once(async { Ok(start) }).chain(late);
        seen.wants(&last.digest()).then(|| with(200, &[], Body::from_stream(body)))
    })
    .await;
    (image, registry, go)
}

/// Waits until something is so, for half a minute at most.
async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

/// A layer that was whole was deleted when another image was removed before the pull had written the index.
#[tokio::test]
async fn removing_an_image_takes_nothing_from_a_pull_under_way() {
    let stage = Stage::new();
    let other = Registry::good(Content::of(&Image::simple("other"))).await;
    let unneeded = stage.pull(&other, "app").await.unwrap();
    let (image, registry, go) = held_back(0).await;
    let low = stage.dir.path().join("images/layers").join(image.layers[0].diff_id.hex());
    let removal = async {
        until("the first layer's arrival", || low.is_dir()).await;
        stage.store.remove(&unneeded.id.to_string(), Force::No, |_| None).unwrap();
        assert!(!unneeded.layers[0].exists(), "the removed image's layer stays");
        go.notify_one();
    };
    let (pulled, ()) = tokio::join!(stage.pull(&registry, "app"), removal);
    let pulled = pulled.unwrap();
    assert_eq!(pulled.id, image.id());
    assert_eq!(std::fs::read_to_string(pulled.layers[0].join("low")).unwrap(), "low");
    assert_eq!(std::fs::read_to_string(pulled.layers[1].join("high")).unwrap(), "high");
}

/// The same with loading: its first layer was deleted while the second was unpacked.
#[test]
fn removing_images_takes_nothing_from_a_load_under_way() {
    let stage = Stage::new();
    let archive = |layers: &[(&str, Vec<u8>)], name: &str| {
        let tars: Vec<Vec<u8>> = layers.iter().map(|(file_name, bytes)| file(file_name, bytes)).collect();
        let image = Image::of(tars.iter().map(|t| Layer::of(t)).collect());
        let paths: Vec<String> = (0..tars.len()).map(|n| format!("{n}.tar")).collect();
        let manifest = json!([{ "Config": "c.json", "RepoTags": [name], "Layers": paths }]).to_string();
        let mut items = vec![
            (EntryType::Regular, "manifest.json", "", manifest.as_bytes()),
            (EntryType::Regular, "c.json", "", &image.config),
        ];
        items.extend(paths.iter().zip(&tars).map(|(p, t)| (EntryType::Regular, p.as_str(), "", &t[..])));
        tar(&items)
    };
    let wanted = archive(&[("low", b"low".to_vec()), ("high", noise(1, 24 << 20))], "wanted:latest");
    let other = archive(&[("other", b"other".to_vec())], "other:latest");
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut rounds = 0;
            while !ended.load(Ordering::Relaxed) {
                stage.store.load(&other[..]).unwrap();
                stage.store.remove("other:latest", Force::No, |_| None).unwrap();
                rounds += 1;
            }
            rounds
        });
        for _ in 0..3 {
            let loaded = stage.store.load(&wanted[..]);
            let image = stage.store.resolve("wanted:latest");
            ended.store(loaded.is_err() || image.is_err(), Ordering::Relaxed);
            loaded.unwrap();
            let image = image.unwrap();
            let whole = image.layers.iter().all(|l| l.is_dir());
            ended.store(!whole, Ordering::Relaxed);
            assert!(whole, "a layer is gone: {:?}", image.layers);
            stage.store.remove("wanted:latest", Force::No, |_| None).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        assert!(remover.join().unwrap() > 3, "nothing was removed meanwhile");
    });
}

/// A layer that was whole stayed for ever when another one of its image failed.
#[tokio::test]
async fn a_pull_that_fails_takes_its_whole_layers_along_but_not_anothers() {
    let stage = Stage::new();
    let shared = Layer::of(&file("shared", b"shared"));
    let mut bad = Image::of(vec![shared.clone(), Layer::of(&file("bad", b"bad"))]);
    let fine = Registry::good(Content::of(&Image::of(vec![shared.clone()]))).await;
    bad.layers.truncate(1);
    let registry = Registry::good(Content::of(&bad)).await;
    let missing = bad.manifest["layers"][1]["digest"].as_str().unwrap().to_owned();
    says(&stage.fails(&registry, "app").await, &[&registry.host(), &missing, "not found"]);
    // With the shared layer in use by an image.
    let image = stage.pull(&fine, "app").await.unwrap();
    says(&stage.fails(&registry, "app").await, &[&missing]);
    assert!(image.layers[0].join("shared").is_file());
}

#[tokio::test]
async fn two_pulls_of_one_layer_download_it_once() {
    let stage = Stage::new();
    let (image, registry, go) = held_back(0).await;
    let release = async {
        let both = || registry.seen().iter().filter(|s| s.path.contains("/manifests/")).count() == 2;
        until("both pulls' beginning", both).await;
        until("the download's beginning", || !registry.asked_for(&image.layers[1].digest()).is_empty()).await;
        // A second download of the layer would wait for ever, and the pull with it.
        go.notify_one();
    };
    let (one, two, ()) = tokio::join!(stage.pull(&registry, "app"), stage.pull(&registry, "app"), release);
    assert_eq!(one.unwrap().id, two.unwrap().id);
    for layer in &image.layers {
        assert_eq!(registry.asked_for(&layer.digest()).len(), 1, "{}", layer.digest());
    }
}

/// When the pull that downloads fails, the one that waits for the same layer does it.
#[tokio::test]
async fn a_pull_that_waits_for_a_layer_does_not_fail_with_another() {
    let stage = Stage::new();
    let (image, registry, go) = held_back(1).await;
    let layer = image.layers[1].digest();
    let good = Registry::good(Content::of(&image)).await;
    let first = async { stage.pull(&registry, "app").await.map(drop).unwrap_err() };
    let second = async {
        until("the first download", || !registry.asked_for(&layer).is_empty()).await;
        stage.pull(&good, "app").await
    };
    let release = async {
        until("the second pull's beginning", || !good.seen().is_empty()).await;
        assert_eq!(good.asked_for(&layer).len(), 0, "it was fetched twice at once");
        go.notify_one();
    };
    let (words, pulled, ()) = tokio::join!(first, second, release);
    says(&words, &[&layer.to_string(), "it is refused"]);
    assert!(pulled.unwrap().layers.iter().all(|l| l.is_dir()));
    assert_eq!(good.asked_for(&layer).len(), 1);
}
