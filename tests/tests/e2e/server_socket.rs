//! What whoever took the web server over could do with the engine: sessions with limits, and nothing else.

use sandlot_tests::sandbox::Sandbox;
use serde_json::{Value, json};

const IMAGE: &str = "sandlot/starter";

/// What the web server's socket answers.
async fn asked(sandbox: &Sandbox, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().unix_socket(sandbox.dir().join("server.sock")).build().unwrap();
    let mut request = client.request(method.parse().unwrap(), format!("http://engine{path}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// A session as the web server asks for one.
fn session() -> Value {
    let label = json!({ "sandlot.session": "1" });
    let limits = json!({ "Memory": 64 << 20, "MemorySwap": 64 << 20, "NanoCpus": 1_000_000_000, "PidsLimit": 64,
        "StorageOpt": { "size": "32m" }, "NetworkMode": "none", "Annotations": { "sandlot.init": "only" } });
    json!({ "Image": IMAGE, "Labels": label, "HostConfig": limits })
}

/// An engine with a session and a container that is none.
async fn prepared() -> Sandbox {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "echo of another > /kept/secret; sleep 1000";
    let private = ["run", "-d", "--name", "private", "-e", "SECRET=1", "-v", "kept:/kept"];
    sandbox.ok(&[&private[..], &[IMAGE, "sh", "-c", script]].concat()).unwrap();
    let written = || async { sandbox.ok(&["exec", "private", "cat", "/kept/secret"]).ok() };
    sandlot_tests::wait::until("the file", written).await.unwrap();
    let (code, made) = asked(&sandbox, "POST", "/containers/create?name=own", Some(session())).await;
    assert_eq!(code, 201, "{made}");
    sandbox
}

#[tokio::test]
async fn what_is_no_session_is_not_there_for_the_web_server() {
    let sandbox = prepared().await;
    // What is no session is not there, whatever is asked.
    for filters in [
        "",
        "&filters={}",
        "&filters={\"name\":[\"private\"]}",
        "&filters={\"label\":{}}",
        "&filters={\"label\":[]}",
    ] {
        let (code, list) =
            asked(&sandbox, "GET", &format!("/v1.43/containers/json?all=1{filters}"), None).await;
        assert!(code == 200 && !list.to_string().contains("private"), "{filters}: {list}");
    }
    let (code, meters) = asked(&sandbox, "GET", "/sandlot/v1/meters", None).await;
    assert_eq!((code, meters), (200, json!([])), "the only session does not run");
    let (_, own) = asked(&sandbox, "GET", "/containers/json?all=1", None).await;
    assert_eq!(own.as_array().unwrap().len(), 1, "{own}");
    for (filters, code) in
        [("filters={}&filters={}", 400), ("filters=[]", 400), ("filters={\"label\":1}", 400)]
    {
        assert_eq!(
            asked(&sandbox, "GET", &format!("/containers/json?{filters}"), None).await.0,
            code,
            "{filters}"
        );
    }
    for (method, path) in [
        ("GET", "/containers/private/json"),
        ("POST", "/containers/private/kill"),
        ("DELETE", "/containers/private"),
        ("GET", "/containers/private/logs?stdout=1"),
        ("POST", "/sandlot/v1/containers/private/terminals"),
        ("GET", "/containers/%70rivate/json"),
        ("GET", "/v1.43/containers/private/json"),
        ("GET", "/containers/own%2f..%2fprivate/json"),
        ("POST", "/containers/own/exec"),
        ("POST", "/containers/own/update"),
        ("GET", "/containers/own/archive?path=/"),
        ("POST", "/commit?container=own"),
        ("POST", "/sandlot/v1/run"),
        ("POST", "/images/create?fromImage=x"),
        ("DELETE", "/images/sandlot/starter"),
        ("POST", "/volumes/create"),
        ("GET", "/events"),
        ("GET", "/system/df"),
        ("POST", "/containers/prune"),
        ("GET", "//containers/private/json"),
        ("POST", "/containers/own/../private/kill"),
        ("GET", "/sandlot/v1/containers/private/meter"),
        ("POST", "/sandlot/v1/containers/private/keep"),
        ("POST", "/sandlot/v1/containers/private/script"),
        ("DELETE", "/sandlot/v1/kept/..%2fstarter"),
        ("DELETE", "/sandlot/v1/kept/starter"),
    ] {
        let (code, answer) = asked(&sandbox, method, path, None).await;
        assert!(
            matches!(code, 400 | 403 | 404) && !answer.to_string().contains("SECRET"),
            "{method} {path}: {code} {answer}"
        );
    }
}

#[tokio::test]
async fn a_session_takes_no_more_of_the_host_than_its_limits() {
    let sandbox = prepared().await;
    // Each of these would take something of the host's, or of other sessions'.
    for (pointer, value) in [
        ("/Labels", json!({})),
        ("/HostConfig/Binds", json!(["v:/data"])),
        ("/HostConfig/Tmpfs", json!({ "/t": "" })),
        ("/HostConfig/Mounts", json!([{ "Type": "volume", "Source": "v", "Target": "/data" }])),
        ("/Volumes", json!({ "/data": {} })),
        ("/HostConfig/CapAdd", json!(["SYS_ADMIN"])),
        ("/HostConfig/SecurityOpt", json!(["profile=nested"])),
        ("/HostConfig/Sysctls", json!({ "net.ipv4.ip_forward": "1" })),
        ("/HostConfig/Privileged", json!(true)),
        ("/HostConfig/PidMode", json!("host")),
        ("/HostConfig/OomScoreAdj", json!(-1000)),
        ("/HostConfig/CpuShares", json!(262_144)),
        ("/HostConfig/BlkioWeight", json!(1000)),
        ("/HostConfig/MemoryReservation", json!(64 << 20)),
        ("/HostConfig/VolumesFrom", json!(["private"])),
        ("/Env", json!(["x".repeat(200 << 10)])),
        ("/HostConfig/Ulimits", json!([{ "Name": "nofile", "Soft": -1, "Hard": -1 }])),
        ("/HostConfig/Memory", json!(0)),
        ("/HostConfig/MemorySwap", json!(-1)),
        ("/HostConfig/NanoCpus", json!(0)),
        ("/HostConfig/PidsLimit", json!(-1)),
        ("/HostConfig/StorageOpt", json!({})),
        ("/HostConfig/PortBindings", json!({ "80/tcp": [{ "HostPort": "80" }] })),
    ] {
        let mut wish = session();
        let (above, name) = pointer.rsplit_once('/').unwrap();
        wish.pointer_mut(above).unwrap()[name] = value;
        let (code, answer) = asked(&sandbox, "POST", "/containers/create", Some(wish)).await;
        assert!(matches!(code, 400 | 403), "{pointer}: {code} {answer}");
    }
    // Root, whose socket it is, may: the files of a container that is no session would be the web server's.
    let wish = ["run", "--rm", "--volumes-from", "private", IMAGE, "cat", "/kept/secret"];
    assert_eq!(sandbox.ok(&wish).unwrap(), "of another");
    // A second field of the same name is no way around.
    let text = session().to_string().replacen('{', "{\"HostConfig\":{\"Privileged\":true},", 1);
    let client = reqwest::Client::builder().unix_socket(sandbox.dir().join("server.sock")).build().unwrap();
    let twice = client.post("http://engine/containers/create").header("content-type", "application/json");
    assert_eq!(twice.body(text).send().await.unwrap().status().as_u16(), 400);
    assert_eq!(sandbox.ok(&["ps", "-a", "--format", "{{.Names}}"]).unwrap().lines().count(), 2);
}
