//! A visitor without a browser: the HTTP API, and the WebSocket of a terminal.

use crate::wait::PATIENCE;
use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// An HTTP client that waits no longer than [`PATIENCE`].
///
/// # Errors
/// When the client cannot be made.
pub fn http() -> Result<reqwest::Client> {
    let _already = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?)
}

/// One visitor: who they are to the server is their cookie or their token.
#[derive(Debug, Clone)]
pub struct Visitor {
    http: reqwest::Client,
    base: String,
    identity: (&'static str, String),
}

impl Visitor {
    /// Someone who opens the page for the first time and keeps the cookie.
    ///
    /// # Errors
    /// When the server sets none.
    pub async fn new(address: SocketAddr) -> Result<Self> {
        let (http, base) = (http()?, format!("http://{address}"));
        let answer = http.get(format!("{base}/api/v1/me")).send().await?;
        let cookie = answer.headers().get("set-cookie").context("no cookie was set")?.to_str()?;
        for wall in ["HttpOnly", "SameSite"] {
            anyhow::ensure!(cookie.contains(wall), "the cookie lacks {wall}: {cookie}");
        }
        let pair = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { http, base, identity: ("cookie", pair) })
    }

    /// Somebody else, who opens a share link of theirs that lets look on (`view`) or type (`control`): they, and the link's id.
    ///
    /// # Errors
    /// When the link is not made, or does not let them in.
    pub async fn guest(&self, session: &str, mode: &str) -> Result<(Self, String)> {
        let (status, share) =
            self.call("POST", &format!("/sessions/{session}/shares"), Some(json!({ "mode": mode }))).await?;
        anyhow::ensure!(status == 201, "POST shares: {status}: {share}");
        let path = share["url"].as_str().context("no url")?.to_owned();
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        let address = self.base.trim_start_matches("http://").parse()?;
        let stranger = Self::new(address).await?;
        let answer =
            client.get(format!("{}{path}", self.base)).header("cookie", &stranger.identity.1).send().await?;
        let set = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let mut pairs = set.filter_map(|cookie| cookie.split(';').next());
        let share_cookie = pairs.find(|pair| pair.starts_with("sandlot-share="));
        let share_cookie = share_cookie.context("the link let nobody in")?;
        let identity = ("cookie", format!("{}; {share_cookie}", stranger.identity.1));
        Ok((Self { identity, ..stranger }, share["id"].as_str().context("no id")?.to_owned()))
    }

    /// The holder of a bearer token.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn with_token(address: SocketAddr, token: &str) -> Result<Self> {
        Ok(Self {
            http: http()?,
            base: format!("http://{address}"),
            identity: ("authorization", format!("Bearer {token}")),
        })
    }

    /// Any request below `/api/v1`; answers status and body (`null` when it is no JSON).
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let (name, value) = &self.identity;
        let mut request =
            self.http.request(method.parse()?, format!("{}/api/v1{path}", self.base)).header(*name, value);
        request = request.header("origin", &self.base);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// The header by which the server knows them.
    #[must_use]
    pub fn identity(&self) -> (&'static str, &str) {
        (self.identity.0, &self.identity.1)
    }

    /// Any request below `/api/v1` with any body; the answer as it is.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<reqwest::Response> {
        let (name, value) = &self.identity;
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self.http.request(method.parse()?, url).header(*name, value);
        request = request.header("origin", &self.base);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.body(body).send().await?)
    }

    /// Creates a session and waits until it runs; answers it.
    ///
    /// # Errors
    /// When it is refused or ends instead.
    pub async fn session(&self, image: &str) -> Result<Value> {
        let (status, session) = self.call("POST", "/sessions", Some(json!({ "image": image }))).await?;
        anyhow::ensure!(status == 201, "POST /sessions: {status}: {session}");
        let id = session["id"].as_str().context("no id")?.to_owned();
        let running = crate::wait::until("the session", || async {
            let (_, session) = self.call("GET", &format!("/sessions/{id}"), None).await.ok()?;
            (session["state"] == "running" || session["state"] == "ended").then_some(session)
        });
        let session = running.await?;
        anyhow::ensure!(session["state"] == "running", "the session ended: {session}");
        Ok(session)
    }

    /// Attaches to a terminal.
    ///
    /// # Errors
    /// When the server refuses, or does not say hello first.
    pub async fn attach(&self, session: &str, terminal: &str) -> Result<Attached> {
        self.attach_from(session, terminal, &self.base).await
    }

    /// Attaches as a page of another origin would.
    ///
    /// # Errors
    /// When the server refuses, or does not say hello first.
    pub async fn attach_from(&self, session: &str, terminal: &str, origin: &str) -> Result<Attached> {
        let base = self.base.replacen("http", "ws", 1);
        let mut request =
            format!("{base}/api/v1/sessions/{session}/terminals/{terminal}").into_client_request()?;
        let (name, value) = &self.identity;
        request.headers_mut().insert(*name, value.parse()?);
        request.headers_mut().insert("origin", origin.parse()?);
        let (mut socket, _) = connect_async(request).await?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            // As browsers do: else a byte waits for the word that the last one has come.
            stream.set_nodelay(true)?;
        }
        let Some(Message::Text(text)) = socket.next().await.transpose()? else { bail!("no hello") };
        let hello: Value = serde_json::from_str(&text)?;
        anyhow::ensure!(hello["type"] == "hello", "not a hello: {hello}");
        Ok(Attached { socket, hello, seen: Vec::new() })
    }
}

/// A terminal's WebSocket after its hello.
#[derive(Debug)]
pub struct Attached {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The first message.
    pub hello: Value,
    /// Every byte of the terminal so far, the replay's first.
    pub seen: Vec<u8>,
}

impl Attached {
    /// Types.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn type_in(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::Binary(text.as_bytes().to_vec().into())).await?)
    }

    /// Sends any text frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, message: &str) -> Result<()> {
        Ok(self.socket.send(Message::Text(message.into())).await?)
    }

    /// Sends any binary frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.socket.send(Message::Binary(bytes.into())).await?)
    }

    /// The next control message; bytes on the way to it are kept in `seen` and acknowledged. `None` at the end.
    ///
    /// # Errors
    /// When nothing comes within [`PATIENCE`] or the connection breaks.
    pub async fn control(&mut self) -> Result<Option<Value>> {
        loop {
            match self.next().await? {
                Some(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text)?;
                    // Who is there is told with every coming and going: it answers nothing.
                    if message["type"] != "people" {
                        return Ok(Some(message));
                    }
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next bytes of the terminal; `None` at the end.
    ///
    /// # Errors
    /// When nothing comes within [`PATIENCE`] or the connection breaks.
    pub async fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        while self.seen.is_empty() {
            if self.next().await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(std::mem::take(&mut self.seen)))
    }

    /// Reads until the terminal has printed `text`.
    ///
    /// # Errors
    /// When it does not, with what it printed instead.
    pub async fn until(&mut self, text: &str) -> Result<()> {
        let mut from = 0;
        loop {
            if let Some(found) = find(&self.seen[from..], text.as_bytes()) {
                // What was waited for is consumed, so that the next wait looks behind it.
                self.seen.drain(..from + found + text.len());
                return Ok(());
            }
            from = self.seen.len().saturating_sub(text.len());
            let next = self.next().await;
            if !matches!(next, Ok(Some(_))) {
                bail!("no {text:?} but {next:?} after {:?}", String::from_utf8_lossy(&self.seen));
            }
        }
    }

    /// The next bytes, which are not acknowledged; `None` at the end, or when nothing comes for so long.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn unacknowledged(&mut self, patience: std::time::Duration) -> Result<Option<Vec<u8>>> {
        while let Ok(next) = tokio::time::timeout(patience, self.socket.next()).await {
            match next.transpose()? {
                Some(Message::Binary(bytes)) => return Ok(Some(bytes.into())),
                Some(Message::Close(_)) | None => return Ok(None),
                Some(_) => {}
            }
        }
        Ok(None)
    }

    async fn next(&mut self) -> Result<Option<Message>> {
        let next =
            tokio::time::timeout(PATIENCE, self.socket.next()).await.context("the terminal is silent")?;
        let Some(message) = next.transpose()? else { return Ok(None) };
        if let Message::Binary(bytes) = &message {
            self.seen.extend_from_slice(bytes);
            let ack = json!({"type": "ack", "bytes": bytes.len()}).to_string();
            self.socket.send(Message::Text(ack.into())).await?;
        }
        Ok((!matches!(message, Message::Close(_))).then_some(message))
    }
}

/// Where `needle` begins in `bytes`.
#[must_use]
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
