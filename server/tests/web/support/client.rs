//! A browser as the server sees it: requests with a cookie, WebSockets with an origin.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookie: Option<String>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    /// Another browser, that was never here.
    pub(crate) fn stranger(&self) -> Self {
        Self::new(self.address)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let origin = self.origin();
        self.call_from(method, path, body, &[("origin", &origin)]).await
    }

    pub(crate) async fn call_from(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            sender.send_request(request.body(Full::<Bytes>::from(body.to_owned())).unwrap()).await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let pair = cookie.split(';').next().unwrap();
            let name = pair.split('=').next().unwrap();
            let before = self.cookie.take().unwrap_or_default();
            let others =
                before.split("; ").filter(|other| !other.is_empty() && other.split('=').next() != Some(name));
            self.cookie = Some(others.chain([pair]).collect::<Vec<_>>().join("; "));
        }
        let status = response.status();
        let location = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, kind: kind.unwrap_or_default(), location, body }
    }

    /// A running session; its id and that of its terminal.
    pub(crate) async fn session(&mut self) -> (String, String) {
        let answer = self.call("POST", "/api/v1/sessions", "{\"image\":\"shell\"}").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        (id, answer.body["terminals"][0]["id"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn attach(&self, id: &str, terminal: &str, query: &str) -> Result<Socket, Error> {
        self.attach_from(id, terminal, query, Some(&self.origin())).await
    }

    pub(crate) async fn attach_from(
        &self,
        id: &str,
        terminal: &str,
        query: &str,
        origin: Option<&str>,
    ) -> Result<Socket, Error> {
        let url = format!("ws://{}/api/v1/sessions/{id}/terminals/{terminal}{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
    }
}

pub(crate) async fn next(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(10), socket.next());
    next.await.expect("nothing came for 10 s").expect("the connection ended").expect("the connection broke")
}

/// Reads until the terminal has shown `wanted`; all that it showed.
pub(crate) async fn until(socket: &mut Socket, wanted: &str) -> String {
    let mut shown = String::new();
    while !shown.contains(wanted) {
        if let Message::Binary(bytes) = next(socket).await {
            let ack = format!("{{\"type\":\"ack\",\"bytes\":{}}}", bytes.len());
            socket.send(Message::text(ack)).await.unwrap();
            shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    shown
}

/// The code with which the server closes.
pub(crate) async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.expect("no code").code.into();
        }
    }
}
