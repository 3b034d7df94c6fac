//! What registries answer in place of a manifest.

use crate::images::{Content, Image};
use crate::registry::{Registry, status, with};
use crate::stage::{Stage, says};
use axum::body::Body;
use sandlot::image::Reference;
use std::time::{Duration, Instant};

#[test]
fn a_reference_that_does_not_parse() {
    for text in ["", "app/UPPER", "a b", "app:", "app@sha256:00", "app:-x", "-host/app", &"a".repeat(300)] {
        let words = text.parse::<Reference>().unwrap_err().to_string();
        // The text itself, quoted; a long one may be cut.
        says(&words, &[&format!("{text:?}")[..=text.len().min(20)]]);
    }
}

#[tokio::test]
async fn a_registry_that_is_down() {
    let stage = Stage::new();
    let registry = Registry::good(Content::default()).await;
    let host = registry.host();
    drop(registry);
    let before = stage.listing();
    let words = stage.pull_as(&format!("{host}/app"), None).await.map(drop).unwrap_err();
    says(&words, &[&host, "cannot be reached", "refused"]);
    assert_eq!(stage.listing(), before);
}

#[tokio::test]
async fn no_entry_and_not_there() {
    let stage = Stage::new();
    for code in [401, 403] {
        let registry = Registry::start(Content::default(), move |_| Some(status(code))).await;
        let words = stage.fails(&registry, "app").await;
        says(&words, &[&registry.host(), "unauthorized", "sandlot login"]);
        assert_eq!(registry.seen().len(), 1, "{code} was tried again");
    }
    let registry = Registry::good(Content::default()).await;
    says(
        &stage.fails(&registry, "app:1").await,
        &[&format!("manifest for {}/app:1 not found", registry.host())],
    );
    assert_eq!(registry.seen().len(), 1, "404 was tried again");
}

#[tokio::test]
async fn a_registry_that_is_ill() {
    let stage = Stage::new();
    let registry = Registry::start(Content::default(), |_| Some(status(500))).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), "answered 500", "app:latest", "later"]);
    assert_eq!(registry.seen().len(), 5);
    // Ill for a moment only.
    let image = Image::simple("app");
    let short = |seen: &crate::registry::Seen| (seen.before == 0).then(|| status(503));
    let registry = Registry::start(Content::of(&image), short).await;
    assert_eq!(stage.pull(&registry, "app").await.unwrap().id, image.id());
}

#[tokio::test]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date() {
    for seconds in [true, false] {
        let stage = Stage::new();
        let image = Image::simple("app");
        let registry = Registry::start(Content::of(&image), move |seen| {
            // A date has whole seconds: two and a bit are at least one.
            let date = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2100);
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let wait = if seconds { "1".to_owned() } else { date };
            let limited = seen.before == 0 && seen.path.contains("/manifests/");
            limited.then(|| with(429, &[("retry-after", &wait)], Body::empty()))
        })
        .await;
        let start = Instant::now();
        assert_eq!(stage.pull(&registry, "app").await.unwrap().id, image.id());
        assert!(start.elapsed() >= Duration::from_secs(1), "it came back after {:?}", start.elapsed());
    }
}

/// An hour's wait was cut to a minute, and the registry asked again and again.
#[tokio::test]
async fn a_wait_of_an_hour_is_told_at_once() {
    let stage = Stage::new();
    for wait in ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let registry = Registry::start(Content::default(), move |_| {
            Some(with(429, &[("retry-after", wait)], Body::empty()))
        })
        .await;
        let start = Instant::now();
        let words = stage.fails(&registry, "app").await;
        assert!(start.elapsed() < Duration::from_secs(10));
        says(&words, &[&registry.host(), "429", "app:latest", "asked again in ", " s"]);
        assert!(!wait.starts_with('3') || words.contains("3600 s"), "{words}");
        assert_eq!(registry.seen().len(), 1);
    }
}
