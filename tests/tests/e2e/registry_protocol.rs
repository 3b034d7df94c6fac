//! The registry's protocol by hand: uploads in pieces, cut off and continued; lies; referrers and pages of lists.

use sandlot_tests::image::digest;
use sandlot_tests::sandbox::{Sandbox, TOKEN};
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The administrator, who calls the registry.
struct Api {
    sandbox: Sandbox,
    client: reqwest::Client,
}

impl Api {
    async fn new() -> Self {
        Self { sandbox: Sandbox::whole(&[]).await.unwrap(), client: sandlot_tests::client::http().unwrap() }
    }

    fn ask(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.sandbox.address());
        self.client.request(method.parse().unwrap(), url).basic_auth("teacher", Some(TOKEN))
    }

    /// Pushes a blob in one request; its digest.
    async fn push(&self, bytes: &'static str) -> String {
        let digest = digest(bytes.as_bytes());
        let path = format!("/v2/class/x/blobs/uploads/?digest={digest}");
        assert_eq!(self.ask("POST", &path).body(bytes).send().await.unwrap().status(), 201);
        digest
    }

    fn put(&self, tag: &str, body: String) -> reqwest::RequestBuilder {
        let path = format!("/v2/class/x/manifests/{tag}");
        self.ask("PUT", &path).header("content-type", MANIFEST).body(body)
    }

    async fn json(&self, path: &str) -> Value {
        self.ask("GET", path).send().await.unwrap().json().await.unwrap()
    }
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}

/// Status and code of a refusal.
async fn code(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["errors"][0]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_cut_off_goes_on_where_it_broke() {
    let api = Api::new().await;
    let address = api.sandbox.address();
    let greeting = api.client.get(format!("http://{address}/v2/")).send().await.unwrap();
    let challenge = header(&greeting, "www-authenticate");
    assert!(greeting.status() == 401 && challenge.starts_with("Bearer realm="), "{challenge}");
    let begun = api.ask("POST", "/v2/class/x/blobs/uploads/").send().await.unwrap();
    assert_eq!(begun.status(), 202);
    let location = header(&begun, "location");
    // It says ten bytes, sends four and is gone.
    let cut = location.clone();
    let break_off = move || {
        use base64::Engine as _;
        use std::io::Write as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("teacher:{TOKEN}"));
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!("PATCH {cut} HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic {auth}");
        write!(stream, "{head}\r\ncontent-length: 10\r\n\r\n0123").unwrap();
    };
    tokio::task::spawn_blocking(break_off).await.unwrap();
    let so_far = || async {
        let status = api.ask("GET", &location).send().await.ok()?;
        (header(&status, "range") == "0-3").then_some(())
    };
    sandlot_tests::wait::until("the four bytes", so_far).await.unwrap();
    // Who sent them may not have been given up yet.
    let wrong = || async {
        let piece = api.ask("PATCH", &location).header("content-range", "9-10").body("89");
        piece.send().await.ok().filter(|answer| answer.status() != 429)
    };
    let wrong = sandlot_tests::wait::until("the end of the first piece", wrong).await.unwrap();
    assert_eq!((wrong.status().as_u16(), header(&wrong, "range")), (416, "0-3".to_owned()));
    let more = api.ask("PATCH", &location).header("content-range", "4-6").body("456").send().await.unwrap();
    assert_eq!((more.status().as_u16(), header(&more, "range")), (202, "0-6".to_owned()));
    let digest = digest(b"0123456789");
    let last = api.ask("PUT", &format!("{location}?digest={digest}")).body("789");
    let done = last.send().await.unwrap();
    assert_eq!((done.status().as_u16(), header(&done, "docker-content-digest")), (201, digest.clone()));
    let blob = format!("/v2/class/x/blobs/{digest}");
    let part = api.ask("GET", &blob).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 2-4/10".to_owned()));
    assert_eq!(part.text().await.unwrap(), "234");
    let head = api.ask("HEAD", &blob).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10".to_owned()));
    let gone = code(api.ask("GET", &location)).await;
    assert_eq!(gone, (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn what_lies_is_refused_in_the_specifications_words() {
    let api = Api::new().await;
    let here = api.push("0123456789").await;
    let elsewhere = digest(b"something else");
    let lie = api.ask("POST", &format!("/v2/class/x/blobs/uploads/?digest={elsewhere}")).body("0123");
    assert_eq!(code(lie).await, (400, "DIGEST_INVALID".to_owned()));
    let manifest = json!({
        "schemaVersion": 2,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": here, "size": 10 },
        "layers": [{ "mediaType": "application/x", "digest": elsewhere, "size": 4 }],
    });
    for (body, status, word) in [
        (manifest.to_string(), 404, "MANIFEST_BLOB_UNKNOWN"),
        ("{".to_owned(), 400, "MANIFEST_INVALID"),
        (" ".repeat((4 << 20) + 1), 413, "SIZE_INVALID"),
    ] {
        assert_eq!(code(api.put("1", body)).await, (status, word.to_owned()));
    }
    for (method, path, status, word) in [
        ("GET", "/v2/class/x/manifests/1", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/class/y/tags/list", 404, "NAME_UNKNOWN"),
        ("POST", "/v2/class/Y/blobs/uploads/", 400, "NAME_INVALID"),
        ("GET", "/v2/class/x/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", "/v2/class/x/tags/list?n=many", 400, "PAGINATION_NUMBER_INVALID"),
        ("PUT", "/v2/class/x/tags/list", 405, "UNSUPPORTED"),
    ] {
        assert_eq!(code(api.ask(method, path)).await, (status, word.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_about_something_is_listed_by_its_kind_and_lists_come_in_pages() {
    let api = Api::new().await;
    let (config, subject) = (api.push("0123456789").await, digest(b"an image of elsewhere"));
    for (tag, artifact) in [("a", "text/a"), ("b", "text/b")] {
        let about = json!({
            "schemaVersion": 2, "artifactType": artifact, "layers": [],
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 10 },
            "subject": { "mediaType": MANIFEST, "digest": subject, "size": 4 },
        });
        let put = api.put(tag, about.to_string()).send().await.unwrap();
        assert_eq!((put.status().as_u16(), header(&put, "oci-subject")), (201, subject.clone()));
    }
    let all = api.json(&format!("/v2/class/x/referrers/{subject}")).await;
    assert_eq!(all["manifests"].as_array().unwrap().len(), 2, "{all}");
    let path = format!("/v2/class/x/referrers/{subject}?artifactType=text/b");
    let filtered = api.ask("GET", &path).send().await.unwrap();
    assert_eq!(header(&filtered, "oci-filters-applied"), "artifactType");
    let filtered: Value = filtered.json().await.unwrap();
    assert_eq!(filtered["manifests"][0]["artifactType"], "text/b");
    assert_eq!(filtered["manifests"].as_array().unwrap().len(), 1);
    let none = api.json(&format!("/v2/class/x/referrers/{}", digest(b"nothing"))).await;
    assert_eq!(none["manifests"], json!([]));
    let page = api.ask("GET", "/v2/class/x/tags/list?n=1").send().await.unwrap();
    assert_eq!(header(&page, "link"), "</v2/class/x/tags/list?last=a&n=1>; rel=\"next\"");
    assert_eq!(page.json::<Value>().await.unwrap()["tags"], json!(["a"]));
    assert_eq!(api.json("/v2/class/x/tags/list?n=1&last=a").await["tags"], json!(["b"]));
    assert_eq!(api.json("/v2/_catalog").await["repositories"], json!(["class/x"]));
    let deleted = api.ask("DELETE", "/v2/class/x/manifests/b").send().await.unwrap();
    assert_eq!(deleted.status(), 202);
    assert_eq!(api.json("/v2/class/x/tags/list").await["tags"], json!(["a"]));
}
