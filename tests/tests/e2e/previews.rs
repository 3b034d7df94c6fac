//! Ports of a session as pages of their own: who sees them, what goes through, and what does not.

use futures_util::{SinkExt, StreamExt};
use sandlot_tests::client::{Visitor, http};
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const IMAGE: &str = "sandlot/starter";

/// A visitor with a session: its id, and its container's.
pub(crate) async fn session(sandbox: &Sandbox) -> (Visitor, String, String) {
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let known = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let session = visitor.session(IMAGE).await.unwrap()["id"].as_str().unwrap().to_owned();
    let all = sandbox.ok(&["ps", "-q", "--no-trunc"]).unwrap();
    let container = all.lines().find(|id| !known.contains(id)).unwrap().to_owned();
    (visitor, session, container)
}

/// Runs a program in the session that goes on.
pub(crate) fn start(sandbox: &Sandbox, container: &str, script: &str) {
    sandbox.ok(&["exec", "-d", container, "sh", "-c", script]).unwrap();
}

/// Waits until something listens on a port, as the API tells it.
pub(crate) async fn listening(who: &Visitor, id: &str, port: u16) {
    let there = || async {
        let (_, ports) = who.call("GET", &format!("/sessions/{id}/ports"), None).await.ok()?;
        ports.as_array()?.iter().any(|one| one["port"] == port).then_some(())
    };
    until("the port to be told", there).await.unwrap();
}

/// A preview as a browser sees it: its host, and the cookie of that host.
pub(crate) struct Preview {
    pub(crate) client: reqwest::Client,
    pub(crate) host: String,
    pub(crate) cookie: String,
}

/// What the page's link leads to: the address with its ticket.
pub(crate) async fn link(who: &Visitor, address: SocketAddr, id: &str, port: u16) -> (u16, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let (name, value) = who.identity();
    let request = client.get(format!("http://{address}/preview/{id}/{port}")).header(name, value);
    let answer = request.header("host", format!("localhost:{}", address.port())).send().await.unwrap();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default())
}

impl Preview {
    fn client(address: SocketAddr, host: &str) -> reqwest::Client {
        let _made = http();
        let name = host.split(':').next().unwrap();
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).resolve(name, address);
        client.no_proxy().build().unwrap()
    }

    pub(crate) async fn open(who: &Visitor, address: SocketAddr, id: &str, port: u16) -> Self {
        let (status, to) = link(who, address, id, port).await;
        assert_eq!(status, 303, "{to}");
        let host = format!("{port}--{id}.localhost:{}", address.port());
        assert!(to.starts_with(&format!("http://{host}/?")), "{to}");
        let client = Self::client(address, &host);
        let entered = client.get(&to).send().await.unwrap();
        assert_eq!(entered.status().as_u16(), 303);
        assert_eq!(entered.headers()["location"], "/");
        let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && !cookie.to_lowercase().contains("domain"), "{cookie}");
        let again = client.get(&to).send().await.unwrap();
        assert_eq!(again.status().as_u16(), 403, "a ticket is good once");
        Self { client, host, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    /// A WebSocket to it, as a page of that origin opens it.
    pub(crate) async fn socket(
        &self,
        address: SocketAddr,
        origin: &str,
    ) -> Result<WebSocketStream<TcpStream>, tokio_tungstenite::tungstenite::Error> {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{}/", self.host).into_client_request().unwrap();
        request.headers_mut().insert("cookie", self.cookie.parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String, reqwest::header::HeaderMap) {
        let mut request = self.client.get(format!("http://{}{path}", self.host));
        request = request.header("cookie", format!("sandlot=of-the-playground; mine=1; {}", self.cookie));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, answer.text().await.unwrap(), headers)
    }
}

/// Answers every connection with its own request, and cookies that are none of its business.
const ECHO: &str = r#"cat > /echo <<'END'
printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: sandlot=evil; Path=/\r\nSet-Cookie: own=1; Domain=localhost\r\n\r\n'
while read -r line; do line=${line%?}; [ -n "$line" ] || break; echo "$line"; done
END
exec busybox nc -ll -p 8000 -e sh /echo"#;

#[tokio::test]
async fn a_port_is_a_page_of_its_own_for_its_owner_alone() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let (other, others, _) = session(&sandbox).await;
    let address = sandbox.address();
    // Before anything listens: words.
    let preview = Preview::open(&who, address, &id, 8000).await;
    let (status, text, _) = preview.get("/", &[]).await;
    assert_eq!(status, 502, "{text}");
    assert!(
        text.contains("nothing answers on port 8000") || text.contains("Nothing answers on port 8000"),
        "{text}"
    );
    start(&sandbox, &container, ECHO);
    listening(&who, &id, 8000).await;
    let (status, text, headers) = preview.get("/a?b=%20c", &[("x-forwarded-for", "1.2.3.4")]).await;
    let said = text.to_lowercase();
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("GET /a?b=%20c HTTP/1.1"), "{text}");
    assert!(said.contains(&format!("host: {}", preview.host)), "{text}");
    assert!(said.contains("cookie: mine=1") && !said.contains("sandlot"), "{text}");
    assert!(said.contains("x-forwarded-proto: http") && !said.contains("1.2.3.4"), "{text}");
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["own=1"]);
    assert!(!headers.contains_key("content-security-policy"), "the playground's rules are not the preview's");
    // Nobody else: without the cookie, with another preview's, with one made up, by another's ticket.
    let strange = preview.client.get(format!("http://{}/", preview.host)).send().await.unwrap();
    assert_eq!(strange.status().as_u16(), 403);
    assert_eq!(link(&other, address, &id, 8000).await.0, 404);
    let theirs = Preview::open(&other, address, &others, 8000).await;
    for cookie in [theirs.cookie.clone(), "sandlot-preview=administrator.00".to_owned()] {
        let stolen = Preview { client: preview.client.clone(), host: preview.host.clone(), cookie };
        assert_eq!(stolen.get("/", &[]).await.0, 403);
    }
    let (_, to) = link(&other, address, &others, 8000).await;
    let ticket = to.split('?').nth(1).unwrap();
    let wrong = preview.client.get(format!("http://{}/?{ticket}", preview.host)).send().await.unwrap();
    assert_eq!(wrong.status().as_u16(), 403);
    // Pages of other sessions and other sites, in whose requests the browser sends the cookie along.
    for (name, value) in [
        ("origin", format!("http://8000--{others}.localhost:{}", address.port())),
        ("origin", "null".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
    ] {
        assert_eq!(preview.get("/", &[(name, &value)]).await.0, 403, "{name}: {value}");
    }
    let own = format!("http://3000--{id}.localhost:{}", address.port());
    assert_eq!(preview.get("/", &[("origin", &own)]).await.0, 200, "another port of the same session");
    // The playground's own API is not below a preview's name.
    assert!(preview.get("/api/v1/me", &[]).await.1.starts_with("GET /api/v1/me"));
    who.call("DELETE", &format!("/sessions/{id}"), None).await.unwrap();
    assert_eq!(preview.get("/", &[]).await.0, 404, "it is over");
}

#[tokio::test]
async fn large_bodies_and_streams_go_through_as_they_come() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let script = "mkdir -p /www/cgi-bin; head -c 20000000 /dev/zero > /www/large; cd /www; \
        printf '#!/bin/sh\\necho Content-Type: text/plain; echo; wc -c\\n' > cgi-bin/count; \
        printf '#!/bin/sh\\necho Content-Type: text/plain; echo; echo first; read line < /go; echo second\\n' > cgi-bin/slow; \
        chmod +x cgi-bin/*; mkfifo /go; exec busybox httpd -f -p 127.0.0.1:8080 -h /www";
    start(&sandbox, &container, script);
    listening(&who, &id, 8080).await;
    let preview = Preview::open(&who, sandbox.address(), &id, 8080).await;
    let (status, text, _) = preview.get("/large", &[]).await;
    assert_eq!((status, text.len()), (200, 20_000_000));
    let url = format!("http://{}/cgi-bin/count", preview.host);
    let sent = preview.client.post(url).header("cookie", &preview.cookie).body(vec![b'x'; 3_000_000]);
    assert_eq!(sent.send().await.unwrap().text().await.unwrap().trim(), "3000000");
    let url = format!("http://{}/cgi-bin/slow", preview.host);
    let mut slow = preview.client.get(url).header("cookie", &preview.cookie).send().await.unwrap();
    let first = slow.chunk().await.unwrap().unwrap();
    assert_eq!(&first[..], b"first\n", "what came is shown before the end");
    sandbox.ok(&["exec", &container, "sh", "-c", "echo > /go"]).unwrap();
    assert_eq!(slow.text().await.unwrap(), "second\n");
}

/// Accepts one WebSocket as RFC 6455 says, and sends every byte of it back.
pub(crate) const SOCKET: &str = r#"cat > /socket <<'END'
while read -r line; do line=${line%?}; [ -n "$line" ] || break
case $line in Sec-WebSocket-Key:*|sec-websocket-key:*) key=${line#*: };; esac; done
accept=$(printf '%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11' "$key" | sha1sum | cut -c1-40 | sed 's/../\\x&/g')
printf "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $(printf "$accept" | base64)\r\n\r\n"
printf '\201\005hello'
head -c 7 > /got
printf '\201\004done'
sleep 1000
END
exec busybox nc -ll -p 9000 -e sh /socket"#;

#[tokio::test]
async fn a_websocket_goes_through_both_ways() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    start(&sandbox, &container, SOCKET);
    listening(&who, &id, 9000).await;
    let preview = Preview::open(&who, sandbox.address(), &id, 9000).await;
    assert!(
        preview.socket(sandbox.address(), "http://evil.example").await.is_err(),
        "a page of another site"
    );
    let own = format!("http://{}", preview.host);
    let mut socket = preview.socket(sandbox.address(), &own).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    socket.send(Message::text("a")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("done"));
}

#[tokio::test]
async fn what_listens_is_told_and_what_cannot_be_reached_is_not() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (who, id, container) = session(&sandbox).await;
    let path = format!("/sessions/{id}/ports");
    assert_eq!(who.call("GET", &path, None).await.unwrap(), (200, Value::Array(vec![])));
    start(&sandbox, &container, "exec busybox nc -ll -p 7000 -e true");
    listening(&who, &id, 7000).await;
    let (_, ports) = who.call("GET", &path, None).await.unwrap();
    assert_eq!(ports, serde_json::json!([{ "port": 7000, "url": format!("/preview/{id}/7000") }]));
    let other = Visitor::new(sandbox.address()).await.unwrap();
    assert_eq!(other.call("GET", &path, None).await.unwrap().0, 404);
    assert_eq!(link(&who, sandbox.address(), &id, 0).await.0, 404);
}
