//! What a share link lets its guests do beside the terminal: to look at files and previews, or to change them as well, until it
//! is revoked, which cuts what is under way.

use crate::previews::{Preview, SOCKET, link, listening, session, start};
use futures_util::StreamExt;
use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::{PATIENCE, until};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Tells the method of each request, and what came with it.
const METHOD: &str = r#"mkdir -p /www/cgi-bin; cd /www; echo page > index.html
printf '#!/bin/sh\necho Content-Type: text/plain; echo; echo "$REQUEST_METHOD:$(head -c ${CONTENT_LENGTH:-0})"\n' > cgi-bin/method
printf '#!/bin/sh\necho Content-Type: text/plain; echo; echo first; sleep 1000\n' > cgi-bin/slow
chmod +x cgi-bin/*; exec busybox httpd -f -p 8080 -h /www"#;

/// One call on files: its status and the body's text.
async fn file(who: &Visitor, method: &str, id: &str, path: &str, body: &str) -> (u16, String) {
    let path = format!("/sessions/{id}/files{path}");
    let answer = who.raw(method, &path, &[], body.to_owned()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn who_looks_on_sees_files_and_previews_and_changes_nothing() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (owner, id, container) = session(&sandbox).await;
    start(&sandbox, &container, METHOD);
    start(&sandbox, &container, SOCKET);
    listening(&owner, &id, 8080).await;
    let (guest, _) = owner.guest(&id, "view").await.unwrap();
    let guest = &guest;
    assert_eq!(file(&owner, "PUT", &id, "/root/notes", "mine").await.0, 204);
    assert_eq!(file(guest, "GET", &id, "/root/notes", "").await, (200, "mine".to_owned()));
    assert_eq!(file(guest, "GET", &id, "/root", "").await.0, 200);
    assert_eq!(file(guest, "GET", &id, "/root?archive=tar", "").await.0, 200);
    for (method, path, body) in [
        ("PUT", "/root/notes", "theirs"),
        ("PUT", "/root/new", "theirs"),
        ("PUT", "/root/folder?kind=directory", ""),
        ("POST", "/root/notes", "{\"to\":\"/root/moved\"}"),
        ("DELETE", "/root/notes", ""),
    ] {
        let (status, words) = file(guest, method, &id, path, body).await;
        assert_eq!((status, words.contains("look on")), (403, true), "{method} {path}: {words}");
    }
    assert_eq!(file(&owner, "GET", &id, "/root/notes", "").await.1, "mine");
    let stranger = Visitor::new(sandbox.address()).await.unwrap();
    assert_eq!(file(&stranger, "GET", &id, "/root/notes", "").await.0, 404);

    listening(guest, &id, 8080).await;
    let preview = Preview::open(guest, sandbox.address(), &id, 8080).await;
    assert_eq!(preview.get("/cgi-bin/method", &[]).await.1.trim(), "GET:");
    let url = format!("http://{}/cgi-bin/method", preview.host);
    let post = preview.client.post(&url).header("cookie", &preview.cookie).body("x").send().await.unwrap();
    assert_eq!(post.status().as_u16(), 403);
    listening(guest, &id, 9000).await;
    let live = Preview::open(guest, sandbox.address(), &id, 9000).await;
    let refused = live.socket(sandbox.address(), &format!("http://{}", live.host)).await.unwrap_err();
    assert!(matches!(&refused, Error::Http(answer) if answer.status() == 403), "{refused}");
    // Of a session that is not the link's, nothing.
    let (_, others, _) = session(&sandbox).await;
    assert_eq!(file(guest, "GET", &others, "/root", "").await.0, 404);
    assert_eq!(link(guest, sandbox.address(), &others, 8080).await.0, 404);
}

#[tokio::test]
async fn who_may_type_changes_files_and_talks_to_previews() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (owner, id, container) = session(&sandbox).await;
    start(&sandbox, &container, METHOD);
    listening(&owner, &id, 8080).await;
    let (guest, _) = owner.guest(&id, "control").await.unwrap();
    assert_eq!(file(&guest, "PUT", &id, "/root/notes", "theirs").await.0, 204);
    assert_eq!(file(&guest, "POST", &id, "/root/notes", "{\"to\":\"/root/moved\"}").await.0, 204);
    assert_eq!(file(&owner, "GET", &id, "/root/moved", "").await.1, "theirs");
    assert_eq!(file(&guest, "DELETE", &id, "/root/moved", "").await.0, 204);
    let preview = Preview::open(&guest, sandbox.address(), &id, 8080).await;
    let url = format!("http://{}/cgi-bin/method", preview.host);
    let post = preview.client.post(&url).header("cookie", &preview.cookie).body("x").send().await.unwrap();
    assert_eq!(post.text().await.unwrap().trim(), "POST:x");
}

/// What is in the home directory.
fn there(sandbox: &Sandbox, container: &str) -> String {
    sandbox.ok(&["exec", container, "ls", "/root"]).unwrap()
}

/// What ends, ends soon.
async fn soon<T>(what: &str, ends: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, ends).await.unwrap_or_else(|_| panic!("{what} goes on"))
}

#[tokio::test]
async fn a_revocation_cuts_what_is_under_way_at_once() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (owner, id, container) = session(&sandbox).await;
    start(&sandbox, &container, METHOD);
    start(&sandbox, &container, SOCKET);
    for port in [8080, 9000] {
        listening(&owner, &id, port).await;
    }
    sandbox.ok(&["exec", &container, "sh", "-c", "head -c 100000000 /dev/zero > /large"]).unwrap();
    let (guest, share) = owner.guest(&id, "control").await.unwrap();
    let address = sandbox.address();
    // A socket, a page that comes slowly, a large file that is read slowly, an upload that waits, a stream of changes.
    let live = Preview::open(&guest, address, &id, 9000).await;
    let mut socket = live.socket(address, &format!("http://{}", live.host)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    let preview = Preview::open(&guest, address, &id, 8080).await;
    let url = format!("http://{}/cgi-bin/slow", preview.host);
    let mut slow = preview.client.get(url).header("cookie", &preview.cookie).send().await.unwrap();
    assert_eq!(&slow.chunk().await.unwrap().unwrap()[..], b"first\n");
    let mut large = guest.raw("GET", &format!("/sessions/{id}/files/large"), &[], "").await.unwrap();
    large.chunk().await.unwrap().unwrap();
    let mut archive =
        guest.raw("GET", &format!("/sessions/{id}/files/large?archive=tar"), &[], "").await.unwrap();
    archive.chunk().await.unwrap().unwrap();
    let changes = format!("/sessions/{id}/file-changes?directory=/root");
    let mut changes = guest.raw("GET", &changes, &[], "").await.unwrap();
    changes.chunk().await.unwrap().unwrap();
    let (sender, pieces) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(tokio_stream_of(pieces));
    let uploading = {
        let (guest, path) = (guest.clone(), format!("/sessions/{id}/files/root/begun/upload"));
        tokio::spawn(async move { guest.raw("PUT", &path, &[], body).await })
    };
    sender.send(Ok(vec![b'x'; 1000])).await.unwrap();
    // A file has no name before it is whole, but the folder that it goes to is there.
    let begun = || async { there(&sandbox, &container).contains("begun").then_some(()) };
    until("the upload to begin", begun).await.unwrap();
    // The owner's are the same, and stay.
    let own = Preview::open(&owner, address, &id, 9000).await;
    let mut owned = own.socket(address, &format!("http://{}", own.host)).await.unwrap();
    assert_eq!(owned.next().await.unwrap().unwrap(), Message::text("hello"));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), socket.next()).await.is_err(),
        "it ends by itself: nothing is shown here"
    );

    let revoked = owner.call("DELETE", &format!("/sessions/{id}/shares/{share}"), None).await.unwrap();
    assert_eq!(revoked.0, 204);
    let ended = soon("the socket", socket.next()).await;
    assert!(matches!(ended, None | Some(Err(_) | Ok(Message::Close(_)))), "{ended:?}");
    assert!(soon("the slow page", slow.chunk()).await.is_err(), "a cut page looks whole");
    for (what, cut) in [("the file", &mut large), ("the archive", &mut archive)] {
        let broken = async {
            let mut read = 0;
            loop {
                match cut.chunk().await {
                    Ok(Some(bytes)) => read += bytes.len(),
                    Ok(None) => panic!("{what} looks whole after {read} bytes"),
                    Err(_) => return read,
                }
            }
        };
        assert!(soon(what, broken).await < 99_000_000, "{what} came as if nothing had been revoked");
    }
    let gone = async { while matches!(changes.chunk().await, Ok(Some(_))) {} };
    soon("the stream of changes", gone).await;
    // The connection may be closed before the answer is read.
    if let Ok(answer) = soon("the upload", uploading).await.unwrap() {
        assert_eq!(answer.status().as_u16(), 410);
    }
    drop(sender);
    let left = sandbox.ok(&["exec", &container, "ls", "-A", "/root/begun"]).unwrap();
    assert_eq!(left, "", "half an upload is left");
    // What comes after is refused with words.
    let (status, words) = file(&guest, "GET", &id, "/root", "").await;
    assert_eq!((status, words.contains("revoked")), (410, true), "{words}");
    assert_eq!(link(&guest, address, &id, 8080).await.0, 410);
    let (status, words, _) = preview.get("/", &[]).await;
    assert_eq!((status, words.contains("revoked")), (410, true), "{words}");
    assert!(live.socket(address, &format!("http://{}", live.host)).await.is_err());
    assert!(
        tokio::time::timeout(Duration::from_millis(300), owned.next()).await.is_err(),
        "the owner's was cut"
    );
}

/// What is received, as a stream.
fn tokio_stream_of<T: Send + 'static>(
    from: tokio::sync::mpsc::Receiver<T>,
) -> impl futures_util::Stream<Item = T> + Send + 'static {
    futures_util::stream::unfold(from, |mut from| async { from.recv().await.map(|item| (item, from)) })
}
