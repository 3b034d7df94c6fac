//! Pushing to registries that refuse, mislead or know the image already.

use crate::images::{Content, Image, Layer, file, noise};
use crate::registry::{Registry, Seen, status, with};
use crate::sink::{Sink, silence};
use crate::stage::{Stage, says};
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use base64::Engine as _;
use sandlot::image::{Credentials, Digest};
use std::time::{Duration, Instant};

/// A stage with an image of these layers, as it comes from a registry; its id.
async fn with_image(layers: Vec<Layer>) -> (Stage, Image, String) {
    let (stage, image) = (Stage::new(), Image::of(layers));
    let source = Registry::good(Content::of(&image)).await;
    let id = stage.pull(&source, "app").await.unwrap().id.to_string();
    (stage, image, id)
}

fn two() -> Vec<Layer> {
    vec![Layer::of(&file("low", b"low")), Layer::of(&file("noise", &noise(1, 3 << 20)))]
}

#[tokio::test]
async fn what_was_pulled_is_pushed_byte_for_byte_with_its_manifest_last() {
    let (stage, image, id) = with_image(two()).await;
    let sink = Sink::good().await;
    let told = stage.push(&sink.host(), "shop/app:1", &id).await.unwrap();
    assert!(sink.manifest("shop/app", "1").unwrap() == image.bytes(), "the manifest is another");
    for layer in &image.layers {
        assert!(sink.blob("shop/app", &layer.digest()).unwrap() == layer.packed);
        assert_eq!(told.count(&format!("{}: Pushed", layer.diff_id.short())), 1);
    }
    assert_eq!(sink.blob("shop/app", &image.id()).unwrap(), image.config);
    assert_eq!(told.count(&format!("refers to repository [{}/shop/app]", sink.host())), 1);
    let manifest = image.bytes();
    assert_eq!(told.count(&format!("1: digest: {} size: {}", Digest::of(&manifest), manifest.len())), 1);
    let last = sink.seen().pop().unwrap();
    assert_eq!((last.method.as_str(), &*last.path), ("PUT", "/v2/shop/app/manifests/1"));
    let named = format!("{}/shop/app@{}", sink.host(), Digest::of(&manifest));
    assert!(stage.store.resolve(&id).unwrap().digests.contains(&named));
    // All is there now.
    let before = sink.shelf.lock().unwrap().taken;
    let told = stage.push(&sink.host(), "shop/app:2", &id).await.unwrap();
    assert_eq!((told.count("Layer already exists"), told.count("Pushed")), (2, 0));
    assert_eq!(sink.shelf.lock().unwrap().taken, before);
    assert_eq!(sink.manifest("shop/app", "2").unwrap(), manifest);
}

#[tokio::test]
async fn nothing_of_that_name() {
    let stage = Stage::new();
    let sink = Sink::good().await;
    let push = async |name: String, tag| {
        let repository = name.parse().unwrap();
        let push = sandlot::image::Push { repository: &repository, tag, credentials: None, insecure: &[] };
        stage.store.push(push, &()).await.map(drop).unwrap_err().to_string()
    };
    let name = format!("{}/app", sink.host());
    says(&push(name.clone(), None).await, &["An image does not exist locally with the tag", &name]);
    stage.store.tag("sandlot/starter", &format!("{name}:1").parse().unwrap()).unwrap();
    says(&push(name.clone(), Some("2")).await, &["tag does not exist", &format!("{name}:2")]);
    assert_eq!(sink.seen().len(), 0);
}

#[tokio::test]
async fn a_registry_that_is_down_refuses_or_is_ill() {
    let (stage, _, id) = with_image(two()).await;
    let sink = Sink::good().await;
    let host = sink.host();
    drop(sink);
    says(
        &stage.push(&host, "app", &id).await.map(drop).unwrap_err(),
        &[&host, "cannot be reached", "refused"],
    );
    for code in [401, 403] {
        let sink = Sink::start(move |_| Some(status(code))).await;
        let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
        says(&words, &[&sink.host(), "denied: requested access to app is denied", "sandlot login"]);
        assert!(sink.seen().iter().all(|s| s.before == 0), "{code} was tried again");
    }
    let reason = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such shop"}]}"#;
    let sink = Sink::start(move |s| (s.method == "POST").then(|| with(404, &[], reason.into()))).await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "404", "name_unknown: no such shop"]);
    let sink = Sink::start(|s| (s.method == "POST").then(|| status(500))).await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "500", "later"]);
    let sink = Sink::start(|s| (s.path.contains("/manifests/") && s.before == 0).then(|| status(503))).await;
    stage.push(&sink.host(), "app", &id).await.unwrap();
    assert!(sink.manifest("app", "latest").is_some());
    let sink = Sink::start(|s| s.path.contains("/manifests/").then(|| status(400))).await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "refused manifest app:latest with 400"]);
}

/// An upload is given up by a request that nobody needs the answer of; it was waited for without end.
#[tokio::test]
async fn a_registry_that_does_not_answer_any_more() {
    let (stage, _, id) = with_image(two()).await;
    let sink = Sink::start(|s| match s.method.as_str() {
        "PUT" | "PATCH" => Some(status(400)),
        "DELETE" => Some(silence()),
        _ => None,
    })
    .await;
    let pushed = tokio::time::timeout(Duration::from_secs(60), stage.push(&sink.host(), "app", &id)).await;
    let words = pushed.unwrap().map(drop).unwrap_err();
    says(&words, &[&sink.host(), "with 400"]);
    assert!(!sink.asked("DELETE", "/uploads/").is_empty(), "nothing was given up");
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let (stage, image, id) = with_image(two()).await;
    let sink = Sink::start(|s| {
        let limited = s.method == "POST" && s.before == 0;
        limited.then(|| with(429, &[("retry-after", "1")], Body::empty()))
    })
    .await;
    let start = Instant::now();
    stage.push(&sink.host(), "app", &id).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(sink.manifest("app", "latest").unwrap(), image.bytes());
    let sink = Sink::start(|_| Some(with(429, &[("retry-after", "3600")], Body::empty()))).await;
    let start = Instant::now();
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    says(&words, &[&sink.host(), "429", "3600 s"]);
}

#[tokio::test]
async fn a_registry_that_says_it_has_something_else() {
    let (stage, _, id) = with_image(two()).await;
    let other = Digest::of(b"other").to_string();
    for part in ["/blobs/uploads/", "/manifests/"] {
        let said = other.clone();
        let sink = Sink::start(move |s| {
            let end = s.method == "PUT" && s.path.contains(part);
            end.then(|| with(201, &[("docker-content-digest", &said)], Body::empty()))
        })
        .await;
        let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
        says(&words, &[&sink.host(), &other, "not believed"]);
        assert!(sink.manifest("app", "latest").is_none());
    }
    // A layer that it has under the right name, but with another length, is sent all the same.
    let sink = Sink::start(|s| {
        (s.method == "HEAD").then(|| with(200, &[(CONTENT_LENGTH.as_str(), "5")], Body::from("12345")))
    })
    .await;
    let told = stage.push(&sink.host(), "app", &id).await.unwrap();
    assert_eq!(told.count("Pushed"), 2);
}

/// What is on the disk is not what it was.
#[tokio::test]
async fn a_registry_that_finds_another_digest() {
    let (stage, image, id) = with_image(two()).await;
    let blob = stage.dir.path().join("images/blobs").join(image.layers[1].digest().hex());
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let sink = Sink::good().await;
    let words = stage.push(&sink.host(), "app", &id).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), &image.layers[1].digest().to_string(), "digest_invalid: not what you said"]);
    assert!(sink.manifest("app", "latest").is_none());
}

#[tokio::test]
async fn layers_come_from_another_repository_where_the_registry_can() {
    for (answer, mounted) in [(None, 2), (Some(202), 0), (Some(403), 0)] {
        let sink = Sink::start(move |s: &Seen| {
            let mount = s.method == "POST" && !s.query.is_empty();
            let place = [("location", "/v2/shop/app/blobs/uploads/0")];
            match answer.filter(|_| mount)? {
                // It begins an ordinary upload instead, which this one then has lost.
                202 => Some(with(202, &place, Body::empty())),
                code => Some(status(code)),
            }
        })
        .await;
        let (stage, image, id) = with_image(two()).await;
        stage.push(&sink.host(), "first", &id).await.unwrap();
        let told = stage.push(&sink.host(), "shop/app", &id).await.unwrap();
        assert_eq!(
            (told.count("Mounted from first"), told.count("Pushed")),
            (mounted, 2 - mounted),
            "{answer:?}"
        );
        assert_eq!(sink.manifest("shop/app", "latest").unwrap(), image.bytes());
        for layer in &image.layers {
            assert!(sink.blob("shop/app", &layer.digest()).unwrap() == layer.packed);
        }
    }
}

/// A blob that is not here any more need not be: the registry has it. Else its tree is packed again.
#[tokio::test]
async fn a_layer_without_a_blob() {
    let (stage, image, id) = with_image(two()).await;
    let lost = image.layers[1].digest();
    std::fs::remove_file(stage.dir.path().join("images/blobs").join(lost.hex())).unwrap();
    let sink = Sink::good().await;
    sink.put("app", &image.layers[1].packed);
    stage.push(&sink.host(), "app", &id).await.unwrap();
    assert!(sink.manifest("app", "latest").unwrap() == image.bytes(), "the manifest is another");
    let empty = Sink::good().await;
    stage.push(&empty.host(), "app", &id).await.unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&empty.manifest("app", "latest").unwrap()).unwrap();
    assert_ne!(manifest["layers"][1]["digest"], lost.to_string());
    assert_eq!(manifest["layers"][0]["digest"], image.layers[0].digest().to_string());
    let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
    assert!(empty.blob("app", &config).is_some());
    // Others pull it, and find the same files.
    let mut content = Content::default();
    for blob in empty.shelf.lock().unwrap().blobs.values() {
        content = content.blob("app", blob);
    }
    let bytes = empty.manifest("app", "latest").unwrap();
    let registry =
        Registry::good(content.document("app", "latest", crate::images::OCI_MANIFEST, bytes)).await;
    let pulled = Stage::new().pull(&registry, "app").await.unwrap();
    assert_eq!(pulled.layers.len(), 2);
    assert!(std::fs::read_dir(stage.dir.path().join("images/making")).unwrap().next().is_none());
}

fn ann() -> Credentials {
    Credentials { username: "ann".into(), password: "s3:cret".into() }
}

#[tokio::test]
async fn a_token_to_push_is_asked_for_and_goes_nowhere_else() {
    let (stage, image, id) = with_image(two()).await;
    let issuer =
        Registry::start(Content::default(), |_| Some(with(200, &[], r#"{"token":"t0ken"}"#.into()))).await;
    let storage = Sink::good().await;
    let (realm, there) = (format!("http://{}/token", issuer.host()), storage.host());
    let sink = Sink::start(move |s| {
        // Reading needs no token here.
        let fine = s.method == "HEAD" || s.header(AUTHORIZATION) == Some("Bearer t0ken");
        let challenge = format!("Bearer realm=\"{realm}\",service=\"shop\"");
        if !fine {
            return Some(with(401, &[("www-authenticate", &challenge)], Body::empty()));
        }
        // Its uploads go to another host.
        let place = format!("http://{there}/v2/app/blobs/uploads/");
        (s.method == "POST").then(|| with(307, &[("location", &place)], Body::empty()))
    })
    .await;
    let name = format!("{}/app", sink.host());
    stage.push_as(&name, &id, Some(ann())).await.unwrap();
    assert_eq!(sink.manifest("app", "latest").unwrap(), image.bytes());
    assert!(storage.blob("app", &image.layers[1].digest()).unwrap() == image.layers[1].packed);
    for seen in issuer.seen() {
        says(&seen.query, &["service=shop", "scope=repository%3Aapp%3Apull%2Cpush"]);
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("ann:s3:cret"));
        assert_eq!(seen.header(AUTHORIZATION), Some(&*basic));
    }
    assert!(!storage.seen().is_empty());
    for seen in storage.seen() {
        assert_eq!(seen.headers.get(AUTHORIZATION), None, "{} got the token", seen.path);
    }
}

/// The host that a registry led to could ask for a token of its own, and got name and password.
#[tokio::test]
async fn another_hosts_challenge_is_not_answered() {
    let (stage, _, id) = with_image(two()).await;
    let thief = Registry::good(Content::default()).await;
    let realm = format!("Bearer realm=\"http://{}/token\"", thief.host());
    let elsewhere =
        Sink::start(move |_| Some(with(401, &[("www-authenticate", &realm)], Body::empty()))).await;
    let there = elsewhere.host();
    let sink = Sink::start(move |s| {
        let place = format!("http://{there}{}", s.path);
        (s.method != "HEAD").then(|| with(307, &[("location", &place)], Body::empty()))
    })
    .await;
    let name = format!("{}/app", sink.host());
    let words = stage.push_as(&name, &id, Some(ann())).await.map(drop).unwrap_err();
    says(&words, &[&sink.host(), "denied"]);
    assert!(!elsewhere.seen().is_empty());
    assert_eq!(thief.seen().len(), 0, "somebody else's challenge was answered");
}
