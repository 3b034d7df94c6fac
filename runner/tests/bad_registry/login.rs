//! Who we are: basic and token authentication, and that a redirect tells it to nobody else.

use crate::images::{Content, Image};
use crate::registry::{Answer, Registry, Seen, status, with};
use crate::stage::{Stage, says};
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use sandlot::image::Credentials;

fn ann() -> Credentials {
    Credentials { username: "ann".into(), password: "s3:cret".into() }
}

fn basic() -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("ann:s3:cret"))
}

/// Asks for basic authentication where it is missing.
fn guarded(seen: &Seen) -> Option<Answer> {
    let challenge = [("www-authenticate", "Basic realm=\"here\"")];
    (seen.header(AUTHORIZATION) != Some(&basic())).then(|| with(401, &challenge, Body::empty()))
}

#[tokio::test]
async fn basic_authentication() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let registry = Registry::start(Content::of(&image), guarded).await;
    let name = format!("{}/app", registry.host());
    says(&stage.fails(&registry, "app").await, &[&registry.host(), "unauthorized"]);
    let wrong = Credentials { password: "wrong".into(), ..ann() };
    let words = stage.pull_as(&name, Some(wrong)).await.map(drop).unwrap_err();
    says(&words, &[&registry.host(), "unauthorized"]);
    assert_eq!(stage.pull_as(&name, Some(ann())).await.unwrap().id, image.id());
}

/// A registry that wants the token that `token` gives.
async fn by_token(image: &Image, token: &Registry) -> Registry {
    let realm = format!("http://{}/token", token.host());
    Registry::start(Content::of(image), move |seen| {
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"shop\",scope=\"repository:app:pull,push\"");
        let fine = seen.header(AUTHORIZATION) == Some("Bearer t0ken");
        (!fine).then(|| with(401, &[("www-authenticate", &challenge)], Body::empty()))
    })
    .await
}

#[tokio::test]
async fn token_authentication() {
    let image = Image::simple("app");
    for (answer, own) in
        [(r#"{"token":"t0ken"}"#, None), (r#"{"access_token":"t0ken","expires_in":60}"#, Some(ann()))]
    {
        let stage = Stage::new();
        let issuer = Registry::start(Content::default(), |_| Some(with(200, &[], answer.into()))).await;
        let registry = by_token(&image, &issuer).await;
        let known = own.is_some();
        let pulled = stage.pull_as(&format!("{}/app", registry.host()), own).await.unwrap();
        assert_eq!(pulled.id, image.id());
        let asked = issuer.seen();
        assert_eq!(asked.len(), 1, "one token is enough for all of an image");
        says(&asked[0].query, &["service=shop", "scope=repository%3Aapp%3Apull%2Cpush"]);
        assert_eq!(asked[0].header(AUTHORIZATION).map(ToOwned::to_owned), known.then(basic));
    }
}

/// The answer with a token was read without end.
#[tokio::test]
async fn a_token_service_that_misbehaves() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let odd = [
        (200, vec![b' '; 100 << 20], "longer than"),
        (200, b"{}".to_vec(), "unauthorized"),
        (200, b"no JSON".to_vec(), "unauthorized"),
        (404, Vec::new(), "a token not found"),
    ];
    for (code, body, words) in odd {
        let answer = move |_: &Seen| Some(with(code, &[], body.clone().into()));
        let issuer = Registry::start(Content::default(), answer).await;
        let registry = by_token(&image, &issuer).await;
        says(&stage.fails(&registry, "app").await, &[&registry.host(), words]);
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_credentials() {
    let stage = Stage::new();
    let image = Image::simple("app");
    let storage = Registry::good(Content::of(&image)).await;
    let to = storage.port();
    let registry = Registry::start(Content::of(&image), move |seen| {
        // The same address, but another port is another host; and so is another name.
        let there = format!("http://localhost:{to}{}", seen.path);
        let blob = seen.path.contains("/blobs/");
        guarded(seen).or_else(|| blob.then(|| with(307, &[("location", &there)], Body::empty())))
    })
    .await;
    let name = format!("{}/app", registry.host());
    assert_eq!(stage.pull_as(&name, Some(ann())).await.unwrap().id, image.id());
    assert!(registry.seen().iter().any(|s| s.header(AUTHORIZATION).is_some()));
    assert_eq!(storage.seen().len(), 2, "configuration and layer");
    for seen in storage.seen() {
        assert_eq!(seen.headers.get(AUTHORIZATION), None, "{} got the credentials", seen.path);
    }
    // A client that trusts whoever it is led to hands them over.
    let mut blobs = registry.seen().into_iter().filter(|seen| seen.path.contains("/blobs/"));
    let url = format!("http://{}{}", registry.host(), blobs.next().unwrap().path);
    let curl = tokio::process::Command::new("curl")
        .args(["-s", "-o", "/dev/null", "--location-trusted", "-u", "ann:s3:cret", &url])
        .status();
    assert!(curl.await.unwrap().success());
    assert_eq!(storage.seen().last().unwrap().header(AUTHORIZATION), Some(basic().as_str()));
}

/// CVE-2020-15157: a manifest may name an address beside a layer, and its author's server then asks for the registry's credentials.
#[tokio::test]
async fn the_address_that_a_manifest_names_for_a_layer_is_asked_for_nothing() {
    let thief = Registry::start(Content::default(), guarded).await;
    let mut image = Image::simple("app");
    let url = format!("http://{}/layer", thief.host());
    image.manifest["layers"][0]["urls"] = serde_json::json!([url]);
    for there in [true, false] {
        let mut content = Content::of(&image);
        if !there {
            content.0.retain(|path, _| !path.ends_with(&image.layers[0].digest().to_string()));
        }
        let registry = Registry::start(content, guarded).await;
        let pulled = Stage::new().pull_as(&format!("{}/app", registry.host()), Some(ann())).await;
        assert_eq!(pulled.is_ok(), there, "{pulled:?}");
    }
    assert_eq!(thief.seen().len(), 0, "the manifest led the client to somebody else");
    // Who follows it hands them over.
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-u", "ann:s3:cret", &url]);
    assert!(curl.status().await.unwrap().success());
    assert_eq!(thief.seen()[0].header(AUTHORIZATION), Some(basic().as_str()));
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let stage = Stage::new();
    let circle = |seen: &Seen| Some(with(302, &[("location", &seen.path)], Body::empty()));
    let registry = Registry::start(Content::default(), circle).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), "redirects", "too many times"]);
    assert_eq!(registry.seen().len(), 6);
    let registry = Registry::start(Content::default(), |_| Some(status(302))).await;
    says(&stage.fails(&registry, "app").await, &[&registry.host(), "redirects", "no address"]);
}

/// "received corrupt message of type InvalidContentType" helped nobody.
#[tokio::test]
async fn plain_http_to_another_host_than_loopback_names_the_option() {
    let stage = Stage::new();
    // Loopback too, but none of loopback's names.
    let registry = Registry::at("127.0.0.2", Content::of(&Image::simple("app")), |_| None).await;
    let host = registry.host();
    says(
        &stage.fails(&registry, "app").await,
        &[&host, "plain HTTP", &format!("--insecure-registry {host}")],
    );
    assert_eq!(registry.seen().len(), 0);
}
