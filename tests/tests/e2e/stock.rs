//! Promise: with a stock `dockerd` the web server works for development, says what is void then, and lets no stranger in.

use anyhow::{Context, Result};
use sandlot_tests::client::{Visitor, http};
use sandlot_tests::dockerd::Dockerd;
use sandlot_tests::process::{Running, run};
use sandlot_tests::sandbox::TOKEN;
use sandlot_tests::wait::until;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const IMAGE: &str = "box:test";

/// Whom the web server becomes, and the group that may use the engine's socket.
const NOBODY: &str = "65534";

/// An image of busybox in the engine.
fn import(docker: &Dockerd, folder: &Path) -> Result<()> {
    let (root, archive) = (folder.join("root"), folder.join("root.tar"));
    sandlot_tests::image::busybox(&root)?;
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."))?;
    docker.run(&["import", archive.to_str().context("a path in UTF-8")?, IMAGE])?;
    Ok(())
}

async fn serve(docker: &Dockerd, folder: &Path, address: SocketAddr) -> Result<Running> {
    let config = folder.join("sandlot.toml");
    std::fs::write(&config, format!("[[images]]\nname = {IMAGE:?}\ntitle = \"A box\"\n"))?;
    let mut command = Command::new(sandlot_tests::program("sandlot-server")?);
    command.arg("--config").arg(config).arg("--state").arg(folder.join("server"));
    command.args(["--listen", &address.to_string(), "--user", &format!("{NOBODY}:{NOBODY}")]);
    command.env("SANDLOT_ENGINE", docker.host()).env("SANDLOT_ADMIN_TOKEN", TOKEN);
    // The one session's container is looked at, so there are none that wait.
    command.env("SANDLOT_POOL_COUNT", "0");
    let server = Running::start(&mut command, &folder.join("server.log"))?;
    let (client, url) = (http()?, format!("http://{address}/readyz"));
    let ready = || async { client.get(&url).send().await.ok().filter(|answer| answer.status().is_success()) };
    until("the web server", ready).await.with_context(|| server.log())?;
    Ok(server)
}

async fn strangers_are_refused(address: SocketAddr) -> Result<()> {
    let (client, base) = (http()?, format!("http://{address}"));
    let info: serde_json::Value = client.get(format!("{base}/api/v1/info")).send().await?.json().await?;
    assert_eq!(info["engine"], "stock");
    let void = info["not_promised"].as_array().context("a list")?;
    assert!(void.iter().any(|words| words.as_str().unwrap_or_default().contains("user ids")), "{info}");
    let ready = client.get(format!("{base}/readyz")).send().await?.text().await?;
    assert_eq!(ready.matches("not promised: ").count(), void.len(), "{ready}");
    let create = client.post(format!("{base}/api/v1/sessions"));
    let refused = create.header("origin", &base).json(&json!({"image": IMAGE})).send().await?;
    assert_eq!(refused.status(), 401);
    let words: serde_json::Value = refused.json().await?;
    assert!(words["detail"].as_str().unwrap_or_default().contains("stock Docker engine"), "{words}");
    assert_eq!(client.get(&base).send().await?.status(), 200, "the page that says so is there for all");
    Ok(())
}

async fn a_session_works(visitor: &Visitor, docker: &Dockerd) -> Result<String> {
    let session = visitor.session(IMAGE).await?;
    let id = session["id"].as_str().context("an id")?.to_owned();
    let terminal = session["terminals"][0]["id"].as_str().context("a terminal")?.to_owned();
    let mut shell = visitor.attach(&id, &terminal).await?;
    shell.say(&json!({"type": "resize", "cols": 101, "rows": 31}).to_string()).await?;
    shell.type_in("until [ \"$(stty size)\" = '31 101' ]; do :; done; echo siz''ed $TERM; x=kept\n").await?;
    shell.until("sized xterm-256color").await?;
    // A flood that nobody takes can still be interrupted.
    shell.type_in("yes fl''ood\n").await?;
    shell.until("flood").await?;
    shell.type_in("\x03").await?;
    shell.type_in("echo af''ter $x\n").await?;
    shell.until("after kept").await?;
    let mut again = visitor.attach(&id, &terminal).await?;
    again.until("after kept").await?;
    let (_, stats) = visitor.call("GET", &format!("/sessions/{id}/stats"), None).await?;
    assert!(stats["memory_bytes"].as_u64() > Some(0) && stats["pids"].as_u64() > Some(1), "{stats}");
    let (status, second) =
        visitor.call("POST", &format!("/sessions/{id}/terminals"), Some(json!({}))).await?;
    assert_eq!(status, 201, "{second}");
    let second = second["id"].as_str().context("a terminal")?.to_owned();
    let shells = || docker.run(&["top", &container(docker)?]).map(|list| list.matches("sh -l").count());
    assert_eq!(until("two shells", || async { shells().ok().filter(|n| *n == 2) }).await?, 2);
    visitor.call("DELETE", &format!("/sessions/{id}/terminals/{second}"), None).await?;
    until("the closed terminal's shell to end", || async { shells().ok().filter(|n| *n == 1) }).await?;
    shell.type_in("exit 7\n").await?;
    while let Some(message) = shell.control().await? {
        if message["type"] == "exit" {
            assert_eq!(message["code"], 7);
        }
    }
    Ok(id)
}

fn container(docker: &Dockerd) -> Result<String> {
    Ok(docker.run(&["ps", "--quiet", "--filter", "label=sandlot.session"])?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_dockerd_serves_for_development_and_no_stranger_gets_in() {
    let folder = tempfile::Builder::new().prefix("sandlot-test-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let docker = Dockerd::start(folder.path(), &["--group", NOBODY]).await.unwrap();
    import(&docker, folder.path()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], sandlot_tests::registry::free_port().unwrap()));
    let mut server = serve(&docker, folder.path(), address).await.unwrap();
    assert!(server.log().contains("for development only"), "{}", server.log());
    strangers_are_refused(address).await.unwrap();
    let visitor = Visitor::with_token(address, TOKEN).unwrap();
    let worked = a_session_works(&visitor, &docker).await;
    let id = worked.with_context(|| server.log()).unwrap();
    // Its screens end with the server; the session itself goes on, and takes another terminal.
    server.kill().unwrap();
    let server = serve(&docker, folder.path(), address).await.unwrap();
    let (_, session) = visitor.call("GET", &format!("/sessions/{id}"), None).await.unwrap();
    assert_eq!(
        (&session["state"], &session["terminals"]),
        (&json!("running"), &json!([])),
        "{}",
        server.log()
    );
    let (status, terminal) =
        visitor.call("POST", &format!("/sessions/{id}/terminals"), Some(json!({}))).await.unwrap();
    assert_eq!(status, 201, "{terminal}");
    let mut shell = visitor.attach(&id, terminal["id"].as_str().unwrap()).await.unwrap();
    shell.type_in("echo new-$((6 * 7))\n").await.unwrap();
    shell.until("new-42").await.unwrap();
    visitor.call("DELETE", &format!("/sessions/{id}"), None).await.unwrap();
    until("the container to go", || async { container(&docker).ok().filter(String::is_empty) })
        .await
        .unwrap();
}
