//! `sandlot attach https://…`: a terminal of a Sandlot web server, over the WebSocket that its page uses too.
//!
//! The address is that of a session (`https://host/s/ID`), of one terminal (`…/sessions/ID/terminals/TERMINAL`), or of the
//! server, which then opens a session. Who we are is a token (`SANDLOT_TOKEN`), or a visitor that the server makes up.

use super::error::Error;
use super::terminal::{self, Detach, Raw, Typed};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use url::Url;

/// Where a token is read from.
const TOKEN: &str = "SANDLOT_TOKEN";
/// The largest message of a server.
const MESSAGE: usize = 16 << 20;
/// Bytes that are typed at once.
const PIECE: usize = 16 << 10;
/// How long a server may take to answer, and how often it is asked whether a session runs.
const ANSWER: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(300);
/// What a server's close code says of a terminal that ended as it should.
const NORMAL: u16 = 1000;

/// What the server says, as far as we care.
#[derive(serde::Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Exit {
        code: i32,
    },
    Notice {
        text: String,
    },
    #[serde(other)]
    Else,
}

/// Whether that is the address of a web server and no container.
pub(super) fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Attaches; the exit code of the terminal's process, or 0 after detaching.
pub(super) async fn attach(address: &str, stdin: bool, keys: Detach) -> Result<u8, Error> {
    let server = Server::meet(address, std::env::var(TOKEN).ok()).await?;
    let (session, terminal) = server.terminal().await?;
    let mut request = server
        .socket(&format!("/sessions/{session}/terminals/{terminal}"))?
        .as_str()
        .into_client_request()
        .map_err(|e| Error::Invalid(e.to_string()))?;
    let headers = server.identity.iter().map(|(name, value)| (name.clone(), value.clone()));
    request.headers_mut().extend(headers);
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE)).max_frame_size(Some(MESSAGE));
    let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    let connected = tokio::time::timeout(ANSWER, connecting).await;
    let (socket, _) = connected.map_err(|_| server.silent())?.map_err(broken)?;
    let raw = if stdin { Raw::enter()? } else { None };
    let (sink, stream) = socket.split();
    let (replies, reply) = tokio::sync::mpsc::unbounded_channel();
    let done = tokio::select! {
        ended = show(stream, &replies) => ended,
        typed = write(sink, stdin, raw.is_some().then_some(keys), reply) => typed,
    };
    drop(raw);
    done
}

fn broken(e: tungstenite::Error) -> Error {
    Error::Protocol(match e {
        tungstenite::Error::Http(answer) => format!("the server refuses the terminal: {}", answer.status()),
        other => other.to_string(),
    })
}

/// Shows what the terminal prints, and acknowledges it; answers the exit code.
async fn show(
    mut stream: impl Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    replies: &tokio::sync::mpsc::UnboundedSender<Message>,
) -> Result<u8, Error> {
    let mut out = tokio::io::stdout();
    let mut code = None;
    while let Some(message) = stream.next().await {
        match message.map_err(broken)? {
            Message::Binary(bytes) => {
                let shown = async { out.write_all(&bytes).await.and(out.flush().await) };
                shown.await.map_err(Error::io("standard output"))?;
                let ack = json!({ "type": "ack", "bytes": bytes.len() }).to_string();
                // The writing side ends with this one.
                replies.send(Message::text(ack)).unwrap_or_default();
            }
            Message::Text(text) => match serde_json::from_str(&text)? {
                Said::Exit { code: exit } => code = Some(u8::try_from(exit & 0xff).unwrap_or(u8::MAX)),
                Said::Notice { text } => eprint!("\r\n{text}\r\n"),
                Said::Else => {}
            },
            Message::Close(Some(frame)) if u16::from(frame.code) != NORMAL => {
                return Err(Error::Protocol(format!("the server closed the terminal: {}", frame.reason)));
            }
            Message::Close(_) => break,
            _ => {}
        }
    }
    code.ok_or_else(|| Error::Protocol("the terminal is closed".into()))
}

/// Passes on what is typed, the terminal's size, and what [`show`] answers; comes back only if the user detaches.
async fn write(
    mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    stdin: bool,
    mut keys: Option<Detach>,
    mut replies: tokio::sync::mpsc::UnboundedReceiver<Message>,
) -> Result<u8, Error> {
    let mut sizes = signal(SignalKind::window_change()).map_err(Error::io("the terminal's size"))?;
    let mut input = tokio::io::stdin();
    let mut buffer = vec![0; PIECE];
    let mut open = stdin;
    let mut next = terminal::size().map(resize);
    loop {
        if let Some(message) = next.take() {
            // Why it is closed, the reading side says.
            if sink.send(message).await.is_err() {
                return std::future::pending().await;
            }
        }
        next = tokio::select! {
            reply = replies.recv() => reply,
            _ = sizes.recv() => terminal::size().map(resize),
            read = input.read(&mut buffer), if open => {
                let n = read.unwrap_or(0);
                open = n > 0;
                match keys.as_mut().map(|keys| keys.type_in(&buffer[..n])) {
                    Some(Typed::Detach(_)) => {
                        sink.send(Message::Close(None)).await.unwrap_or_default();
                        return Ok(0);
                    }
                    Some(Typed::Input(bytes)) => Some(bytes),
                    None => Some(buffer[..n].to_vec()),
                }
                .filter(|bytes| !bytes.is_empty())
                .map(Message::binary)
            }
        };
    }
}

fn resize((cols, rows): (u16, u16)) -> Message {
    Message::text(json!({ "type": "resize", "cols": cols, "rows": rows }).to_string())
}

/// A web server, and who we are to it.
struct Server {
    http: reqwest::Client,
    /// Scheme, host and port, and what stands before `/api` and `/s`.
    base: Url,
    session: Option<String>,
    terminal: Option<String>,
    identity: HeaderMap,
}

impl Server {
    async fn meet(address: &str, token: Option<String>) -> Result<Self, Error> {
        let (base, session, terminal) = parse(address)?;
        let loopback = match base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if base.scheme() == "http" && !loopback {
            return Err(Error::Invalid(format!(
                "{address}: everybody on the way could listen; write https://"
            )));
        }
        // The second call finds it installed: that is what is wanted.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let builder = reqwest::Client::builder().timeout(ANSWER).redirect(reqwest::redirect::Policy::none());
        let http = builder.build().map_err(|e| Error::Protocol(e.to_string()))?;
        let mut server = Self { http, base, session, terminal, identity: HeaderMap::new() };
        let origin = server.base.origin().ascii_serialization();
        let valid = |text: String| {
            let value = HeaderValue::from_str(&text);
            value.map_err(|_| Error::Invalid(format!("{TOKEN} holds what no token can be")))
        };
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            server.identity.insert(AUTHORIZATION, valid(format!("Bearer {token}"))?);
            return Ok(server);
        }
        // With a cookie we are like a page: of the server's own.
        server.identity.insert(ORIGIN, valid(origin)?);
        let answer = server.request(Method::GET, "/me").send().await.map_err(|e| server.failed(&e))?;
        let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|c| c.to_str().ok());
        let pairs: Vec<&str> = cookies.filter_map(|c| c.split(';').next()).collect();
        server.identity.insert(COOKIE, valid(pairs.join("; "))?);
        Ok(server)
    }

    fn silent(&self) -> Error {
        Error::Protocol(format!("{} does not answer", self.base))
    }

    fn failed(&self, error: &reqwest::Error) -> Error {
        let cause = std::error::Error::source(error).map(|s| format!(": {s}")).unwrap_or_default();
        Error::Protocol(format!("{}: {error}{cause}", self.base))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v1{path}", self.base.as_str().trim_end_matches('/'));
        self.http.request(method, url).headers(self.identity.clone())
    }

    /// The same address for a WebSocket.
    fn socket(&self, path: &str) -> Result<Url, Error> {
        let scheme = if self.base.scheme() == "https" { "wss" } else { "ws" };
        let (_, rest) = self.base.as_str().split_once(':').unwrap_or_default();
        let text = format!("{scheme}:{}/api/v1{path}", rest.trim_end_matches('/'));
        text.parse().map_err(|_| Error::Invalid(format!("{text} is no address")))
    }

    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(|e| self.failed(&e))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| self.failed(&e))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().map_or_else(|| status.to_string(), ToOwned::to_owned);
        Err(Error::Invalid(format!("{}: {detail}", self.base)))
    }

    /// A session that runs, and a terminal of it; both are opened if none was named.
    async fn terminal(&self) -> Result<(String, String), Error> {
        let none = || Error::Protocol("a session without an id".into());
        let mut session = match &self.session {
            Some(id) => self.json(Method::GET, &format!("/sessions/{id}"), None).await?,
            None => self.json(Method::POST, "/sessions", Some(json!({}))).await?,
        };
        let id = session["id"].as_str().ok_or_else(none)?.to_owned();
        let path = format!("/sessions/{id}");
        let mut told = None;
        while let Some("queued" | "starting") = session["state"].as_str() {
            let position = session["position"].as_u64();
            if position.is_some() && position != told {
                eprintln!("waiting for a place; position {}", position.unwrap_or_default());
                told = position;
            }
            tokio::time::sleep(AGAIN).await;
            session = self.json(Method::GET, &path, None).await?;
        }
        if session["state"] == "ended" {
            let why = session["message"].as_str().unwrap_or("it is over");
            return Err(Error::Invalid(format!("session {id} has ended: {why}")));
        }
        if self.session.is_none() {
            eprintln!("session {}s/{id}", self.base);
        }
        if let Some(terminal) = &self.terminal {
            return Ok((id, terminal.clone()));
        }
        let alive = |t: &&Value| t["exit_code"].is_null();
        let known = session["terminals"].as_array().into_iter().flatten().find(alive);
        let terminal = match known {
            Some(terminal) => terminal.clone(),
            None => {
                let (cols, rows) = terminal::size().unwrap_or((80, 24));
                let size = json!({ "cols": cols, "rows": rows });
                self.json(Method::POST, &format!("{path}/terminals"), Some(size)).await?
            }
        };
        Ok((id, terminal["id"].as_str().ok_or_else(none)?.to_owned()))
    }
}

/// The server, the session and the terminal that an address names.
fn parse(address: &str) -> Result<(Url, Option<String>, Option<String>), Error> {
    let mut base: Url = address.parse().map_err(|e| Error::Invalid(format!("{address}: {e}")))?;
    base.set_query(None);
    base.set_fragment(None);
    let parts: Vec<String> =
        base.path().split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect();
    let names: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (above, session, terminal) = match names.as_slice() {
        [above @ .., "api", "v1", "sessions", session, "terminals", terminal] => {
            (above, Some(session), Some(terminal))
        }
        [above @ .., "api", "v1", "sessions", session] | [above @ .., "s", session] => {
            (above, Some(session), None)
        }
        above => (above, None, None),
    };
    base.set_path(&above.join("/"));
    Ok((base, session.map(ToString::to_string), terminal.map(ToString::to_string)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn addresses() {
        for (address, base, session, terminal) in [
            ("https://h.example", "https://h.example/", None, None),
            ("https://h.example/s/abc?x#y", "https://h.example/", Some("abc"), None),
            ("http://127.0.0.1:80/box/s/abc", "http://127.0.0.1/box", Some("abc"), None),
            ("https://h/api/v1/sessions/a/terminals/t", "https://h/", Some("a"), Some("t")),
        ] {
            let (found, s, t) = parse(address).unwrap();
            assert_eq!((found.as_str(), s.as_deref(), t.as_deref()), (base, session, terminal), "{address}");
        }
        assert!(parse("https://").is_err());
    }
}
