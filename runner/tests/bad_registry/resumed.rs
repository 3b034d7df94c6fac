//! Uploads that break off, at every kind of place: they go on where they broke, and the registry has the right bytes.

use crate::images::{Content, Image, Layer, file, noise};
use crate::registry::{Registry, status, with};
use crate::sink::{Sink, Wire};
use crate::stage::{Stage, says};
use axum::body::Body;
use axum::http::header::{CONTENT_RANGE, LOCATION};

/// A stage with an image whose one layer has so many bytes of noise.
async fn large(length: usize) -> (Stage, Image, String) {
    let (stage, image) = (Stage::new(), Image::of(vec![Layer::of(&file("noise", &noise(1, length)))]));
    let source = Registry::good(Content::of(&image)).await;
    let id = stage.pull(&source, "app").await.unwrap().id.to_string();
    (stage, image, id)
}

#[tokio::test]
async fn a_connection_that_is_cut_at_several_places() {
    let (stage, image, id) = large(6 << 20).await;
    let layer = &image.layers[0];
    // Two connections ask for layer and configuration, two are sent over.
    for most in [1, 300, 2_000, 300_000, 3 << 20, (6 << 20) + 2_000] {
        let sink = Sink::good().await;
        let wire = Wire::to(sink.host(), vec![most; 4]).await;
        let told = stage.push(&wire.host(), "app", &id).await.unwrap();
        assert_eq!(told.count("Pushed"), 1, "cut after {most}");
        assert_eq!(sink.manifest("app", "latest").unwrap(), image.bytes());
        assert!(sink.blob("app", &layer.digest()).unwrap() == layer.packed, "cut after {most}");
        assert_eq!(sink.shelf.lock().unwrap().uploads.len(), 0, "an upload was left, cut after {most}");
        if most > 2 << 20 {
            assert!(told.count("Retrying") > 0);
            assert!(!sink.asked("GET", "/blobs/uploads/").is_empty(), "it was not asked how far it is");
            let taken = sink.shelf.lock().unwrap().taken;
            assert!(taken < layer.packed.len() + (2 << 20), "{taken} bytes were sent, cut after {most}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_each_time() {
    let (stage, image, id) = large(6 << 20).await;
    let sink = Sink::good().await;
    let wire = Wire::to(sink.host(), vec![100_000; 40]).await;
    let words = stage.push(&wire.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&wire.host(), "broke off", &image.layers[0].digest().to_string()]);
    assert!(sink.manifest("app", "latest").is_none());
}

#[tokio::test]
async fn an_upload_that_the_registry_forgets_begins_again() {
    let (stage, image, id) = large(6 << 20).await;
    let sink = Sink::start(|s| {
        let asked = s.method == "GET" && s.path.contains("/uploads/");
        asked.then(|| status(404))
    })
    .await;
    let wire = Wire::to(sink.host(), vec![3 << 20; 4]).await;
    stage.push(&wire.host(), "app", &id).await.unwrap();
    assert!(sink.blob("app", &image.layers[0].digest()).unwrap() == image.layers[0].packed);
    assert!(sink.asked("POST", "/uploads/").len() >= 3);
}

#[tokio::test]
async fn a_registry_that_takes_no_large_parts() {
    let (stage, image, id) = large(20 << 20).await;
    let sink = Sink::start(|s| {
        let length: usize = s.header(axum::http::header::CONTENT_LENGTH)?.parse().unwrap();
        (length > 10 << 20).then(|| status(413))
    })
    .await;
    stage.push(&sink.host(), "app", &id).await.unwrap();
    assert!(sink.blob("app", &image.layers[0].digest()).unwrap() == image.layers[0].packed);
    let parts: Vec<String> =
        sink.asked("PATCH", "").iter().map(|s| s.header(CONTENT_RANGE).unwrap().to_owned()).collect();
    assert!(parts.contains(&format!("0-{}", (8 << 20) - 1)), "{parts:?}");
    assert!(parts.contains(&format!("{}-{}", 8 << 20, (16 << 20) - 1)), "{parts:?}");
}

/// Bounded, whatever it says of how much it has.
#[tokio::test]
async fn a_registry_that_never_has_enough_or_too_much() {
    let (stage, _, id) = large(6 << 20).await;
    for range in ["0-9", "0-99999999999", "nonsense"] {
        let sink = Sink::start(move |s| {
            let place = [(LOCATION.as_str(), &*s.path), ("range", range)];
            let state = s.path.contains("/uploads/") && s.method != "POST" && s.method != "PUT";
            state.then(|| with(202, &place, Body::empty()))
        })
        .await;
        let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
        says(&words, &[&sink.host()]);
        assert!(sink.seen().len() < 40, "asked {} times", sink.seen().len());
        assert!(sink.manifest("app", "latest").is_none());
    }
}

#[tokio::test]
async fn uploads_that_lead_nowhere() {
    let (stage, _, id) = large(6 << 20).await;
    let sink = Sink::start(|s| (s.method == "POST").then(|| status(202))).await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "redirects", "no address"]);
    let circle = |s: &crate::registry::Seen| {
        (s.method == "PATCH").then(|| with(307, &[("location", &s.path)], Body::empty()))
    };
    let sink = Sink::start(circle).await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "redirects", "too many times"]);
    let (begun, given_up) = (sink.asked("POST", "/uploads/").len(), sink.asked("DELETE", "/uploads/").len());
    // Others that were under way are dropped with the first that fails; the registry forgets them by itself.
    assert!((1..=begun).contains(&given_up), "{begun} uploads were begun, {given_up} were given up");
}
